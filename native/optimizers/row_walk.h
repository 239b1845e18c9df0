// What the walks over rows to update share. For .isa.cc files only.
#pragma once
#include "optimizers/row_update.h"
#include "table/prefetch.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Rows ahead of the one being updated whose record is fetched: enough to cover memory latency at ~10 ns a row.
constexpr size_t kAhead = 24;

inline double sum_squares(size_t n, const float* x) {
  double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  const size_t whole = n & ~size_t{7};
  for (size_t i = 0; i < whole; i += 8) {
    for (size_t j = 0; j < 8; j++) {
      const double v = x[i + j];
      lane[j] += v * v;
    }
  }
  for (size_t j = 0; j < n - whole; j++) {
    const double v = x[whole + j];
    lane[j] += v * v;
  }
  for (size_t j = 0; j < 4; j++) lane[j] += lane[j + 4];
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

// The gradient of a row, scaled down where it is longer than `clip` > 0.
__attribute__((always_inline)) inline const float* clipped(const RowUpdatePlan& plan, const float* gradient, float clip) {
  if (clip > 0.0f) {
    const double norm = __builtin_sqrt(sum_squares(plan.dim, gradient));
    if (norm > static_cast<double>(clip)) {
      const float factor = static_cast<float>(static_cast<double>(clip) / norm);
      for (size_t i = 0; i < plan.dim; i++) plan.gradient[i] = gradient[i] * factor;
      return plan.gradient;
    }
  }
  return gradient;
}

// Gradients of a merged row, added in the order of sources.
__attribute__((always_inline)) inline const float* summed(const RowUpdatePlan& plan, const GradientPart* parts, const MergedRow& row) {
  const float* gradient = parts[row.first].gradient;
  int32_t next = parts[row.first].next;
  if (next >= 0) {
    float* sum = plan.gradient;
    const float* second = parts[next].gradient;
    for (size_t d = 0; d < plan.dim; d++) sum[d] = gradient[d] + second[d];
    for (next = parts[next].next; next >= 0; next = parts[next].next) {
      const float* more = parts[next].gradient;
      for (size_t d = 0; d < plan.dim; d++) sum[d] += more[d];
    }
    return sum;
  }
  return gradient;
}

// always_inline: g++ 12 takes a function that only prefetches for one without effect and drops the calls.
__attribute__((always_inline)) inline void prefetch_bytes(const float* from, size_t length) {
  const char* address = reinterpret_cast<const char*>(from);
  const size_t bytes = length < 512 ? length : 512;
  for (size_t at = 0; at < bytes; at += 64) ML_PREFETCH(address + at);
  // What does not start on a line may end in one more.
  if (bytes % 64 != 0) ML_PREFETCH(address + bytes - 1);
}

}  // namespace
}  // namespace ML_ISA
}  // namespace monolith
