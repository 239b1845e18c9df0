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

}  // namespace

IndexArena::~IndexArena() {
  while (segments_ != nullptr) drop(segments_);
}

void IndexArena::account(Segment* segment, size_t begin, size_t bytes, bool alive) {
  const size_t end = begin + bytes;
  for (size_t page = begin / kPage; page * kPage < end; page++) {
    const size_t from = begin > page * kPage ? begin : page * kPage;
    const size_t to = end < (page + 1) * kPage ? end : (page + 1) * kPage;
    uint32_t& live = segment->live[page];
    if (alive) {
      if (live == 0) mapped_pages_++;
      live += static_cast<uint32_t>(to - from);
    } else {
      live -= static_cast<uint32_t>(to - from);
      if (live != 0) continue;
      mapped_pages_--;
      madvise(segment->base + page * kPage, kPage, MADV_DONTNEED);
    }
  }
}

void IndexArena::drop(Segment* segment) {
  for (size_t page = 0; page < segment->num_pages; page++) mapped_pages_ -= segment->live[page] != 0;
  Segment** link = &segments_;
  while (*link != segment) link = &(*link)->next;
  *link = segment->next;
  munmap(segment->mapping, segment->mapping_bytes);
  std::free(segment->live);
  delete segment;
}

IndexLine* IndexArena::allocate(size_t num_lines) {
  const size_t bytes = num_lines * sizeof(IndexLine);
  if (bytes < kMappedBytes) {
    void* block = nullptr;
    if (posix_memalign(&block, 64, bytes) != 0) return nullptr;
    std::memset(block, 0, bytes);
    heap_bytes_ += bytes;
    return static_cast<IndexLine*>(block);
  }
  if (segments_ == nullptr || segments_->used + bytes > segments_->num_pages * kPage) {
    const size_t pages = bytes > kSegmentPages * kPage ? (bytes + kPage - 1) / kPage : kSegmentPages;
    Segment* segment = new (std::nothrow) Segment();
    if (segment == nullptr) return nullptr;
    segment->live = static_cast<uint32_t*>(std::calloc(pages, sizeof(uint32_t)));
    segment->base = static_cast<char*>(map_pages(pages * kPage, segment->mapping, segment->mapping_bytes));
    if (segment->live == nullptr || segment->base == nullptr) {
      if (segment->base != nullptr) munmap(segment->mapping, segment->mapping_bytes);
      std::free(segment->live);
      delete segment;
      return nullptr;
    }
    segment->num_pages = pages;
    // Nothing lives on the one that was being filled: nothing would ever be freed there.
    if (segments_ != nullptr && segments_->live_blocks == 0) drop(segments_);
    segment->next = segments_;
    segments_ = segment;
  }
  Segment* segment = segments_;
  char* block = segment->base + segment->used;
  if (!populate_pages(block, bytes)) return nullptr;
  account(segment, segment->used, bytes, true);
  segment->used += bytes;
  segment->live_blocks++;
  return reinterpret_cast<IndexLine*>(block);
}

void IndexArena::release(IndexLine* lines, size_t num_lines) {
  const size_t bytes = num_lines * sizeof(IndexLine);
  if (bytes < kMappedBytes) {
    heap_bytes_ -= bytes;
    std::free(lines);
    return;
  }
  char* block = reinterpret_cast<char*>(lines);
  Segment* segment = segments_;
  while (block < segment->base || block >= segment->base + segment->num_pages * kPage) segment = segment->next;
  account(segment, static_cast<size_t>(block - segment->base), bytes, false);
  if (--segment->live_blocks == 0 && segment != segments_) drop(segment);
}

}  // namespace monolith
