#include "optimizers/row_update.h"

#include "optimizers/row_walk.h"

namespace monolith {
namespace ML_ISA {
namespace {

template <bool Decay>
inline float decayed(float gradient, float decay, float w) {
  if constexpr (Decay) {
    return gradient + decay * w;
  } else {
    return gradient;
  }
}

// N: number of values when known at compile time, else 0 and n counts.
template <size_t N, bool Decay>
inline void sgd(const SliceUpdate& s, size_t n, float* __restrict w, const float* __restrict gradient, float rate) {
  const size_t m = N ? N : n;
  for (size_t i = 0; i < m; i++) w[i] -= rate * decayed<Decay>(gradient[i], s.weight_decay, w[i]);
}

template <size_t N, bool Decay>
inline void adagrad(const SliceUpdate& s, size_t n, float* __restrict w, const float* __restrict gradient, float* __restrict a, float rate) {
  const size_t m = N ? N : n;
  const float decay = s.weight_decay;
  const float epsilon = s.h[1];
  for (size_t i = 0; i < m; i++) {
    const float g = decayed<Decay>(gradient[i], decay, w[i]);
    const float sum = a[i] + g * g;
    a[i] = sum;
    w[i] -= rate * g / (__builtin_sqrtf(sum) + epsilon);
  }
}

template <size_t N, bool Decay>
inline void rowwise_adagrad(const SliceUpdate& s, size_t n, float* __restrict w, const float* __restrict gradient, float* __restrict a,
                            float rate) {
  const size_t m = N ? N : n;
  const float decay = s.weight_decay;
  double squares;
  if constexpr (Decay) {
    double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (size_t i = 0; i < m; i++) {
      const double v = gradient[i] + decay * w[i];
      lane[i & 7] += v * v;
    }
    for (size_t j = 0; j < 4; j++) lane[j] += lane[j + 4];
    squares = (lane[0] + lane[2]) + (lane[1] + lane[3]);
  } else {
    squares = sum_squares(m, gradient);
  }
  const float sum = a[0] + static_cast<float>(squares / static_cast<double>(m));
  a[0] = sum;
  const float divisor = __builtin_sqrtf(sum) + s.h[1];
  for (size_t i = 0; i < m; i++) w[i] -= rate * decayed<Decay>(gradient[i], decay, w[i]) / divisor;
}

template <size_t N, bool Decay>
inline void adam(const SliceUpdate& s, size_t n, float* __restrict w, const float* __restrict gradient, float* __restrict state, float rate) {
  const size_t length = N ? N : n;
  float* __restrict m = state;
  float* __restrict v = state + length;
  float* __restrict powers = state + 2 * length;
  const float decay = s.weight_decay;
  const float epsilon = s.h[2];
  const float c1 = s.c[0];
  const float c2 = s.c[1];
  const double corrected = static_cast<double>(rate) * __builtin_sqrt(1.0 - static_cast<double>(powers[1])) / (1.0 - static_cast<double>(powers[0]));
  const float step = static_cast<float>(corrected);
  for (size_t i = 0; i < length; i++) {
    const float g = decayed<Decay>(gradient[i], decay, w[i]);
    const float mean = m[i] + (g - m[i]) * c1;
    const float square = v[i] + (g * g - v[i]) * c2;
    m[i] = mean;
    v[i] = square;
    w[i] -= step * mean / (__builtin_sqrtf(square) + epsilon);
  }
  powers[0] *= s.h[0];
  powers[1] *= s.h[1];
}

template <size_t N, bool Decay>
inline void ftrl(const SliceUpdate& s, size_t n, float* __restrict w, const float* __restrict gradient, float* __restrict state, float rate) {
  const size_t m = N ? N : n;
  if (rate == 0.0f) return;
  float* __restrict squares = state;
  float* __restrict z = state + m;
  const float decay = s.weight_decay;
  const float beta = s.h[1];
  const float l1 = s.h[2];
  const float l2rate = s.h[3] * rate;
  for (size_t i = 0; i < m; i++) {
    const float g = decayed<Decay>(gradient[i], decay, w[i]);
    const float before = squares[i];
    const float after = before + g * g;
    const float root = __builtin_sqrtf(after);
    const float sigma = (root - __builtin_sqrtf(before)) / rate;
    const float zi = z[i] + (g - sigma * w[i]);
    const float value = rate * (__builtin_copysignf(l1, zi) - zi) / (root + beta + l2rate);
    squares[i] = after;
    z[i] = zi;
    w[i] = __builtin_fabsf(zi) <= l1 ? 0.0f : value;
  }
}

template <size_t N>
inline void moving_average(const SliceUpdate& s, size_t n, float* __restrict w, const float* __restrict gradient) {
  const size_t m = N ? N : n;
  for (size_t i = 0; i < m; i++) w[i] += s.c[0] * (gradient[i] - w[i]);
}

template <size_t N, bool Decay>
inline void update_sized(const SliceUpdate& s, size_t n, float* w, const float* gradient, float* state, float rate) {
  switch (s.kind) {
    case OptimizerKind::sgd: return sgd<N, Decay>(s, n, w, gradient, rate);
    case OptimizerKind::adagrad: return adagrad<N, Decay>(s, n, w, gradient, state, rate);
    case OptimizerKind::rowwiseAdagrad: return rowwise_adagrad<N, Decay>(s, n, w, gradient, state, rate);
    case OptimizerKind::adam: return adam<N, Decay>(s, n, w, gradient, state, rate);
    case OptimizerKind::ftrl: return ftrl<N, Decay>(s, n, w, gradient, state, rate);
    case OptimizerKind::movingAverage: return moving_average<N>(s, n, w, gradient);
  }
}

inline void update(const SliceUpdate& s, size_t n, float* w, const float* gradient, float* state, float rate) {
  if (s.weight_decay != 0.0f) return update_sized<0, true>(s, n, w, gradient, state, rate);
  switch (n) {
    case 1: return update_sized<1, false>(s, n, w, gradient, state, rate);
    case 8: return update_sized<8, false>(s, n, w, gradient, state, rate);
    case 16: return update_sized<16, false>(s, n, w, gradient, state, rate);
    case 32: return update_sized<32, false>(s, n, w, gradient, state, rate);
    default: return update_sized<0, false>(s, n, w, gradient, state, rate);
  }
}

__attribute__((always_inline)) inline void prefetch_row(const RowUpdatePlan& plan, const RowSpace& space, uint32_t row) {
  prefetch_bytes(row_values(space, row), plan.value_bytes);
  if (plan.state_bytes != 0) prefetch_bytes(row_state(space, row), plan.state_bytes);
  ML_PREFETCH(space.dirty + (row >> 6));
}

inline void update_row(const RowUpdatePlan& plan, const RowSpace& space, uint32_t row, const float* gradient, const float* rates, float clip) {
  gradient = clipped(plan, gradient, clip);
  float* values = row_values(space, row);
  float* state = row_state(space, row);
  for (size_t k = 0; k < plan.num_slices; k++) {
    const SliceUpdate& s = plan.slices[k];
    update(s, s.dim, values + s.offset, gradient + s.offset, state + s.state_offset, rates[k]);
  }
  space.dirty[row >> 6] |= uint64_t{1} << (row & 63);
}

}  // namespace

void update_slice(const SliceUpdate& slice, size_t n, float* w, const float* gradient, float* state, float rate) {
  update(slice, n, w, gradient, state, rate);
}

size_t update_rows(const RowUpdatePlan& plan, const RowSpace& space, const int32_t* handles, size_t count, const float* gradients,
                   const float* rates, float clip) {
  size_t updated = 0;
  const size_t lead = count < kAhead ? count : kAhead;
  for (size_t i = 0; i < lead; i++) {
    if (handles[i] >= 0) prefetch_row(plan, space, static_cast<uint32_t>(handles[i]));
  }
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count && handles[i + kAhead] >= 0) prefetch_row(plan, space, static_cast<uint32_t>(handles[i + kAhead]));
    if (handles[i] < 0) continue;
    update_row(plan, space, static_cast<uint32_t>(handles[i]), gradients + i * plan.dim, rates, clip);
    updated++;
  }
  return updated;
}

void update_merged(const RowUpdatePlan& plan, const RowSpace& space, const MergedRow* rows, size_t count, const GradientPart* parts,
                   const float* rates, float clip) {
  const size_t lead = count < kAhead ? count : kAhead;
  for (size_t i = 0; i < lead; i++) prefetch_row(plan, space, rows[i].row);
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) prefetch_row(plan, space, rows[i + kAhead].row);
    const float* gradient = summed(plan, parts, rows[i]);
    update_row(plan, space, rows[i].row, gradient, rates, clip);
  }
}

}  // namespace ML_ISA
}  // namespace monolith
