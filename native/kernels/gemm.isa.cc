#include "kernels/gemm.h"

#include <time.h>

#include "kernels/gemm_pack.h"
#include "kernels/vec_dot.h"
#include "simd/scratch.h"
#include "simd/vec_math.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Blocks: a panel of B (kBlockK × 2 vectors) and a panel of A stay near the core, kBlockM rows of A and kBlockN columns of B in its
// level-2 cache. kBlockK is the same for every instruction set: it decides where sums are cut.
constexpr size_t kBlockK = 512;
constexpr size_t kBlockM = static_cast<size_t>(kTileRows) * 16;
constexpr size_t kBlockN = 1024;
// Up to so many rows B is used in place.
constexpr size_t kFewRows = 24;
// Beyond this row distance every element of a column of A lies on a page of its own or nearly so: pack.
constexpr size_t kInPlaceDistance = 1024;

// Tiles of op(A)'s rows [0, m) against one panel of B.
void run_panel(const GemmCall& call, size_t m, size_t k, const float* a, size_t lda, bool packed, const float* panel, size_t ldb, int vectors,
               TileEnd end) {
  for (size_t i = 0; i < m; i += kTileRows) {
    const size_t rows = least(kTileRows, m - i);
    if (packed) {
      run_tile<ALayout::columns>(rows, vectors, k, a + i * k, kTileRows, panel, ldb, end);
    } else if (call.trans_a) {
      run_tile<ALayout::columns>(rows, vectors, k, a + i, lda, panel, ldb, end);
    } else {
      run_tile<ALayout::rows>(rows, vectors, k, a + i * lda, lda, panel, ldb, end);
    }
    end.c += rows * end.ldc;
  }
}

// One block of columns [0, n) and of k. a, b, c point at the block's first elements.
bool run_block(const GemmCall& call, size_t n, size_t k, const float* a, const float* b, float* c, const float* bias, bool add, bool relu) {
  // Few rows: B is used in place, since packing it would cost as much as the product.
  const bool direct_b = !call.trans_b && call.m <= kFewRows;
  // A stored transposed is read in place where a tile takes most of a cache line: 3 % faster than packing with 12 rows, 4 % slower with 6.
  const bool pack_a = call.trans_a && n > static_cast<size_t>(kTileColumns) && (kTileRows < 8 || call.lda > kInPlaceDistance);
  const size_t padded = (n + kLanes - 1) / kLanes * kLanes;
  float* packed_b = scratch(Scratch::pack_b, (direct_b ? static_cast<size_t>(kTileColumns) : padded) * k);
  float* packed_a = pack_a ? scratch(Scratch::pack_a, (kBlockM + kTileRows) * k) : nullptr;
  if (packed_b == nullptr || (pack_a && packed_a == nullptr)) return false;
  if (!direct_b) {
    float* out = packed_b;
    for (size_t j = 0; j < n; j += kTileColumns) {
      const int vectors = panel_vectors(n - j);
      pack_b_panel(call.trans_b, k, least(kTileColumns, n - j), vectors, call.trans_b ? b + j * call.ldb : b + j, call.ldb, out);
      out += static_cast<size_t>(vectors) * kLanes * k;
    }
  }
  for (size_t i = 0; i < call.m; i += kBlockM) {
    const size_t rows = least(kBlockM, call.m - i);
    const float* block_a = call.trans_a ? a + i : a + i * call.lda;
    if (pack_a) {
      for (size_t r = 0; r < rows; r += kTileRows) pack_a_panel(k, least(kTileRows, rows - r), block_a + r, call.lda, packed_a + r * k);
      block_a = packed_a;
    }
    const float* panel = packed_b;
    for (size_t j = 0; j < n; j += kTileColumns) {
      const size_t columns = least(kTileColumns, n - j);
      const int vectors = panel_vectors(n - j);
      const size_t width = static_cast<size_t>(vectors) * kLanes;
      const TileEnd end{c + i * call.ldc + j, call.ldc, columns, bias == nullptr ? nullptr : bias + j, add, relu};
      if (direct_b && columns == width) {
        run_panel(call, rows, k, block_a, call.lda, pack_a, b + j, call.ldb, vectors, end);
      } else {
        if (direct_b) pack_b_panel(false, k, columns, vectors, b + j, call.ldb, packed_b);
        run_panel(call, rows, k, block_a, call.lda, pack_a, panel, width, vectors, end);
      }
      if (!direct_b) panel += width * k;
    }
  }
  return true;
}

// out[m] = Σ_p x[p]·a[p, j]: the rows of a added up, `Vectors` at a time.
template <int Vectors>
ML_INLINE void weighted_rows(size_t k, const float* a, size_t lda, const float* x, float* out, size_t count) {
  V acc[Vectors];
#pragma GCC unroll 8
  for (int j = 0; j < Vectors; j++) acc[j] = zero();
  for (size_t p = 0; p < k; p++) {
    const V factor = set1(x[p]);
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++) {
      acc[j] = fma(factor, Vectors == 1 ? get(a + p * lda, count) : load(a + p * lda + j * kLanes), acc[j]);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < Vectors; j++) put(out + j * kLanes, acc[j], Vectors == 1 ? count : static_cast<size_t>(kLanes));
}

void finish_one(const GemmCall& call, size_t row, float value) {
  float* c = call.c + row * call.ldc;
  if (call.bias != nullptr) value += call.bias[0];
  if (call.accumulate) value += *c;
  *c = call.activation == 1 && value < 0 ? 0.0f : value;
}

// n = 1: dot products, or for transposed A a weighted sum of its rows.
bool run_column(const GemmCall& call) {
  const float* x = call.b;
  if (!call.trans_b && call.ldb != 1) {
    float* copy = scratch(Scratch::pack_b, call.k);
    if (copy == nullptr) return false;
    for (size_t p = 0; p < call.k; p++) copy[p] = call.b[p * call.ldb];
    x = copy;
  }
  if (!call.trans_a) {
    for (size_t i = 0; i < call.m; i++) finish_one(call, i, dot(call.k, call.a + i * call.lda, x));
    return true;
  }
  constexpr size_t kWide = 8 * static_cast<size_t>(kLanes);
  float out[kWide];
  for (size_t j = 0; j < call.m;) {
    const size_t left = call.m - j;
    const size_t count = left >= kWide ? kWide : least(left, kLanes);
    if (count == kWide) {
      weighted_rows<8>(call.k, call.a + j, call.lda, x, out, count);
    } else {
      weighted_rows<1>(call.k, call.a + j, call.lda, x, out, count);
    }
    for (size_t i = 0; i < count; i++) finish_one(call, j + i, out[i]);
    j += count;
  }
  return true;
}

// k = 0: the product is zero.
void run_empty(const GemmCall& call) {
  if (call.accumulate) return;
  for (size_t i = 0; i < call.m; i++) {
    float* c = call.c + i * call.ldc;
    for (size_t j = 0; j < call.n; j++) {
      const float value = call.bias == nullptr ? 0.0f : call.bias[j];
      c[j] = call.activation == 1 && value < 0 ? 0.0f : value;
    }
  }
}

bool gemm(const GemmCall& call) {
  if (call.m == 0 || call.n == 0) return true;
  if (call.k == 0) {
    run_empty(call);
  } else if (call.n == 1) {
    if (!run_column(call)) return false;
  } else {
    for (size_t p = 0; p < call.k; p += kBlockK) {
      const size_t k = least(kBlockK, call.k - p);
      const bool last = p + k == call.k;
      const float* a = call.trans_a ? call.a + p * call.lda : call.a + p;
      for (size_t j = 0; j < call.n; j += kBlockN) {
        const float* b = call.trans_b ? call.b + j * call.ldb + p : call.b + p * call.ldb + j;
        const float* bias = last && call.bias != nullptr ? call.bias + j : nullptr;
        if (!run_block(call, least(kBlockN, call.n - j), k, a, b, call.c + j, bias, call.accumulate || p > 0, last && call.activation == 1)) {
          return false;
        }
      }
    }
  }
  if (call.activation > 1) {
    for (size_t i = 0; i < call.m; i++) apply_activation(call.activation, call.n, call.c + i * call.ldc, call.c + i * call.ldc);
  }
  return true;
}

double fma_peak() {
  constexpr int kChains = 12;
  constexpr int kRounds = 200000;
  double best = 0;
  volatile float one = 1.0f;
  for (int run = 0; run < 5; run++) {
    V acc[kChains];
    const V factor = set1(one), term = set1(one);
#pragma GCC unroll 16
    for (int i = 0; i < kChains; i++) acc[i] = set1(static_cast<float>(i));
    timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int round = 0; round < kRounds; round++) {
#pragma GCC unroll 16
      for (int i = 0; i < kChains; i++) acc[i] = fma(acc[i], factor, term);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    V sum = zero();
#pragma GCC unroll 16
    for (int i = 0; i < kChains; i++) sum = sum + acc[i];
    volatile float sink = lane_sum(sum);
    (void)sink;
    const double seconds = static_cast<double>(end.tv_sec - start.tv_sec) + static_cast<double>(end.tv_nsec - start.tv_nsec) * 1e-9;
    const double rate = 2.0 * kChains * kRounds * kLanes / seconds * 1e-9;
    if (rate > best) best = rate;
  }
  return best;
}

}  // namespace

extern const GemmKernels gemm_kernels = {gemm, fma_peak};

}  // namespace ML_ISA
}  // namespace monolith
