// CRC-32C (Castagnoli) and TFRecord's masked form. Twin: src/base/crc32c.ts.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

uint32_t crc32c(const uint8_t* data, size_t length);

inline uint32_t masked_crc32c(const uint8_t* data, size_t length) {
  uint32_t crc = crc32c(data, length);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

}  // namespace monolith
