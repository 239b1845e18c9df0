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

// Panels of B stored transposed, one after another. `convert` holds kTileColumns · (depth + kLanes) floats.
ML_INLINE void pack_b_transposed_bf16(size_t n, size_t k, const float* b, size_t ldb, float* out, float* convert) {
  const size_t depth = bf16_depth(k);
  const size_t distance = depth + kLanes;
  for (size_t j = 0; j < n; j += kTileColumns) {
    const size_t columns = least(kTileColumns, n - j);
    const size_t width = static_cast<size_t>(panel_vectors(n - j)) * kLanes;
    for (size_t i = 0; i < columns; i++) pairs_of_row(k, b + (j + i) * ldb, convert + i * distance);
    if (columns < width) memset(out + j * depth, 0, depth * width * sizeof(float));
    transpose(columns, depth, convert, distance, out + j * depth, width);
  }
}

// Pairs of rows that are packed together: as many as the first-level cache holds beside what is written.
constexpr size_t kPackPairs = 8;

// Panels of B, one after another; `sums` as in pack_b_panel. Few rows at a time, so that they are read one after another.
ML_INLINE void pack_b_bf16(size_t n, size_t k, const float* b, size_t ldb, float* out, float* sums) {
  const size_t depth = bf16_depth(k);
  for (size_t p = 0; p < depth; p += kPackPairs) {
    const size_t last = p + least(kPackPairs, depth - p);
    for (size_t j = 0; j < n; j += kTileColumns) {
      const size_t width = static_cast<size_t>(panel_vectors(n - j)) * kLanes;
      for (size_t from = 0; from < width; from += kLanes) {
        const size_t count = j + from >= n ? 0 : least(kLanes, n - j - from);
        float* to = out + j * depth + from;
        V sum = zero();
        for (size_t q = p; q < last; q++) {
          const float* row = b + 2 * q * ldb + j + from;
          const V low = count == kLanes ? load(row) : load_part(row, count);
          const V high = 2 * q + 1 == k ? zero() : count == kLanes ? load(row + ldb) : load_part(row + ldb, count);
          sum = (sum + low) + high;
          store(to + q * width, pairs_of_rows(low, high));
        }
        if (sums != nullptr && count > 0) put(sums + j + from, get(sums + j + from, count) + sum, count);
      }
    }
  }
}

// Row distance of op(A) converted row by row: not a multiple of a page, so that a tile's rows don't share a cache set.
ML_INLINE size_t bf16_row_distance(size_t k) { return bf16_depth(k) / kLanes * kLanes + 2 * kLanes; }

ML_INLINE void pack_a_rows_bf16(size_t rows, size_t k, const float* a, size_t lda, float* out) {
  const size_t distance = bf16_row_distance(k);
  for (size_t i = 0; i < rows; i++) pairs_of_row(k, a + i * lda, out + i * distance);
}

// A stored transposed (k rows): panels of `height` elements a row, all panels of `rows`. 
// kPackPairs pairs of rows at a time: both what is read and what is written then stay in the first-level cache.
ML_INLINE void pack_a_columns_bf16(size_t rows, size_t height, size_t k, const float* a, size_t lda, float* out) {
  const size_t depth = bf16_depth(k);
  for (size_t p = 0; p < depth; p += kPackPairs) {
    const size_t last = p + least(kPackPairs, depth - p);
    for (size_t i = 0; i < rows; i += height) {
      const size_t count = least(height, rows - i);
      float* to = out + i * depth;
      for (size_t q = p; q < last; q++) {
        const float* row = a + 2 * q * lda + i;
        const V low = load_part(row, count);
        const V high = 2 * q + 1 < k ? load_part(row + lda, count) : zero();
        store_part(to + q * height, pairs_of_rows(low, high), height);
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

ML_INLINE void pack_b_transposed_bf16(size_t n, size_t k, const float* b, size_t ldb, float* out, float*) {
  for (size_t j = 0; j < n; j += kTileColumns) {
    pack_b_panel(true, k, least(kTileColumns, n - j), panel_vectors(n - j), b + j * ldb, ldb, out + j * k, nullptr);
  }
  round_row(k * round_up(n, kLanes), out, out);
}

ML_INLINE void pack_b_bf16(size_t n, size_t k, const float* b, size_t ldb, float* out, float* sums) {
  for (size_t j = 0; j < n; j += kTileColumns) {
    float* panel_sums = sums == nullptr ? nullptr : sums + j;
    pack_b_panel(false, k, least(kTileColumns, n - j), panel_vectors(n - j), b + j, ldb, out + j * k, panel_sums);
  }
  round_row(k * round_up(n, kLanes), out, out);
}

ML_INLINE size_t bf16_row_distance(size_t k) { return k; }

ML_INLINE void pack_a_rows_bf16(size_t rows, size_t k, const float* a, size_t lda, float* out) {
  for (size_t i = 0; i < rows; i++) round_row(k, a + i * lda, out + i * k);
}

ML_INLINE void pack_a_columns_bf16(size_t rows, size_t height, size_t k, const float* a, size_t lda, float* out) {
  for (size_t i = 0; i < rows; i += height) {
    for (size_t p = 0; p < k; p++) round_row(least(height, rows - i), a + p * lda + i, out + i * k + p * height);
  }
}

#endif

}  // namespace ML_ISA
}  // namespace monolith
