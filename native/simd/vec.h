// One vector of floats of the instruction set being compiled. Only for *.isa.cc: everything has internal linkage inside namespace ML_ISA,
// so that the linker can't merge copies across instruction sets.
// GCC vector extensions carry the arithmetic; intrinsics appear only for fused multiply-add and partial loads and stores.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define ML_INLINE static inline __attribute__((always_inline))

namespace monolith {
namespace ML_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float V __attribute__((vector_size(kLanes * 4)));
typedef float VUnaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef int32_t VI __attribute__((vector_size(kLanes * 4)));

ML_INLINE V load(const float* p) { return *reinterpret_cast<const VUnaligned*>(p); }
ML_INLINE void store(float* p, V v) { *reinterpret_cast<VUnaligned*>(p) = v; }
ML_INLINE V zero() { return V{}; }

ML_INLINE V set1(float x) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(x);
#elif defined(__AVX2__)
  return _mm256_set1_ps(x);
#else
  return x - V{};
#endif
}

// a·b + c, one rounding where the processor has it. The baseline x86 build has no FMA: two roundings there, in vectors and scalars alike.
ML_INLINE V fma(V a, V b, V c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return reinterpret_cast<V>(vfmaq_f32(reinterpret_cast<float32x4_t>(c), reinterpret_cast<float32x4_t>(a), reinterpret_cast<float32x4_t>(b)));
#else
  return a * b + c;
#endif
}
ML_INLINE float fma1(float a, float b, float c) {
#if defined(__AVX2__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// The first `count` < kLanes elements; the rest are zeros and their memory isn't touched.
ML_INLINE V load_part(const float* p, size_t count) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
#elif defined(__AVX2__)
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lanes));
#else
  V v = zero();
  memcpy(&v, p, count * sizeof(float));
  return v;
#endif
}
ML_INLINE void store_part(float* p, V v, size_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
#elif defined(__AVX2__)
  // Halves instead of a masked store, which is slow on several processors.
  __m128 half = _mm256_castps256_ps128(v);
  if (count & 4) {
    _mm_storeu_ps(p, half);
    half = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (count & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), half);
    half = _mm_movehl_ps(half, half);
    p += 2;
  }
  if (count & 1) _mm_store_ss(p, half);
#else
  memcpy(p, &v, count * sizeof(float));
#endif
}

ML_INLINE V select(VI mask, V yes, V no) { return mask ? yes : no; }
ML_INLINE V minimum(V a, V b) { return select(a < b, a, b); }
// max(x, 0) that keeps NaN.
ML_INLINE V relu(V x) { return select(x < zero(), zero(), x); }

// Sum of the lanes, always as the same tree.
ML_INLINE float lane_sum(V v) {
#if defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256 eight = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  const __m256 eight = reinterpret_cast<__m256>(v);
#endif
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  float x[kLanes];
  store(x, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) x[i] += x[i + width];
  }
  return x[0];
#endif
}

ML_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Applies `body` to every vector of n values; the last, partial one goes through the same arithmetic. body(index, count): count = kLanes
// for whole vectors; use get() and put() inside.
template <typename Body>
ML_INLINE void for_vectors(size_t n, Body body) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, static_cast<size_t>(kLanes));
  if (i < n) body(i, n - i);
}
ML_INLINE V get(const float* p, size_t count) { return count == kLanes ? load(p) : load_part(p, count); }
ML_INLINE void put(float* p, V v, size_t count) {
  if (count == kLanes) {
    store(p, v);
  } else {
    store_part(p, v, count);
  }
}

}  // namespace ML_ISA
}  // namespace monolith
