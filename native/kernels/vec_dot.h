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

}  // namespace ML_ISA
}  // namespace monolith
