#include "simd/scratch.h"

#include <cstdint>
#include <cstdlib>

namespace monolith {
namespace {

struct Buffer {
  float* data = nullptr;
  size_t floats = 0;
  ~Buffer() { std::free(data); }
};

// Storage grows to the next of these steps, so that a few shapes settle it.
constexpr size_t kStep = 16384;

}  // namespace

float* scratch(Scratch slot, size_t floats) {
  static thread_local Buffer buffers[4];
  Buffer& buffer = buffers[static_cast<int>(slot)];
  if (floats <= buffer.floats) return buffer.data;
  if (floats > SIZE_MAX / 8) return nullptr;
  const size_t rounded = (floats + kStep - 1) / kStep * kStep;
  void* fresh = nullptr;
  if (posix_memalign(&fresh, 64, rounded * sizeof(float)) != 0) return nullptr;
  std::free(buffer.data);
  buffer.data = static_cast<float*>(fresh);
  buffer.floats = rounded;
  return buffer.data;
}

}  // namespace monolith
