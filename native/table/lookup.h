// Lookups over the index and the rows as plain data, so that they can be compiled once per instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

#include "optimizers/row_update.h"
#include "table/choose_isa.h"
#include "table/index_line.h"
#include "table/row_initializer.h"

namespace monolith {

// Last uses of rows; segments is nullptr where none are kept.
struct StampSpace {
  float* const* segments;
  uint32_t shift;
  uint32_t mask;
};

struct LookupTable {
  IndexView index;
  RowSpace rows;
  StampSpace stamps;
  size_t dim;
  uint32_t timestamp;
  // What new rows are made of.
  const SliceUpdate* slices;
  const InitializerSpec* initializers;
  size_t num_slices;
  const float* initial_state;
  size_t state_length;
  uint64_t seed;
};

// rows[count, dim], handles[count]; a missing fid gets zeros and -1. `touch`: the last use of those that are there is stored. How many are missing.
using LookupFn = size_t(const LookupTable& table, bool touch, const uint64_t* fids, size_t count, float* rows, int32_t* handles);
// Rows for all whose handle is -1, numbered from `size` on in the order of fids; index and planes have room. The new size.
using CreateFn = size_t(const LookupTable& table, size_t size, const uint64_t* fids, size_t count, float* rows, int32_t* handles);
using CountMissingFn = size_t(const LookupTable& table, const uint64_t* fids, size_t count);

ML_DECLARE_PER_ISA(LookupFn lookup_rows)
ML_DECLARE_PER_ISA(LookupFn lookup_rows_bf16)
ML_DECLARE_PER_ISA(LookupFn lookup_rows_fp16)
ML_DECLARE_PER_ISA(CreateFn create_rows)
ML_DECLARE_PER_ISA(CreateFn create_rows_bf16)
ML_DECLARE_PER_ISA(CreateFn create_rows_fp16)
ML_DECLARE_PER_ISA(CountMissingFn count_missing)

}  // namespace monolith
