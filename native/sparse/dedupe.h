// Distinct fids of a batch, grouped by shard. Twin: src/kernels/reference/sparse.ts, same layout of the scratch.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

// Number of int32 that dedupe wants for nnz ids: 4 of header, slots of 4, and 3 per id for grouping.
size_t dedupe_scratch_length(size_t nnz);

// fids[nnz] -> unique[N], inverse[nnz], shard_offsets[shards + 1]; unique may not overlap fids. Returns N.
size_t dedupe(const int64_t* fids, size_t nnz, size_t shards, int64_t* unique, int32_t* inverse, int32_t* shard_offsets, int32_t* scratch,
              size_t scratch_length);

}  // namespace monolith
