// Dot product of two contiguous vectors. Only for *.isa.cc.
#pragma once
#include "simd/vec.h"

namespace monolith {
namespace ML_ISA {

// Σ x·y over n values in four vector accumulators: a fixed order for a given n.
ML_INLINE float dot(size_t n, const float* x, const float* y) {
  V sum0 = zero(), sum1 = zero(), sum2 = zero(), sum3 = zero();
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    sum0 = fma(load(x + i), load(y + i), sum0);
    sum1 = fma(load(x + i + kLanes), load(y + i + kLanes), sum1);
    sum2 = fma(load(x + i + 2 * kLanes), load(y + i + 2 * kLanes), sum2);
    sum3 = fma(load(x + i + 3 * kLanes), load(y + i + 3 * kLanes), sum3);
  }
  for (; i + kLanes <= n; i += kLanes) sum0 = fma(load(x + i), load(y + i), sum0);
  if (i < n) sum1 = fma(load_part(x + i, n - i), load_part(y + i, n - i), sum1);
  return lane_sum((sum0 + sum1) + (sum2 + sum3));
}

// Dot products of `Rows` rows of a with x, each with the bits of dot(): x is read once for all of them.
template <int Rows>
ML_INLINE void dot_rows(size_t n, const float* a, size_t lda, const float* x, float* out) {
  V sum[Rows][4];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) sum[r][s] = zero();
  }
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) {
      const V factor = load(x + i + s * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; r++) sum[r][s] = fma(load(a + r * lda + i + s * kLanes), factor, sum[r][s]);
    }
  }
  for (; i + kLanes <= n; i += kLanes) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++) sum[r][0] = fma(load(a + r * lda + i), load(x + i), sum[r][0]);
  }
  if (i < n) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++) sum[r][1] = fma(load_part(a + r * lda + i, n - i), load_part(x + i, n - i), sum[r][1]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; r++) out[r] = lane_sum((sum[r][0] + sum[r][1]) + (sum[r][2] + sum[r][3]));
}

}  // namespace ML_ISA
}  // namespace monolith
