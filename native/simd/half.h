// Values of 16 bits: bfloat16 and IEEE half. The specification is src/kernels/reference/half.ts; every instruction set gives its bits.
//   widen        to float32, exactly
//   nearest      from float32, to nearest, ties to even
//   stochastic   from float32, up or down by 16 bits of noise a value, so that the mean over all noise is the value
// A finite value never becomes infinity: it stops at the largest finite one. Infinities stay, any NaN becomes one positive quiet NaN.
// Only for *.isa.cc, as simd/vec.h.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/isa.h"

#if defined(__AVX2__)
// g++ 12 warns of the undefined registers in its own header (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace monolith {
namespace ML_ISA {
namespace {

#define ML_HALF_INLINE static inline __attribute__((always_inline))

constexpr uint32_t kInfinityBits = 0x7F800000u;

inline uint32_t float_bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float bits_float(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// Sign and what is beyond finite numbers, around the rounded magnitude of a finite one.
template <uint32_t Infinity, uint32_t NaN>
inline uint16_t with_sign(uint32_t bits, uint32_t magnitude) {
  const uint32_t size = bits & 0x7FFFFFFFu;
  const uint32_t beyond = size > kInfinityBits ? NaN : Infinity;
  const uint32_t sign = size > kInfinityBits ? 0 : bits >> 16 & 0x8000u;
  return static_cast<uint16_t>((size >= kInfinityBits ? beyond : magnitude) | sign);
}

struct Bf16 {
  static constexpr uint32_t kMost = 0x7F7Fu;

  static inline float widen1(uint16_t x) { return bits_float(static_cast<uint32_t>(x) << 16); }
  static inline uint16_t nearest1(float x) {
    const uint32_t bits = float_bits(x);
    const uint32_t size = bits & 0x7FFFFFFFu;
    const uint32_t rounded = (size + 0x7FFFu + (size >> 16 & 1)) >> 16;
    return with_sign<0x7F80u, 0x7FC0u>(bits, rounded < kMost ? rounded : kMost);
  }
  static inline uint16_t stochastic1(float x, uint16_t noise) {
    const uint32_t bits = float_bits(x);
    const uint32_t rounded = ((bits & 0x7FFFFFFFu) + noise) >> 16;
    return with_sign<0x7F80u, 0x7FC0u>(bits, rounded < kMost ? rounded : kMost);
  }

  // Plain loops, where nothing else is said: compilers make vectors of them.
  ML_HALF_INLINE void widen(const uint16_t* in, size_t n, float* out) {
    for (size_t i = 0; i < n; i++) out[i] = widen1(in[i]);
  }
  ML_HALF_INLINE void nearest(const float* in, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i++) out[i] = nearest1(in[i]);
  }
#if defined(__AVX512F__)
  ML_HALF_INLINE void stochastic(const float* in, const uint16_t* noise, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i += 16) {
      const __mmask16 mask = n - i >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << (n - i)) - 1);
      const __m512i bits = _mm512_maskz_loadu_epi32(mask, in + i);
      const __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
      const __m512i moved = _mm512_add_epi32(size, _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, noise + i)));
      const __m512i rounded = _mm512_min_epu32(_mm512_srli_epi32(moved, 16), _mm512_set1_epi32(kMost));
      const __m512i infinity = _mm512_set1_epi32(kInfinityBits);
      const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x8000));
      const __m512i finite = _mm512_mask_mov_epi32(rounded, _mm512_cmpeq_epu32_mask(size, infinity), _mm512_set1_epi32(0x7F80));
      const __m512i whole = _mm512_or_si512(finite, sign);
      const __m512i all = _mm512_mask_mov_epi32(whole, _mm512_cmpgt_epu32_mask(size, infinity), _mm512_set1_epi32(0x7FC0));
      _mm256_mask_storeu_epi16(out + i, mask, _mm512_cvtepi32_epi16(all));
    }
  }
#elif defined(__AVX2__)
  ML_HALF_INLINE void stochastic(const float* in, const uint16_t* noise, size_t n, uint16_t* out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
      const __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
      const __m256i random = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(noise + i)));
      const __m256i rounded = _mm256_min_epu32(_mm256_srli_epi32(_mm256_add_epi32(size, random), 16), _mm256_set1_epi32(kMost));
      const __m256i infinity = _mm256_set1_epi32(kInfinityBits);
      const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x8000));
      const __m256i finite = _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7F80), _mm256_cmpeq_epi32(size, infinity));
      const __m256i whole = _mm256_or_si256(finite, sign);
      const __m256i all = _mm256_blendv_epi8(whole, _mm256_set1_epi32(0x7FC0), _mm256_cmpgt_epi32(size, infinity));
      const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), packed);
    }
    for (const size_t end = i + n % 8; i < end; i++) out[i] = stochastic1(in[i], noise[i]);
  }
#else
  ML_HALF_INLINE void stochastic(const float* in, const uint16_t* noise, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i++) out[i] = stochastic1(in[i], noise[i]);
  }
#endif
};

struct Fp16 {
  // 65504 and the smallest normal number, 2^-14, as float32. Below the latter values are multiples of 2^-24.
  static constexpr uint32_t kMostBits = 0x477FE000u;
  static constexpr uint32_t kNormalBits = 0x38800000u;

  static inline float widen1(uint16_t x) {
    const uint32_t sign = static_cast<uint32_t>(x & 0x8000u) << 16;
    const uint32_t size = static_cast<uint32_t>(x & 0x7FFFu) << 13;
    // The exponent of a half, read as one of float32, is 112 too small.
    const uint32_t finite = float_bits(bits_float(size) * 0x1p112f);
    return bits_float(sign | (size >= 0x0F800000u ? size + (224u << 23) : finite));
  }
  static inline uint16_t nearest1(float x) {
    const uint32_t bits = float_bits(x);
    const uint32_t whole = bits & 0x7FFFFFFFu;
    const uint32_t size = whole < kMostBits ? whole : kMostBits;
    // Half an ulp of 0.5 is half of 2^-24.
    const uint32_t small = float_bits(bits_float(size) + 0.5f) - float_bits(0.5f);
    const uint32_t normal = (size - (112u << 23) + 0xFFFu + (size >> 13 & 1)) >> 13;
    return with_sign<0x7C00u, 0x7E00u>(bits, size < kNormalBits ? small : normal);
  }
  static inline uint16_t stochastic1(float x, uint16_t noise) {
    const uint32_t bits = float_bits(x);
    const uint32_t size = bits & 0x7FFFFFFFu;
    uint32_t moved = size + (noise >> 3);
    if (size < kNormalBits) moved = float_bits(bits_float(size) + static_cast<float>(noise >> 2) * 0x1p-38f);
    if (moved > kMostBits) moved = kMostBits;
    const uint32_t small = moved < kNormalBits ? static_cast<uint32_t>(static_cast<int32_t>(bits_float(moved) * 0x1p24f)) : 0;
    return with_sign<0x7C00u, 0x7E00u>(bits, moved < kNormalBits ? small : (moved - (112u << 23)) >> 13);
  }

#if defined(__AVX512F__)
  ML_HALF_INLINE __mmask16 part(size_t left) { return left >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << left) - 1); }
  // Sizes that are rounded already or may be cut, with sign and specials of x.
  template <int Rounding>
  ML_HALF_INLINE __m256i finish(__m512i bits, __m512i size, __m512i moved) {
    const __m512i limited = _mm512_min_epu32(moved, _mm512_set1_epi32(kMostBits));
    const __m512i wide = _mm512_cvtepu16_epi32(_mm512_maskz_cvtps_ph(0xFFFF, _mm512_castsi512_ps(limited), Rounding | _MM_FROUND_NO_EXC));
    const __m512i infinity = _mm512_set1_epi32(kInfinityBits);
    const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x8000));
    const __m512i finite = _mm512_mask_mov_epi32(wide, _mm512_cmpeq_epu32_mask(size, infinity), _mm512_set1_epi32(0x7C00));
    const __m512i whole = _mm512_or_si512(finite, sign);
    return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(whole, _mm512_cmpgt_epu32_mask(size, infinity), _mm512_set1_epi32(0x7E00)));
  }
  ML_HALF_INLINE void widen(const uint16_t* in, size_t n, float* out) {
    for (size_t i = 0; i < n; i += 16) {
      const __mmask16 mask = part(n - i);
      _mm512_mask_storeu_ps(out + i, mask, _mm512_maskz_cvtph_ps(mask, _mm256_maskz_loadu_epi16(mask, in + i)));
    }
  }
  ML_HALF_INLINE void nearest(const float* in, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i += 16) {
      const __mmask16 mask = part(n - i);
      const __m512i bits = _mm512_maskz_loadu_epi32(mask, in + i);
      const __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
      _mm256_mask_storeu_epi16(out + i, mask, finish<_MM_FROUND_TO_NEAREST_INT>(bits, size, size));
    }
  }
  ML_HALF_INLINE void stochastic(const float* in, const uint16_t* noise, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i += 16) {
      const __mmask16 mask = part(n - i);
      const __m512i bits = _mm512_maskz_loadu_epi32(mask, in + i);
      const __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
      const __m512i random = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, noise + i));
      const __m512 added = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(random, 2)), _mm512_set1_ps(0x1p-38f));
      const __m512i small = _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(size), added));
      const __m512i normal = _mm512_add_epi32(size, _mm512_srli_epi32(random, 3));
      const __mmask16 is_small = _mm512_cmplt_epu32_mask(size, _mm512_set1_epi32(kNormalBits));
      _mm256_mask_storeu_epi16(out + i, mask, finish<_MM_FROUND_TO_ZERO>(bits, size, _mm512_mask_mov_epi32(normal, is_small, small)));
    }
  }
#elif defined(__AVX2__)
  template <int Rounding>
  ML_HALF_INLINE __m128i finish(__m256i bits, __m256i size, __m256i moved) {
    const __m256i limited = _mm256_min_epu32(moved, _mm256_set1_epi32(kMostBits));
    const __m256i wide = _mm256_cvtepu16_epi32(_mm256_cvtps_ph(_mm256_castsi256_ps(limited), Rounding));
    const __m256i infinity = _mm256_set1_epi32(kInfinityBits);
    const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x8000));
    const __m256i finite = _mm256_blendv_epi8(wide, _mm256_set1_epi32(0x7C00), _mm256_cmpeq_epi32(size, infinity));
    const __m256i whole = _mm256_or_si256(finite, sign);
    const __m256i all = _mm256_blendv_epi8(whole, _mm256_set1_epi32(0x7E00), _mm256_cmpgt_epi32(size, infinity));
    return _mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  }
  ML_HALF_INLINE void widen(const uint16_t* in, size_t n, float* out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
    for (const size_t end = i + n % 8; i < end; i++) out[i] = widen1(in[i]);
  }
  ML_HALF_INLINE void nearest(const float* in, size_t n, uint16_t* out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
      const __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), finish<_MM_FROUND_TO_NEAREST_INT>(bits, size, size));
    }
    for (const size_t end = i + n % 8; i < end; i++) out[i] = nearest1(in[i]);
  }
  ML_HALF_INLINE void stochastic(const float* in, const uint16_t* noise, size_t n, uint16_t* out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
      const __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
      const __m256i random = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(noise + i)));
      const __m256 added = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(random, 2)), _mm256_set1_ps(0x1p-38f));
      const __m256i small = _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(size), added));
      const __m256i normal = _mm256_add_epi32(size, _mm256_srli_epi32(random, 3));
      const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(kNormalBits), size);
      const __m256i moved = _mm256_blendv_epi8(normal, small, is_small);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), finish<_MM_FROUND_TO_ZERO>(bits, size, moved));
    }
    for (const size_t end = i + n % 8; i < end; i++) out[i] = stochastic1(in[i], noise[i]);
  }
#else
  ML_HALF_INLINE void widen(const uint16_t* in, size_t n, float* out) {
    for (size_t i = 0; i < n; i++) out[i] = widen1(in[i]);
  }
  ML_HALF_INLINE void nearest(const float* in, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i++) out[i] = nearest1(in[i]);
  }
  ML_HALF_INLINE void stochastic(const float* in, const uint16_t* noise, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; i++) out[i] = stochastic1(in[i], noise[i]);
  }
#endif
};

#undef ML_HALF_INLINE

}  // namespace
}  // namespace ML_ISA
}  // namespace monolith
