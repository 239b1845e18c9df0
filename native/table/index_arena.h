// Memory of index partitions: small blocks from the heap, larger ones packed one behind the other into mapped segments, so that huge pages
// cover them whatever their size. Partitions grow in turn, so blocks are freed about in the order of their birth: a huge page goes back
// to the system when the last block on it is freed.
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
  size_t bytes() const { return heap_bytes_ + mapped_pages_ * kPage; }

 private:
  static constexpr size_t kPage = size_t{2} << 20;
  static constexpr size_t kSegmentPages = 32;
  struct Segment {
    Segment* next;
    char* base;
    void* mapping;
    size_t mapping_bytes;
    size_t num_pages;
    size_t used;
    size_t live_blocks;
    // Bytes of living blocks on each huge page.
    uint32_t* live;
  };

  void account(Segment* segment, size_t begin, size_t bytes, bool alive);
  void drop(Segment* segment);

  // The first one is being filled.
  Segment* segments_ = nullptr;
  size_t heap_bytes_ = 0;
  size_t mapped_pages_ = 0;
};

}  // namespace monolith
