#include "sparse/dedupe.h"

#include <cstring>

#include "table/mix64.h"

namespace monolith {
namespace {

// A slot holds the number of a distinct id, whose fid stands in the list of those found: four bytes, so that the slots of a usual batch and the
// list fit the second-level cache together. Clearing them each time costs less than telling old from new.
constexpr uint32_t kEmpty = 0xFFFFFFFF;
// Ids hashed ahead of the one being probed.
constexpr size_t kAhead = 16;

// At most half full.
size_t num_slots(size_t nnz) {
  size_t slots = 16;
  while (slots < 2 * nnz) slots *= 2;
  return slots;
}

// Pass 1: inverse[i] = number of fids[i] in order of first occurrence, found[number] = fid. Returns how many.
size_t first_occurrences(const int64_t* fids, size_t nnz, int64_t* found, int32_t* inverse, uint32_t* slots, size_t mask) {
  std::memset(slots, 0xFF, (mask + 1) * sizeof(uint32_t));
  size_t positions[kAhead];
  size_t n = 0;
  const size_t lead = nnz < kAhead ? nnz : kAhead;
  for (size_t i = 0; i < lead; i++) {
    positions[i] = mix64(static_cast<uint64_t>(fids[i])) & mask;
    __builtin_prefetch(slots + positions[i], 1);
  }
  for (size_t i = 0; i < nnz; i++) {
    size_t position = positions[i % kAhead];
    if (i + kAhead < nnz) {
      const size_t next = mix64(static_cast<uint64_t>(fids[i + kAhead])) & mask;
      positions[i % kAhead] = next;
      __builtin_prefetch(slots + next, 1);
    }
    const int64_t fid = fids[i];
    for (;;) {
      const uint32_t number = slots[position];
      if (number == kEmpty) {
        slots[position] = static_cast<uint32_t>(n);
        found[n] = fid;
        inverse[i] = static_cast<int32_t>(n++);
        break;
      }
      if (found[number] == fid) {
        inverse[i] = static_cast<int32_t>(number);
        break;
      }
      position = (position + 1) & mask;
    }
  }
  return n;
}

inline size_t shard_of(int64_t fid, size_t shards) {
  if ((shards & (shards - 1)) == 0) return static_cast<size_t>(fid) & (shards - 1);
  const int64_t remainder = fid % static_cast<int64_t>(shards);
  return static_cast<size_t>(remainder < 0 ? remainder + static_cast<int64_t>(shards) : remainder);
}

}  // namespace

size_t dedupe_scratch_length(size_t nnz) { return num_slots(nnz) + 3 * nnz; }

size_t dedupe(const int64_t* fids, size_t nnz, size_t shards, int64_t* unique, int32_t* inverse, int32_t* shard_offsets, int32_t* scratch,
              size_t scratch_length) {
  const size_t slots = num_slots(nnz);
  uint32_t* table = reinterpret_cast<uint32_t*>(scratch);
  if (shards == 1) {
    const size_t n = first_occurrences(fids, nnz, unique, inverse, table, slots - 1);
    shard_offsets[0] = 0;
    shard_offsets[1] = static_cast<int32_t>(n);
    return n;
  }
  const size_t n = first_occurrences(fids, nnz, unique, inverse, table, slots - 1);
  // Grouping works at the very end of scratch: no call that fits into scratch has slots there.
  int32_t* moved = scratch + (scratch_length - 3 * nnz);
  int32_t* copy = moved + nnz;
  if (n != 0) std::memcpy(copy, unique, n * sizeof(int64_t));
  std::memset(shard_offsets, 0, (shards + 1) * sizeof(int32_t));
  for (size_t u = 0; u < n; u++) {
    const size_t shard = shard_of(unique[u], shards);
    moved[u] = static_cast<int32_t>(shard);
    shard_offsets[shard + 1]++;
  }
  for (size_t s = 0; s < shards; s++) shard_offsets[s + 1] += shard_offsets[s];
  for (size_t u = 0; u < n; u++) {
    moved[u] = shard_offsets[moved[u]]++;
    std::memcpy(unique + moved[u], copy + 2 * u, sizeof(int64_t));
  }
  // Every start has advanced to the next one: move them back.
  for (size_t s = shards; s > 0; s--) shard_offsets[s] = shard_offsets[s - 1];
  shard_offsets[0] = 0;
  for (size_t i = 0; i < nnz; i++) inverse[i] = moved[inverse[i]];
  return n;
}

}  // namespace monolith
