#pragma once
#include <stddef.h>

#include "simd/dispatch.h"

namespace monolith {

// C[m,n] = activation(op(A)[m,k]·op(B)[k,n] + bias); see KernelBackend.gemm. Shapes are checked by the caller.
struct GemmCall {
  bool trans_a, trans_b;
  size_t m, n, k;
  const float* a;
  size_t lda;
  const float* b;
  size_t ldb;
  float* c;
  size_t ldc;
  bool accumulate;
  const float* bias;
  int activation;
};

struct GemmKernels {
  // false: out of memory for packing, C untouched.
  bool (*gemm)(const GemmCall& call);
  // GFLOP/s of independent fused multiply-adds in registers, best of several short runs: the ceiling for gemm on this core.
  double (*fma_peak)();
};

ML_ISA_TABLES(GemmKernels, gemm_kernels)

}  // namespace monolith
