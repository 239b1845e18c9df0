// Values of a new row: a function of (seed, fid, position). The specification is src/kernels/reference/row-initializer.ts;
// arithmetic is in double and rounded once, so every instruction set gives the same bits.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/choose_isa.h"

namespace monolith {

enum class InitializerKind : uint32_t { zeros = 0, constant = 1, uniform = 2, normal = 3 };

struct InitializerSpec {
  InitializerKind kind;
  double a;
  double b;
};

// One slice: positions [position, position + dim) of the row. key = mix64(seed ^ mix64(fid)).
using InitializeSliceFn = void(InitializerKind kind, double a, double b, uint64_t key, size_t position, size_t dim, float* values);

ML_DECLARE_PER_ISA(InitializeSliceFn initialize_slice)

}  // namespace monolith
