// Pooling of bags into columns and its backward; arguments as embeddingPool in src/kernels/kernel-backend.ts. Indices are trusted here:
// check_bags looks at them first.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/choose_isa.h"

namespace monolith {

struct PoolArguments {
  size_t m;
  size_t f;
  size_t d;
  // bagOffsets + firstExample * f
  const int32_t* bag_offsets;
  const int32_t* inverse;
  // nullptr: all 1
  const float* values;
  size_t row_stride;
  const uint8_t* combiners;
  const int32_t* out_columns;
  size_t ldout;
};

enum class BagFault { none, offsets, inverse };

// Offsets ascend within [0, num_ids] and every inverse of these bags is below num_rows.
using CheckBagsFn = BagFault(const PoolArguments& a, size_t num_ids, size_t num_rows);
// rows points at the slice within row 0.
using PoolForwardFn = void(const PoolArguments& a, const float* rows, float* out);
using PoolBackwardFn = void(const PoolArguments& a, const float* d_out, float* d_rows);

ML_DECLARE_PER_ISA(CheckBagsFn check_bags)
ML_DECLARE_PER_ISA(PoolForwardFn pool_forward)
ML_DECLARE_PER_ISA(PoolBackwardFn pool_backward)

}  // namespace monolith
