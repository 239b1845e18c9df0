// exp, sigmoid and tanh of a vector, each within about 2 ulp (results below the smallest normal number may be zero). Polynomials after Cephes (S. Moshier), expf.c and tanhf.c.
#pragma once
#include "simd/vec.h"

namespace monolith {
namespace ML_ISA {

// Whole powers of two, |n| ≤ 126.
ML_INLINE V power_of_two(VI n) { return reinterpret_cast<V>((n + 127) << 23); }

// e^x; x > 88.8 gives infinity, x < −104 zero, NaN stays NaN.
ML_INLINE V exp(V x) {
  const V high = set1(89.0f), low = set1(-105.0f);
  x = select(x > high, high, x);
  x = select(x < low, low, x);
  // Adding and subtracting 1.5·2^23 rounds to the nearest whole number.
  const V magic = set1(12582912.0f);
  const V n = (x * set1(1.44269504088896341f) + magic) - magic;
  V r = fma(n, set1(-0.693359375f), x);
  r = fma(n, set1(2.12194440e-4f), r);
  V p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  const V y = fma(p, r * r, r) + set1(1.0f);
  // Scaled in two steps, so that results near the ends of the range (2^128, denormals) come out right.
  const V safe = select(n == n, n, zero());
  const VI whole = __builtin_convertvector(safe, VI);
  const VI half = whole >> 1;
  return y * power_of_two(half) * power_of_two(whole - half);
}

ML_INLINE V sigmoid(V x) { return set1(1.0f) / (set1(1.0f) + exp(-x)); }

ML_INLINE V tanh(V x) {
  const V size = select(x < zero(), -x, x);
  const V s = x * x;
  V p = set1(-5.70498872745e-3f);
  p = fma(p, s, set1(2.06390887954e-2f));
  p = fma(p, s, set1(-5.37397155531e-2f));
  p = fma(p, s, set1(1.33314422036e-1f));
  p = fma(p, s, set1(-3.33332819422e-1f));
  const V inner = fma(p * s, x, x);
  const V outer = set1(1.0f) - set1(2.0f) / (exp(size + size) + set1(1.0f));
  return select(size < set1(0.625f), inner, select(x < zero(), -outer, outer));
}

// activation: 0 none, 1 relu, 2 sigmoid, 3 tanh (Activation in kernel-backend.ts).
ML_INLINE void apply_activation(int activation, size_t n, const float* x, float* y) {
  switch (activation) {
    case 1:
      for_vectors(n, [=](size_t i, size_t count) { put(y + i, relu(get(x + i, count)), count); });
      break;
    case 2:
      for_vectors(n, [=](size_t i, size_t count) { put(y + i, sigmoid(get(x + i, count)), count); });
      break;
    case 3:
      for_vectors(n, [=](size_t i, size_t count) { put(y + i, tanh(get(x + i, count)), count); });
      break;
    default:
      if (x != y) memmove(y, x, n * sizeof(float));
  }
}

}  // namespace ML_ISA
}  // namespace monolith
