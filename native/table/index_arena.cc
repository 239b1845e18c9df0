#include "table/index_arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "table/page_block.h"

namespace monolith {
namespace {

// Blocks from here on are worth a mapping.
constexpr size_t kMappedBytes = size_t{256} << 10;
// Address space, not memory.
constexpr size_t kSegmentBytes = size_t{256} << 20;

}  // namespace

IndexArena::~IndexArena() {
  while (segments_ != nullptr) {
    Segment* segment = segments_;
    segments_ = segment->next;
    munmap(segment->mapping, segment->mapping_bytes);
    delete segment;
  }
  while (free_ != nullptr) {
    Stretch* stretch = free_;
    free_ = stretch->next;
    delete stretch;
  }
}

char* IndexArena::reuse(size_t bytes) {
  for (Stretch** link = &free_; *link != nullptr; link = &(*link)->next) {
    Stretch* stretch = *link;
    if (stretch->bytes < bytes) continue;
    char* block = stretch->begin;
    stretch->begin += bytes;
    stretch->bytes -= bytes;
    if (stretch->bytes == 0) {
      *link = stretch->next;
      delete stretch;
    }
    std::memset(block, 0, bytes);
    return block;
  }
  return nullptr;
}

char* IndexArena::extend(size_t bytes) {
  if (segments_ == nullptr || segments_->used + bytes > segments_->bytes) {
    Segment* segment = new (std::nothrow) Segment();
    if (segment == nullptr) return nullptr;
    segment->bytes = bytes > kSegmentBytes ? bytes : kSegmentBytes;
    segment->base = static_cast<char*>(map_pages(segment->bytes, segment->mapping, segment->mapping_bytes));
    if (segment->base == nullptr) {
      delete segment;
      return nullptr;
    }
    segment->next = segments_;
    segments_ = segment;
  }
  char* block = segments_->base + segments_->used;
  if (!populate_pages(block, bytes)) return nullptr;
  segments_->used += bytes;
  mapped_bytes_ += bytes;
  return block;
}

IndexLine* IndexArena::allocate(size_t num_lines) {
  const size_t bytes = num_lines * sizeof(IndexLine);
  if (bytes >= kMappedBytes) {
    char* block = reuse(bytes);
    return reinterpret_cast<IndexLine*>(block != nullptr ? block : extend(bytes));
  }
  void* block = nullptr;
  if (posix_memalign(&block, 64, bytes) != 0) return nullptr;
  std::memset(block, 0, bytes);
  heap_bytes_ += bytes;
  return static_cast<IndexLine*>(block);
}

void IndexArena::release(IndexLine* lines, size_t num_lines) {
  const size_t bytes = num_lines * sizeof(IndexLine);
  if (bytes < kMappedBytes) {
    heap_bytes_ -= bytes;
    std::free(lines);
    return;
  }
  char* block = reinterpret_cast<char*>(lines);
  Stretch* before = nullptr;
  Stretch* after = free_;
  while (after != nullptr && after->begin < block) {
    before = after;
    after = after->next;
  }
  const bool joins_before = before != nullptr && before->begin + before->bytes == block;
  const bool joins_after = after != nullptr && block + bytes == after->begin;
  if (joins_before) {
    before->bytes += bytes;
    if (!joins_after) return;
    before->bytes += after->bytes;
    before->next = after->next;
    delete after;
  } else if (joins_after) {
    after->begin = block;
    after->bytes += bytes;
  } else {
    // Without memory for three words the stretch is lost until the table ends.
    Stretch* stretch = new (std::nothrow) Stretch{after, block, bytes};
    if (stretch != nullptr) (before == nullptr ? free_ : before->next) = stretch;
  }
}

}  // namespace monolith
