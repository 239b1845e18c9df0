#pragma once
#include <stddef.h>
#include <stdint.h>

#include "simd/dispatch.h"

namespace monolith {

// The methods of KernelBackend with the same names; shapes are checked by the caller.
struct ElementwiseKernels {
  void (*activation_forward)(int activation, size_t n, const float* x, float* y);
  void (*activation_backward)(int activation, size_t n, const float* y, const float* d_y, float* d_x, bool accumulate);
  void (*column_sum)(size_t m, size_t n, const float* x, size_t ldx, float* out, bool accumulate);
  void (*copy_columns)(size_t m, size_t n, const float* src, size_t ldsrc, float* dst, size_t lddst, bool accumulate);
  void (*axpy)(size_t n, float alpha, const float* x, float* y);
  void (*scale)(size_t n, float alpha, float* x);
  void (*multiply)(size_t n, const float* a, const float* b, float* out, bool accumulate);
  double (*sum_squares)(size_t n, const float* x);
  int64_t (*first_non_finite)(size_t n, const float* x);
  void (*dropout_mask)(size_t n, double rate, uint64_t seed, uint64_t first_index, float* mask);
  void (*cross_v2_forward)(size_t n, const float* x0, const float* u, const float* x, float* y);
  void (*cross_v2_backward)(size_t n, const float* x0, const float* u, const float* d_y, float* d_u, float* d_x0, float* d_x);
};

ML_ISA_TABLES(ElementwiseKernels, elementwise_kernels)

}  // namespace monolith
