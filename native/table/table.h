// One shard's part of one embedding table. One thread at a time, no locks; see table_registry.h for tables that several threads hold.
//
// Rows have dense numbers. Their values stand in a plane of rows of `dim` floats, their optimizer state behind the values or in a plane of its
// own, whichever touches fewer cache lines: 16 floats with one float of state lie apart, so that a lookup reads one line; 16 with 16 lie
// together. Values of 16 bits (RowFormat) always lie apart. All memory is the table's own; rows never move.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "optimizers/half_update.h"
#include "optimizers/row_update.h"
#include "table/frozen_rows.h"
#include "table/half_rows.h"
#include "table/index.h"
#include "table/lookup.h"
#include "table/page_block.h"
#include "table/row_initializer.h"
#include "table/row_plane.h"

namespace monolith {

// What became of Table::freeze. Busy: rows of an earlier one are still being read.
enum class Freezing { done, busy, no_memory };

class Table {
 public:
  static constexpr size_t kMaxSlices = 64;
  static constexpr int64_t kNoMemory = INT64_MIN;

  Table() = default;
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Before anything else: slices in order, then finish. False when there is no memory.
  void add_slice(size_t dim, InitializerSpec initializer, OptimizerKind kind, const double* hyper);
  bool finish(uint64_t seed, uint32_t segment_shift, size_t max_rows, bool keep_stamps, RowFormat format);

  size_t dim() const { return dim_; }
  size_t state_length() const { return state_; }
  size_t record_length() const { return dim_ + state_; }
  size_t num_slices() const { return num_slices_; }
  size_t size() const { return size_; }
  size_t max_rows() const { return max_rows_; }
  size_t bytes() const;
  // Whether values have 16 bits: apply needs fids and step then, to round them.
  bool half() const { return format_ != RowFormat::fp32; }

  // Makes index and planes ready for `rows` rows. False when there is no memory; rows are as before.
  bool reserve(size_t rows) {
    const size_t most = rows < max_rows_ ? rows : max_rows_;
    return index_.reserve(most) && reserve_rows(most);
  }

  // Number of rows created; -n: n rows are missing and max_rows leaves no room for them; kNoMemory. Below zero none was created.
  int64_t lookup(const uint64_t* fids, size_t count, bool create, uint32_t timestamp, float* rows, int32_t* handles);
  // Rows updated, or kNoMemory. handles < size() were checked by the caller. fids, beside handles, and step: read only when half().
  int64_t apply(size_t sources, const int32_t* const* handles, const int32_t* counts, const float* const* gradients, const float* rates,
                float clip, const uint64_t* const* fids, uint64_t step);

  // The rows that refresh_named copies: those that handles name, and maybe a few more. False when there is no memory.
  bool name_rows(size_t sources, const int32_t* const* handles, const int32_t* counts);
  // Values of the named rows among handles[count] into rows[count, dim]. handles < size() were checked by the caller.
  void refresh_named(const int32_t* handles, size_t count, float* rows) const;

  size_t count_bucket(uint32_t bits, uint64_t bucket) const;
  // Number written (as many as count_bucket says) or kNoMemory.
  int64_t dump(uint32_t bits, uint64_t bucket, uint64_t* fids, uint32_t* timestamps, float* records);
  // As lookup: number of new rows, -n or kNoMemory.
  int64_t load(const uint64_t* fids, const uint32_t* timestamps, const float* records, size_t count);
  // False when there is no memory, or frozen rows are being read: nothing has changed then.
  bool clear();

  // Rows created, updated or loaded since clear_dirty.
  size_t count_dirty() const;
  void clear_dirty();

  // Freezes the rows, or the dirty ones alone, as they are now, for one reader in another thread: see frozen_rows.h. `forget_changes`: and none is dirty
  // any more.
  Freezing freeze(bool only_changed, bool forget_changes);
  // What freeze made, for the reader, who lets go of it; nullptr when there is nothing to read. Between freeze and its reader's end.
  FrozenRows* hold_frozen();
  // Takes over the space of frozen rows for the next freeze, from any thread.
  void keep_spare(CopySpace* space);

 private:
  // Lets go of frozen rows.
  void thaw();
  // Whether a reader still wants them; if not they are let go of.
  bool being_read();
  // Before the rows that handles name change, where there are frozen rows.
  void keep_rows(const int32_t* handles, size_t count);
  // Copies of the first steps after a freeze.
  size_t expected_copies() const;
  void touch_kept(const int32_t* handles, size_t count, uint32_t timestamp);
  uint64_t* dirty_words() const { return static_cast<uint64_t*>(dirty_.data()); }
  bool apart() const { return states_.stride() != 0; }
  RowSpace space() const;
  RowUpdatePlan update_plan() const;
  // Values of one row to and from float32, for what is not done a batch at a time.
  void read_values(const RowSpace& rows, uint32_t row, float* out) const;
  void write_values(const RowSpace& rows, uint32_t row, const float* values);
  LookupTable lookup_table(uint32_t timestamp) const;
  // Makes the planes and the dirty bits large enough.
  bool reserve_rows(size_t rows);
  uint32_t* stamp(size_t row) const { return reinterpret_cast<uint32_t*>(stamps_.at(row)); }
  // Merged rows and their lists of gradients, and the fids of the rows when Half; the number of rows, or kNoMemory.
  template <bool Half>
  int64_t merge(size_t sources, const int32_t* const* handles, const int32_t* counts, const float* const* gradients, size_t total,
                const uint64_t* const* fids);

  SliceUpdate slices_[kMaxSlices];
  InitializerSpec initializers_[kMaxSlices];
  size_t num_slices_ = 0;
  // Floats of values and of state of a row.
  size_t dim_ = 0;
  size_t state_ = 0;
  uint64_t seed_ = 0;
  RowFormat format_ = RowFormat::fp32;
  size_t max_rows_ = 0;
  size_t size_ = 0;

  FrozenRows* frozen_ = nullptr;
  // Of frozen rows before, and the memory that it holds.
  std::atomic<CopySpace*> spare_{nullptr};
  std::atomic<size_t> spare_bytes_{0};
  // Rows named by the largest update so far.
  size_t most_applied_ = 0;
  Index index_;
  // Values, with the state behind them unless states_ holds it; stamps_ only where last uses are kept.
  RowPlane values_;
  RowPlane states_;
  RowPlane stamps_;
  PageBlock dirty_;

  // State of a new row, one gradient row, one row of widened values with their noise: work space.
  PageBlock initial_state_;
  PageBlock gradient_;
  PageBlock widened_;
  // Work space of apply with several sources: hash of rows, lists of gradients.
  PageBlock merge_hash_;
  PageBlock merge_parts_;
  PageBlock merge_rows_;
  PageBlock merge_fids_;
  // Bits of named rows, 2^named_log2_ of them.
  PageBlock named_;
  uint32_t named_log2_ = 0;

  LookupFn* lookup_rows_ = nullptr;
  CreateFn* create_rows_ = nullptr;
  CountMissingFn* count_missing_ = nullptr;
  UpdateRowsFn* update_rows_ = nullptr;
  UpdateMergedFn* update_merged_ = nullptr;
  UpdateHalfRowsFn* update_half_rows_ = nullptr;
  UpdateHalfMergedFn* update_half_merged_ = nullptr;
  WidenFn* widen_ = nullptr;
  NearestFn* nearest_ = nullptr;
};

}  // namespace monolith
