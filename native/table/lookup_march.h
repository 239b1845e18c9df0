// Lookups: three stages on three blocks of ids at once, so that the memory latency of one id is hidden behind others.
//   block b      hash, fetch home lines
//   block b - 1  look at home lines, fetch rows
//   block b - 2  copy rows
// Ids whose home line is full and without them leave the line of march: two blocks later their next line is here and is looked at, and two
// blocks after that their row is copied.
// Rows are created afterwards (create.isa.cc), in the order of ids, so that row numbers do not depend on who was late.
// For .isa.cc files of this folder only.
#pragma once
#include "table/index_search.h"
#include "table/lookup.h"
#include "table/mix64.h"
#include "table/prefetch.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Late ids of one block; more are searched for at once.
constexpr size_t kMostLate = 128;

// Block b and block b - 2, whose rows are copied while b is fetched, share one of these.
template <typename Value>
struct BlockOf {
  uint64_t hashes[kBlock];
  IndexLine* homes[kBlock];
  // Of ids that were found in their home lines; else nullptr.
  const Value* values[kBlock];
};

struct LateId {
  size_t id;
  // Next to be looked at.
  IndexLine* line;
};

template <typename Value>
struct LateRow {
  size_t id;
  const Value* values;
};

template <typename Value>
struct LateOf {
  LateId searched[kMostLate];
  LateRow<Value> copied[kMostLate];
  size_t num_searched;
  size_t num_copied;
};

// One lookup call: the blocks of ids and those that are late. Rows says how values are stored:
//   Value                          what a row's values are made of
//   at(space, row)                 where the values of a row begin
//   fetch(values, dim)             has them on their way
//   copy(values, dim, out)         writes them as float32
template <bool Touch, typename Rows>
struct March {
  using Value = typename Rows::Value;
  using Block = BlockOf<Value>;
  using Late = LateOf<Value>;

  const LookupTable& table;
  const RowSpace space;
  const IndexView index;
  const size_t dim;
  const uint64_t* fids;
  float* rows;
  int32_t* handles;
  size_t missing = 0;
  Block blocks[2] = {};
  Late late[4] = {};

  __attribute__((always_inline)) inline void fetch_home(Block& block, size_t i) {
    block.homes[i] = home_of(index, block.hashes[i]);
    ML_PREFETCH(block.homes[i]);
  }

  // The row's values, on their way; nullptr: there is no row, zeros were written.
  __attribute__((always_inline)) inline const Value* found(size_t id, uint32_t row1) {
    const uint32_t row = row1 - 1;
    handles[id] = static_cast<int32_t>(row);
    if (__builtin_expect(row1 == 0, 0)) {
      __builtin_memset(rows + id * dim, 0, dim * sizeof(float));
      missing++;
      return nullptr;
    }
    if constexpr (Touch) {
      float* stamp = table.stamps.segments[row >> table.stamps.shift] + (row & table.stamps.mask);
      uint32_t last;
      __builtin_memcpy(&last, stamp, sizeof last);
      // Lookups ahead may overtake.
      if (last < table.timestamp) __builtin_memcpy(stamp, &table.timestamp, sizeof table.timestamp);
    }
    const Value* values = Rows::at(space, row);
    Rows::fetch(values, dim);
    return values;
  }

  __attribute__((always_inline)) inline void search_home(Block& block, size_t i, size_t id, Late& later) {
    IndexLine* line = block.homes[i];
    const uint32_t match = match_fid(line, fids[id]);
    if (__builtin_expect(match != 0, 1)) {
      block.values[i] = found(id, line->row1[__builtin_ctz(match)]);
    } else {
      block.values[i] = nullptr;
      if (line->row1[kLineEntries - 1] == 0) {
        found(id, 0);
      } else {
        search_later(id, line + 1, later);
      }
    }
  }

  // The three stages of three whole blocks, one id of each in turn: a burst of fetches would stall, and memory would idle while the others are
  // looked at. What the loop reads is copied out of the object first, since a store to a row might change the object for all the compiler knows.
  inline void whole_blocks(Block& fetched, Block& searched, size_t search_at, size_t copy_at, Late& later) {
    const Partition* const directory = index.directory;
    const uint32_t depth = index.depth;
    const RowSpace rows_at = space;
    const size_t length = dim;
    const uint64_t* const ids = fids + search_at;
    int32_t* const found_handles = handles + search_at;
    float* out = rows + copy_at * length;
    for (size_t i = 0; i < kBlock; i++, out += length) {
      const Value* copied = fetched.values[i];
      if (__builtin_expect(copied != nullptr, 1)) Rows::copy(copied, length, out);
      const uint64_t hash = fetched.hashes[i];
      const Partition& partition = directory[directory_slot(hash, depth)];
      IndexLine* home = partition.lines + home_line(partition, hash);
      ML_PREFETCH(home);
      fetched.homes[i] = home;
      const IndexLine* line = searched.homes[i];
      const uint32_t match = match_fid(line, ids[i]);
      const uint32_t row1 = match != 0 ? line->row1[__builtin_ctz(match)] : 0;
      if (!Touch && __builtin_expect(row1 != 0, 1)) {
        const Value* values = Rows::at(rows_at, row1 - 1);
        Rows::fetch(values, length);
        searched.values[i] = values;
        found_handles[i] = static_cast<int32_t>(row1) - 1;
      } else {
        search_home(searched, i, search_at + i, later);
      }
    }
  }

  inline void search_later(size_t id, IndexLine* line, Late& later) {
    // Behind the last line of a partition lies nothing of use; a fetch there is harmless.
    ML_PREFETCH(line);
    if (__builtin_expect(later.num_searched == kMostLate, 0)) {
      const Place place = find(partition_of(index, mix64(fids[id])), fids[id], line);
      copy_later(id, place.line->row1[place.entry], later);
    } else {
      later.searched[later.num_searched++] = {id, line};
    }
  }

  inline void copy_later(size_t id, uint32_t row1, Late& later) {
    const Value* values = found(id, row1);
    if (values == nullptr) return;
    if (later.num_copied == kMostLate) {
      Rows::copy(values, dim, rows + id * dim);
    } else {
      later.copied[later.num_copied++] = {id, values};
    }
  }

  inline void serve_late(size_t b) {
    Late& now = late[b & 3];
    Late& later = late[(b + 2) & 3];
    for (size_t k = 0; k < now.num_copied; k++) Rows::copy(now.copied[k].values, dim, rows + now.copied[k].id * dim);
    now.num_copied = 0;
    for (size_t k = 0; k < now.num_searched; k++) {
      const size_t id = now.searched[k].id;
      const Partition& partition = partition_of(index, mix64(fids[id]));
      IndexLine* line = now.searched[k].line;
      if (line == partition.lines + partition.num_lines) line = partition.lines;
      const uint32_t match = match_line(line, fids[id]);
      if (__builtin_expect(match != 0, 1)) {
        copy_later(id, line->row1[__builtin_ctz(match)], later);
      } else {
        search_later(id, line + 1, later);
      }
    }
    now.num_searched = 0;
  }

  size_t run(size_t count) {
    const size_t num_blocks = (count + kBlock - 1) / kBlock;
    // Length of a block; 0 outside the batch (block numbers below 0 wrap round).
    const auto length = [count, num_blocks](size_t b) {
      return b >= num_blocks ? size_t{0} : count - b * kBlock < kBlock ? count - b * kBlock : kBlock;
    };
    size_t b = 0;
    for (; b < num_blocks + 2; b++) {
      Block& fetched = blocks[b & 1];
      Block& searched = blocks[(b - 1) & 1];
      Late& later = late[(b + 2) & 3];
      const size_t num_fetched = length(b);
      const size_t num_searched = length(b - 1);
      const size_t num_copied = length(b - 2);
      const size_t search_at = (b - 1) * kBlock;
      const size_t copy_at = (b - 2) * kBlock;
      serve_late(b);
      hash_block(fids + b * kBlock, num_fetched, fetched.hashes);
      if (num_fetched + num_searched + num_copied == 3 * kBlock) {
        whole_blocks(fetched, searched, search_at, copy_at, later);
        continue;
      }
      for (size_t i = 0; i < kBlock; i++) {
        if (i < num_copied && fetched.values[i] != nullptr) Rows::copy(fetched.values[i], dim, rows + (copy_at + i) * dim);
        if (i < num_fetched) fetch_home(fetched, i);
        if (i < num_searched) search_home(searched, i, search_at + i, later);
      }
    }
    for (size_t idle = 0; idle < 4; b++) {
      idle = late[b & 3].num_searched + late[b & 3].num_copied == 0 ? idle + 1 : 0;
      serve_late(b);
    }
    return missing;
  }
};

}  // namespace
}  // namespace ML_ISA
}  // namespace monolith
