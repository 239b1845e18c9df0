#include "table/gather.h"

#include <cstring>

#include "table/prefetch.h"

namespace monolith {

void gather_rows(const float* rows, size_t length, const int32_t* indices, size_t count, float* out) {
  constexpr size_t kAhead = 48;
  const size_t bytes = length * sizeof(float);
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) {
      const char* ahead = reinterpret_cast<const char*>(rows + static_cast<size_t>(indices[i + kAhead]) * length);
      for (size_t offset = 0; offset < bytes; offset += 64) ML_PREFETCH(ahead + offset);
    }
    const float* row = rows + static_cast<size_t>(indices[i]) * length;
    if (bytes == 64) {
      std::memcpy(out + i * length, row, 64);
    } else {
      std::memcpy(out + i * length, row, bytes);
    }
  }
}

}  // namespace monolith
