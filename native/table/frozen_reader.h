// The frozen rows of one table, of all its shards: collected by buckets, sorted by fid, read once each. By a thread of its own.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/dumped_row.h"
#include "table/table.h"

namespace monolith {

class FrozenReader {
 public:
  static constexpr size_t kMostSources = 65536;
  static constexpr int64_t kNoMemory = INT64_MIN;

  FrozenReader() = default;
  FrozenReader(const FrozenReader&) = delete;
  FrozenReader& operator=(const FrozenReader&) = delete;
  ~FrozenReader() { release(); }

  // Shards to come.
  bool start(size_t sources);
  // One more shard: the table of this number. False when there is none, or it has no frozen rows, or other widths than those before.
  bool add(uint32_t table_id);

  size_t dim() const { return dim_; }
  size_t state_length() const { return state_; }
  // Rows there were, and those of which that are read.
  size_t size() const;
  size_t count() const;
  size_t copies() const;
  size_t bytes() const;
  // Whether no owner holds them any more.
  bool alone() const;

  // Finds the rows of one bucket; their number, or kNoMemory. Each row may be found and read once.
  int64_t collect(uint32_t bits, uint64_t bucket);
  size_t collected() const { return collected_; }
  // fids[collected], ascending as unsigned numbers; last uses; records[collected, dim + state_length]. The first value in records that is not finite, or -1.
  int64_t read(uint64_t* fids, uint32_t* timestamps, float* records);
  // Owners need not keep anything from now on.
  void end();
  void release();

 private:
  struct Source {
    Table* table;
    FrozenRows* rows;
  };

  Source* sources() const { return static_cast<Source*>(sources_.data()); }
  DumpedRow* found() const { return static_cast<DumpedRow*>(found_.data()); }

  PageBlock sources_;
  size_t num_sources_ = 0;
  size_t dim_ = 0;
  size_t state_ = 0;
  // Twice as long as what fits: sorting needs both halves.
  PageBlock found_;
  size_t capacity_ = 0;
  const DumpedRow* sorted_ = nullptr;
  size_t collected_ = 0;
};

}  // namespace monolith
