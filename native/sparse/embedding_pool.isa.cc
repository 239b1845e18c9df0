#include "sparse/embedding_pool.h"

namespace monolith {
namespace ML_ISA {
namespace {

#if defined(__AVX512F__)
constexpr size_t kLanes = 16;
#elif defined(__AVX2__)
constexpr size_t kLanes = 8;
#else
constexpr size_t kLanes = 4;
#endif

// Ids ahead whose row is fetched.
constexpr int32_t kAhead = 16;

template <size_t L>
struct Lanes {
  typedef float type __attribute__((vector_size(L * 4), aligned(4), may_alias));
};
template <>
struct Lanes<1> {
  typedef float type;
};

template <size_t N>
struct Shape {
  static constexpr size_t lanes = N < kLanes ? N : kLanes;
  static constexpr size_t vectors = N / lanes;
  typedef typename Lanes<lanes>::type Vector;
};

// What a sum of `ids` rows is multiplied with.
inline float combine_factor(uint8_t combiner, int32_t ids) {
  if (combiner == 1) return 1.0f / static_cast<float>(ids);
  if (combiner == 2) return static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(ids)));
  return 1.0f;
}

// always_inline: g++ 12 takes a function that only prefetches for one without effect and drops the calls.
__attribute__((always_inline)) inline void prefetch_ahead(const PoolArguments& a, const float* rows, int32_t id, int32_t end) {
  const int32_t ahead = id + kAhead < end ? id + kAhead : end - 1;
  const float* row = rows + static_cast<size_t>(a.inverse[ahead]) * a.row_stride;
  __builtin_prefetch(row);
  if (a.d > 1) __builtin_prefetch(row + a.d - 1);
}

template <size_t N, bool Weighted>
inline void forward_sized(const PoolArguments& a, const float* rows, float* out) {
  using V = typename Shape<N>::Vector;
  constexpr size_t kVectors = Shape<N>::vectors;
  const int32_t last = a.bag_offsets[a.m * a.f];
  const int32_t* bag = a.bag_offsets;
  for (size_t r = 0; r < a.m; r++) {
    for (size_t j = 0; j < a.f; j++, bag++) {
      const int32_t begin = bag[0];
      const int32_t end = bag[1];
      if (a.out_columns[j] < 0) continue;
      V sum[kVectors] = {};
      for (int32_t i = begin; i < end; i++) {
        prefetch_ahead(a, rows, i, last);
        const V* row = reinterpret_cast<const V*>(rows + static_cast<size_t>(a.inverse[i]) * a.row_stride);
        if constexpr (Weighted) {
          const float value = a.values[i];
          for (size_t v = 0; v < kVectors; v++) sum[v] += row[v] * value;
        } else {
          for (size_t v = 0; v < kVectors; v++) sum[v] += row[v];
        }
      }
      V* target = reinterpret_cast<V*>(out + r * a.ldout + a.out_columns[j]);
      if (a.combiners[j] != 0 && end - begin > 1) {
        const float factor = combine_factor(a.combiners[j], end - begin);
        for (size_t v = 0; v < kVectors; v++) target[v] = sum[v] * factor;
      } else {
        for (size_t v = 0; v < kVectors; v++) target[v] = sum[v];
      }
    }
  }
}

template <bool Weighted>
inline void forward_any(const PoolArguments& a, const float* rows, float* out) {
  const int32_t last = a.bag_offsets[a.m * a.f];
  const int32_t* bag = a.bag_offsets;
  for (size_t r = 0; r < a.m; r++) {
    for (size_t j = 0; j < a.f; j++, bag++) {
      const int32_t begin = bag[0];
      const int32_t end = bag[1];
      if (a.out_columns[j] < 0) continue;
      float* __restrict target = out + r * a.ldout + a.out_columns[j];
      for (size_t k = 0; k < a.d; k++) target[k] = 0.0f;
      for (int32_t i = begin; i < end; i++) {
        prefetch_ahead(a, rows, i, last);
        const float* __restrict row = rows + static_cast<size_t>(a.inverse[i]) * a.row_stride;
        if constexpr (Weighted) {
          const float value = a.values[i];
          for (size_t k = 0; k < a.d; k++) target[k] += row[k] * value;
        } else {
          for (size_t k = 0; k < a.d; k++) target[k] += row[k];
        }
      }
      if (a.combiners[j] != 0 && end - begin > 1) {
        const float factor = combine_factor(a.combiners[j], end - begin);
        for (size_t k = 0; k < a.d; k++) target[k] *= factor;
      }
    }
  }
}

// N = 0: a.d columns.
template <size_t N>
inline void backward_sized(const PoolArguments& a, const float* d_out, float* d_rows) {
  const int32_t last = a.bag_offsets[a.m * a.f];
  const int32_t* bag = a.bag_offsets;
  for (size_t r = 0; r < a.m; r++) {
    for (size_t j = 0; j < a.f; j++, bag++) {
      const int32_t begin = bag[0];
      const int32_t end = bag[1];
      if (a.out_columns[j] < 0 || begin == end) continue;
      const float* __restrict source = d_out + r * a.ldout + a.out_columns[j];
      const float combined = combine_factor(a.combiners[j], end - begin);
      for (int32_t i = begin; i < end; i++) {
        prefetch_ahead(a, d_rows, i, last);
        const float factor = a.values == nullptr ? combined : combined * a.values[i];
        float* target = d_rows + static_cast<size_t>(a.inverse[i]) * a.row_stride;
        if constexpr (N != 0) {
          using V = typename Shape<N>::Vector;
          V* to = reinterpret_cast<V*>(target);
          const V* from = reinterpret_cast<const V*>(source);
          for (size_t v = 0; v < Shape<N>::vectors; v++) to[v] += from[v] * factor;
        } else {
          float* __restrict to = target;
          for (size_t k = 0; k < a.d; k++) to[k] += source[k] * factor;
        }
      }
    }
  }
}

template <size_t N>
inline void forward_n(const PoolArguments& a, const float* rows, float* out) {
  if (a.values == nullptr) {
    forward_sized<N, false>(a, rows, out);
  } else {
    forward_sized<N, true>(a, rows, out);
  }
}

}  // namespace

BagFault check_bags(const PoolArguments& a, size_t num_ids, size_t num_rows) {
  const size_t bags = a.m * a.f;
  if (bags == 0) return BagFault::none;
  const int32_t* offsets = a.bag_offsets;
  uint32_t descends = offsets[0] < 0;
  for (size_t i = 0; i < bags; i++) descends |= offsets[i + 1] < offsets[i];
  if (descends != 0 || static_cast<size_t>(offsets[bags]) > num_ids) return BagFault::offsets;
  uint32_t largest = 0;
  for (int32_t i = offsets[0]; i < offsets[bags]; i++) {
    const uint32_t index = static_cast<uint32_t>(a.inverse[i]);
    largest = index > largest ? index : largest;
  }
  if (offsets[bags] > offsets[0] && largest >= num_rows) return BagFault::inverse;
  return BagFault::none;
}

void pool_forward(const PoolArguments& a, const float* rows, float* out) {
  if (a.m == 0 || a.f == 0) return;
  switch (a.d) {
    case 1: return forward_n<1>(a, rows, out);
    case 4: return forward_n<4>(a, rows, out);
    case 8: return forward_n<8>(a, rows, out);
    case 16: return forward_n<16>(a, rows, out);
    case 32: return forward_n<32>(a, rows, out);
    case 64: return forward_n<64>(a, rows, out);
    default:
      if (a.values == nullptr) {
        forward_any<false>(a, rows, out);
      } else {
        forward_any<true>(a, rows, out);
      }
  }
}

void pool_backward(const PoolArguments& a, const float* d_out, float* d_rows) {
  if (a.m == 0 || a.f == 0) return;
  switch (a.d) {
    case 1: return backward_sized<1>(a, d_out, d_rows);
    case 4: return backward_sized<4>(a, d_out, d_rows);
    case 8: return backward_sized<8>(a, d_out, d_rows);
    case 16: return backward_sized<16>(a, d_out, d_rows);
    case 32: return backward_sized<32>(a, d_out, d_rows);
    case 64: return backward_sized<64>(a, d_out, d_rows);
    default: return backward_sized<0>(a, d_out, d_rows);
  }
}

}  // namespace ML_ISA
}  // namespace monolith
