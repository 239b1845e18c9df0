// A parsed block's examples in few bytes, and back. The form stands in docs/formats/data.md; twin: src/data/twins/pack.ts.
#pragma once
#include "parsers/block.h"

namespace monolith {

enum PackedBits : uint32_t { kPackedWeights = 1, kPackedFlags = 2 };
// Head of a group: bits 0–1 how bags' lengths are stored, bits 2–3 how ids are, bit 4 whether values follow.
enum PackedLengths : uint32_t { kLengthsOne = 0, kLengths8 = 1, kLengths32 = 2 };
enum PackedIds : uint32_t { kIdsWhole = 0, kIds32 = 1, kIds48 = 2 };
constexpr uint32_t kGroupValues = 16;
enum UnpackResult : int32_t { kUnpacked = 0, kUnpackChecksum = 1, kUnpackMalformed = 2 };

// Null: fine, *length bytes written to `out`; else what is wrong. Trusts nothing but the sizes of the block.
const char* pack_block(const Block& block, uint8_t* out, size_t capacity, size_t* length);

// Fills `block`, which must have room. A result other than kUnpacked leaves it undefined.
int32_t unpack_block(const uint8_t* data, size_t length, uint32_t checksum, Block& block);

}  // namespace monolith
