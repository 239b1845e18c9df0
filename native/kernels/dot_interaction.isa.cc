// DLRM's pairwise dot products as small matrix products per example: Z = X·Xᵀ below the diagonal, and backward dX = S·X with the
// symmetric S made of dOut. Both run on the tiles of gemm.
#include "kernels/gemm_pack.h"
#include "kernels/interactions.h"
#include "simd/scratch.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Copies `count` values; may write whole vectors as long as they end before `room` values.
ML_INLINE void copy_loose(const float* from, float* to, size_t count, size_t room) {
  size_t i = 0;
  for (; i < count && i + kLanes <= room; i += kLanes) store(to + i, load(from + i));
  if (i < count) put(to + i, get(from + i, count - i), count - i);
}

bool forward(size_t m, size_t v, size_t d, const float* x, size_t ldx, float* out, size_t ldout) {
  const size_t width = round_up(v, kTileColumns);
  float* panels = scratch(Scratch::pack_b, width * d);
  // Whole vectors are read from the rows of the product, so a vector of slack follows.
  float* product = scratch(Scratch::tile, v * width + kLanes);
  if (panels == nullptr || product == nullptr) return false;
  const size_t pairs = v * (v - 1) / 2;
  for (size_t r = 0; r < m; r++) {
    const float* row = x + r * ldx;
    // Columns beyond v stay undefined: nothing below the diagonal depends on them.
    for (size_t j = 0; j < v; j += kTileColumns) transpose(least(kTileColumns, v - j), d, row + j * d, d, panels + j * d, kTileColumns);
    // Row 0 has no pair. A tile ends with the last row whose columns fit the vectors that its first row needs.
    for (size_t i = 1, rows; i < v; i += rows) {
      rows = least(least(kTileRows, v - i), round_up(i, kLanes) - i + 1);
      const size_t needed = i + rows - 1;  // columns 0 … needed − 1 lie below the diagonal of some row
      for (size_t j = 0; j < needed; j += kTileColumns) {
        const TileEnd end{product + i * width + j, width, kTileColumns, nullptr, false, false};
        run_tile<ALayout::rows>(rows, panel_vectors(needed - j), d, row + i * d, d, panels + j * d, kTileColumns, end);
      }
    }
    float* to = out + r * ldout;
    for (size_t i = 1, at = 0; i < v; at += i, i++) copy_loose(product + i * width, to + at, i, pairs - at);
  }
  return true;
}

// S[i, j] = S[j, i] = dOut of the pair, zeros on the diagonal. S has row distance `width`, a multiple of the transposed blocks.
void fill_symmetric(size_t v, size_t width, const float* d_out, float* s) {
  const size_t pairs = v * (v - 1) / 2;
  for (size_t i = 1, at = 0; i < v; at += i, i++) {
    float* to = s + i * width;
    size_t j = 0;
    for (; j < i && at + j + kLanes <= pairs; j += kLanes) store(to + j, load(d_out + at + j));
    if (j < i) put(to + j, get(d_out + at + j, i - j), i - j);
  }
  for (size_t i = 0; i < v; i += kTranspose) {
    for (size_t j = 0; j < i; j += kTranspose) transpose_square(s + i * width + j, width, s + j * width + i, width);
    float mirrored[kTranspose * kTranspose];
    transpose_square(s + i * width + i, width, mirrored, kTranspose);
#pragma GCC unroll 8
    for (size_t row = 0; row < kTranspose; row++) {
      float* to = s + (i + row) * width + i;
#pragma GCC unroll 8
      for (size_t column = 0; column < kTranspose; column++) {
        to[column] = column < row ? to[column] : column > row ? mirrored[row * kTranspose + column] : 0.0f;
      }
    }
  }
}

bool backward(size_t m, size_t v, size_t d, const float* x, size_t ldx, const float* d_out, size_t ldd_out, float* d_x, size_t ldd_x,
              bool accumulate) {
  const size_t width = round_up(v, kLanes > 8 ? kLanes : 8);
  const bool direct = d % kLanes == 0;
  float* s = scratch(Scratch::tile, width * width + kLanes);
  float* panel = scratch(Scratch::pack_b, v * kTileColumns);
  if (s == nullptr || panel == nullptr) return false;
  memset(s, 0, width * width * sizeof(float));
  // Tiles of equal height: a last one with a row or two would wait for its own sums.
  const size_t tiles = (v + kTileRows - 1) / kTileRows;
  const size_t height = (v + tiles - 1) / tiles;
  for (size_t r = 0; r < m; r++) {
    const float* row = x + r * ldx;
    fill_symmetric(v, width, d_out + r * ldd_out, s);
    for (size_t j = 0; j < d; j += kTileColumns) {
      const size_t columns = least(kTileColumns, d - j);
      const int vectors = panel_vectors(columns);
      const float* b = row + j;
      size_t ldb = d;
      if (!direct) {
        pack_b_panel(false, v, columns, vectors, row + j, d, panel, nullptr);
        b = panel;
        ldb = static_cast<size_t>(vectors) * kLanes;
      }
      for (size_t i = 0; i < v; i += height) {
        const size_t rows = least(height, v - i);
        const TileEnd end{d_x + r * ldd_x + i * d + j, d, columns, nullptr, accumulate, false};
        run_tile<ALayout::rows>(rows, vectors, v, s + i * width, width, b, ldb, end);
      }
    }
  }
  return true;
}

}  // namespace

extern const DotKernels dot_kernels = {forward, backward};

}  // namespace ML_ISA
}  // namespace monolith
