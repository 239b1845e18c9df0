// Lookups: four stages on four blocks of ids at once, so that the memory latency of one id is hidden behind others.
//   block b      hash, fetch home lines
//   block b - 1  look at home lines, fetch rows; those of ids whose home line is full and without them wait, their next lines fetched
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
// Of a row: what is fetched ahead. The rest of a longer one comes by the hardware's own fetching.
constexpr size_t kFetchedBytes = 512;

inline void hash_block(const uint64_t* fids, size_t n, uint64_t* hashes) {
  if (n == kBlock) {
    for (size_t i = 0; i < kBlock; i++) hashes[i] = mix64(fids[i]);
  } else {
    for (size_t i = 0; i < n; i++) hashes[i] = mix64(fids[i]);
  }
}

inline const Partition& partition_of(const IndexView& index, uint64_t hash) { return index.directory[directory_slot(hash, index.depth)]; }

inline IndexLine* home_of(const IndexView& index, uint64_t hash) {
  const Partition& partition = partition_of(index, hash);
  return partition.lines + home_line(partition, hash);
}

// Bit j: entry j holds fid or is empty. 0: the line is full of others.
inline uint32_t match_line(const IndexLine* line, uint64_t fid) {
#if defined(__AVX512F__)
  const __m512i words = _mm512_load_si512(line);
  const uint32_t same = _mm512_mask_cmpeq_epi64_mask(0x1F, words, _mm512_set1_epi64(static_cast<int64_t>(fid)));
  const uint32_t empty = static_cast<uint32_t>(_mm512_mask_testn_epi32_mask(0x7C00, words, words)) >> 10;
#elif defined(__AVX2__)
  static_assert(kLineEntries == 5);
  const __m256i fids = _mm256_load_si256(reinterpret_cast<const __m256i*>(line->fid));
  const __m256i equal = _mm256_cmpeq_epi64(fids, _mm256_set1_epi64x(static_cast<int64_t>(fid)));
  const __m128i rows = _mm_loadu_si128(reinterpret_cast<const __m128i*>(line->row1));
  const uint32_t same = static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(equal))) | static_cast<uint32_t>(line->fid[4] == fid) << 4;
  const uint32_t empty = static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(rows, _mm_setzero_si128())))) |
                         static_cast<uint32_t>(line->row1[4] == 0) << 4;
#else
  uint32_t same = 0;
  uint32_t empty = 0;
  for (uint32_t j = 0; j < kLineEntries; j++) {
    same |= static_cast<uint32_t>(line->fid[j] == fid) << j;
    empty |= static_cast<uint32_t>(line->row1[j] == 0) << j;
  }
#endif
  // Entries fill from the left and fids are distinct: the lowest bit is the fid if it is here, else the first empty entry.
  return same | empty;
}

struct Place {
  IndexLine* line;
  uint32_t entry;
};

// Where fid stands, or the empty entry where it belongs, from `line` on.
inline Place find(const Partition& partition, uint64_t fid, IndexLine* line) {
  const IndexLine* end = partition.lines + partition.num_lines;
  for (;;) {
    if (line == end) line = partition.lines;
    const uint32_t match = match_line(line, fid);
    if (__builtin_expect(match != 0, 1)) return {line, static_cast<uint32_t>(__builtin_ctz(match))};
    line++;
  }
}

// Ids of one block and what is known of them so far.
struct Block {
  uint64_t hashes[kBlock];
  IndexLine* homes[kBlock];
  uint32_t waiting[kBlock];
  size_t num_waiting;
};

// Fetches the values of a row. Dim: number of values when known at compile time, else 0.
template <size_t Dim>
__attribute__((always_inline)) inline void fetch_values(const RowSpace& space, size_t dim, uint32_t row) {
  const char* values = reinterpret_cast<const char*>(row_values(space, row));
  if constexpr (Dim == 1) {
    ML_PREFETCH(values);
  } else {
    const size_t bytes = (Dim ? Dim : dim) * sizeof(float);
    const size_t fetched = bytes < kFetchedBytes ? bytes : kFetchedBytes;
    const char* last = values + fetched - 1;
    for (size_t offset = 0; offset < fetched; offset += 64) ML_PREFETCH(values + offset);
    // Values that do not start on a line may end in one more.
    if (((reinterpret_cast<uintptr_t>(last) ^ reinterpret_cast<uintptr_t>(values + ((fetched - 1) & ~size_t{63}))) & ~uintptr_t{63}) != 0) ML_PREFETCH(last);
  }
}

template <bool Touch, size_t Dim>
inline int32_t found(const LookupTable& table, const RowSpace& space, uint32_t row1) {
  if (row1 == 0) return -1;
  const uint32_t row = row1 - 1;
  if constexpr (Touch) {
    float* stamps = table.stamps.segments[row >> table.stamps.shift] + (row & table.stamps.mask);
    __builtin_memcpy(stamps, &table.timestamp, sizeof table.timestamp);
  }
  fetch_values<Dim>(space, table.dim, row);
  return static_cast<int32_t>(row);
}

template <bool Touch, size_t Dim>
inline int32_t probe_home(const LookupTable& table, const RowSpace& space, uint64_t fid, size_t i, Block& block) {
  IndexLine* line = block.homes[i];
  const uint32_t match = match_line(line, fid);
  if (__builtin_expect(match != 0, 1)) return found<Touch, Dim>(table, space, line->row1[__builtin_ctz(match)]);
  // Behind the last line lies nothing of use; a fetch there is harmless.
  ML_PREFETCH(line + 1);
  block.waiting[block.num_waiting++] = static_cast<uint32_t>(i);
  return -1;
}

template <bool Touch, size_t Dim>
inline void probe_further(const LookupTable& table, const RowSpace& space, const uint64_t* fids, const Block& block, int32_t* handles) {
  for (size_t k = 0; k < block.num_waiting; k++) {
    const uint32_t i = block.waiting[k];
    const Place place = find(partition_of(table.index, block.hashes[i]), fids[i], block.homes[i] + 1);
    handles[i] = found<Touch, Dim>(table, space, place.line->row1[place.entry]);
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
  const float* values = row_values(space, static_cast<uint32_t>(handle));
  if constexpr (Dim != 0) {
    __builtin_memcpy(out, values, Dim * sizeof(float));
  } else {
    __builtin_memcpy(out, values, dim * sizeof(float));
  }
  return 0;
}

template <bool Touch, size_t Dim>
size_t run(const LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  const RowSpace space = table.rows;
  const IndexView index = table.index;
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
    hash_block(num_fetched == 0 ? fids : fids + b * kBlock, num_fetched, fetched.hashes);
    if (length(b - 2) != 0) {
      const size_t at = (b - 2) * kBlock;
      probe_further<Touch, Dim>(table, space, fids + at, ring[(b - 2) & 3], handles + at);
    }
    probed.num_waiting = 0;
    // One id of each stage in turn: a burst of fetches would stall, and memory would idle while the others are looked at.
    if (num_fetched == kBlock && num_probed == kBlock && num_copied == kBlock) {
      for (size_t i = 0; i < kBlock; i++) {
        fetched.homes[i] = home_of(index, fetched.hashes[i]);
        ML_PREFETCH(fetched.homes[i]);
        probe_handles[i] = probe_home<Touch, Dim>(table, space, probe_fids[i], i, probed);
        missing += copy_row<Dim>(table, space, copy_handles[i], out + i * dim);
      }
      continue;
    }
    for (size_t i = 0; i < kBlock; i++) {
      if (i < num_fetched) {
        fetched.homes[i] = home_of(index, fetched.hashes[i]);
        ML_PREFETCH(fetched.homes[i]);
      }
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

inline void initialize_row(const LookupTable& table, uint64_t fid, float* values) {
  const uint64_t key = mix64(table.seed ^ mix64(fid));
  for (size_t k = 0; k < table.num_slices; k++) {
    const InitializerSpec& spec = table.initializers[k];
    const SliceUpdate& slice = table.slices[k];
    initialize_slice(spec.kind, spec.a, spec.b, key, slice.offset, slice.dim, values + slice.offset);
  }
}

// A row for each of ids[0, n) of fids, from row number `size` on; an id that came twice finds the row of its first time. The new size.
inline size_t create_block(const LookupTable& table, size_t size, const uint64_t* fids, const size_t* ids, size_t n, float* rows, int32_t* handles) {
  const IndexView index = table.index;
  uint64_t hashes[kBlock];
  IndexLine* homes[kBlock];
  for (size_t k = 0; k < n; k++) {
    hashes[k] = mix64(fids[ids[k]]);
    homes[k] = home_of(index, hashes[k]);
    ML_PREFETCH(homes[k]);
  }
  for (size_t k = 0; k < n; k++) {
    const uint64_t fid = fids[ids[k]];
    const size_t slot = directory_slot(hashes[k], index.depth);
    const Partition& partition = index.directory[slot];
    const Place place = find(partition, fid, homes[k]);
    float* out = rows + ids[k] * table.dim;
    uint32_t& row1 = place.line->row1[place.entry];
    const bool fresh = row1 == 0;
    if (fresh) {
      place.line->fid[place.entry] = fid;
      row1 = static_cast<uint32_t>(++size);
      index.use[first_slot(slot, index.depth, partition.depth)].rows++;
    }
    const uint32_t row = row1 - 1;
    handles[ids[k]] = static_cast<int32_t>(row);
    float* values = row_values(table.rows, row);
    if (!fresh) {
      __builtin_memcpy(out, values, table.dim * sizeof(float));
      continue;
    }
    initialize_row(table, fid, out);
    __builtin_memcpy(values, out, table.dim * sizeof(float));
    float* state = row_state(table.rows, row);
    if (table.state_length == 1) {
      state[0] = table.initial_state[0];
    } else {
      __builtin_memcpy(state, table.initial_state, table.state_length * sizeof(float));
    }
    table.rows.dirty[row >> 6] |= uint64_t{1} << (row & 63);
    if (table.stamps.segments != nullptr) {
      float* stamp = table.stamps.segments[row >> table.stamps.shift] + (row & table.stamps.mask);
      __builtin_memcpy(stamp, &table.timestamp, sizeof table.timestamp);
    }
  }
  return size;
}

}  // namespace

size_t lookup_rows(const LookupTable& table, bool touch, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  if (touch && table.stamps.segments != nullptr) return run_sized<true>(table, fids, count, rows, handles);
  return run_sized<false>(table, fids, count, rows, handles);
}

size_t create_rows(const LookupTable& table, size_t size, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  size_t ids[kBlock];
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (handles[i] >= 0) continue;
    ids[n++] = i;
    if (n == kBlock) {
      size = create_block(table, size, fids, ids, n, rows, handles);
      n = 0;
    }
  }
  return create_block(table, size, fids, ids, n, rows, handles);
}

size_t count_missing(const LookupTable& table, const uint64_t* fids, size_t count) {
  const IndexView index = table.index;
  uint64_t hashes[2][kBlock];
  const size_t blocks = (count + kBlock - 1) / kBlock;
  const auto length = [count, blocks](size_t b) {
    return b >= blocks ? size_t{0} : count - b * kBlock < kBlock ? count - b * kBlock : kBlock;
  };
  size_t missing = 0;
  for (size_t b = 0; b < blocks + 1; b++) {
    const size_t num_fetched = length(b);
    const size_t num_probed = length(b - 1);
    uint64_t* fetched = hashes[b & 1];
    const uint64_t* probed = hashes[(b - 1) & 1];
    const uint64_t* probe_fids = fids + (num_probed == 0 ? 0 : (b - 1) * kBlock);
    if (num_fetched != 0) hash_block(fids + b * kBlock, num_fetched, fetched);
    for (size_t i = 0; i < kBlock; i++) {
      if (i < num_fetched) ML_PREFETCH(home_of(index, fetched[i]));
      if (i < num_probed) {
        const Place place = find(partition_of(index, probed[i]), probe_fids[i], home_of(index, probed[i]));
        missing += place.line->row1[place.entry] == 0;
      }
    }
  }
  return missing;
}

}  // namespace ML_ISA
}  // namespace monolith
