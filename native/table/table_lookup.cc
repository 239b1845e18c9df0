#include "table/table.h"

namespace monolith {

LookupTable Table::lookup_table(uint32_t timestamp) const {
  const StampSpace stamps = {stamps_.stride() == 0 ? nullptr : stamps_.segments(), stamps_.shift(), stamps_.mask()};
  return {index_.view(),  space(),     stamps, dim_, timestamp, slices_, initializers_, num_slices_, static_cast<const float*>(initial_state_.data()),
          state_, seed_};
}

int64_t Table::lookup(const uint64_t* fids, size_t count, bool create, uint32_t timestamp, float* rows, int32_t* handles) {
  // Last uses of frozen rows are part of their records: they are stored once those are kept.
  const bool touch_later = create && frozen_ != nullptr && stamps_.stride() != 0;
  const size_t missing = lookup_rows_(lookup_table(timestamp), create && !touch_later, fids, count, rows, handles);
  if (touch_later) touch_kept(handles, count, timestamp);
  if (!create || missing == 0) return 0;
  if (size_ + missing > max_rows_) return -static_cast<int64_t>(missing);
  if (!reserve_rows(size_ + missing) || !index_.prepare(fids, handles, count)) return kNoMemory;
  const size_t before = size_;
  size_ = create_rows_(lookup_table(timestamp), size_, fids, count, rows, handles);
  return static_cast<int64_t>(size_ - before);
}

}  // namespace monolith
