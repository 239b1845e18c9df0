// Zero-filled memory of a table's own: from the page level when large, on huge pages where the system grants them.
#pragma once
#include <cstddef>

namespace monolith {

class PageBlock {
 public:
  PageBlock() = default;
  PageBlock(const PageBlock&) = delete;
  PageBlock& operator=(const PageBlock&) = delete;
  ~PageBlock() { release(); }

  // Zero-filled, 64-byte aligned. False when the system has no memory; the block is empty then.
  bool allocate(size_t bytes);
  // The same, beginning on a huge page where large, in small pages, each of which comes when it is touched: for what is touched here and there by those who must not wait. Huge pages may have to
  // be gathered first, and mapping waits for whoever else changes the address space; both have cost 0.3 s beside a busy disk.
  bool allocate_sparse(size_t bytes);
  void release();
  void swap(PageBlock& other);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  // What munmap or free wants back; mapped_ is 0 for memory from the heap.
  void* base_ = nullptr;
  size_t mapped_ = 0;
};

// `bytes` of zeroed address space that begins on a huge page and is asked for in huge pages; memory comes when it is touched. nullptr: there
// is none. `mapping` and `mapping_bytes` are what munmap wants back.
void* map_pages(size_t bytes, void*& mapping, size_t& mapping_bytes);
// Makes the pages of [data, data + bytes) present at once, so that no later touch waits for the system. False when there is no memory;
// true, without effect, where the system can't.
bool populate_pages(void* data, size_t bytes);
// Gives whole pages inside [data, data + bytes), rounded up at the end, back to the system; they are zero when next touched.
void drop_pages(void* data, size_t bytes);

// Asks for huge pages on the whole pages inside [data, data + bytes). Best effort.
void advise_huge_pages(void* data, size_t bytes);

}  // namespace monolith
