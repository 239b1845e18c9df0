#include "kernels/elementwise.h"

#include "simd/vec_math.h"

namespace monolith {
namespace ML_ISA {
namespace {

void activation_backward(int activation, size_t n, const float* y, const float* d_y, float* d_x, bool accumulate) {
  const V one = set1(1.0f);
  for_vectors(n, [=](size_t i, size_t count) {
    const V out = get(y + i, count);
    V d = get(d_y + i, count);
    switch (activation) {
      case 1: d = select(out > zero(), d, zero()); break;
      case 2: d = d * (out * (one - out)); break;
      case 3: d = d * (one - out * out); break;
      default: break;
    }
    put(d_x + i, accumulate ? get(d_x + i, count) + d : d, count);
  });
}

void column_sum(size_t m, size_t n, const float* x, size_t ldx, float* out, bool accumulate) {
  constexpr size_t kWide = 4 * static_cast<size_t>(kLanes);
  size_t j = 0;
  for (; j + kWide <= n; j += kWide) {
    V sum[4] = {zero(), zero(), zero(), zero()};
    for (size_t r = 0; r < m; r++) {
      for (int s = 0; s < 4; s++) sum[s] = sum[s] + load(x + r * ldx + j + s * kLanes);
    }
    for (int s = 0; s < 4; s++) {
      float* to = out + j + s * kLanes;
      store(to, accumulate ? load(to) + sum[s] : sum[s]);
    }
  }
  for_vectors(n - j, [=](size_t i, size_t count) {
    V sum = zero();
    for (size_t r = 0; r < m; r++) sum = sum + get(x + r * ldx + j + i, count);
    float* to = out + j + i;
    put(to, accumulate ? get(to, count) + sum : sum, count);
  });
}

void copy_columns(size_t m, size_t n, const float* src, size_t ldsrc, float* dst, size_t lddst, bool accumulate) {
  for (size_t r = 0; r < m; r++) {
    const float* from = src + r * ldsrc;
    float* to = dst + r * lddst;
    if (accumulate) {
      for_vectors(n, [=](size_t i, size_t count) { put(to + i, get(to + i, count) + get(from + i, count), count); });
    } else {
      for_vectors(n, [=](size_t i, size_t count) { put(to + i, get(from + i, count), count); });
    }
  }
}

void axpy(size_t n, float alpha, const float* x, float* y) {
  const V factor = set1(alpha);
  for_vectors(n, [=](size_t i, size_t count) { put(y + i, fma(factor, get(x + i, count), get(y + i, count)), count); });
}

void scale(size_t n, float alpha, float* x) {
  const V factor = set1(alpha);
  for_vectors(n, [=](size_t i, size_t count) { put(x + i, factor * get(x + i, count), count); });
}

void multiply(size_t n, const float* a, const float* b, float* out, bool accumulate) {
  if (accumulate) {
    for_vectors(n, [=](size_t i, size_t count) { put(out + i, fma(get(a + i, count), get(b + i, count), get(out + i, count)), count); });
  } else {
    for_vectors(n, [=](size_t i, size_t count) { put(out + i, get(a + i, count) * get(b + i, count), count); });
  }
}

// Squares of float32 are exact in double, so eight running sums per block give the same bits on every instruction set.
double sum_squares(size_t n, const float* x) {
  constexpr size_t kBlock = 4096;
  double total = 0;
  for (size_t from = 0; from < n; from += kBlock) {
    const size_t end = from + least(kBlock, n - from);
    double sum[8] = {};
    size_t i = from;
    for (; i + 8 <= end; i += 8) {
      for (int s = 0; s < 8; s++) {
        const double value = x[i + s];
        sum[s] += value * value;
      }
    }
    for (int s = 0; i < end; i++, s++) {
      const double value = x[i];
      sum[s] += value * value;
    }
    total += ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
  }
  return total;
}

ML_INLINE bool is_finite(const float* x) {
  uint32_t bits;
  memcpy(&bits, x, sizeof bits);
  return (bits & 0x7f800000u) != 0x7f800000u;
}

int64_t first_non_finite(size_t n, const float* x) {
  constexpr size_t kBlock = 512;
  for (size_t from = 0; from < n; from += kBlock) {
    const size_t end = from + least(kBlock, n - from);
    uint32_t bad = 0;
    for (size_t i = from; i < end; i++) {
      uint32_t bits;
      memcpy(&bits, x + i, sizeof bits);
      bad |= (bits & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
    }
    if (bad == 0) continue;
    for (size_t i = from; i < end; i++) {
      if (!is_finite(x + i)) return static_cast<int64_t>(i);
    }
  }
  return -1;
}

// splitmix64: the finaliser of base/fid.
ML_INLINE uint64_t mix64(uint64_t z) {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void dropout_mask(size_t n, double rate, uint64_t seed, uint64_t first_index, float* mask) {
  const double exact = rate * 16777216.0;
  uint64_t threshold = static_cast<uint64_t>(exact);
  if (static_cast<double>(threshold) < exact) threshold++;
  const float keep = static_cast<float>(1.0 / (1.0 - rate));
  uint64_t state = seed + first_index * 0x9E3779B97F4A7C15u;
  for (size_t i = 0; i < n; i++) {
    mask[i] = (mix64(state + i * 0x9E3779B97F4A7C15u) >> 40) >= threshold ? keep : 0.0f;
  }
}

void cross_v2_forward(size_t n, const float* x0, const float* u, const float* x, float* y) {
  for_vectors(n, [=](size_t i, size_t count) { put(y + i, fma(get(x0 + i, count), get(u + i, count), get(x + i, count)), count); });
}

void cross_v2_backward(size_t n, const float* x0, const float* u, const float* d_y, float* d_u, float* d_x0, float* d_x) {
  for_vectors(n, [=](size_t i, size_t count) {
    const V d = get(d_y + i, count), weight = get(u + i, count), base = get(x0 + i, count);
    put(d_u + i, d * base, count);
    // One after the other: d_x0 and d_x may be the same buffer in the first layer.
    put(d_x0 + i, fma(d, weight, get(d_x0 + i, count)), count);
    put(d_x + i, get(d_x + i, count) + d, count);
  });
}

void activation_forward(int activation, size_t n, const float* x, float* y) { apply_activation(activation, n, x, y); }

}  // namespace

extern const ElementwiseKernels elementwise_kernels = {
    activation_forward, activation_backward, column_sum,   copy_columns,     axpy,
    scale,              multiply,            sum_squares,  first_non_finite, dropout_mask,
    cross_v2_forward,   cross_v2_backward,
};

}  // namespace ML_ISA
}  // namespace monolith
