// Finding the few bytes that matter to a text parser, 64 at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace monolith {

constexpr size_t kScanBytes = 64;

// Bit i is set where p[i] is one of up to three bytes (name one twice to look for two), i < 64. Reads 64 bytes.
#if defined(__SSE2__)
class Scanner {
 public:
  Scanner(uint8_t a, uint8_t b, uint8_t c)
      : a_(_mm_set1_epi8(static_cast<char>(a))), b_(_mm_set1_epi8(static_cast<char>(b))), c_(_mm_set1_epi8(static_cast<char>(c))) {}
  uint64_t of(const uint8_t* p) const { return of16(p) | of16(p + 16) << 16 | of16(p + 32) << 32 | of16(p + 48) << 48; }

 private:
  uint64_t of16(const uint8_t* p) const {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, a_), _mm_cmpeq_epi8(v, b_)), _mm_cmpeq_epi8(v, c_));
    return static_cast<uint32_t>(_mm_movemask_epi8(found));
  }
  __m128i a_, b_, c_;
};
#elif defined(__aarch64__)
class Scanner {
 public:
  Scanner(uint8_t a, uint8_t b, uint8_t c) : a_(vdupq_n_u8(a)), b_(vdupq_n_u8(b)), c_(vdupq_n_u8(c)) {}
  uint64_t of(const uint8_t* p) const {
    const uint8x16_t bits = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t sum0 = vpaddq_u8(vandq_u8(found(p), bits), vandq_u8(found(p + 16), bits));
    uint8x16_t sum1 = vpaddq_u8(vandq_u8(found(p + 32), bits), vandq_u8(found(p + 48), bits));
    sum0 = vpaddq_u8(sum0, sum1);
    sum0 = vpaddq_u8(sum0, sum0);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum0), 0);
  }

 private:
  uint8x16_t found(const uint8_t* p) const {
    const uint8x16_t v = vld1q_u8(p);
    return vorrq_u8(vorrq_u8(vceqq_u8(v, a_), vceqq_u8(v, b_)), vceqq_u8(v, c_));
  }
  uint8x16_t a_, b_, c_;
};
#else
class Scanner {
 public:
  Scanner(uint8_t a, uint8_t b, uint8_t c) : a_(a), b_(b), c_(c) {}
  uint64_t of(const uint8_t* p) const {
    uint64_t found = 0;
    for (size_t i = 0; i < kScanBytes; i++) found |= static_cast<uint64_t>(p[i] == a_ || p[i] == b_ || p[i] == c_) << i;
    return found;
  }

 private:
  uint8_t a_, b_, c_;
};
#endif

}  // namespace monolith
