// Sizes of matrices for argument checks, saturating so that no product wraps round to something small.
#pragma once
#include "addon/args.h"

namespace monolith {

inline size_t times(size_t a, size_t b) {
  size_t result;
  return __builtin_mul_overflow(a, b, &result) ? SIZE_MAX : result;
}
inline size_t times(size_t a, size_t b, size_t c) { return times(times(a, b), c); }

// Elements from the first to the last of a [rows, columns] matrix with row distance ld.
inline size_t extent(size_t rows, size_t columns, size_t ld) {
  if (rows == 0 || columns == 0) return 0;
  const size_t before = times(rows - 1, ld);
  size_t result;
  return __builtin_add_overflow(before, columns, &result) ? SIZE_MAX : result;
}

// Argument i as a [rows, columns] matrix whose row distance is argument i + 1.
inline Span<float> matrix(Args& args, size_t i, size_t rows, size_t columns, size_t* ld) {
  *ld = args.size(i + 1);
  if (args.ok() && rows > 1 && *ld < columns) {
    char text[128];
    std::snprintf(text, sizeof text, "argument %zu: row distance %zu is less than %zu columns", i + 1, *ld, columns);
    args.fail_range(text);
  }
  return args.array<float>(i, extent(rows, columns, *ld));
}

// An Activation number.
inline int activation(Args& args, size_t i) {
  const uint32_t value = args.u32(i);
  if (args.ok() && value > 3) args.fail_range("activation must be 0 to 3");
  return static_cast<int>(value);
}

}  // namespace monolith
