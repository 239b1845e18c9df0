// Searching the index, compiled once per instruction set: for .isa.cc files of this folder only.
#pragma once
#include "table/index_line.h"
#include "table/mix64.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace monolith {
namespace ML_ISA {
namespace {

// Ids of a block, and so from the fetch of a line to its use: with 16 or 8 lookups took a third longer in bench/table on a Zen 4 core.
constexpr size_t kBlock = 32;
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

// Bit j: entry j holds fid, or is empty and fid is 0: entries fill from the left, so of several bits the lowest is the right one.
inline uint32_t match_fid(const IndexLine* line, uint64_t fid) {
#if defined(__AVX512F__)
  return _mm512_mask_cmpeq_epi64_mask(0x1F, _mm512_load_si512(line), _mm512_set1_epi64(static_cast<int64_t>(fid)));
#elif defined(__AVX2__)
  static_assert(kLineEntries == 5);
  const __m256i fids = _mm256_load_si256(reinterpret_cast<const __m256i*>(line->fid));
  const __m256i equal = _mm256_cmpeq_epi64(fids, _mm256_set1_epi64x(static_cast<int64_t>(fid)));
  return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(equal))) | static_cast<uint32_t>(line->fid[4] == fid) << 4;
#else
  uint32_t same = 0;
  for (uint32_t j = 0; j < kLineEntries; j++) same |= static_cast<uint32_t>(line->fid[j] == fid) << j;
  return same;
#endif
}

// Bit j: entry j holds fid or is empty, the lowest one counts. 0: the line is full of others.
inline uint32_t match_line(const IndexLine* line, uint64_t fid) {
#if defined(__AVX512F__)
  const __m512i words = _mm512_load_si512(line);
  const uint32_t empty = static_cast<uint32_t>(_mm512_mask_testn_epi32_mask(0x7C00, words, words)) >> 10;
#elif defined(__AVX2__)
  const __m128i rows = _mm_loadu_si128(reinterpret_cast<const __m128i*>(line->row1));
  const uint32_t empty = static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(rows, _mm_setzero_si128())))) |
                         static_cast<uint32_t>(line->row1[4] == 0) << 4;
#else
  uint32_t empty = 0;
  for (uint32_t j = 0; j < kLineEntries; j++) empty |= static_cast<uint32_t>(line->row1[j] == 0) << j;
#endif
  return match_fid(line, fid) | empty;
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

}  // namespace
}  // namespace ML_ISA
}  // namespace monolith
