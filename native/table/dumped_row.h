// Rows on their way out, in ascending order of unsigned fid.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

struct DumpedRow {
  uint64_t fid;
  uint32_t row;
  // Which of several tables holds it.
  uint32_t source;
};

// Least-significant-byte radix sort by fid; `items` and `other` hold count each, the result is in the returned one.
inline DumpedRow* sort_by_fid(DumpedRow* items, DumpedRow* other, size_t count) {
  for (uint32_t shift = 0; shift < 64; shift += 8) {
    size_t starts[257] = {0};
    for (size_t i = 0; i < count; i++) starts[((items[i].fid >> shift) & 255) + 1]++;
    bool one = false;
    for (size_t b = 1; b <= 256; b++) one = one || starts[b] == count;
    if (one) continue;
    for (size_t b = 1; b <= 256; b++) starts[b] += starts[b - 1];
    for (size_t i = 0; i < count; i++) other[starts[(items[i].fid >> shift) & 255]++] = items[i];
    DumpedRow* swap = items;
    items = other;
    other = swap;
  }
  return items;
}

}  // namespace monolith
