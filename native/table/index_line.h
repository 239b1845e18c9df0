// The index as plain data, for code that is compiled once per instruction set. See index.h for how it is used.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

constexpr size_t kLineEntries = 5;

// One cache line of entries. row1: row number + 1; 0: empty, whatever fid says. Entries fill from the left.
struct alignas(64) IndexLine {
  uint64_t fid[kLineEntries];
  uint32_t row1[kLineEntries];
  // Entries there are: what inserting reads, since a wide read of row1 would wait for the narrow writes before it.
  uint32_t count;
};
static_assert(sizeof(IndexLine) == 64);

// What the directory knows of the fids whose hashes share their top `depth` bits.
struct Partition {
  IndexLine* lines;
  uint32_t num_lines;
  uint32_t depth;
};

struct PartitionUse {
  uint32_t rows;
  // Rows at which the load reaches its bound.
  uint32_t limit;
  // Rows that the present call is about to add.
  uint32_t pending;
};

struct IndexView {
  // 2^depth entries; 2^(depth - d) neighbours are equal where a partition has depth d.
  const Partition* directory;
  // Of a partition: at its first entry in the directory.
  PartitionUse* use;
  uint32_t depth;
};

// Internal linkage: safe in .isa.cc files.
static inline size_t directory_slot(uint64_t hash, uint32_t depth) { return static_cast<size_t>((hash >> 1) >> (63 - depth)); }
static inline size_t first_slot(size_t slot, uint32_t depth, uint32_t partition_depth) {
  return slot & ~((size_t{1} << (depth - partition_depth)) - 1);
}
// Home line of a hash in its partition: fast range of the 32 bits below those that all of the partition share.
static inline size_t home_line(const Partition& partition, uint64_t hash) {
  return static_cast<size_t>((((hash << partition.depth) >> 32) * partition.num_lines) >> 32);
}

}  // namespace monolith
