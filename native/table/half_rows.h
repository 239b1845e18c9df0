// Rows whose values have 16 bits: where they lie, and moving them to and from float32.
#pragma once
#include <cstddef>
#include <cstdint>

#include "optimizers/row_update.h"
#include "table/choose_isa.h"
#include "table/row_format.h"

namespace monolith {

// Internal linkage: safe in .isa.cc files. The planes of a RowSpace hold values of 16 bits here, `stride` of them a row.
static inline uint16_t* half_values(const RowSpace& space, uint32_t row, size_t stride) {
  return reinterpret_cast<uint16_t*>(space.values[row >> space.value_shift]) + static_cast<size_t>(row & space.value_mask) * stride;
}

using WidenFn = void(const uint16_t* in, size_t n, float* out);
using NearestFn = void(const float* in, size_t n, uint16_t* out);

ML_DECLARE_PER_ISA(WidenFn widen_bf16)
ML_DECLARE_PER_ISA(WidenFn widen_fp16)
ML_DECLARE_PER_ISA(NearestFn nearest_bf16)
ML_DECLARE_PER_ISA(NearestFn nearest_fp16)

}  // namespace monolith
