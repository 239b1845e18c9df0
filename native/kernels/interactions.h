#pragma once
#include <stddef.h>

#include "simd/dispatch.h"

namespace monolith {

// The methods of KernelBackend with the same names; shapes are checked by the caller. The dot products return false when memory is out.
struct InteractionKernels {
  void (*fm_forward)(size_t m, size_t f, size_t d, const float* e, size_t lde, float* sums, float* out);
  void (*fm_backward)(size_t m, size_t f, size_t d, const float* e, size_t lde, const float* sums, const float* d_out, float* d_e, size_t ldd_e,
                      bool accumulate);
  void (*cross_v1_forward)(size_t m, size_t n, const float* x0, const float* x, const float* w, const float* bias, float* s, float* y);
  void (*cross_v1_backward)(size_t m, size_t n, const float* x0, const float* x, const float* w, const float* s, const float* d_y, float* d_x0,
                            float* d_x, float* d_w, float* d_bias);
  void (*outer_forward)(size_t m, size_t p, size_t q, const float* a, const float* b, float* out);
  void (*outer_backward)(size_t m, size_t p, size_t q, const float* a, const float* b, const float* d_out, float* d_a, float* d_b);
  void (*transpose_inner)(size_t m, size_t p, size_t q, const float* x, float* out, bool accumulate);
  void (*ffm_forward)(size_t m, size_t f, size_t d, const float* e, float* out);
  void (*ffm_backward)(size_t m, size_t f, size_t d, const float* e, const float* d_out, float* d_e, bool accumulate);
};

struct DotKernels {
  bool (*forward)(size_t m, size_t v, size_t d, const float* x, size_t ldx, float* out, size_t ldout);
  bool (*backward)(size_t m, size_t v, size_t d, const float* x, size_t ldx, const float* d_out, size_t ldd_out, float* d_x, size_t ldd_x,
                   bool accumulate);
};

ML_ISA_TABLES(InteractionKernels, interaction_kernels)
ML_ISA_TABLES(DotKernels, dot_kernels)

}  // namespace monolith
