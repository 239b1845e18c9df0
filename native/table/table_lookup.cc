// Lookups: three stages on three places of the batch at once, so that the memory latency of one id is hidden behind others.
#include <cstring>

#include "table/mix64.h"
#include "table/table.h"

namespace monolith {
namespace {

// Ids between two stages. 32 outstanding lines are what one core keeps in flight; more gained nothing in bench/table.
constexpr size_t kDistance = 24;
// Homes remembered between the first two stages: a power of two above kDistance.
constexpr size_t kRing = 32;

}  // namespace

size_t Table::count_missing(const uint64_t* fids, size_t count) const {
  size_t homes[kRing];
  size_t missing = 0;
  for (size_t i = 0; i < count + kDistance; i++) {
    if (i >= kDistance) {
      const size_t at = i - kDistance;
      missing += find(fids[at], homes[at % kRing])->row1 == 0;
    }
    if (i < count) {
      homes[i % kRing] = home(mix64(fids[i]));
      __builtin_prefetch(entries() + homes[i % kRing]);
    }
  }
  return missing;
}

template <bool Create, size_t Dim>
int64_t Table::lookup_sized(const uint64_t* fids, size_t count, uint32_t timestamp, float* rows, int32_t* handles) {
  const size_t dim = Dim != 0 ? Dim : dim_;
  const size_t bytes = dim * sizeof(float);
  const size_t fetched = bytes < 512 ? bytes : 512;
  const size_t before = size_;
  size_t homes[kRing];
  for (size_t i = 0; i < count + 2 * kDistance; i++) {
    if (i >= 2 * kDistance) {
      const size_t at = i - 2 * kDistance;
      float* out = rows + at * dim;
      const int32_t handle = handles[at];
      if (handle < 0) {
        std::memset(out, 0, bytes);
      } else {
        float* record = row_address(static_cast<size_t>(handle));
        if constexpr (Create) {
          if (static_cast<size_t>(handle) >= before) initialize_row(fids[at], record);
        }
        std::memcpy(out, record, bytes);
      }
    }
    if (i >= kDistance && i - kDistance < count) {
      const size_t at = i - kDistance;
      Entry* entry = find(fids[at], homes[at % kRing]);
      if constexpr (Create) {
        if (entry->row1 == 0) {
          *entry = {fids[at], static_cast<uint32_t>(size_ + 1), timestamp};
          mark_dirty(size_);
          size_++;
        } else {
          entry->last_use = timestamp;
        }
      }
      const int32_t handle = static_cast<int32_t>(entry->row1) - 1;
      handles[at] = handle;
      if (handle >= 0) {
        const char* record = reinterpret_cast<const char*>(row_address(static_cast<size_t>(handle)));
        for (size_t offset = 0; offset < fetched; offset += 64) __builtin_prefetch(record + offset);
        if (Dim == 0 || Dim > 16 || bytes % 16 != 0) __builtin_prefetch(record + fetched - 1);
      }
    }
    if (i < count) {
      homes[i % kRing] = home(mix64(fids[i]));
      __builtin_prefetch(entries() + homes[i % kRing], Create ? 1 : 0);
    }
  }
  return static_cast<int64_t>(size_ - before);
}

int64_t Table::lookup(const uint64_t* fids, size_t count, bool create, uint32_t timestamp, float* rows, int32_t* handles) {
  if (create && size_ + count > room() && size_ + count_missing(fids, count) > room()) return kNoRoom;
  switch (dim_) {
    case 1:
      return create ? lookup_sized<true, 1>(fids, count, timestamp, rows, handles)
                    : lookup_sized<false, 1>(fids, count, timestamp, rows, handles);
    case 16:
      return create ? lookup_sized<true, 16>(fids, count, timestamp, rows, handles)
                    : lookup_sized<false, 16>(fids, count, timestamp, rows, handles);
    case 17:
      return create ? lookup_sized<true, 17>(fids, count, timestamp, rows, handles)
                    : lookup_sized<false, 17>(fids, count, timestamp, rows, handles);
    case 32:
      return create ? lookup_sized<true, 32>(fids, count, timestamp, rows, handles)
                    : lookup_sized<false, 32>(fids, count, timestamp, rows, handles);
    default:
      return create ? lookup_sized<true, 0>(fids, count, timestamp, rows, handles)
                    : lookup_sized<false, 0>(fids, count, timestamp, rows, handles);
  }
}

}  // namespace monolith
