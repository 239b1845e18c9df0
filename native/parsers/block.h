// The columns of a batch slot (src/tensor/batch.ts) and of a parsed block: a batch slot with flags and a bad list behind it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "parsers/program.h"

namespace monolith {

constexpr int kHeaderWords = 64, kHeaderIds = 8, kMaxGroups = kHeaderWords - kHeaderIds;
// Two words of a parsed block's header: bit g says that every bag of group g holds one id, so that offsets need not be read.
constexpr int kHeaderRegular = 2;

struct BlockGroup {
  int64_t* fids = nullptr;
  int32_t* offsets = nullptr;
  float* values = nullptr;
  int32_t features = 0;
  int32_t max_ids = 0;
  int32_t ids = 0;
  bool regular = false;
};

struct Block {
  int32_t* header = nullptr;
  float* labels = nullptr;
  float* weights = nullptr;
  float* dense = nullptr;
  uint8_t* flags = nullptr;
  int32_t* bad = nullptr;
  int32_t max_examples = 0;
  int32_t num_dense = 0;
  int32_t num_groups = 0;
  BlockGroup groups[kMaxGroups];
};

// Lays a block over `data`.
//   common  [numDense, numGroups, features_0, hasValues_0, …]
//   shape   [maxExamples, maxIds_0, …]
// Null: fine; else what is wrong.
inline const char* bind_block(uint8_t* data, size_t length, const int32_t* common, size_t common_length, const int32_t* shape, size_t shape_length,
                              bool parsed, Block* block) {
  if (common_length < 2 || common[0] < 0 || common[1] < 0 || common[1] > kMaxGroups) return "layout has wrong counts";
  const size_t groups = static_cast<size_t>(common[1]);
  if (common_length < 2 + groups * 2 || shape_length < 1 + groups || shape[0] < 0) return "layout is too short";
  if ((reinterpret_cast<uintptr_t>(data) & 7) != 0) return "block is not aligned";
  uint64_t at = 0;
  auto take = [&](uint64_t bytes) {
    uint64_t start = at;
    at += (bytes + 63) & ~63ull;
    return data + start;
  };
  const uint64_t n = static_cast<uint64_t>(shape[0]), dense = static_cast<uint64_t>(common[0]);
  if (dense > 0 && n > (1ull << 40) / dense) return "layout is too large";
  block->max_examples = shape[0];
  block->num_dense = common[0];
  block->num_groups = common[1];
  block->header = reinterpret_cast<int32_t*>(take(kHeaderWords * 4));
  block->labels = reinterpret_cast<float*>(take(n * 4));
  block->weights = reinterpret_cast<float*>(take(n * 4));
  block->dense = reinterpret_cast<float*>(take(n * dense * 4));
  for (size_t g = 0; g < groups; g++) {
    BlockGroup& group = block->groups[g];
    group.features = common[2 + g * 2];
    group.max_ids = shape[1 + g];
    if (group.features < 0 || group.max_ids < 0 || n * static_cast<uint64_t>(group.features) > 0x7ffffff0ull) return "layout has a wrong group";
    group.fids = reinterpret_cast<int64_t*>(take(static_cast<uint64_t>(group.max_ids) * 8));
    group.offsets = reinterpret_cast<int32_t*>(take((n * static_cast<uint64_t>(group.features) + 1) * 4));
    group.values = common[3 + g * 2] != 0 ? reinterpret_cast<float*>(take(static_cast<uint64_t>(group.max_ids) * 4)) : nullptr;
    group.ids = 0;
  }
  if (parsed) {
    block->flags = take(n);
    block->bad = reinterpret_cast<int32_t*>(take(kBadWords * kBadEntries * 4));
  }
  return at <= length ? nullptr : "block is shorter than its layout";
}

}  // namespace monolith
