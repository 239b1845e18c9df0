// Updates of rows whose values have 16 bits: widened, updated in float32 as any row, and rounded by noise that depends on seed, fid and step.
#pragma once
#include <cstddef>
#include <cstdint>

#include "optimizers/row_update.h"

namespace monolith {

struct HalfRounding {
  uint64_t seed;
  // step_key(step), see table/rounding_noise.h.
  uint64_t step_key;
  // Work space of half_work_bytes(dim) bytes: one row of values, then its noise.
  float* values;
  uint16_t* noise;
};

// dim floats and noise for dim, both rounded up to a multiple of 32.
static inline size_t half_work_floats(size_t dim) { return (dim + 31) & ~size_t{31}; }
static inline size_t half_work_bytes(size_t dim) { return half_work_floats(dim) * (sizeof(float) + sizeof(uint16_t)); }

// As UpdateRowsFn and UpdateMergedFn; fids[count] beside handles or merged rows.
using UpdateHalfRowsFn = size_t(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding, const int32_t* handles,
                                const uint64_t* fids, size_t count, const float* gradients, const float* rates, float clip);
using UpdateHalfMergedFn = void(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding, const MergedRow* rows,
                                const uint64_t* fids, size_t count, const GradientPart* parts, const float* rates, float clip);

ML_DECLARE_PER_ISA(UpdateHalfRowsFn update_rows_bf16)
ML_DECLARE_PER_ISA(UpdateHalfRowsFn update_rows_fp16)
ML_DECLARE_PER_ISA(UpdateHalfMergedFn update_merged_bf16)
ML_DECLARE_PER_ISA(UpdateHalfMergedFn update_merged_fp16)

}  // namespace monolith
