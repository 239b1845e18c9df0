// fid -> row number. Extendible hashing over partitions: the top bits of mix64(fid) choose an entry of the directory, the bits below them a home
// line in its partition; a line is looked at whole, then the next one (linear probing by lines, wrapping round at the end of the partition).
// Nothing is ever taken out, so the first empty entry ends a search. The order of homes is the order of hashes: growing reads and writes
// front to back, and a bucket (top bits of the hash) is a range of partitions or a range of lines in one.
//
// A partition at its load bound grows by a factor; one that would become longer than kMostLines is split in two and gets a bit more
// of the directory. Partitions are given sizes that are spread evenly over one period of growth, so that they reach their bounds one
// after the other: the load of the whole stays near its mean, and no call has to grow many.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/index_arena.h"
#include "table/index_visit.h"
#include "table/mix64.h"
#include "table/page_block.h"

namespace monolith {

class Index {
 public:
  Index() = default;
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;
  ~Index();

  // One small partition, empty. False when there is no memory.
  bool start();
  // Room for `rows` rows in all, if their hashes are spread evenly. False when there is no memory: rows are as before.
  bool reserve(size_t rows);
  // Room for those of fids[0, count) whose handle is negative, or for all when there are no handles, each counted as new. False: no memory.
  bool prepare(const uint64_t* fids, const int32_t* handles, size_t count);
  // Forgets all rows. False when there is no memory: nothing has changed.
  bool clear();

  IndexView view() const { return {directory(), use(), depth_}; }
  size_t bytes() const { return arena_.bytes() + directory_.bytes() + use_.bytes(); }

  // Row of fid + 1; 0 when it was not there: the caller writes what it is to be.
  uint32_t& find_or_add(uint64_t fid, uint64_t hash) {
    const size_t slot = directory_slot(hash, depth_);
    const Partition& partition = directory()[slot];
    uint32_t* row1 = find(partition, fid, hash);
    if (*row1 == 0) use()[first_slot(slot, depth_, partition.depth)].rows++;
    return *row1;
  }
  void prefetch(uint64_t hash) const {
    const Partition& partition = directory()[directory_slot(hash, depth_)];
    __builtin_prefetch(partition.lines + home_line(partition, hash), 1);
  }
  // visit(fid, row) for every row of a bucket, in no order that a caller may rely on.
  template <typename Visit>
  void visit_bucket(uint32_t bits, uint64_t bucket, Visit visit) const;
  // From now on lines that a partition has outgrown stay as they are, for somebody who walks a copy of the directory; false: they are given back.
  void keep_old(bool keep);

 private:
  struct OldLines {
    OldLines* next;
    IndexLine* lines;
    size_t num_lines;
  };

  Partition* directory() const { return static_cast<Partition*>(directory_.data()); }
  PartitionUse* use() const { return static_cast<PartitionUse*>(use_.data()); }
  void release();
  bool double_directory();
  // Makes the partition at directory entry `slot` hold `rows` rows, or splits it on the way there.
  bool grow(size_t slot, size_t rows);
  bool split(size_t slot, size_t rows);
  void set(size_t slot, const Partition& partition, size_t rows);
  // Before a partition is replaced: room to remember its lines. False when there is no memory.
  bool can_retire();
  void retire(const Partition& partition);
  void move_rows(const Partition& from, const Partition* to, size_t* counts);

  // Where row + 1 of fid stands. One that was not there has an entry now, with a 0 that the caller must replace.
  static uint32_t* find(const Partition& partition, uint64_t fid, uint64_t hash) {
    for (size_t line = home_line(partition, hash);;) {
      IndexLine& entries = partition.lines[line];
      for (size_t j = 0; j < kLineEntries; j++) {
        if (j == entries.count) {
          entries.fid[j] = fid;
          entries.count++;
        }
        if (entries.fid[j] == fid) return &entries.row1[j];
      }
      if (++line == partition.num_lines) line = 0;
    }
  }

  IndexArena arena_;
  PageBlock directory_;
  PageBlock use_;
  uint32_t depth_ = 0;

  bool keeping_ = false;
  OldLines* old_ = nullptr;
  // Empty, for the next one.
  OldLines* spare_ = nullptr;
};

template <typename Visit>
void Index::visit_bucket(uint32_t bits, uint64_t bucket, Visit visit) const {
  monolith::visit_bucket(view(), bits, bucket, visit);
}

}  // namespace monolith
