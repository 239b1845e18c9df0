// Operands in bfloat16 for the micro-kernel. Only for *.isa.cc.
//
// Where the processor multiplies pairs of bfloat16 (AVX512-BF16) an element is a pair of neighbours along k, the even one in the low half;
// an odd k ends with a zero. Elsewhere an element is a float32 rounded to bfloat16, and sums run one by one.
// Rounding is to nearest, ties to even. AVX512-BF16 takes denormals for zeros, and its sums round otherwise.
#pragma once
#include "kernels/gemm_pack.h"

namespace monolith {
namespace ML_ISA {

#if defined(__AVX512BF16__)

constexpr Element kBf16Element = Element::pairs;
// Elements along k.
ML_INLINE size_t bf16_depth(size_t k) { return (k + 1) / 2; }

// 16 pairs of (low, high): neighbours along k that lie in two rows.
ML_INLINE V pairs_of_rows(V low, V high) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2,
                                         17, 1, 16, 0);
  const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low));
  return reinterpret_cast<V>(_mm512_permutexvar_epi16(order, reinterpret_cast<__m512i>(both)));
}

// out[0, depth) = the pairs of `count` neighbours.
ML_INLINE void pairs_of_row(size_t count, const float* x, float* out) {
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    store(out + i / 2, reinterpret_cast<V>(_mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(load(x + i + 16)), reinterpret_cast<__m512>(load(x + i)))));
  }
  if (i == count) return;
  const size_t left = count - i;
  const V low = left >= 16 ? load(x + i) : load_part(x + i, left);
  const V high = left > 16 ? load_part(x + i + 16, left - 16) : zero();
  const V both = reinterpret_cast<V>(_mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low)));
  store_part(out + i / 2, both, bf16_depth(left));
}

// One panel of B. `convert` holds kTileColumns · (depth + kLanes) floats.
ML_INLINE void pack_b_bf16(bool trans_b, size_t k, size_t columns, int vectors, const float* b, size_t ldb, float* out, float* sums,
                           float* convert) {
  const size_t width = static_cast<size_t>(vectors) * kLanes;
  const size_t depth = bf16_depth(k);
  if (trans_b) {
    const size_t distance = depth + kLanes;
    for (size_t j = 0; j < columns; j++) pairs_of_row(k, b + j * ldb, convert + j * distance);
    if (columns < width) memset(out, 0, depth * width * sizeof(float));
    transpose(columns, depth, convert, distance, out, width);
    return;
  }
  for (int j = 0; j < vectors; j++) {
    const size_t from = static_cast<size_t>(j) * kLanes;
    const size_t count = from >= columns ? 0 : least(kLanes, columns - from);
    V sum = zero();
    for (size_t p = 0; p < k; p += 2) {
      const float* row = b + p * ldb + from;
      const V low = count == kLanes ? load(row) : load_part(row, count);
      const V high = p + 1 == k ? zero() : count == kLanes ? load(row + ldb) : load_part(row + ldb, count);
      sum = (sum + low) + high;
      store(out + p / 2 * width + from, pairs_of_rows(low, high));
    }
    if (sums != nullptr && count > 0) put(sums + from, get(sums + from, count) + sum, count);
  }
}

// Row distance of op(A) converted row by row: not a multiple of a page, so that a tile's rows don't share a cache set.
ML_INLINE size_t bf16_row_distance(size_t k) { return bf16_depth(k) / kLanes * kLanes + 2 * kLanes; }

ML_INLINE void pack_a_rows_bf16(size_t rows, size_t k, const float* a, size_t lda, float* out) {
  const size_t distance = bf16_row_distance(k);
  for (size_t i = 0; i < rows; i++) pairs_of_row(k, a + i * lda, out + i * distance);
}

// A stored transposed (k rows): panels of kTileRows elements a row, as pack_a_panel makes them, all panels of `rows`. Writes a vector beyond
// the last. Eight pairs of rows at a time: both what is read and what is written then stay in the first-level cache.
ML_INLINE void pack_a_columns_bf16(size_t rows, size_t k, const float* a, size_t lda, float* out) {
  const size_t depth = bf16_depth(k);
  constexpr size_t kBlock = 8;
  for (size_t p = 0; p < depth; p += kBlock) {
    const size_t last = p + least(kBlock, depth - p);
    for (size_t i = 0; i < rows; i += kTileRows) {
      const size_t count = least(kTileRows, rows - i);
      float* to = out + i * depth;
      for (size_t q = p; q < last; q++) {
        const float* row = a + 2 * q * lda + i;
        const V low = load_part(row, count);
        const V high = 2 * q + 1 < k ? load_part(row + lda, count) : zero();
        store_part(to + q * kTileRows, pairs_of_rows(low, high), kTileRows);
      }
    }
  }
}

#else

constexpr Element kBf16Element = Element::single;
ML_INLINE size_t bf16_depth(size_t k) { return k; }

// x rounded to bfloat16; NaN stays NaN.
ML_INLINE V round_bf16(V x) {
  const VI bits = reinterpret_cast<VI>(x);
  const VI rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & ~0xffff;
  return select(x == x, reinterpret_cast<V>(rounded), x);
}

ML_INLINE void round_row(size_t n, const float* x, float* out) {
  for_vectors(n, [=](size_t i, size_t count) { put(out + i, round_bf16(get(x + i, count)), count); });
}

ML_INLINE void pack_b_bf16(bool trans_b, size_t k, size_t columns, int vectors, const float* b, size_t ldb, float* out, float* sums, float*) {
  pack_b_panel(trans_b, k, columns, vectors, b, ldb, out, sums);
  round_row(k * static_cast<size_t>(vectors) * kLanes, out, out);
}

ML_INLINE size_t bf16_row_distance(size_t k) { return k; }

ML_INLINE void pack_a_rows_bf16(size_t rows, size_t k, const float* a, size_t lda, float* out) {
  for (size_t i = 0; i < rows; i++) round_row(k, a + i * lda, out + i * k);
}

ML_INLINE void pack_a_columns_bf16(size_t rows, size_t k, const float* a, size_t lda, float* out) {
  for (size_t i = 0; i < rows; i += kTileRows) {
    const size_t count = least(kTileRows, rows - i);
    pack_a_panel(k, count, a + i, lda, out + i * k);
    // Elements beyond `count` are not used, and may hold anything.
    for (size_t p = 0; p < k; p++) round_row(count, out + i * k + p * kTileRows, out + i * k + p * kTileRows);
  }
}

#endif

}  // namespace ML_ISA
}  // namespace monolith
