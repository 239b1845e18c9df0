#pragma once
#include <stddef.h>

#include "simd/dispatch.h"

namespace monolith {

// The methods of KernelBackend with the same names; shapes are checked by the caller.
struct NormalizationKernels {
  void (*column_moments)(size_t m, size_t n, const float* x, float* mean, float* variance);
  void (*batch_norm_forward)(size_t m, size_t n, const float* x, const float* mean, const float* inverse_std, const float* gamma,
                             const float* beta, float* x_hat, float* y);
  void (*batch_norm_backward)(size_t m, size_t n, const float* x_hat, const float* inverse_std, const float* gamma, const float* d_y, float* d_x,
                              bool accumulate, float* d_gamma, float* d_beta);
};

ML_ISA_TABLES(NormalizationKernels, normalization_kernels)

}  // namespace monolith
