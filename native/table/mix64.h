// The splitmix64 finaliser, the hash of fids everywhere (base/fid: mix64BigInt). Internal linkage: safe in .isa.cc files.
#pragma once
#include <cstdint>

namespace monolith {

static constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;

static inline uint64_t mix64(uint64_t x) {
  x += kGolden;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

}  // namespace monolith
