// CityHash64 v1.1 (Pike and Alakuijala, Google): the hash of every text that becomes a fid. Twin: src/base/city-hash.ts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace monolith {
namespace city {

constexpr uint64_t k0 = 0xc3a5c85c97cb3127ull, k1 = 0xb492b66fbe98f273ull, k2 = 0x9ae16a3b2f90404full;

inline uint64_t fetch64(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
inline uint32_t fetch32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
inline uint64_t rotate(uint64_t v, int shift) { return shift == 0 ? v : (v >> shift) | (v << (64 - shift)); }
inline uint64_t shift_mix(uint64_t v) { return v ^ (v >> 47); }
inline uint64_t hash16(uint64_t u, uint64_t v, uint64_t mul) {
  uint64_t a = shift_mix((u ^ v) * mul);
  return shift_mix((v ^ a) * mul) * mul;
}
inline uint64_t hash16(uint64_t u, uint64_t v) { return hash16(u, v, 0x9ddfea08eb382d69ull); }

inline uint64_t hash_0_to_16(const uint8_t* s, size_t length) {
  if (length >= 8) {
    uint64_t mul = k2 + length * 2, a = fetch64(s) + k2, b = fetch64(s + length - 8);
    return hash16(rotate(b, 37) * mul + a, (rotate(a, 25) + b) * mul, mul);
  }
  if (length >= 4) {
    uint64_t mul = k2 + length * 2, a = fetch32(s);
    return hash16(length + (a << 3), fetch32(s + length - 4), mul);
  }
  if (length > 0) {
    uint32_t y = static_cast<uint32_t>(s[0]) + (static_cast<uint32_t>(s[length >> 1]) << 8);
    uint32_t z = static_cast<uint32_t>(length) + (static_cast<uint32_t>(s[length - 1]) << 2);
    return shift_mix(y * k2 ^ z * k0) * k2;
  }
  return k2;
}

inline uint64_t hash_17_to_32(const uint8_t* s, size_t length) {
  uint64_t mul = k2 + length * 2, a = fetch64(s) * k1, b = fetch64(s + 8), c = fetch64(s + length - 8) * mul, d = fetch64(s + length - 16) * k2;
  return hash16(rotate(a + b, 43) + rotate(c, 30) + d, a + rotate(b + k2, 18) + c, mul);
}

inline uint64_t hash_33_to_64(const uint8_t* s, size_t length) {
  uint64_t mul = k2 + length * 2, a = fetch64(s) * k2, b = fetch64(s + 8), c = fetch64(s + length - 24), d = fetch64(s + length - 32);
  uint64_t e = fetch64(s + 16) * k2, f = fetch64(s + 24) * 9, g = fetch64(s + length - 8), h = fetch64(s + length - 16) * mul;
  uint64_t u = rotate(a + g, 43) + (rotate(b, 30) + c) * 9, v = ((a + g) ^ d) + f + 1;
  uint64_t w = __builtin_bswap64((u + v) * mul) + h, x = rotate(e + f, 42) + c;
  uint64_t y = (__builtin_bswap64((v + w) * mul) + g) * mul, z = e + f + c;
  a = __builtin_bswap64((x + z) * mul + y) + b;
  b = shift_mix((z + a) * mul + d + h) * mul;
  return b + x;
}

using Pair = std::pair<uint64_t, uint64_t>;
inline Pair weak32(const uint8_t* s, uint64_t a, uint64_t b) {
  uint64_t w = fetch64(s), x = fetch64(s + 8), y = fetch64(s + 16), z = fetch64(s + 24);
  a += w;
  b = rotate(b + a + z, 21);
  uint64_t c = a;
  a += x + y;
  b += rotate(a, 44);
  return {a + z, b + c};
}

}  // namespace city

inline uint64_t city_hash64(const uint8_t* s, size_t length) {
  using namespace city;
  if (length <= 16) return hash_0_to_16(s, length);
  if (length <= 32) return hash_17_to_32(s, length);
  if (length <= 64) return hash_33_to_64(s, length);
  uint64_t x = fetch64(s + length - 40), y = fetch64(s + length - 16) + fetch64(s + length - 56);
  uint64_t z = hash16(fetch64(s + length - 48) + length, fetch64(s + length - 24));
  Pair v = weak32(s + length - 64, length, z), w = weak32(s + length - 32, y + k1, x);
  x = x * k1 + fetch64(s);
  size_t left = (length - 1) & ~static_cast<size_t>(63);
  do {
    x = rotate(x + y + v.first + fetch64(s + 8), 37) * k1;
    y = rotate(y + v.second + fetch64(s + 48), 42) * k1;
    x ^= w.second;
    y += v.first + fetch64(s + 40);
    z = rotate(z + w.first, 33) * k1;
    v = weak32(s, v.second * k1, x + w.first);
    w = weak32(s + 32, z + w.second, y + fetch64(s + 16));
    std::swap(z, x);
    s += 64;
    left -= 64;
  } while (left != 0);
  return hash16(hash16(v.first, w.first) + shift_mix(y) * k1 + z, hash16(v.second, w.second) + x);
}

}  // namespace monolith
