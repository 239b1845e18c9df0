// Memory of index partitions: small blocks from the heap, larger ones out of mapped segments on huge pages. Partitions grow in turn, so
// blocks are freed about in the order of their birth and neighbours soon join: the first free stretch that is long enough serves the next
// block. Memory that was paid for once is used again rather than given back, since the system charges for zeroing it anew.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/index_line.h"

namespace monolith {

class IndexArena {
 public:
  IndexArena() = default;
  IndexArena(const IndexArena&) = delete;
  IndexArena& operator=(const IndexArena&) = delete;
  ~IndexArena();

  // Empty lines, or nullptr.
  IndexLine* allocate(size_t num_lines);
  void release(IndexLine* lines, size_t num_lines);
  // Memory there is, free stretches included.
  size_t bytes() const { return heap_bytes_ + mapped_bytes_; }

 private:
  struct Segment {
    Segment* next;
    char* base;
    void* mapping;
    size_t mapping_bytes;
    size_t bytes;
    // Bytes at the start that were given out at some time.
    size_t used;
  };
  // In order of addresses, no two adjacent.
  struct Stretch {
    Stretch* next;
    char* begin;
    size_t bytes;
  };

  char* reuse(size_t bytes);
  char* extend(size_t bytes);

  // The first one is being filled.
  Segment* segments_ = nullptr;
  Stretch* free_ = nullptr;
  size_t heap_bytes_ = 0;
  size_t mapped_bytes_ = 0;
};

}  // namespace monolith
