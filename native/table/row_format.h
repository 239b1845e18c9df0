// How the values of a table's rows are stored. Optimizer state is always float32.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

enum class RowFormat : uint32_t { fp32 = 0, bf16 = 1, fp16 = 2 };
constexpr uint32_t kNumRowFormats = 3;

static inline size_t value_bytes(RowFormat format) { return format == RowFormat::fp32 ? sizeof(float) : sizeof(uint16_t); }

}  // namespace monolith
