// Bringing looked-up rows up to date after an update, without searching the index again.
#include <cstring>

#include "table/prefetch.h"
#include "table/table.h"

namespace monolith {
namespace {

// Bits a named row has in the set: few enough collisions that hardly a row is copied for nothing.
constexpr size_t kBitsPerRow = 16;
constexpr size_t kBlock = 64;

}  // namespace

bool Table::name_rows(size_t sources, const int32_t* const* handles, const int32_t* counts) {
  size_t total = 0;
  for (size_t s = 0; s < sources; s++) total += static_cast<size_t>(counts[s]);
  named_log2_ = 12;
  while ((size_t{1} << named_log2_) < kBitsPerRow * total) named_log2_++;
  const size_t bytes = (size_t{1} << named_log2_) / 8;
  if (named_.bytes() < bytes && !named_.allocate(bytes)) return false;
  std::memset(named_.data(), 0, bytes);
  uint64_t* words = static_cast<uint64_t*>(named_.data());
  for (size_t s = 0; s < sources; s++) {
    for (size_t i = 0; i < static_cast<size_t>(counts[s]); i++) {
      const int32_t row = handles[s][i];
      if (row < 0) continue;
      const uint32_t bit = (static_cast<uint32_t>(row) * 0x9E3779B1u) >> (32 - named_log2_);
      words[bit >> 6] |= uint64_t{1} << (bit & 63);
    }
  }
  return true;
}

void Table::refresh_named(const int32_t* handles, size_t count, float* rows) const {
  const uint64_t* words = static_cast<const uint64_t*>(named_.data());
  const size_t bytes = dim_ * value_bytes(format_);
  const RowSpace rows_at = space();
  uint32_t found[kBlock];
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t end = first + kBlock < count ? first + kBlock : count;
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
      const uint32_t row = static_cast<uint32_t>(handles[i]);
      const uint32_t bit = (row * 0x9E3779B1u) >> (32 - named_log2_);
      found[n] = static_cast<uint32_t>(i);
      n += handles[i] >= 0 ? (words[bit >> 6] >> (bit & 63)) & 1 : 0;
    }
    for (size_t j = 0; j < n; j++) {
      const char* values = values_.at_byte(static_cast<uint32_t>(handles[found[j]]));
      for (size_t at = 0; at < bytes; at += 64) ML_PREFETCH(values + at);
    }
    if (half()) {
      for (size_t j = 0; j < n; j++) read_values(rows_at, static_cast<uint32_t>(handles[found[j]]), rows + found[j] * dim_);
      continue;
    }
    for (size_t j = 0; j < n; j++) {
      const size_t i = found[j];
      std::memcpy(rows + i * dim_, row_values(rows_at, static_cast<uint32_t>(handles[i])), bytes);
    }
  }
}

}  // namespace monolith
