// Working memory of the calling thread: grown on first use, kept for the next call, freed when the thread ends.
#pragma once
#include <stddef.h>

namespace monolith {

enum class Scratch { pack_a = 0, pack_b = 1, tile = 2, convert = 3 };

// At least `floats` float32, 64-byte aligned, contents undefined; nullptr when memory is out. Valid until the next call with the same slot.
float* scratch(Scratch slot, size_t floats);

}  // namespace monolith
