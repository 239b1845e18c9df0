// Rows out and in, whole.
#include <cstring>

#include "table/dumped_row.h"
#include "table/prefetch.h"
#include "table/table.h"

namespace monolith {
namespace {

// Rows ahead of the one being copied that are fetched.
constexpr size_t kAhead = 16;

}  // namespace

size_t Table::count_bucket(uint32_t bits, uint64_t bucket) const {
  if (bits == 0) return size_;
  size_t count = 0;
  index_.visit_bucket(bits, bucket, [&count](uint64_t, uint32_t) { count++; });
  return count;
}

int64_t Table::dump(uint32_t bits, uint64_t bucket, uint64_t* fids, uint32_t* timestamps, float* records) {
  const size_t count = count_bucket(bits, bucket);
  if (count == 0) return 0;
  PageBlock memory;
  if (!memory.allocate(count * 2 * sizeof(DumpedRow))) return kNoMemory;
  DumpedRow* items = static_cast<DumpedRow*>(memory.data());
  size_t n = 0;
  index_.visit_bucket(bits, bucket, [&](uint64_t fid, uint32_t row) { items[n++] = {fid, row, 0}; });
  const DumpedRow* sorted = sort_by_fid(items, items + count, count);
  const RowSpace rows = space();
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) {
      ML_PREFETCH(values_.at_byte(sorted[i + kAhead].row));
      ML_PREFETCH(row_state(rows, sorted[i + kAhead].row));
    }
    const uint32_t row = sorted[i].row;
    fids[i] = sorted[i].fid;
    timestamps[i] = stamps_.stride() == 0 ? 0 : *stamp(row);
    float* record = records + i * record_length();
    read_values(rows, row, record);
    std::memcpy(record + dim_, row_state(rows, row), state_ * sizeof(float));
  }
  return static_cast<int64_t>(count);
}

int64_t Table::load(const uint64_t* fids, const uint32_t* timestamps, const float* records, size_t count) {
  // Each counted as new at first: an overwriting load that seems not to fit is counted exactly.
  if (size_ + count > max_rows_) {
    const size_t missing = count_missing_(lookup_table(0), fids, count);
    if (size_ + missing > max_rows_) return -static_cast<int64_t>(missing);
  }
  const size_t most = size_ + count < max_rows_ ? size_ + count : max_rows_;
  if (!reserve_rows(most) || !index_.prepare(fids, nullptr, count)) return kNoMemory;
  const RowSpace rows = space();
  const size_t before = size_;
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) index_.prefetch(mix64(fids[i + kAhead]));
    uint32_t& row1 = index_.find_or_add(fids[i], mix64(fids[i]));
    const bool fresh = row1 == 0;
    if (fresh) row1 = static_cast<uint32_t>(++size_);
    const uint32_t row = row1 - 1;
    const int32_t handle = static_cast<int32_t>(row);
    if (frozen_ != nullptr && !fresh) keep_rows(&handle, 1);
    if (stamps_.stride() != 0) *stamp(row) = timestamps[i];
    const float* record = records + i * record_length();
    write_values(rows, row, record);
    std::memcpy(row_state(rows, row), record + dim_, state_ * sizeof(float));
    rows.dirty[row >> 6] |= uint64_t{1} << (row & 63);
  }
  return static_cast<int64_t>(size_ - before);
}

}  // namespace monolith
