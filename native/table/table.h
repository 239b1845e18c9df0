// One shard's part of one embedding table. Owned by one thread, no locks.
//
// Index: open addressing over 16-byte entries {fid, row + 1, last use}; row + 1 == 0 means empty, so every 64-bit pattern is a legal fid.
// Entries stand in lines of four (64 bytes, aligned). Home of a fid: fast range of the upper half of mix64(fid) over the lines, whose number
// need not be a power of two; a line is looked at whole, without a branch an entry, then the next one: linear probing by lines, load <= 0.8. A line fills
// from the left and nothing is ever taken out, so the first empty entry ends a search. The order of homes is the order of hashes: a bucket
// (top bits of the hash) is one range of the index, and growing rewrites it front to back.
// Rows: dense numbers in segments that the caller owns and keeps alive; never moved.
#pragma once
#include <cstddef>
#include <cstdint>

#include "optimizers/row_update.h"
#include "table/lookup.h"
#include "table/page_block.h"
#include "table/row_initializer.h"

namespace monolith {

struct InitializerSpec {
  InitializerKind kind;
  double a;
  double b;
};

class Table {
 public:
  static constexpr size_t kMaxSlices = 64;
  static constexpr int64_t kNoRoom = -1;
  static constexpr int64_t kNoMemory = -2;

  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Before anything else: slices in order, then finish. False when there is no memory.
  void add_slice(size_t dim, InitializerSpec initializer, OptimizerKind kind, const double* hyper);
  bool finish(uint64_t seed, uint32_t segment_shift, size_t max_rows);

  size_t dim() const { return dim_; }
  size_t state_length() const { return record_ - dim_; }
  size_t record_length() const { return record_; }
  size_t num_slices() const { return num_slices_; }
  size_t size() const { return size_; }
  size_t room() const;
  size_t segment_bytes() const { return (size_t{1} << shift_) * stride_ * sizeof(float); }
  size_t own_bytes() const { return index_.bytes() + dirty_.bytes() + segments_.bytes() + merge_hash_.bytes() + merge_parts_.bytes() + merge_rows_.bytes() + named_.bytes(); }

  // Takes `bytes` at `memory` (zeroed or not) as the next segment. False: too short or no memory for the tables of pointers.
  bool add_segment(void* memory, size_t bytes);
  // Grows the index so that `rows` rows fit. False when there is no memory (nothing has changed then).
  bool reserve_index(size_t rows);

  size_t count_missing(const uint64_t* fids, size_t count) const;
  // Number of rows created; -n: n rows are missing and there is no room, none was created.
  int64_t lookup(const uint64_t* fids, size_t count, bool create, uint32_t timestamp, float* rows, int32_t* handles);
  // Rows updated, or kNoMemory. handles < size() were checked by the caller.
  int64_t apply(size_t sources, const int32_t* const* handles, const int32_t* counts, const float* const* gradients, const float* rates,
                float clip);

  // The rows that refresh_named copies: those that handles name, and maybe a few more. False when there is no memory.
  bool name_rows(size_t sources, const int32_t* const* handles, const int32_t* counts);
  // Values of the named rows among handles[count] into rows[count, dim]. handles < size() were checked by the caller.
  void refresh_named(const int32_t* handles, size_t count, float* rows) const;

  size_t count_bucket(uint32_t bits, uint64_t bucket) const;
  // Number written (as many as count_bucket says) or kNoMemory.
  int64_t dump(uint32_t bits, uint64_t bucket, uint64_t* fids, uint32_t* timestamps, float* records);
  // Number of new rows or kNoRoom with nothing changed.
  int64_t load(const uint64_t* fids, const uint32_t* timestamps, const float* records, size_t count);
  void clear();

  size_t count_dirty() const;
  void clear_dirty();

 private:
  using Entry = IndexEntry;

  Entry* entries() const { return static_cast<Entry*>(index_.data()); }
  float* const* segment_table() const { return static_cast<float* const*>(segments_.data()); }
  uint64_t* dirty_words() const { return static_cast<uint64_t*>(dirty_.data()); }
  RowSpace space() const { return {segment_table(), shift_, mask_, stride_, dirty_words()}; }
  RowUpdatePlan update_plan() const {
    return {slices_, num_slices_, dim_, record_ * sizeof(float), static_cast<float*>(gradient_.data())};
  }
  size_t home(uint64_t hash) const { return static_cast<size_t>(((hash >> 32) * lines_) >> 32); }
  float* row_address(size_t row) const { return segment_table()[row >> shift_] + (row & mask_) * stride_; }
  Entry* line_at(size_t line) const { return entries() + line * kLineEntries; }
  // The entry of fid, or the empty entry where it belongs; `line` is its home.
  Entry* find(uint64_t fid, size_t line) const {
    for (;;) {
      Entry* entry = line_at(line);
      uint32_t same = 0;
      uint32_t empty = 0;
      for (uint32_t j = 0; j < kLineEntries; j++) {
        same |= static_cast<uint32_t>(entry[j].fid == fid) << j;
        empty |= static_cast<uint32_t>(entry[j].row1 == 0) << j;
      }
      same &= ~empty;
      const uint32_t end = same != 0 ? same : empty;
      if (__builtin_expect(end != 0, 1)) return entry + __builtin_ctz(end);
      if (++line == lines_) line = 0;
    }
  }
  void initialize_row(uint64_t fid, float* record) const;
  void mark_dirty(size_t row) { dirty_words()[row >> 6] |= uint64_t{1} << (row & 63); }
  LookupTable lookup_table(uint32_t timestamp) const;
  template <typename Visit>
  void visit_bucket(uint32_t bits, uint64_t bucket, Visit visit) const;
  int64_t apply_merged(size_t sources, const int32_t* const* handles, const int32_t* counts, const float* const* gradients,
                       const RowUpdatePlan& plan, const float* rates, float clip, size_t total);

  SliceUpdate slices_[kMaxSlices];
  InitializerSpec initializers_[kMaxSlices];
  size_t num_slices_ = 0;
  size_t dim_ = 0;
  // Floats of a record (values and state) and of the distance between two.
  size_t record_ = 0;
  size_t stride_ = 0;
  uint64_t seed_ = 0;
  size_t max_rows_ = 0;
  uint32_t shift_ = 0;
  uint32_t mask_ = 0;

  PageBlock index_;
  size_t lines_ = 0;
  // Rows at which the load reaches its bound.
  size_t limit_ = 0;
  size_t size_ = 0;

  PageBlock segments_;
  size_t num_segments_ = 0;
  PageBlock dirty_;

  // State of a new row, and one gradient row: work space.
  PageBlock initial_state_;
  PageBlock gradient_;
  // Work space of apply with several sources: hash of rows, lists of gradients.
  PageBlock merge_hash_;
  PageBlock merge_parts_;
  PageBlock merge_rows_;
  uint32_t merge_epoch_ = 0;
  // Bits of named rows, 2^named_log2_ of them.
  PageBlock named_;
  uint32_t named_log2_ = 0;

  LookupFn* lookup_rows_ = nullptr;
  CreateFn* create_rows_ = nullptr;
  CountMissingFn* count_missing_ = nullptr;
  InitializeSliceFn* initialize_slice_ = nullptr;
  UpdateRowsFn* update_rows_ = nullptr;
  UpdateMergedFn* update_merged_ = nullptr;
};

}  // namespace monolith
