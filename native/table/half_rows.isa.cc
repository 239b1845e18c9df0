#include "table/half_rows.h"

#include "simd/half.h"

namespace monolith {
namespace ML_ISA {

void widen_bf16(const uint16_t* in, size_t n, float* out) { Bf16::widen(in, n, out); }
void widen_fp16(const uint16_t* in, size_t n, float* out) { Fp16::widen(in, n, out); }
void nearest_bf16(const float* in, size_t n, uint16_t* out) { Bf16::nearest(in, n, out); }
void nearest_fp16(const float* in, size_t n, uint16_t* out) { Fp16::nearest(in, n, out); }

}  // namespace ML_ISA
}  // namespace monolith
