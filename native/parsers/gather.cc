// Assembling a batch from examples that lie in several parsed blocks. Twin: src/data/twins/gather.ts.
#include <cstring>

#include "parsers/parsers.h"

namespace monolith {

const char* gather_examples(const Block* blocks, size_t num_blocks, const int32_t* picks, size_t first, size_t count, Block& out) {
  int32_t at = out.header[0];
  if (at < 0 || static_cast<int64_t>(at) + static_cast<int64_t>(count) > out.max_examples) return "more examples than the slot holds";
  for (int32_t g = 0; g < out.num_groups; g++) {
    BlockGroup& to = out.groups[g];
    to.ids = at == 0 ? 0 : out.header[kHeaderIds + g];
    if (to.ids < 0 || to.ids > to.max_ids) return "the slot's id count is wrong";
    if (at == 0) to.offsets[0] = 0;
  }
  const size_t dense = static_cast<size_t>(out.num_dense);
  for (size_t i = first; i < first + count; i++, at++) {
    const int32_t number = picks[i * 2], row = picks[i * 2 + 1];
    if (number < 0 || static_cast<size_t>(number) >= num_blocks || row < 0 || row >= blocks[number].max_examples) return "a pick outside its block";
    const Block& from = blocks[number];
    out.labels[at] = from.labels[row];
    out.weights[at] = from.weights[row];
    std::memcpy(out.dense + static_cast<size_t>(at) * dense, from.dense + static_cast<size_t>(row) * dense, dense * 4);
    for (int32_t g = 0; g < out.num_groups; g++) {
      const BlockGroup& source = from.groups[g];
      BlockGroup& to = out.groups[g];
      const size_t features = static_cast<size_t>(to.features);
      const int32_t* offsets = source.offsets + static_cast<size_t>(row) * features;
      const int32_t start = offsets[0], length = offsets[features] - start;
      if (start < 0 || length < 0 || static_cast<int64_t>(start) + length > source.max_ids) return "a block has wrong offsets";
      if (static_cast<int64_t>(to.ids) + length > to.max_ids) return "more ids than the slot holds";
      std::memcpy(to.fids + to.ids, source.fids + start, static_cast<size_t>(length) * 8);
      if (to.values != nullptr) std::memcpy(to.values + to.ids, source.values + start, static_cast<size_t>(length) * 4);
      int32_t* target = to.offsets + static_cast<size_t>(at) * features;
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
