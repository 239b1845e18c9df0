#pragma once
#include <stddef.h>

#include "simd/dispatch.h"

namespace monolith {

// C[m,n] = activation(op(A)[m,k]·op(B)[k,n] + bias); see KernelBackend.gemm, gemmPacked and weightGradient. Shapes are checked by the caller.
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
  // Operands rounded to bfloat16, sums in float32.
  bool bf16;
  // op(B) as GemmKernels.pack left it for this n and k, 64-byte aligned; b and trans_b don't count then. Null: B is packed here if at all.
  const float* packed;
  // After the sum, C is multiplied by the derivative of activation `slope`, taken from its output y [m,n]. Null: it isn't.
  const float* y;
  size_t ldy;
  int slope;
  // += Σ over k of op(B)'s columns, or null. With packed, null.
  float* column_sums;
};

struct GemmKernels {
  // false: out of memory for packing, C untouched.
  bool (*gemm)(const GemmCall& call);
  // Floats of op(B) [k, n] packed.
  size_t (*packed_length)(bool bf16, size_t n, size_t k);
  // `out` is 64-byte aligned. false: out of memory.
  bool (*pack)(bool bf16, bool trans_b, size_t n, size_t k, const float* b, size_t ldb, float* out);
  // GFLOP/s of independent fused multiply-adds in registers, best of several short runs: the ceiling for gemm on this core.
  double (*fma_peak)();
  // The same of bfloat16 pairs added to float32; 0 where the instruction set has no such instruction.
  double (*bf16_peak)();
};

ML_ISA_TABLES_BF16(GemmKernels, gemm_kernels)

}  // namespace monolith
