// Assembling a batch from examples that lie in several parsed blocks. Twin: src/data/twins/gather.ts.
#include <cstring>

#include "parsers/parsers.h"

namespace monolith {
namespace {

// Picks lie anywhere in a window of tens of megabytes: each costs several cache misses, so their lines are asked for this many picks ahead.
constexpr size_t kAhead = 12;
// Offsets that tell where ids lie are asked for earlier still.
constexpr size_t kOffsetsAhead = 24;

inline void prefetch(const void* at, size_t bytes) {
  const char* p = static_cast<const char*>(at);
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i);
  __builtin_prefetch(p + bytes - 1);
}

void prefetch_row(const Block& from, size_t row) {
  const size_t dense = static_cast<size_t>(from.num_dense);
  __builtin_prefetch(from.labels + row);
  __builtin_prefetch(from.weights + row);
  if (dense > 0) prefetch(from.dense + row * dense, dense * 4);
  for (int32_t g = 0; g < from.num_groups; g++) {
    const BlockGroup& group = from.groups[g];
    const size_t features = static_cast<size_t>(group.features);
    if (features == 0) continue;
    if (group.regular) {
      prefetch(group.fids + row * features, features * 8);
      if (group.values != nullptr) prefetch(group.values + row * features, features * 4);
      continue;
    }
    const int32_t* offsets = group.offsets + row * features;
    const int32_t start = offsets[0], length = offsets[features] - start;
    if (start < 0 || length <= 0 || static_cast<int64_t>(start) + length > group.max_ids) continue;
    // A long bag is read in order: the processor sees that by itself after the first lines.
    const size_t ids = length < 64 ? static_cast<size_t>(length) : 64;
    prefetch(group.fids + start, ids * 8);
    if (group.values != nullptr) prefetch(group.values + start, ids * 4);
  }
}

void prefetch_offsets(const Block& from, size_t row) {
  for (int32_t g = 0; g < from.num_groups; g++) {
    const BlockGroup& group = from.groups[g];
    const size_t features = static_cast<size_t>(group.features);
    if (!group.regular) prefetch(group.offsets + row * features, (features + 1) * 4);
  }
}

}  // namespace

const char* gather_examples(Block* blocks, size_t num_blocks, const int32_t* picks, size_t first, size_t count, Block& out) {
  int32_t at = out.header[0];
  if (at < 0 || static_cast<int64_t>(at) + static_cast<int64_t>(count) > out.max_examples) return "more examples than the slot holds";
  for (int32_t g = 0; g < out.num_groups; g++) {
    BlockGroup& to = out.groups[g];
    to.ids = at == 0 ? 0 : out.header[kHeaderIds + g];
    if (to.ids < 0 || to.ids > to.max_ids) return "the slot's id count is wrong";
    if (at == 0) to.offsets[0] = 0;
  }
  for (size_t b = 0; b < num_blocks; b++) {
    for (int32_t g = 0; g < blocks[b].num_groups; g++) {
      BlockGroup& group = blocks[b].groups[g];
      // Only a hint, but one that must not lead outside the block.
      group.regular = (blocks[b].header[kHeaderRegular + (g >> 5)] >> (g & 31) & 1) != 0 &&
                      static_cast<int64_t>(blocks[b].max_examples) * group.features <= group.max_ids;
    }
  }
  const size_t end = first + count;
  for (size_t i = first; i < end; i++) {
    const int32_t number = picks[i * 2], row = picks[i * 2 + 1];
    if (number < 0 || static_cast<size_t>(number) >= num_blocks || row < 0 || row >= blocks[number].max_examples) return "a pick outside its block";
  }
  const size_t dense = static_cast<size_t>(out.num_dense);
  for (size_t i = first; i < end; i++, at++) {
    if (i + kOffsetsAhead < end) prefetch_offsets(blocks[picks[(i + kOffsetsAhead) * 2]], static_cast<size_t>(picks[(i + kOffsetsAhead) * 2 + 1]));
    if (i + kAhead < end) prefetch_row(blocks[picks[(i + kAhead) * 2]], static_cast<size_t>(picks[(i + kAhead) * 2 + 1]));
    const Block& from = blocks[picks[i * 2]];
    const size_t row = static_cast<size_t>(picks[i * 2 + 1]);
    out.labels[at] = from.labels[row];
    out.weights[at] = from.weights[row];
    std::memcpy(out.dense + static_cast<size_t>(at) * dense, from.dense + row * dense, dense * 4);
    for (int32_t g = 0; g < out.num_groups; g++) {
      const BlockGroup& source = from.groups[g];
      BlockGroup& to = out.groups[g];
      const size_t features = static_cast<size_t>(to.features);
      int32_t* target = to.offsets + static_cast<size_t>(at) * features;
      if (source.regular) {
        if (static_cast<int64_t>(to.ids) + to.features > to.max_ids) return "more ids than the slot holds";
        std::memcpy(to.fids + to.ids, source.fids + row * features, features * 8);
        if (to.values != nullptr) std::memcpy(to.values + to.ids, source.values + row * features, features * 4);
        for (size_t j = 1; j <= features; j++) target[j] = to.ids + static_cast<int32_t>(j);
        to.ids += to.features;
        continue;
      }
      const int32_t* offsets = source.offsets + row * features;
      const int32_t start = offsets[0], length = offsets[features] - start;
      if (start < 0 || length < 0 || static_cast<int64_t>(start) + length > source.max_ids) return "a block has wrong offsets";
      if (static_cast<int64_t>(to.ids) + length > to.max_ids) return "more ids than the slot holds";
      std::memcpy(to.fids + to.ids, source.fids + start, static_cast<size_t>(length) * 8);
      if (to.values != nullptr) std::memcpy(to.values + to.ids, source.values + start, static_cast<size_t>(length) * 4);
      const int32_t shift = to.ids - start;
      for (size_t j = 1; j <= features; j++) target[j] = offsets[j] + shift;
      to.ids += length;
    }
  }
  out.header[0] = at;
  for (int32_t g = 0; g < out.num_groups; g++) out.header[kHeaderIds + g] = out.groups[g].ids;
  return nullptr;
}

}  // namespace monolith
