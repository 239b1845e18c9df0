// Lookups: three stages on three blocks of ids at once, so that the memory latency of one id is hidden behind others:
// hash block b and fetch its index lines; probe block b - 1 and fetch its rows; copy block b - 2.
#include "table/lookup.h"

#include "table/mix64.h"

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

inline void prefetch_lines(const LookupTable& table, const uint32_t* homes, size_t n) {
  for (size_t i = 0; i < n; i++) __builtin_prefetch(table.index + static_cast<size_t>(homes[i]) * kLineEntries);
}

inline float* row_address(const RowSpace& space, uint32_t row) {
  return space.segments[row >> space.shift] + static_cast<size_t>(row & space.mask) * space.stride;
}

// Dim: number of values when known at compile time, else 0.
template <bool Create, size_t Dim>
inline void probe_block(LookupTable& table, const RowSpace& space, const uint64_t* fids, size_t n, const uint32_t* homes, int32_t* handles) {
  const size_t bytes = (Dim ? Dim : table.dim) * sizeof(float);
  const size_t fetched = bytes < 512 ? bytes : 512;
  for (size_t i = 0; i < n; i++) {
    IndexEntry* entry = find(table, fids[i], homes[i]);
    if constexpr (Create) {
      if (__builtin_expect(entry->row1 == 0, 0)) {
        entry->fid = fids[i];
        entry->row1 = static_cast<uint32_t>(table.size + 1);
        space.dirty[table.size >> 6] |= uint64_t{1} << (table.size & 63);
        table.size++;
      }
      entry->last_use = table.timestamp;
    }
    const int32_t handle = static_cast<int32_t>(entry->row1) - 1;
    handles[i] = handle;
    if (handle < 0) continue;
    const char* record = reinterpret_cast<const char*>(row_address(space, static_cast<uint32_t>(handle)));
    for (size_t offset = 0; offset < fetched; offset += 64) __builtin_prefetch(record + offset);
    // A record that does not start on a line may end in one more.
    if (Dim != 16 && Dim != 32) __builtin_prefetch(record + fetched - 1);
  }
}

template <bool Create, size_t Dim>
inline void copy_block(const LookupTable& table, const RowSpace& space, const uint64_t* fids, size_t n, size_t before, const int32_t* handles,
                       float* rows) {
  const size_t dim = Dim ? Dim : table.dim;
  for (size_t i = 0; i < n; i++, rows += dim) {
    const int32_t handle = handles[i];
    if (__builtin_expect(handle < 0, 0)) {
      __builtin_memset(rows, 0, dim * sizeof(float));
      continue;
    }
    float* record = row_address(space, static_cast<uint32_t>(handle));
    if constexpr (Create) {
      if (__builtin_expect(static_cast<size_t>(handle) >= before, 0)) table.initialize(table.owner, fids[i], record);
    }
    if constexpr (Dim != 0) {
      __builtin_memcpy(rows, record, Dim * sizeof(float));
    } else {
      __builtin_memcpy(rows, record, dim * sizeof(float));
    }
  }
}

template <bool Create, size_t Dim>
void run(LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  const RowSpace space = table.rows;
  const size_t dim = Dim ? Dim : table.dim;
  const size_t before = table.size;
  const size_t blocks = (count + kBlock - 1) / kBlock;
  const auto length = [count](size_t block) { return count - block * kBlock < kBlock ? count - block * kBlock : kBlock; };
  alignas(64) uint32_t homes[2][kBlock];
  for (size_t b = 0; b < blocks + 2; b++) {
    if (b < blocks) {
      hash_block(fids + b * kBlock, length(b), table.lines, homes[b & 1]);
      prefetch_lines(table, homes[b & 1], length(b));
    }
    if (b >= 1 && b - 1 < blocks) {
      const size_t at = (b - 1) * kBlock;
      probe_block<Create, Dim>(table, space, fids + at, length(b - 1), homes[(b - 1) & 1], handles + at);
    }
    if (b >= 2) {
      const size_t at = (b - 2) * kBlock;
      copy_block<Create, Dim>(table, space, fids + at, length(b - 2), before, handles + at, rows + at * dim);
    }
  }
}

template <bool Create>
inline void run_sized(LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  switch (table.dim) {
    case 1: return run<Create, 1>(table, fids, count, rows, handles);
    case 8: return run<Create, 8>(table, fids, count, rows, handles);
    case 16: return run<Create, 16>(table, fids, count, rows, handles);
    case 17: return run<Create, 17>(table, fids, count, rows, handles);
    case 32: return run<Create, 32>(table, fids, count, rows, handles);
    default: return run<Create, 0>(table, fids, count, rows, handles);
  }
}

}  // namespace

void lookup_rows(LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  run_sized<false>(table, fids, count, rows, handles);
}

void create_rows(LookupTable& table, const uint64_t* fids, size_t count, float* rows, int32_t* handles) {
  run_sized<true>(table, fids, count, rows, handles);
}

size_t count_missing(const LookupTable& table, const uint64_t* fids, size_t count) {
  uint32_t homes[2][kBlock];
  const size_t blocks = (count + kBlock - 1) / kBlock;
  const auto length = [count](size_t block) { return count - block * kBlock < kBlock ? count - block * kBlock : kBlock; };
  size_t missing = 0;
  for (size_t b = 0; b < blocks + 1; b++) {
    if (b < blocks) {
      hash_block(fids + b * kBlock, length(b), table.lines, homes[b & 1]);
      prefetch_lines(table, homes[b & 1], length(b));
    }
    if (b == 0) continue;
    const uint64_t* block = fids + (b - 1) * kBlock;
    for (size_t i = 0; i < length(b - 1); i++) missing += find(table, block[i], homes[(b - 1) & 1][i])->row1 == 0;
  }
  return missing;
}

}  // namespace ML_ISA
}  // namespace monolith
