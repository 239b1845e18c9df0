// The micro-kernel: up to kTileRows × (2 vectors) of C in registers over the whole of k. Only for *.isa.cc.
//
// Every element of C is one chain  acc = fma(a[i,p], b[p,j], acc), p = 0 … k−1, from acc = 0, whatever the tile's size or place, so the
// bits of an example's result don't depend on the row it is in.
#pragma once
#include "simd/vec.h"

namespace monolith {
namespace ML_ISA {

#if defined(__AVX512F__)
constexpr int kTileRows = 12;
#elif defined(__aarch64__)
constexpr int kTileRows = 8;
#else
constexpr int kTileRows = 6;
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
};

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
      store(c + from, v);
    } else if (from < end.columns) {
      const size_t count = end.columns - from;
      if (end.bias != nullptr) v = v + load_part(end.bias + from, count);
      if (end.add) v = v + load_part(c + from, count);
      if (end.relu) v = relu(v);
      store_part(c + from, v, count);
    }
  }
}

template <int Rows, int Vectors, ALayout layout>
__attribute__((noinline)) static void tile(size_t k, const float* a, size_t lda, const float* b, size_t ldb, const TileEnd& end) {
  V acc[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; j++) acc[i][j] = zero();
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
      for (int j = 0; j < Vectors; j++) acc[i][j] = fma(x, row[j], acc[i][j]);
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

// A tile of `rows` ≤ kTileRows rows and 1 or 2 vectors. b holds at least vectors·kLanes readable elements per row.
template <ALayout layout, int Rows = kTileRows>
static void run_tile(size_t rows, int vectors, size_t k, const float* a, size_t lda, const float* b, size_t ldb, const TileEnd& end) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      if (vectors == 2) {
        tile<Rows, 2, layout>(k, a, lda, b, ldb, end);
      } else {
        tile<Rows, 1, layout>(k, a, lda, b, ldb, end);
      }
      return;
    }
    run_tile<layout, Rows - 1>(rows, vectors, k, a, lda, b, ldb, end);
  }
}

}  // namespace ML_ISA
}  // namespace monolith
