// Lookups of rows whose values have 16 bits. They lie in a plane of their own without gaps.
#include "simd/half.h"
#include "table/half_rows.h"
#include "table/lookup_march.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Of a row: what is fetched ahead. The rest of a longer one comes by the hardware's own fetching.
constexpr size_t kFetchedBytes = 512;

// Dim: number of values when known at compile time, else 0.
template <typename Format, size_t Dim>
struct HalfRows {
  using Value = uint16_t;

  __attribute__((always_inline)) static inline const uint16_t* at(const RowSpace& space, uint32_t row) {
    if constexpr (Dim != 0) return half_values(space, row, Dim);
    return half_values(space, row, space.value_stride);
  }

  __attribute__((always_inline)) static inline void fetch(const uint16_t* values, size_t dim) {
    const char* address = reinterpret_cast<const char*>(values);
    const size_t bytes = (Dim ? Dim : dim) * sizeof(uint16_t);
    const size_t fetched = bytes < kFetchedBytes ? bytes : kFetchedBytes;
    for (size_t offset = 0; offset < fetched; offset += 64) ML_PREFETCH(address + offset);
    constexpr bool kAligned = Dim == 1 || (Dim != 0 && (Dim % 32 == 0 || 32 % (Dim ? Dim : 1) == 0));
    if constexpr (!kAligned) ML_PREFETCH(address + fetched - 1);
  }

  __attribute__((always_inline)) static inline void copy(const uint16_t* values, size_t dim, float* out) {
    Format::widen(values, Dim ? Dim : dim, out);
  }
};

template <bool Touch, typename Format>
inline size_t run_sized(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  const auto run = [&]<size_t Dim>() {
    return March<Touch, HalfRows<Format, Dim>>{table, table.rows, table.index, table.dim, fids, rows, handles}.run(count);
  };
  switch (table.dim) {
    case 1: return run.template operator()<1>();
    case 16: return run.template operator()<16>();
    case 17: return run.template operator()<17>();
    case 32: return run.template operator()<32>();
    default: return run.template operator()<0>();
  }
}

template <typename Format>
inline size_t run_format(const LookupTable& table, bool touch, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  if (touch && table.stamps.segments != nullptr) return run_sized<true, Format>(table, fids, count, rows, handles);
  return run_sized<false, Format>(table, fids, count, rows, handles);
}

}  // namespace

size_t lookup_rows_bf16(const LookupTable& table, bool touch, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  return run_format<Bf16>(table, touch, fids, count, rows, handles);
}

size_t lookup_rows_fp16(const LookupTable& table, bool touch, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  return run_format<Fp16>(table, touch, fids, count, rows, handles);
}

}  // namespace ML_ISA
}  // namespace monolith
