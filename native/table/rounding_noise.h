// Noise that rounds a row's new values: a function of (seed, fid, step, position) and nothing else. The specification is
// src/kernels/reference/half.ts. Internal linkage: safe in .isa.cc files.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/mix64.h"

#if defined(__AVX512DQ__)
#include <immintrin.h>
#endif

namespace monolith {

// "rounding" in ASCII: keeps steps apart from positions of initial values.
static constexpr uint64_t kRounding = 0x726F756E64696E67ull;

static inline uint64_t step_key(uint64_t step) { return mix64(step ^ kRounding); }
static inline uint64_t noise_key(uint64_t seed, uint64_t fid, uint64_t step_key) { return mix64(mix64(seed ^ mix64(fid)) ^ step_key); }

// 16 bits of noise for each of n values, four to a number; noise has room for n rounded up to a multiple of 32.
static inline __attribute__((always_inline)) void make_noise(uint64_t key, size_t n, uint16_t* noise) {
#if defined(__AVX512DQ__)
  const auto all = [](uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); };
  // The state of eight numbers, mix64's first addition included.
  __m512i state = _mm512_add_epi64(all(key + kGolden), _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), all(kGolden)));
  for (size_t p = 0; p < n; p += 32) {
    __m512i x = _mm512_mullo_epi64(_mm512_xor_si512(state, _mm512_srli_epi64(state, 30)), all(0xBF58476D1CE4E5B9ull));
    x = _mm512_mullo_epi64(_mm512_xor_si512(x, _mm512_srli_epi64(x, 27)), all(0x94D049BB133111EBull));
    _mm512_storeu_si512(noise + p, _mm512_xor_si512(x, _mm512_srli_epi64(x, 31)));
    state = _mm512_add_epi64(state, all(8 * kGolden));
  }
#else
  for (size_t q = 0; q < (n + 3) / 4; q++) {
    const uint64_t x = mix64(key + q * kGolden);
    // Lowest bits first, whatever the byte order.
    const uint16_t parts[4] = {static_cast<uint16_t>(x), static_cast<uint16_t>(x >> 16), static_cast<uint16_t>(x >> 32),
                               static_cast<uint16_t>(x >> 48)};
    __builtin_memcpy(noise + 4 * q, parts, sizeof parts);
  }
#endif
}

}  // namespace monolith
