// Update rules of OptimizerKind (src/kernels/kernel-backend.ts), on one slice, on one row of slices and on many rows of a table.
// Everything is float32, one rounding an operation, as in src/kernels/reference/optimizers.ts; sums of squares are in double,
// in eight lanes by index modulo 8, folded 4, 2, 1. Square roots and divisions are exact.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/choose_isa.h"

namespace monolith {

enum class OptimizerKind : uint32_t { sgd = 0, adagrad = 1, rowwiseAdagrad = 2, adam = 3, ftrl = 4, movingAverage = 5 };
constexpr uint32_t kNumOptimizerKinds = 6;
constexpr size_t kMaxHyper = 5;

// Number of hyper-parameters and of floats of state of one rule.
size_t hyper_length(OptimizerKind kind);
size_t state_length(OptimizerKind kind, size_t dim);

struct SliceUpdate {
  OptimizerKind kind;
  uint32_t dim;
  // Floats from the start of the row's values and from the start of its state to those of this slice.
  uint32_t offset;
  uint32_t state_offset;
  float weight_decay;
  // By rule: adagrad {initialAccumulator, epsilon}; adam {beta1, beta2, epsilon}; ftrl {initialAccumulator, beta, l1, l2}.
  float h[4];
  // adam {1 - beta1, 1 - beta2}, movingAverage {1 - momentum}: subtracted in double, rounded once.
  float c[2];
};

// hyper[hyper_length(kind)], in the order of OptimizerKind.
SliceUpdate make_slice_update(OptimizerKind kind, size_t dim, size_t offset, size_t state_offset, const double* hyper);
// State of a new row.
void initial_state(const SliceUpdate& slice, float* state);

// Where rows live. Values and state of a row lie together in one plane or each in its own; together, both of these name the same plane.
struct RowSpace {
  float* const* values;
  float* const* states;
  uint32_t value_shift;
  uint32_t value_mask;
  uint32_t state_shift;
  uint32_t state_mask;
  // Floats from one row to the next, and from the start of a row in its plane to its state.
  size_t value_stride;
  size_t state_stride;
  size_t state_start;
  // One bit a row, set by every update.
  uint64_t* dirty;
};

// Internal linkage: safe in .isa.cc files.
static inline float* row_values(const RowSpace& space, uint32_t row) {
  return space.values[row >> space.value_shift] + static_cast<size_t>(row & space.value_mask) * space.value_stride;
}
static inline float* row_state(const RowSpace& space, uint32_t row) {
  return space.states[row >> space.state_shift] + static_cast<size_t>(row & space.state_mask) * space.state_stride + space.state_start;
}

struct RowUpdatePlan {
  const SliceUpdate* slices;
  size_t num_slices;
  size_t dim;
  // What is prefetched from the start of the values and from the start of the state.
  size_t value_bytes;
  size_t state_bytes;
  // dim floats: the summed or clipped gradient of one row.
  float* gradient;
};

// One gradient of a row; `next` continues the list in source order, -1 ends it.
struct GradientPart {
  const float* gradient;
  int32_t next;
};
struct MergedRow {
  uint32_t row;
  int32_t first;
  int32_t last;
};

using UpdateSliceFn = void(const SliceUpdate& slice, size_t n, float* w, const float* gradient, float* state, float rate);
// Rows handles[0, count), -1 skipped; gradients [count, dim]. Returns the number updated.
using UpdateRowsFn = size_t(const RowUpdatePlan& plan, const RowSpace& space, const int32_t* handles, size_t count, const float* gradients,
                            const float* rates, float clip);
using UpdateMergedFn = void(const RowUpdatePlan& plan, const RowSpace& space, const MergedRow* rows, size_t count, const GradientPart* parts,
                            const float* rates, float clip);

ML_DECLARE_PER_ISA(UpdateSliceFn update_slice)
ML_DECLARE_PER_ISA(UpdateRowsFn update_rows)
ML_DECLARE_PER_ISA(UpdateMergedFn update_merged)

}  // namespace monolith
