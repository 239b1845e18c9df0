#include "kernels/interactions.h"

#include "kernels/gemm_pack.h"
#include "kernels/vec_dot.h"

namespace monolith {
namespace ML_ISA {
namespace {

void fm_forward(size_t m, size_t f, size_t d, const float* e, size_t lde, float* sums, float* out) {
  for (size_t r = 0; r < m; r++) {
    const float* row = e + r * lde;
    float* sum_row = sums + r * d;
    V total = zero();
    for_vectors(d, [&](size_t i, size_t count) {
      V sum = zero(), squares = zero();
      for (size_t j = 0; j < f; j++) {
        const V x = get(row + j * d + i, count);
        sum = sum + x;
        squares = fma(x, x, squares);
      }
      put(sum_row + i, sum, count);
      total = total + (sum * sum - squares);
    });
    out[r] = 0.5f * lane_sum(total);
  }
}

void fm_backward(size_t m, size_t f, size_t d, const float* e, size_t lde, const float* sums, const float* d_out, float* d_e, size_t ldd_e,
                 bool accumulate) {
  for (size_t r = 0; r < m; r++) {
    const float* row = e + r * lde;
    const float* sum_row = sums + r * d;
    float* to = d_e + r * ldd_e;
    const V factor = set1(d_out[r]);
    for (size_t j = 0; j < f; j++) {
      for_vectors(d, [=](size_t i, size_t count) {
        const size_t at = j * d + i;
        const V value = factor * (get(sum_row + i, count) - get(row + at, count));
        put(to + at, accumulate ? get(to + at, count) + value : value, count);
      });
    }
  }
}

void cross_v1_forward(size_t m, size_t n, const float* x0, const float* x, const float* w, const float* bias, float* s, float* y) {
  for (size_t r = 0; r < m; r++) {
    const float* base = x0 + r * n;
    const float* row = x + r * n;
    float* to = y + r * n;
    const float product = dot(n, row, w);
    s[r] = product;
    const V factor = set1(product);
    for_vectors(n, [=](size_t i, size_t count) {
      put(to + i, fma(get(base + i, count), factor, get(bias + i, count)) + get(row + i, count), count);
    });
  }
}

void cross_v1_backward(size_t m, size_t n, const float* x0, const float* x, const float* w, const float* s, const float* d_y, float* d_x0,
                       float* d_x, float* d_w, float* d_bias) {
  for (size_t r = 0; r < m; r++) {
    const float* row = x + r * n;
    const float* d_row = d_y + r * n;
    float* to0 = d_x0 + r * n;
    float* to = d_x + r * n;
    const V product = set1(dot(n, d_row, x0 + r * n)), factor = set1(s[r]);
    for_vectors(n, [=](size_t i, size_t count) {
      const V d = get(d_row + i, count);
      // One after the other: d_x0 and d_x may be the same buffer in the first layer.
      put(to0 + i, fma(d, factor, get(to0 + i, count)), count);
      put(to + i, fma(product, get(w + i, count), get(to + i, count) + d), count);
      put(d_w + i, fma(product, get(row + i, count), get(d_w + i, count)), count);
      put(d_bias + i, get(d_bias + i, count) + d, count);
    });
  }
}

void outer_forward(size_t m, size_t p, size_t q, const float* a, const float* b, float* out) {
  for (size_t r = 0; r < m; r++) {
    const float* right = b + r * q;
    for (size_t i = 0; i < p; i++) {
      const V left = set1(a[r * p + i]);
      float* to = out + (r * p + i) * q;
      for_vectors(q, [=](size_t j, size_t count) { put(to + j, left * get(right + j, count), count); });
    }
  }
}

void outer_backward(size_t m, size_t p, size_t q, const float* a, const float* b, const float* d_out, float* d_a, float* d_b) {
  for (size_t r = 0; r < m; r++) {
    const float* d_row = d_out + r * p * q;
    for (size_t i = 0; i < p; i++) d_a[r * p + i] += dot(q, d_row + i * q, b + r * q);
    float* to = d_b + r * q;
    for_vectors(q, [=](size_t j, size_t count) {
      V sum = zero();
      for (size_t i = 0; i < p; i++) sum = fma(set1(a[r * p + i]), get(d_row + i * q + j, count), sum);
      put(to + j, get(to + j, count) + sum, count);
    });
  }
}

void transpose_inner(size_t m, size_t p, size_t q, const float* x, float* out, bool accumulate) {
  for (size_t r = 0; r < m; r++) {
    const float* from = x + r * p * q;
    float* to = out + r * p * q;
    if (!accumulate) {
      transpose(p, q, from, q, to, p);
      continue;
    }
    for (size_t j = 0; j < q; j++) {
      for (size_t i = 0; i < p; i++) to[j * p + i] += from[i * q + j];
    }
  }
}

void ffm_forward(size_t m, size_t f, size_t d, const float* e, float* out) {
  for (size_t r = 0; r < m; r++) {
    const float* row = e + r * f * f * d;
    V sum = zero();
    for (size_t i = 0; i < f; i++) {
      for (size_t j = i + 1; j < f; j++) {
        const float* left = row + (i * f + j) * d;
        const float* right = row + (j * f + i) * d;
        for_vectors(d, [&](size_t c, size_t count) { sum = fma(get(left + c, count), get(right + c, count), sum); });
      }
    }
    out[r] = lane_sum(sum);
  }
}

void ffm_backward(size_t m, size_t f, size_t d, const float* e, const float* d_out, float* d_e, bool accumulate) {
  for (size_t r = 0; r < m; r++) {
    const float* row = e + r * f * f * d;
    float* to = d_e + r * f * f * d;
    const V factor = set1(d_out[r]);
    for (size_t i = 0; i < f; i++) {
      for (size_t j = 0; j < f; j++) {
        const float* partner = row + (j * f + i) * d;
        float* target = to + (i * f + j) * d;
        if (i == j) {
          if (!accumulate) memset(target, 0, d * sizeof(float));
          continue;
        }
        for_vectors(d, [=](size_t c, size_t count) {
          const V value = factor * get(partner + c, count);
          put(target + c, accumulate ? get(target + c, count) + value : value, count);
        });
      }
    }
  }
}

}  // namespace

extern const InteractionKernels interaction_kernels = {
    fm_forward,     fm_backward,     cross_v1_forward, cross_v1_backward, outer_forward,
    outer_backward, transpose_inner, ffm_forward,      ffm_backward,
};

}  // namespace ML_ISA
}  // namespace monolith
