#include "table/row_initializer.h"

#include "table/mix64.h"

namespace monolith {
namespace ML_ISA {

void initialize_slice(InitializerKind kind, double a, double b, uint64_t key, size_t position, size_t dim, float* values) {
  switch (kind) {
    case InitializerKind::zeros:
      for (size_t i = 0; i < dim; i++) values[i] = 0.0f;
      return;
    case InitializerKind::constant:
      for (size_t i = 0; i < dim; i++) values[i] = static_cast<float>(a);
      return;
    case InitializerKind::uniform: {
      const double span = b - a;
      for (size_t i = 0; i < dim; i++) {
        const uint64_t x = mix64(key + (position + i) * kGolden);
        const double u = static_cast<double>(static_cast<int32_t>(x >> 40)) * (1.0 / 16777216.0);
        values[i] = static_cast<float>(a + span * u);
      }
      return;
    }
    case InitializerKind::normal: {
      const double unit = 1.7320508075688772 / 65535.0;
      for (size_t i = 0; i < dim; i++) {
        const uint64_t x = mix64(key + (position + i) * kGolden);
        const int32_t sum = static_cast<int32_t>((x & 0xFFFF) + ((x >> 16) & 0xFFFF) + ((x >> 32) & 0xFFFF) + (x >> 48));
        const double z = static_cast<double>(sum - 131070) * unit;
        values[i] = static_cast<float>(a + b * z);
      }
      return;
    }
  }
}

}  // namespace ML_ISA
}  // namespace monolith
