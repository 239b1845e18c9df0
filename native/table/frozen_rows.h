// The rows of a table as they were at one moment, read by another thread while the table goes on changing. Nobody waits for anybody.
//
// The owner, whoever may touch the table, calls `keep` with the rows that it is about to change: those that the reader has not read get a copy
// of their record first. Rows that came later are not part of it. The reader walks the directory as it was: entries of a line stay
// where they are, new ones name rows beyond `size`, and lines that a partition has outgrown are not given back until the end (Index::keep_old).
//
//   words                written by   read by         order
//   kept bit of a row    owner        owner, reader   set after the copy, before the row changes
//   read bit of a row    reader       owner           set after the row was read
//   ended                reader       owner           no copies from then on; the owner lets go in its next call
//
// A row that the reader copied while it changed has its kept bit set by then: the reader looks at the bit afterwards, and takes the copy.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "optimizers/row_update.h"
#include "table/copy_space.h"
#include "table/half_rows.h"
#include "table/index_line.h"
#include "table/page_block.h"
#include "table/row_format.h"
#include "table/row_plane.h"

namespace monolith {

// What of a table is frozen; all of it is copied.
struct FrozenParts {
  const IndexView& index;
  const RowPlane& values;
  // The plane of the state, `values` itself where they lie together.
  const RowPlane& states;
  const RowPlane& stamps;
  const RowSpace& rows;
  size_t size;
  size_t dim;
  size_t state_length;
  RowFormat format;
  WidenFn* widen;
  // Bits of the rows that are part of it; nullptr: all.
  const uint64_t* only;
};

class FrozenRows {
 public:
  FrozenRows() = default;
  FrozenRows(const FrozenRows&) = delete;
  FrozenRows& operator=(const FrozenRows&) = delete;

  // Before anything else. `spare`, or nullptr: copies go there where it fits; it is this one's in any case. `expected`: copies whose memory is made present
  // ahead. False when there is no memory. Other copies have their address space then, and cost memory as they are made.
  bool start(const FrozenParts& parts, CopySpace* spare, size_t expected);

  // The owner, before rows change: handles < 0 or of later rows are skipped.
  void keep(const int32_t* handles, size_t count);
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  // Rows there were, those of which that are part of it, and whether one is.
  size_t size() const { return size_; }
  size_t count() const { return count_; }
  bool has(uint32_t row) const { return row < size_ && (only_.bytes() == 0 || (only()[row >> 6] >> (row & 63) & 1) != 0); }
  IndexView index() const { return {static_cast<const Partition*>(directory_.data()), nullptr, depth_}; }
  void prefetch(uint32_t row) const;
  // Values widened, then state, into record[dim + state_length]; the row's last use, 0 where none is kept.
  uint32_t read(uint32_t row, float* record);
  void end() { ended_.store(true, std::memory_order_release); }

  // Copies so far, and bytes held by them and by what is kept beside them.
  size_t copies() const { return copies_.load(std::memory_order_relaxed); }
  size_t bytes() const;

  // Two at first: the owner's and the reader's. Whoever takes the last one away frees it.
  void hold() { holders_.fetch_add(1, std::memory_order_relaxed); }
  bool shared() const { return holders_.load(std::memory_order_acquire) > 1; }
  static void let_go(FrozenRows* frozen);
  // The same; when it was the last one, the space of the copies, clean, to be used again. Takes milliseconds then.
  static CopySpace* let_go_for_space(FrozenRows* frozen);
  ~FrozenRows() { delete copies_in_; }

 private:
  const uint64_t* only() const { return static_cast<const uint64_t*>(only_.data()); }
  const char* stored_values(uint32_t row) const;
  const uint32_t* stamp(uint32_t row) const;
  void make_copy(uint32_t row);
  void unpack(const char* values, const float* state, float* record) const;

  std::atomic<uint32_t> holders_{1};
  std::atomic<bool> ended_{false};
  std::atomic<size_t> copies_{0};

  size_t size_ = 0;
  size_t count_ = 0;
  size_t dim_ = 0;
  size_t state_ = 0;
  size_t value_bytes_ = 0;
  RowFormat format_ = RowFormat::fp32;
  WidenFn* widen_ = nullptr;
  RowSpace space_{};
  uint32_t stamp_shift_ = 0;
  uint32_t stamp_mask_ = 0;
  uint32_t depth_ = 0;

  PageBlock value_segments_;
  PageBlock state_segments_;
  PageBlock stamp_segments_;
  PageBlock directory_;
  PageBlock only_;
  CopySpace* copies_in_ = nullptr;
  uint32_t blocks_ = 0;
};

}  // namespace monolith
