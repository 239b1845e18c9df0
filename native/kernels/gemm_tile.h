// The micro-kernel: up to kTileRows × (2 vectors) of C in registers over the whole of k. Only for *.isa.cc.
//
// Every element of C is one chain  acc = fma(a[i,p], b[p,j], acc), p = 0 … k−1, from acc = 0, whatever the tile's size or place, so the
// bits of an example's result don't depend on the row it is in. With Element::pairs, an "element" is two bfloat16 numbers in the place of
// one float: acc += a[i,2p]·b[2p,j] + a[i,2p+1]·b[2p+1,j].
#pragma once
#include "simd/vec.h"

namespace monolith {
namespace ML_ISA {

// kTileMost: rows of a single tile where op(A) has no more. Its sums leave no register for a second element of A: slower, but one pass over B.
#if defined(__AVX512F__)
constexpr int kTileRows = 12;
constexpr int kTileMost = 14;
#elif defined(__aarch64__)
constexpr int kTileRows = 8;
constexpr int kTileMost = 8;
#else
constexpr int kTileRows = 6;
constexpr int kTileMost = 6;
#endif
constexpr int kTileColumns = 2 * kLanes;

// What happens to a finished tile.
struct TileEnd {
  float* c;
  size_t ldc;
  size_t columns;     // valid columns of the tile
  const float* bias;  // of the tile's first column, or null
  bool add;           // C += tile
  bool relu;
  // Afterwards C is multiplied by the derivative of activation `slope` from its output y (of the tile's first element); null: it isn't.
  const float* y = nullptr;
  size_t ldy = 0;
  int slope = 0;
};

enum class Element { single, pairs };

template <Element element>
ML_INLINE V multiply_add(V x, V row, V acc) {
#if defined(__AVX512BF16__)
  if constexpr (element == Element::pairs) {
    return reinterpret_cast<V>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(acc), reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(row)));
  }
#endif
  return fma(x, row, acc);
}

// v · activation′(y), the derivative from the output y.
ML_INLINE V times_slope(int activation, V v, V y) {
  const V one = set1(1.0f);
  switch (activation) {
    case 1: return select(y > zero(), v, zero());
    case 2: return v * (y * (one - y));
    case 3: return v * (one - y * y);
    default: return v;
  }
}

// Where element (i, p) of A stands: rows apart (row-major A, used in place) or p apart (packed A, or A stored transposed).
enum class ALayout { rows, columns };

template <int Vectors>
ML_INLINE void finish_row(V* acc, const TileEnd& end, size_t row) {
  float* c = end.c + row * end.ldc;
#pragma GCC unroll 2
  for (int j = 0; j < Vectors; j++) {
    const size_t from = static_cast<size_t>(j) * kLanes;
    V v = acc[j];
    if (from + kLanes <= end.columns) {
      if (end.bias != nullptr) v = v + load(end.bias + from);
      if (end.add) v = v + load(c + from);
      if (end.relu) v = relu(v);
      if (end.y != nullptr) v = times_slope(end.slope, v, load(end.y + row * end.ldy + from));
      store(c + from, v);
    } else if (from < end.columns) {
      const size_t count = end.columns - from;
      if (end.bias != nullptr) v = v + load_part(end.bias + from, count);
      if (end.add) v = v + load_part(c + from, count);
      if (end.relu) v = relu(v);
      if (end.y != nullptr) v = times_slope(end.slope, v, load_part(end.y + row * end.ldy + from, count));
      store_part(c + from, v, count);
    }
  }
}

template <int Rows, int Vectors, ALayout layout, Element element>
__attribute__((noinline)) static void tile(size_t k, const float* a, size_t lda, const float* b, size_t ldb, const TileEnd& end) {
  V acc[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; j++) acc[i][j] = zero();
  }
  // C and y are far away by now; they arrive while the sums run.
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
    const float* c = end.c + static_cast<size_t>(i) * end.ldc;
    __builtin_prefetch(c, 1);
    if (Vectors * kLanes > 16) __builtin_prefetch(c + 16, 1);
    __builtin_prefetch(c + Vectors * kLanes - 1, 1);
  }
  if (end.y != nullptr) {
    for (int i = 0; i < Rows; i++) {
      const float* y = end.y + static_cast<size_t>(i) * end.ldy;
      __builtin_prefetch(y);
      if (Vectors * kLanes > 16) __builtin_prefetch(y + 16);
      __builtin_prefetch(y + Vectors * kLanes - 1);
    }
  }
  // Row-major A: one pointer for three rows keeps addresses in the general registers.
  constexpr int kGroups = (Rows + 2) / 3;
  const float* group[kGroups];
#pragma GCC unroll 8
  for (int g = 0; g < kGroups; g++) group[g] = a + static_cast<size_t>(3 * g) * lda;
  for (size_t p = 0; p < k; p++) {
    V row[Vectors];
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; j++) row[j] = load(b + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
      const V x = set1(layout == ALayout::rows ? group[i / 3][static_cast<size_t>(i % 3) * lda] : a[i]);
#pragma GCC unroll 2
      for (int j = 0; j < Vectors; j++) acc[i][j] = multiply_add<element>(x, row[j], acc[i][j]);
    }
    b += ldb;
    if constexpr (layout == ALayout::rows) {
#pragma GCC unroll 8
      for (int g = 0; g < kGroups; g++) group[g]++;
    } else {
      a += lda;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) finish_row<Vectors>(acc[i], end, static_cast<size_t>(i));
}

// A tile of `rows` ≤ kTileMost rows and 1 or 2 vectors. b holds at least vectors·kLanes readable elements per row.
template <ALayout layout, Element element = Element::single, int Rows = kTileMost>
static void run_tile(size_t rows, int vectors, size_t k, const float* a, size_t lda, const float* b, size_t ldb, const TileEnd& end) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      if (vectors == 2) {
        tile<Rows, 2, layout, element>(k, a, lda, b, ldb, end);
      } else {
        tile<Rows, 1, layout, element>(k, a, lda, b, ldb, end);
      }
      return;
    }
    run_tile<layout, element, Rows - 1>(rows, vectors, k, a, lda, b, ldb, end);
  }
}

}  // namespace ML_ISA
}  // namespace monolith
