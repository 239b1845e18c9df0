// Lookups: four stages on four blocks of ids at once, so that the memory latency of one id is hidden behind others.
//   block b      hash, fetch home lines
//   block b - 1  look at home lines, fetch rows; the fifth of all ids whose home line is full and without them waits, its next lines fetched
//   block b - 2  look further for those that waited, fetch their rows
//   block b - 3  copy rows
// Rows are created afterwards, in the order of ids, so that row numbers do not depend on who waited.
#include "table/lookup.h"

#include "table/mix64.h"
#include "table/prefetch.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace monolith {
namespace ML_ISA {
namespace {

// Ids of a block: about as many lines as one core keeps in flight; 16 and 64 gained nothing in bench/table.
constexpr size_t kBlock = 32;

// Home lines of a block: fast range of the hash's upper half.
inline void hash_block(const uint64_t* fids, size_t n, uint64_t lines, uint32_t* homes) {
  if (n == kBlock) {
    for (size_t i = 0; i < kBlock; i++) homes[i] = static_cast<uint32_t>(((mix64(fids[i]) >> 32) * lines) >> 32);
  } else {
    for (size_t i = 0; i < n; i++) homes[i] = static_cast<uint32_t>(((mix64(fids[i]) >> 32) * lines) >> 32);
  }
}

// Bit 2j: entry j holds fid. Bit 2j + 1: entry j is empty (bit 2j is 0 then).
inline uint32_t match_line(const IndexEntry* line, uint64_t fid) {
#if defined(__AVX512F__)
  const __m512i words = _mm512_load_si512(line);
  const uint32_t same = _mm512_mask_cmpeq_epi64_mask(0x55, words, _mm512_set1_epi64(static_cast<int64_t>(fid)));
  const uint32_t empty = _mm512_mask_testn_epi64_mask(0xAA, words, _mm512_set1_epi64(0xFFFFFFFF));
#elif defined(__AVX2__)
  const __m256i* half = reinterpret_cast<const __m256i*>(line);
  const __m256i low = _mm256_load_si256(half);
  const __m256i high = _mm256_load_si256(half + 1);
  const __m256i wanted = _mm256_set1_epi64x(static_cast<int64_t>(fid));
  const __m256i row = _mm256_set1_epi64x(0xFFFFFFFF);
  const __m256i zero = _mm256_setzero_si256();
  const auto mask = [](__m256i a, __m256i b) {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(a, b))));
  };
  const uint32_t same = (mask(low, wanted) | mask(high, wanted) << 4) & 0x55;
  const uint32_t empty = (mask(_mm256_and_si256(low, row), zero) | mask(_mm256_and_si256(high, row), zero) << 4) & 0xAA;
#else
  uint32_t same = 0;
  uint32_t empty = 0;
  for (uint32_t j = 0; j < kLineEntries; j++) {
    same |= static_cast<uint32_t>(line[j].fid == fid) << (2 * j);
    empty |= static_cast<uint32_t>(line[j].row1 == 0) << (2 * j + 1);
  }
#endif
  return (same & ~(empty >> 1)) | empty;
}

// The entry of fid, or the empty entry where it belongs.
inline IndexEntry* find(const LookupTable& table, uint64_t fid, size_t line) {
  for (;;) {
    IndexEntry* entry = table.index + line * kLineEntries;
    const uint32_t match = match_line(entry, fid);
    // Entries fill from the left and fids are distinct, so the lowest bit is the fid if it is here, else the first empty entry.
    if (__builtin_expect(match != 0, 1)) return entry + (__builtin_ctz(match) >> 1);
    if (++line == table.lines) line = 0;
  }
}

// always_inline: g++ 12 takes a function that only prefetches for one without effect and drops the calls.
__attribute__((always_inline)) inline void prefetch_lines(const LookupTable& table, const uint32_t* homes, size_t n) {
  for (size_t i = 0; i < n; i++) ML_PREFETCH(table.index + static_cast<size_t>(homes[i]) * kLineEntries);
}

inline float* row_address(const RowSpace& space, uint32_t row) {
  return space.segments[row >> space.shift] + static_cast<size_t>(row & space.mask) * space.stride;
}

// Ids of one block and what is known of them so far.
struct Block {
  alignas(64) uint32_t homes[kBlock];
  uint32_t waiting[kBlock];
  size_t num_waiting;
};

// Dim: number of values when known at compile time, else 0. Touch: the use is stored.
template <bool Touch, size_t Dim>
inline int32_t found(const LookupTable& table, const RowSpace& space, IndexEntry* entry) {
  if (entry->row1 == 0) return -1;
  if constexpr (Touch) entry->last_use = table.timestamp > entry->last_use ? table.timestamp : entry->last_use;
  const size_t bytes = (Dim ? Dim : table.dim) * sizeof(float);
  const size_t fetched = bytes < 512 ? bytes : 512;
  const char* record = reinterpret_cast<const char*>(row_address(space, entry->row1 - 1));
  for (size_t offset = 0; offset < fetched; offset += 64) ML_PREFETCH(record + offset);
  // A record that does not start on a line may end in one more.
  if (space.stride % 16 != 0 || Dim == 0) ML_PREFETCH(record + fetched - 1);
  return static_cast<int32_t>(entry->row1) - 1;
}

template <bool Touch, size_t Dim>
inline int32_t probe_home(const LookupTable& table, const RowSpace& space, uint64_t fid, size_t i, Block& block) {
  IndexEntry* line = table.index + static_cast<size_t>(block.homes[i]) * kLineEntries;
  const uint32_t match = match_line(line, fid);
  if (match != 0) return found<Touch, Dim>(table, space, line + (__builtin_ctz(match) >> 1));
  // Two lines: near the load bound the next one is often full too. Behind the last line lies nothing; a fetch there is harmless.
  ML_PREFETCH(line + kLineEntries);
  ML_PREFETCH(line + 2 * kLineEntries);
  block.waiting[block.num_waiting++] = static_cast<uint32_t>(i);
  return -1;
}

template <bool Touch, size_t Dim>
inline void probe_further(const LookupTable& table, const RowSpace& space, const uint64_t* fids, const Block& block, int32_t* handles) {
  for (size_t k = 0; k < block.num_waiting; k++) {
    const uint32_t i = block.waiting[k];
    const size_t next = static_cast<size_t>(block.homes[i]) + 1;
    handles[i] = found<Touch, Dim>(table, space, find(table, fids[i], next == table.lines ? 0 : next));
  }
}

// Copies one row, or zeros for a missing one; returns whether it is missing.
template <size_t Dim>
inline size_t copy_row(const LookupTable& table, const RowSpace& space, int32_t handle, float* out) {
  const size_t dim = Dim ? Dim : table.dim;
  if (__builtin_expect(handle < 0, 0)) {
    __builtin_memset(out, 0, dim * sizeof(float));
    return 1;
  }
  const float* record = row_address(space, static_cast<uint32_t>(handle));
  if constexpr (Dim != 0) {
    __builtin_memcpy(out, record, Dim * sizeof(float));
  } else {
    __builtin_memcpy(out, record, dim * sizeof(float));
  }
  return 0;
}

template <bool Touch, size_t Dim>
size_t run(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  const RowSpace space = table.rows;
  const size_t dim = Dim ? Dim : table.dim;
  const size_t blocks = (count + kBlock - 1) / kBlock;
  // Length of a block; 0 outside the batch (block numbers below 0 wrap round).
  const auto length = [count, blocks](size_t b) {
    return b >= blocks ? size_t{0} : count - b * kBlock < kBlock ? count - b * kBlock : kBlock;
  };
  Block ring[4];
  size_t missing = 0;
  for (size_t b = 0; b < blocks + 3; b++) {
    Block& fetched = ring[b & 3];
    Block& probed = ring[(b - 1) & 3];
    const size_t num_fetched = length(b);
    const size_t num_probed = length(b - 1);
    const size_t num_copied = length(b - 3);
    const size_t probe_at = num_probed == 0 ? 0 : (b - 1) * kBlock;
    const size_t copy_at = num_copied == 0 ? 0 : (b - 3) * kBlock;
    const uint64_t* probe_fids = fids + probe_at;
    int32_t* probe_handles = handles + probe_at;
    const int32_t* copy_handles = handles + copy_at;
    float* out = rows + copy_at * dim;
    if (num_fetched != 0) hash_block(fids + b * kBlock, num_fetched, table.lines, fetched.homes);
    if (length(b - 2) != 0) {
      const size_t at = (b - 2) * kBlock;
      probe_further<Touch, Dim>(table, space, fids + at, ring[(b - 2) & 3], handles + at);
    }
    probed.num_waiting = 0;
    // One id of each stage in turn: a burst of fetches would stall, and memory would idle while the others are looked at.
    for (size_t i = 0; i < kBlock; i++) {
      if (i < num_fetched) ML_PREFETCH(table.index + static_cast<size_t>(fetched.homes[i]) * kLineEntries);
      if (i < num_probed) probe_handles[i] = probe_home<Touch, Dim>(table, space, probe_fids[i], i, probed);
      if (i < num_copied) missing += copy_row<Dim>(table, space, copy_handles[i], out + i * dim);
    }
  }
  return missing;
}

// Number of ids without a row.
template <bool Touch>
inline size_t run_sized(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  switch (table.dim) {
    case 1: return run<Touch, 1>(table, fids, count, rows, handles);
    case 8: return run<Touch, 8>(table, fids, count, rows, handles);
    case 16: return run<Touch, 16>(table, fids, count, rows, handles);
    case 17: return run<Touch, 17>(table, fids, count, rows, handles);
    case 32: return run<Touch, 32>(table, fids, count, rows, handles);
    default: return run<Touch, 0>(table, fids, count, rows, handles);
  }
}

// A row for each of ids[0, n) of fids; an id that came twice finds the row of its first time.
inline void create_block(LookupTable& table, const uint64_t* fids, const size_t* ids, size_t n, float* rows, int32_t* handles) {
  uint64_t wanted[kBlock];
  uint32_t homes[kBlock];
  for (size_t k = 0; k < n; k++) wanted[k] = fids[ids[k]];
  hash_block(wanted, n, table.lines, homes);
  prefetch_lines(table, homes, n);
  for (size_t k = 0; k < n; k++) {
    IndexEntry* entry = find(table, wanted[k], homes[k]);
    const bool fresh = entry->row1 == 0;
    if (fresh) {
      entry->fid = wanted[k];
      entry->row1 = static_cast<uint32_t>(table.size + 1);
      entry->last_use = table.timestamp;
      table.rows.dirty[table.size >> 6] |= uint64_t{1} << (table.size & 63);
      table.size++;
    }
    const uint32_t row = entry->row1 - 1;
    float* record = row_address(table.rows, row);
    if (fresh) table.initialize(table.owner, wanted[k], record);
    handles[ids[k]] = static_cast<int32_t>(row);
    __builtin_memcpy(rows + ids[k] * table.dim, record, table.dim * sizeof(float));
  }
}

}  // namespace

void lookup_rows(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  run_sized<false>(table, fids, count, rows, handles);
}

size_t create_rows(LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  const size_t missing = run_sized<true>(table, fids, count, rows, handles);
  if (missing == 0) return 0;
  if (table.size + missing > table.room) return missing;
  size_t ids[kBlock];
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (handles[i] >= 0) continue;
    ids[n++] = i;
    if (n == kBlock) {
      create_block(table, fids, ids, n, rows, handles);
      n = 0;
    }
  }
  create_block(table, fids, ids, n, rows, handles);
  return 0;
}

size_t count_missing(const LookupTable& table, const uint64_t* fids, size_t count) {
  uint32_t homes[2][kBlock];
  const size_t blocks = (count + kBlock - 1) / kBlock;
  const auto length = [count, blocks](size_t b) {
    return b >= blocks ? size_t{0} : count - b * kBlock < kBlock ? count - b * kBlock : kBlock;
  };
  size_t missing = 0;
  for (size_t b = 0; b < blocks + 1; b++) {
    const size_t num_fetched = length(b);
    const size_t num_probed = length(b - 1);
    const uint32_t* fetched = homes[b & 1];
    const uint32_t* probed = homes[(b - 1) & 1];
    const uint64_t* probe_fids = fids + (num_probed == 0 ? 0 : (b - 1) * kBlock);
    if (num_fetched != 0) hash_block(fids + b * kBlock, num_fetched, table.lines, homes[b & 1]);
    for (size_t i = 0; i < kBlock; i++) {
      if (i < num_fetched) ML_PREFETCH(table.index + static_cast<size_t>(fetched[i]) * kLineEntries);
      if (i < num_probed) missing += find(table, probe_fids[i], probed[i])->row1 == 0;
    }
  }
  return missing;
}

}  // namespace ML_ISA
}  // namespace monolith
