#include "optimizers/row_update.h"

namespace monolith {

size_t hyper_length(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd: return 1;
    case OptimizerKind::adagrad: return 3;
    case OptimizerKind::rowwiseAdagrad: return 3;
    case OptimizerKind::adam: return 4;
    case OptimizerKind::ftrl: return 5;
    case OptimizerKind::movingAverage: return 1;
  }
  return 0;
}

size_t state_length(OptimizerKind kind, size_t dim) {
  switch (kind) {
    case OptimizerKind::sgd: return 0;
    case OptimizerKind::adagrad: return dim;
    case OptimizerKind::rowwiseAdagrad: return 1;
    case OptimizerKind::adam: return 2 * dim + 2;
    case OptimizerKind::ftrl: return 2 * dim;
    case OptimizerKind::movingAverage: return 0;
  }
  return 0;
}

SliceUpdate make_slice_update(OptimizerKind kind, size_t dim, size_t offset, size_t state_offset, const double* hyper) {
  SliceUpdate slice{};
  slice.kind = kind;
  slice.dim = static_cast<uint32_t>(dim);
  slice.offset = static_cast<uint32_t>(offset);
  slice.state_offset = static_cast<uint32_t>(state_offset);
  if (kind == OptimizerKind::movingAverage) {
    slice.c[0] = static_cast<float>(1.0 - hyper[0]);
    return slice;
  }
  slice.weight_decay = static_cast<float>(hyper[0]);
  for (size_t i = 1; i < hyper_length(kind); i++) slice.h[i - 1] = static_cast<float>(hyper[i]);
  if (kind == OptimizerKind::adam) {
    slice.c[0] = static_cast<float>(1.0 - hyper[1]);
    slice.c[1] = static_cast<float>(1.0 - hyper[2]);
  }
  return slice;
}

void initial_state(const SliceUpdate& slice, float* state) {
  const size_t dim = slice.dim;
  const size_t length = state_length(slice.kind, dim);
  for (size_t i = 0; i < length; i++) state[i] = 0.0f;
  switch (slice.kind) {
    case OptimizerKind::adagrad:
    case OptimizerKind::ftrl:
      for (size_t i = 0; i < dim; i++) state[i] = slice.h[0];
      return;
    case OptimizerKind::rowwiseAdagrad: state[0] = slice.h[0]; return;
    case OptimizerKind::adam:
      state[2 * dim] = slice.h[0];
      state[2 * dim + 1] = slice.h[1];
      return;
    case OptimizerKind::sgd:
    case OptimizerKind::movingAverage: return;
  }
}

}  // namespace monolith
