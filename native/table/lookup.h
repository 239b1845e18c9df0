// The index and the lookup over it, as plain data, so that it can be compiled once per instruction set. See table.h for the layout.
#pragma once
#include <cstddef>
#include <cstdint>

#include "optimizers/row_update.h"
#include "table/choose_isa.h"

namespace monolith {

struct IndexEntry {
  uint64_t fid;
  // Row number + 1; 0: empty, whatever fid says.
  uint32_t row1;
  uint32_t last_use;
};
constexpr size_t kLineEntries = 4;
static_assert(sizeof(IndexEntry) * kLineEntries == 64);

struct LookupTable {
  IndexEntry* index;
  // Below 2^32.
  uint64_t lines;
  RowSpace rows;
  size_t dim;
  // Rows there are, counted up by create_rows, and rows that may be.
  size_t size;
  size_t room;
  uint32_t timestamp;
  // Fills the record of a new row.
  void (*initialize)(const void* owner, uint64_t fid, float* record);
  const void* owner;
};

// rows[count, dim], handles[count]
using LookupFn = void(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles);
// 0, or how many rows are missing when there is no room for them: then none was made, the missing ones have handle -1.
using CreateFn = size_t(LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles);
using CountMissingFn = size_t(const LookupTable& table, const uint64_t* fids, size_t count);

ML_DECLARE_PER_ISA(LookupFn lookup_rows)
ML_DECLARE_PER_ISA(CreateFn create_rows)
ML_DECLARE_PER_ISA(CountMissingFn count_missing)

}  // namespace monolith
