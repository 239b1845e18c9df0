// Memory in which frozen rows keep copies: marks of rows, numbers of copies, copies. Address space for all of them; pages come as they are touched, but for
// the first ones, where the first steps after a freeze write and which are made present ahead of those steps by a short-lived thread. A table keeps one such
// space from one freeze to the next, with those first pages.
#pragma once
#include <pthread.h>

#include <cstddef>
#include <cstdint>

#include "table/page_block.h"

namespace monolith {

// Of 64 rows, in half a cache line: kept and read bits, and for every 16 of them the block, counted from 1, that has the numbers of their copies; 0: none yet.
struct CopyMarks {
  uint64_t kept;
  uint64_t read;
  uint32_t block[4];
};

class CopySpace {
 public:
  // Rows whose copies' numbers stand together, as soon as one of them has a copy. A number a row would be 64 MB in a table of 2 GiB, and the first step after
  // the freeze would touch every page of it.
  static constexpr size_t kBlockRows = 16;

  CopySpace() = default;
  CopySpace(const CopySpace&) = delete;
  CopySpace& operator=(const CopySpace&) = delete;
  ~CopySpace() { wait(); }

  // Address space for `rows` rows and some more, all marks zero. False when there is none.
  bool allocate(size_t rows, size_t copy_bytes);
  bool fits(size_t rows, size_t copy_bytes) const { return rows <= rows_ && copy_bytes == copy_bytes_; }

  // Begins to make present what `copies` copies take and the marks of `rows` rows; returns at once. Best effort.
  void prepare(size_t rows, size_t copies);
  // Gives back all pages but those that were prepared, and clears the marks of `rows` rows; so many copies and blocks were in use. Takes milliseconds.
  void clean(size_t rows, size_t copies, size_t blocks);
  // Memory held when so many copies and blocks are in use.
  size_t bytes(size_t rows, size_t copies, size_t blocks) const;

  CopyMarks& marks(uint32_t row) const { return static_cast<CopyMarks*>(marks_.block.data())[row >> 6]; }
  uint32_t& number(uint32_t block, uint32_t row) const {
    return static_cast<uint32_t*>(numbers_.block.data())[(size_t{block} - 1) * kBlockRows + (row & (kBlockRows - 1))];
  }
  char* copy_at(size_t copy) const { return static_cast<char*>(copies_.block.data()) + copy * copy_bytes_; }

 private:
  struct Area {
    PageBlock block;
    // Bytes at the start that are present, or about to be.
    size_t present = 0;
    // Where the thread begins; the same when it has nothing to do.
    size_t from = 0;

    void want(size_t bytes);
    void populate();
    void trim(size_t used);
    size_t held(size_t used) const { return used > present ? used : present; }
  };

  static void* run(void* space);
  void wait();

  Area marks_;
  Area numbers_;
  Area copies_;
  size_t rows_ = 0;
  size_t copy_bytes_ = 0;
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace monolith
