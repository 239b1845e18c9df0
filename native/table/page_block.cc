#include "table/page_block.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace monolith {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;

}  // namespace

void advise_huge_pages(void* data, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) & ~uintptr_t{kPage - 1};
  uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~uintptr_t{kPage - 1};
  if (end > begin && end - begin >= kHugePage) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)data;
  (void)bytes;
#endif
}

void* map_pages(size_t bytes, void*& mapping, size_t& mapping_bytes) {
  const size_t mapped = bytes + kHugePage;
  void* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  mapping = base;
  mapping_bytes = mapped;
  void* aligned = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(base) + kHugePage - 1) & ~uintptr_t{kHugePage - 1});
  advise_huge_pages(aligned, bytes);
  return aligned;
}

bool populate_pages(void* data, size_t bytes) {
#if defined(__linux__)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data) & ~uintptr_t{kPage - 1};
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes + kPage - 1) & ~uintptr_t{kPage - 1};
  // An older kernel answers EINVAL: pages come when touched.
  if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE) != 0) return errno != ENOMEM;
#else
  (void)data;
  (void)bytes;
#endif
  return true;
}

void drop_pages(void* data, size_t bytes) {
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) & ~uintptr_t{kPage - 1};
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes + kPage - 1) & ~uintptr_t{kPage - 1};
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

bool PageBlock::allocate(size_t bytes) {
  release();
  if (bytes == 0) return true;
  if (bytes >= kHugePage) {
    void* data = map_pages(bytes, base_, mapped_);
    if (data == nullptr) return false;
    data_ = data;
  } else {
    size_t rounded = (bytes + 63) & ~size_t{63};
    void* base = nullptr;
    if (posix_memalign(&base, 64, rounded) != 0) return false;
    std::memset(base, 0, rounded);
    data_ = base;
    base_ = base;
    mapped_ = 0;
  }
  bytes_ = bytes;
  return true;
}

bool PageBlock::allocate_sparse(size_t bytes) {
  release();
  if (bytes < kHugePage) return allocate(bytes);
  const size_t mapped = bytes + kHugePage;
  void* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return false;
#if defined(MADV_NOHUGEPAGE)
  madvise(base, mapped, MADV_NOHUGEPAGE);
#endif
  data_ = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(base) + kHugePage - 1) & ~uintptr_t{kHugePage - 1});
  base_ = base;
  mapped_ = mapped;
  bytes_ = bytes;
  return true;
}

void PageBlock::release() {
  if (base_ != nullptr) {
    if (mapped_ != 0) {
      munmap(base_, mapped_);
    } else {
      std::free(base_);
    }
  }
  data_ = nullptr;
  base_ = nullptr;
  bytes_ = 0;
  mapped_ = 0;
}

void PageBlock::swap(PageBlock& other) {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(base_, other.base_);
  std::swap(mapped_, other.mapped_);
}

}  // namespace monolith
