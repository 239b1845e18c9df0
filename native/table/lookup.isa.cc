// Lookups of rows whose values are float32.
#include "table/lookup_march.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Of a row: what is fetched ahead. The rest of a longer one comes by the hardware's own fetching.
constexpr size_t kFetchedBytes = 512;

// Dim: number of values when known at compile time, else 0. Packed: rows follow each other without a gap.
template <size_t Dim, bool Packed>
struct FloatRows {
  using Value = float;

  __attribute__((always_inline)) static inline const float* at(const RowSpace& space, uint32_t row) {
    if constexpr (Dim != 0 && Packed) return space.values[row >> space.value_shift] + static_cast<size_t>(row & space.value_mask) * Dim;
    return row_values(space, row);
  }

  __attribute__((always_inline)) static inline void fetch(const float* values, size_t dim) {
    const char* address = reinterpret_cast<const char*>(values);
    const size_t bytes = (Dim ? Dim : dim) * sizeof(float);
    const size_t fetched = bytes < kFetchedBytes ? bytes : kFetchedBytes;
    for (size_t offset = 0; offset < fetched; offset += 64) ML_PREFETCH(address + offset);
    // Values that do not start on a line may end in one more. Those that divide a line or consist of whole lines never do when packed.
    constexpr bool kAligned = Dim == 1 || (Packed && Dim != 0 && (Dim % 16 == 0 || 16 % (Dim ? Dim : 1) == 0));
    if constexpr (!kAligned) ML_PREFETCH(address + fetched - 1);
  }

  __attribute__((always_inline)) static inline void copy(const float* values, size_t dim, float* out) {
    if constexpr (Dim != 0) {
      __builtin_memcpy(out, values, Dim * sizeof(float));
    } else {
      __builtin_memcpy(out, values, dim * sizeof(float));
    }
  }
};

template <bool Touch, size_t Dim>
size_t run(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  const size_t dim = Dim ? Dim : table.dim;
  if (Dim != 0 && table.rows.value_stride == Dim) return March<Touch, FloatRows<Dim, true>>{table, table.rows, table.index, dim, fids, rows, handles}.run(count);
  return March<Touch, FloatRows<Dim, false>>{table, table.rows, table.index, dim, fids, rows, handles}.run(count);
}

// Number of ids without a row.
template <bool Touch>
inline size_t run_sized(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  switch (table.dim) {
    case 1: return run<Touch, 1>(table, fids, count, rows, handles);
    case 8: return run<Touch, 8>(table, fids, count, rows, handles);
    case 16: return run<Touch, 16>(table, fids, count, rows, handles);
    case 17: return run<Touch, 17>(table, fids, count, rows, handles);
    case 32: return run<Touch, 32>(table, fids, count, rows, handles);
    default: return run<Touch, 0>(table, fids, count, rows, handles);
  }
}

}  // namespace

size_t lookup_rows(const LookupTable& table, bool touch, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  if (touch && table.stamps.segments != nullptr) return run_sized<true>(table, fids, count, rows, handles);
  return run_sized<false>(table, fids, count, rows, handles);
}

}  // namespace ML_ISA
}  // namespace monolith
