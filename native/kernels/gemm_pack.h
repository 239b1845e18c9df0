// Copies of A and B in the order in which the micro-kernel reads them. Only for *.isa.cc.
#pragma once
#include "kernels/gemm_tile.h"

namespace monolith {
namespace ML_ISA {

#if defined(__AVX2__)
constexpr size_t kTranspose = 8;

ML_INLINE void transpose_square(const float* src, size_t ldsrc, float* dst, size_t lddst) {
  const __m256 r0 = _mm256_loadu_ps(src), r1 = _mm256_loadu_ps(src + ldsrc);
  const __m256 r2 = _mm256_loadu_ps(src + 2 * ldsrc), r3 = _mm256_loadu_ps(src + 3 * ldsrc);
  const __m256 r4 = _mm256_loadu_ps(src + 4 * ldsrc), r5 = _mm256_loadu_ps(src + 5 * ldsrc);
  const __m256 r6 = _mm256_loadu_ps(src + 6 * ldsrc), r7 = _mm256_loadu_ps(src + 7 * ldsrc);
  const __m256 t0 = _mm256_unpacklo_ps(r0, r1), t1 = _mm256_unpackhi_ps(r0, r1);
  const __m256 t2 = _mm256_unpacklo_ps(r2, r3), t3 = _mm256_unpackhi_ps(r2, r3);
  const __m256 t4 = _mm256_unpacklo_ps(r4, r5), t5 = _mm256_unpackhi_ps(r4, r5);
  const __m256 t6 = _mm256_unpacklo_ps(r6, r7), t7 = _mm256_unpackhi_ps(r6, r7);
  const __m256 u0 = _mm256_shuffle_ps(t0, t2, 0x44), u1 = _mm256_shuffle_ps(t0, t2, 0xEE);
  const __m256 u2 = _mm256_shuffle_ps(t1, t3, 0x44), u3 = _mm256_shuffle_ps(t1, t3, 0xEE);
  const __m256 u4 = _mm256_shuffle_ps(t4, t6, 0x44), u5 = _mm256_shuffle_ps(t4, t6, 0xEE);
  const __m256 u6 = _mm256_shuffle_ps(t5, t7, 0x44), u7 = _mm256_shuffle_ps(t5, t7, 0xEE);
  _mm256_storeu_ps(dst, _mm256_permute2f128_ps(u0, u4, 0x20));
  _mm256_storeu_ps(dst + lddst, _mm256_permute2f128_ps(u1, u5, 0x20));
  _mm256_storeu_ps(dst + 2 * lddst, _mm256_permute2f128_ps(u2, u6, 0x20));
  _mm256_storeu_ps(dst + 3 * lddst, _mm256_permute2f128_ps(u3, u7, 0x20));
  _mm256_storeu_ps(dst + 4 * lddst, _mm256_permute2f128_ps(u0, u4, 0x31));
  _mm256_storeu_ps(dst + 5 * lddst, _mm256_permute2f128_ps(u1, u5, 0x31));
  _mm256_storeu_ps(dst + 6 * lddst, _mm256_permute2f128_ps(u2, u6, 0x31));
  _mm256_storeu_ps(dst + 7 * lddst, _mm256_permute2f128_ps(u3, u7, 0x31));
}
#else
constexpr size_t kTranspose = 4;

ML_INLINE void transpose_square(const float* src, size_t ldsrc, float* dst, size_t lddst) {
  for (size_t i = 0; i < kTranspose; i++) {
    for (size_t j = 0; j < kTranspose; j++) dst[i * lddst + j] = src[j * ldsrc + i];
  }
}
#endif

// dst[j, i] = src[i, j] for i < rows, j < columns. The two don't overlap: the last squares are drawn back to end at the border, and write
// some values twice.
ML_INLINE void transpose(size_t rows, size_t columns, const float* src, size_t ldsrc, float* dst, size_t lddst) {
  if (rows < kTranspose || columns < kTranspose) {
    for (size_t i = 0; i < rows; i++) {
      for (size_t j = 0; j < columns; j++) dst[j * lddst + i] = src[i * ldsrc + j];
    }
    return;
  }
  for (size_t i = 0; i < rows; i += kTranspose) {
    const size_t row = least(i, rows - kTranspose);
    for (size_t j = 0; j < columns; j += kTranspose) {
      const size_t column = least(j, columns - kTranspose);
      transpose_square(src + row * ldsrc + column, ldsrc, dst + column * lddst + row, lddst);
    }
  }
}

ML_INLINE size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

// Vectors in the panel that starts `left` columns before the end: 2, or 1 when the rest fits one.
ML_INLINE int panel_vectors(size_t left) { return left > static_cast<size_t>(kLanes) ? 2 : 1; }

// sums[0, columns) += Σ over k rows of b, up to two vectors wide.
ML_INLINE void add_column_sums(size_t k, size_t columns, const float* b, size_t ldb, float* sums) {
  for (size_t j = 0; j < columns; j += kLanes) {
    const size_t count = least(kLanes, columns - j);
    V sum = zero();
    for (size_t p = 0; p < k; p++) sum = sum + get(b + p * ldb + j, count);
    put(sums + j, get(sums + j, count) + sum, count);
  }
}

// One panel of B: k rows of `vectors`·kLanes elements, zeros after `columns`. b points at element (p0, j0) of op(B). `sums`, if not null,
// gets op(B)'s column sums added (B not transposed).
ML_INLINE void pack_b_panel(bool trans_b, size_t k, size_t columns, int vectors, const float* b, size_t ldb, float* out, float* sums) {
  const size_t width = static_cast<size_t>(vectors) * kLanes;
  if (trans_b) {
    if (columns < width) memset(out, 0, k * width * sizeof(float));
    transpose(columns, k, b, ldb, out, width);
    return;
  }
  if (columns == width && vectors == 2) {
    V sum0 = zero(), sum1 = zero();
    for (size_t p = 0; p < k; p++) {
      const V v0 = load(b), v1 = load(b + kLanes);
      sum0 = sum0 + v0;
      sum1 = sum1 + v1;
      store(out, v0);
      store(out + kLanes, v1);
      out += width;
      b += ldb;
    }
    if (sums != nullptr) {
      store(sums, load(sums) + sum0);
      store(sums + kLanes, load(sums + kLanes) + sum1);
    }
    return;
  }
  if (sums != nullptr) add_column_sums(k, columns, b, ldb, sums);
  for (size_t p = 0; p < k; p++) {
    for (int j = 0; j < vectors; j++) {
      const size_t from = static_cast<size_t>(j) * kLanes;
      const V v = from + kLanes <= columns ? load(b + from) : from < columns ? load_part(b + from, columns - from) : zero();
      store(out + from, v);
    }
    out += width;
    b += ldb;
  }
}

// One panel of A stored transposed (k rows of m): k rows of kTileRows elements. Only `rows` of them are used.
ML_INLINE void pack_a_panel(size_t k, size_t rows, const float* a, size_t lda, float* out) {
  if (rows == static_cast<size_t>(kTileRows)) {
    for (size_t p = 0; p < k; p++) memcpy(out + p * kTileRows, a + p * lda, kTileRows * sizeof(float));
    return;
  }
  for (size_t p = 0; p < k; p++) {
    for (size_t i = 0; i < rows; i++) out[p * kTileRows + i] = a[p * lda + i];
  }
}

}  // namespace ML_ISA
}  // namespace monolith
