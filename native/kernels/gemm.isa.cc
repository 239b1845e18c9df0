#include "kernels/gemm.h"

#include <time.h>

#include "kernels/gemm_bf16.h"
#include "kernels/vec_dot.h"
#include "simd/scratch.h"
#include "simd/vec_math.h"

namespace monolith {
namespace ML_ISA {
namespace {

// Blocks: a panel of B (kBlockK × 2 vectors) and a panel of A stay near the core, kBlockM rows of A and kBlockN columns of B in its
// level-2 cache. kBlockK is the same for every instruction set and even: it decides where sums are cut.
constexpr size_t kBlockK = 512;
constexpr size_t kBlockM = static_cast<size_t>(kTileRows) * 16;
constexpr size_t kBlockN = 1024;
// Up to so many rows B is used in place.
constexpr size_t kFewRows = 24;
// Beyond this row distance every element of a column of A lies on a page of its own or nearly so: pack.
constexpr size_t kInPlaceDistance = 1024;

template <bool Bf16>
ML_INLINE size_t depth_of(size_t k) {
  return Bf16 ? bf16_depth(k) : k;
}

// Where a tile finds op(A): in panels of `height` columns, in rows, or (float32) as it is stored.
struct AForm {
  bool panels, columns;
  size_t height;  // rows of a tile
  const float* a;
  size_t lda;
};

// Tiles of op(A)'s rows [0, m) against one panel of B; depth: elements along k.
template <Element element>
void run_panel(const AForm& form, size_t m, size_t depth, const float* panel, size_t ldb, int vectors, TileEnd end) {
  for (size_t i = 0; i < m; i += form.height) {
    const size_t rows = least(form.height, m - i);
    if (form.panels) {
      run_tile<ALayout::columns, element>(rows, vectors, depth, form.a + i * depth, form.height, panel, ldb, end);
    } else if (form.columns) {
      run_tile<ALayout::columns, element>(rows, vectors, depth, form.a + i, form.lda, panel, ldb, end);
    } else {
      run_tile<ALayout::rows, element>(rows, vectors, depth, form.a + i * form.lda, form.lda, panel, ldb, end);
    }
    end.c += rows * end.ldc;
    if (end.y != nullptr) end.y += rows * end.ldy;
  }
}

// Panels of op(B)'s columns [0, n), one after another. b points at the block's first element.
template <bool Bf16>
bool pack_panels(bool trans_b, size_t n, size_t k, const float* b, size_t ldb, float* out, float* sums) {
  if constexpr (Bf16) {
    if (!trans_b) {
      pack_b_bf16(n, k, b, ldb, out, sums);
      return true;
    }
    float* convert = scratch(Scratch::convert, static_cast<size_t>(kTileColumns) * (bf16_depth(k) + kLanes));
    if (convert != nullptr) pack_b_transposed_bf16(n, k, b, ldb, out, convert);
    return convert != nullptr;
  }
  for (size_t j = 0; j < n; j += kTileColumns) {
    const float* from = trans_b ? b + j * ldb : b + j;
    pack_b_panel(trans_b, k, least(kTileColumns, n - j), panel_vectors(n - j), from, ldb, out + j * k, sums == nullptr ? nullptr : sums + j);
  }
  return true;
}

// One block of columns [0, n) and of k. a, b, c, sums point at the block's first elements; packed: its panels, or null.
template <bool Bf16>
bool run_block(const GemmCall& call, size_t n, size_t k, const float* a, const float* b, const float* packed, float* sums, const TileEnd& block) {
  constexpr Element element = Bf16 ? kBf16Element : Element::single;
  const size_t depth = depth_of<Bf16>(k);
  // One block of rows: each panel of B is used as soon as it is packed. Few rows: it is used in place, since packing would cost as much as
  // the product.
  const bool one_by_one = packed == nullptr && call.m <= kBlockM;
  const bool direct_b = !Bf16 && packed == nullptr && !call.trans_b && call.m <= kFewRows;
  // A stored transposed is read in place where a tile takes most of a cache line: 3 % faster than packing with 12 rows, 4 % slower with 6.
  const bool panels_a =
      Bf16 ? call.trans_a : call.trans_a && n > static_cast<size_t>(kTileColumns) && (kTileRows < 8 || call.lda > kInPlaceDistance);
  const bool copy_a = Bf16 || panels_a;
  const size_t height = call.trans_a && (Bf16 || !panels_a) && call.m <= static_cast<size_t>(kTileMost) ? call.m : static_cast<size_t>(kTileRows);
  const size_t distance = panels_a ? depth : bf16_row_distance(k);
  float* made_b =
      packed != nullptr ? nullptr : scratch(Scratch::pack_b, (one_by_one ? static_cast<size_t>(kTileColumns) : round_up(n, kLanes)) * depth);
  float* made_a = copy_a ? scratch(Scratch::pack_a, (least(kBlockM, call.m) + kTileMost) * distance) : nullptr;
  if ((packed == nullptr && made_b == nullptr) || (copy_a && made_a == nullptr)) return false;
  if (packed == nullptr && !one_by_one && !pack_panels<Bf16>(call.trans_b, n, k, b, call.ldb, made_b, sums)) return false;
  for (size_t i = 0; i < call.m; i += kBlockM) {
    const size_t rows = least(kBlockM, call.m - i);
    AForm form{panels_a, call.trans_a, height, call.trans_a ? a + i : a + i * call.lda, call.lda};
    if constexpr (Bf16) {
      if (panels_a) {
        pack_a_columns_bf16(rows, height, k, form.a, call.lda, made_a);
      } else {
        pack_a_rows_bf16(rows, k, form.a, call.lda, made_a);
        form.lda = distance;
      }
      form.a = made_a;
    } else if (panels_a) {
      for (size_t r = 0; r < rows; r += kTileRows) pack_a_panel(k, least(kTileRows, rows - r), form.a + r, call.lda, made_a + r * k);
      form.a = made_a;
    }
    const float* panel = packed != nullptr ? packed : made_b;
    for (size_t j = 0; j < n; j += kTileColumns) {
      const size_t columns = least(kTileColumns, n - j);
      const int vectors = panel_vectors(n - j);
      const size_t width = static_cast<size_t>(vectors) * kLanes;
      TileEnd end = block;
      end.c += i * call.ldc + j;
      end.columns = columns;
      if (end.bias != nullptr) end.bias += j;
      if (end.y != nullptr) end.y += i * call.ldy + j;
      float* panel_sums = sums == nullptr ? nullptr : sums + j;
      if (direct_b && columns == width) {
        if (sums != nullptr) add_column_sums(k, columns, b + j, call.ldb, panel_sums);
        run_panel<element>(form, rows, depth, b + j, call.ldb, vectors, end);
        continue;
      }
      if (one_by_one && !pack_panels<Bf16>(call.trans_b, columns, k, call.trans_b ? b + j * call.ldb : b + j, call.ldb, made_b, panel_sums)) {
        return false;
      }
      run_panel<element>(form, rows, depth, panel, width, vectors, end);
      if (!one_by_one) panel += width * depth;
    }
  }
  return true;
}

template <bool Bf16>
bool run_blocks(const GemmCall& call) {
  const size_t padded = round_up(call.n, kLanes);
  for (size_t p = 0; p < call.k; p += kBlockK) {
    const size_t k = least(kBlockK, call.k - p);
    const bool last = p + k == call.k;
    const float* a = call.trans_a ? call.a + p * call.lda : call.a + p;
    for (size_t j = 0; j < call.n; j += kBlockN) {
      const float* b = call.packed != nullptr ? nullptr : call.trans_b ? call.b + j * call.ldb + p : call.b + p * call.ldb + j;
      const float* packed = call.packed == nullptr ? nullptr : call.packed + padded * depth_of<Bf16>(p) + j * depth_of<Bf16>(k);
      float* sums = call.column_sums == nullptr ? nullptr : call.column_sums + j;
      TileEnd end{};
      end.c = call.c + j;
      end.ldc = call.ldc;
      end.bias = last && call.bias != nullptr ? call.bias + j : nullptr;
      end.add = call.accumulate || p > 0;
      end.relu = last && call.activation == 1;
      end.y = last && call.y != nullptr ? call.y + j : nullptr;
      end.ldy = call.ldy;
      end.slope = call.slope;
      if (!run_block<Bf16>(call, least(kBlockN, call.n - j), k, a, b, packed, sums, end)) return false;
    }
  }
  return true;
}

size_t packed_length(bool bf16, size_t n, size_t k) {
  if (!bf16 && n == 1) return k;
  return round_up(n, kLanes) * (bf16 ? bf16_depth(k) : k);
}

template <bool Bf16>
bool pack_all(bool trans_b, size_t n, size_t k, const float* b, size_t ldb, float* out) {
  for (size_t p = 0; p < k; p += kBlockK) {
    const size_t depth = least(kBlockK, k - p);
    if (!pack_panels<Bf16>(trans_b, n, depth, trans_b ? b + p : b + p * ldb, ldb, out, nullptr)) return false;
    out += round_up(n, kLanes) * depth_of<Bf16>(depth);
  }
  return true;
}

bool pack(bool bf16, bool trans_b, size_t n, size_t k, const float* b, size_t ldb, float* out) {
  if (bf16) return pack_all<true>(trans_b, n, k, b, ldb, out);
  if (n > 1) return pack_all<false>(trans_b, n, k, b, ldb, out);
  for (size_t p = 0; p < k; p++) out[p] = b[trans_b ? p : p * ldb];
  return true;
}

// out[m] = Σ_p x[p]·a[p, j]: the rows of a added up, `Vectors` at a time.
template <int Vectors>
void weighted_rows(size_t k, const float* a, size_t lda, const float* x, float* out, size_t count) {
  V acc[Vectors];
#pragma GCC unroll 16
  for (int j = 0; j < Vectors; j++) acc[j] = zero();
  for (size_t p = 0; p < k; p++) {
    const V factor = set1(x[p]);
#pragma GCC unroll 16
    for (int j = 0; j < Vectors; j++) {
      acc[j] = fma(factor, Vectors == 1 ? get(a + p * lda, count) : load(a + p * lda + j * kLanes), acc[j]);
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < Vectors; j++) put(out + j * kLanes, acc[j], Vectors == 1 ? count : static_cast<size_t>(kLanes));
}

// activation′ from the output y.
float slope_of(int activation, float y) {
  switch (activation) {
    case 1: return y > 0 ? 1.0f : 0.0f;
    case 2: return y * (1.0f - y);
    case 3: return 1.0f - y * y;
    default: return 1.0f;
  }
}

void finish_one(const GemmCall& call, size_t row, float value) {
  float* c = call.c + row * call.ldc;
  if (call.bias != nullptr) value += call.bias[0];
  if (call.accumulate) value += *c;
  if (call.activation == 1 && value < 0) value = 0.0f;
  *c = call.y == nullptr ? value : value * slope_of(call.slope, call.y[row * call.ldy]);
}

// n = 1: dot products, or for transposed A a weighted sum of its rows.
bool run_column(const GemmCall& call) {
  const float* x = call.packed != nullptr ? call.packed : call.b;
  if (call.packed == nullptr && !call.trans_b && call.ldb != 1) {
    float* copy = scratch(Scratch::pack_b, call.k);
    if (copy == nullptr) return false;
    for (size_t p = 0; p < call.k; p++) copy[p] = call.b[p * call.ldb];
    x = copy;
  }
  if (call.column_sums != nullptr) {
    float sum = 0;
    for (size_t p = 0; p < call.k; p++) sum += x[p];
    *call.column_sums += sum;
  }
  if (!call.trans_a) {
    size_t i = 0;
    for (; i + 4 <= call.m; i += 4) {
      float out[4];
      dot_rows<4>(call.k, call.a + i * call.lda, call.lda, x, out);
      for (size_t r = 0; r < 4; r++) finish_one(call, i + r, out[r]);
    }
    for (; i < call.m; i++) finish_one(call, i, dot(call.k, call.a + i * call.lda, x));
    return true;
  }
  constexpr int kWide = kLanes == 16 ? 16 : 8;
  float out[kWide * kLanes];
  for (size_t j = 0; j < call.m;) {
    const size_t whole = (call.m - j) / kLanes;
    const float* a = call.a + j;
    size_t count = kLanes;
    if (whole >= kWide) {
      weighted_rows<kWide>(call.k, a, call.lda, x, out, count);
      count *= kWide;
    } else if (whole >= 8) {
      weighted_rows<8>(call.k, a, call.lda, x, out, count);
      count *= 8;
    } else if (whole >= 4) {
      weighted_rows<4>(call.k, a, call.lda, x, out, count);
      count *= 4;
    } else {
      count = least(call.m - j, count);
      weighted_rows<1>(call.k, a, call.lda, x, out, count);
    }
    for (size_t i = 0; i < count; i++) finish_one(call, j + i, out[i]);
    j += count;
  }
  return true;
}

// One row of an outer product: c (+)= factor·b, times the slope. The choices are constants so that the loop holds nothing but the work.
template <bool Add, int Slope>
void outer_row(size_t n, float factor, const float* b, float* c, const float* y) {
  const V x = set1(factor);
  for_vectors(n, [=](size_t j, size_t count) {
    V v = fma(x, load(b + j), zero());
    if constexpr (Add) v = v + get(c + j, count);
    if constexpr (Slope != 0) v = times_slope(Slope, v, get(y + j, count));
    put(c + j, v, count);
  });
}

template <bool Add>
void run_outer(const GemmCall& call) {
  for (size_t i = 0; i < call.m; i++) {
    const float factor = call.a[i * call.lda];
    float* c = call.c + i * call.ldc;
    const float* y = call.y == nullptr ? nullptr : call.y + i * call.ldy;
    switch (y == nullptr ? 0 : call.slope) {
      case 1: outer_row<Add, 1>(call.n, factor, call.packed, c, y); break;
      case 2: outer_row<Add, 2>(call.n, factor, call.packed, c, y); break;
      case 3: outer_row<Add, 3>(call.n, factor, call.packed, c, y); break;
      default: outer_row<Add, 0>(call.n, factor, call.packed, c, y);
    }
  }
}

// k = 0: the product is zero.
void run_empty(const GemmCall& call) {
  if (call.accumulate && call.y == nullptr) return;
  for (size_t i = 0; i < call.m; i++) {
    float* c = call.c + i * call.ldc;
    for (size_t j = 0; j < call.n; j++) {
      float value = call.accumulate ? c[j] : call.bias == nullptr ? 0.0f : call.bias[j];
      if (call.activation == 1 && value < 0) value = 0.0f;
      c[j] = call.y == nullptr ? value : value * slope_of(call.slope, call.y[i * call.ldy + j]);
    }
  }
}

bool gemm(const GemmCall& call) {
  if (call.m == 0 || call.n == 0) return true;
  if (call.k == 0) {
    run_empty(call);
  } else if (call.bf16) {
    if (!run_blocks<true>(call)) return false;
  } else if (call.n == 1) {
    if (!run_column(call)) return false;
  } else if (call.k == 1 && call.packed != nullptr && call.bias == nullptr && call.activation == 0) {
    // Packed, B is one row, and C is bound by its stores: the gradient of a single column's input.
    if (call.accumulate) {
      run_outer<true>(call);
    } else {
      run_outer<false>(call);
    }
  } else if (!run_blocks<false>(call)) {
    return false;
  }
  if (call.activation > 1) {
    for (size_t i = 0; i < call.m; i++) apply_activation(call.activation, call.n, call.c + i * call.ldc, call.c + i * call.ldc);
  }
  return true;
}

template <Element element>
double peak() {
  constexpr int kChains = 12;
  constexpr int kRounds = 200000;
  double best = 0;
  volatile float one = element == Element::pairs ? 0.0f : 1.0f;
  for (int run = 0; run < 5; run++) {
    V acc[kChains];
    const V factor = set1(one), term = set1(one);
#pragma GCC unroll 16
    for (int i = 0; i < kChains; i++) acc[i] = set1(static_cast<float>(i));
    timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int round = 0; round < kRounds; round++) {
#pragma GCC unroll 16
      for (int i = 0; i < kChains; i++) acc[i] = multiply_add<element>(factor, term, acc[i]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    V sum = zero();
#pragma GCC unroll 16
    for (int i = 0; i < kChains; i++) sum = sum + acc[i];
    volatile float sink = lane_sum(sum);
    (void)sink;
    const double seconds = static_cast<double>(end.tv_sec - start.tv_sec) + static_cast<double>(end.tv_nsec - start.tv_nsec) * 1e-9;
    const double rate = (element == Element::pairs ? 4.0 : 2.0) * kChains * kRounds * kLanes / seconds * 1e-9;
    if (rate > best) best = rate;
  }
  return best;
}

double fma_peak() { return peak<Element::single>(); }
double bf16_peak() { return kBf16Element == Element::pairs ? peak<kBf16Element>() : 0; }

}  // namespace

extern const GemmKernels gemm_kernels = {gemm, packed_length, pack, fma_peak, bf16_peak};

}  // namespace ML_ISA
}  // namespace monolith
