#include "optimizers/half_update.h"

#include "optimizers/row_walk.h"
#include "simd/half.h"
#include "table/half_rows.h"
#include "table/rounding_noise.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Dim: number of values when known at compile time, else 0.
template <typename Format, size_t Dim>
__attribute__((always_inline)) inline void update_row(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding,
                                                      uint32_t row, uint64_t fid, const float* gradient, const float* rates) {
  const size_t dim = Dim ? Dim : plan.dim;
  uint16_t* stored = half_values(space, row, dim);
  float* values = rounding.values;
  float* state = row_state(space, row);
  Format::widen(stored, dim, values);
  make_noise(noise_key(rounding.seed, fid, rounding.step_key), dim, rounding.noise);
  for (size_t k = 0; k < plan.num_slices; k++) {
    const SliceUpdate& s = plan.slices[k];
    update_slice(s, s.dim, values + s.offset, gradient + s.offset, state + s.state_offset, rates[k]);
  }
  Format::stochastic(values, rounding.noise, dim, stored);
  space.dirty[row >> 6] |= uint64_t{1} << (row & 63);
}

__attribute__((always_inline)) inline void prefetch_row(const RowUpdatePlan& plan, const RowSpace& space, uint32_t row) {
  prefetch_bytes(reinterpret_cast<const float*>(half_values(space, row, plan.dim)), plan.value_bytes);
  if (plan.state_bytes != 0) prefetch_bytes(row_state(space, row), plan.state_bytes);
  ML_PREFETCH(space.dirty + (row >> 6));
}

template <typename Format, size_t Dim>
size_t walk_rows(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding, const int32_t* handles, const uint64_t* fids,
                 size_t count, const float* gradients, const float* rates, float clip) {
  size_t updated = 0;
  const size_t lead = count < kAhead ? count : kAhead;
  for (size_t i = 0; i < lead; i++) {
    if (handles[i] >= 0) prefetch_row(plan, space, static_cast<uint32_t>(handles[i]));
  }
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count && handles[i + kAhead] >= 0) prefetch_row(plan, space, static_cast<uint32_t>(handles[i + kAhead]));
    if (handles[i] < 0) continue;
    const float* gradient = clipped(plan, gradients + i * plan.dim, clip);
    update_row<Format, Dim>(plan, space, rounding, static_cast<uint32_t>(handles[i]), fids[i], gradient, rates);
    updated++;
  }
  return updated;
}

template <typename Format, size_t Dim>
void walk_merged(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding, const MergedRow* rows, const uint64_t* fids,
                 size_t count, const GradientPart* parts, const float* rates, float clip) {
  const size_t lead = count < kAhead ? count : kAhead;
  for (size_t i = 0; i < lead; i++) prefetch_row(plan, space, rows[i].row);
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) prefetch_row(plan, space, rows[i + kAhead].row);
    const float* gradient = clipped(plan, summed(plan, parts, rows[i]), clip);
    update_row<Format, Dim>(plan, space, rounding, rows[i].row, fids[i], gradient, rates);
  }
}

}  // namespace

#define ML_HALF_UPDATES(name, Format)                                                                                                        \
  size_t update_rows_##name(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding, const int32_t* handles,          \
                            const uint64_t* fids, size_t count, const float* gradients, const float* rates, float clip) {                    \
    const auto walk = plan.dim == 16 ? &walk_rows<Format, 16> : &walk_rows<Format, 0>;                                                       \
    return walk(plan, space, rounding, handles, fids, count, gradients, rates, clip);                                                        \
  }                                                                                                                                          \
  void update_merged_##name(const RowUpdatePlan& plan, const RowSpace& space, const HalfRounding& rounding, const MergedRow* rows,           \
                            const uint64_t* fids, size_t count, const GradientPart* parts, const float* rates, float clip) {                 \
    const auto walk = plan.dim == 16 ? &walk_merged<Format, 16> : &walk_merged<Format, 0>;                                                   \
    walk(plan, space, rounding, rows, fids, count, parts, rates, clip);                                                                      \
  }

ML_HALF_UPDATES(bf16, Bf16)
ML_HALF_UPDATES(fp16, Fp16)

}  // namespace ML_ISA
}  // namespace monolith
