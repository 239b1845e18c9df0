// The bound that bench/table measures lookups against: a plain gather of known rows with prefetch, no hashing.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

// out[i] = rows[indices[i]], each `length` floats.
void gather_rows(const float* rows, size_t length, const int32_t* indices, size_t count, float* out);

}  // namespace monolith
