// Ids that are computed from values rather than hashed from one text. Twin: src/data/twins/derived.ts.
#pragma once
#include <cmath>
#include <cstring>

#include "parsers/city_hash.h"
#include "parsers/number_text.h"
#include "parsers/program.h"

namespace monolith {

// The bucket of a number; `op` is that of the bucketized feature, its constants those of the action.
inline int64_t bucket_of(const Program& program, int32_t op, const int32_t* a, bool missing, double value) {
  const bool nothing_there = missing || value != value;
  if (op == OP_LOG2_SQUARED) {
    if (nothing_there) return kMissingBucket;
    if (value > 2) {
      const double log = natural_log(value), squared = std::floor(log * log);
      return kLargeOffset + (squared < kLargestBucket ? static_cast<int64_t>(squared) : kLargestBucket);
    }
    const double whole = std::trunc(value);
    return kSmallOffset + (whole > kSmallest ? static_cast<int64_t>(whole) : kSmallest);
  }
  const double* bounds = program.constants + a[A_CONSTANT_FIRST];
  const int32_t count = a[A_CONSTANT_COUNT];
  if (nothing_there) return count + 1;
  int32_t low = 0, high = count;
  while (low < high) {
    const int32_t middle = (low + high) >> 1;
    if (bounds[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The ids of the parts of one cross, as they come.
struct CrossIds {
  bool missing = false;
  // 48-bit ids, 8 bytes each, little-endian
  uint8_t bytes[kMaxCrossParts * 8];

  void add(int32_t k, uint64_t id) {
    id &= 0xffffffffffffull;
    std::memcpy(bytes + k * 8, &id, 8);
  }
};

}  // namespace monolith
