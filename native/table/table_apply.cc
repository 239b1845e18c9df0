// Updates: one source goes straight to the rows; several are merged by row first, keeping the order of sources.
#include <cstring>

#include "table/rounding_noise.h"
#include "table/table.h"

namespace monolith {
namespace {

// Of the hash of rows: a number in the list of merged rows. Four bytes, so that the hash of a usual batch stays in the second-level cache.
constexpr uint32_t kNone = 0xFFFFFFFF;

}  // namespace

int64_t Table::apply(size_t sources, const int32_t* const* handles, const int32_t* counts, const float* const* gradients, const float* rates,
                     float clip, const uint64_t* const* fids, uint64_t step) {
  const RowUpdatePlan plan = update_plan();
  float* const widened = static_cast<float*>(widened_.data());
  const HalfRounding rounding = {seed_, step_key(step), widened, reinterpret_cast<uint16_t*>(widened + half_work_floats(dim_))};
  size_t total = 0;
  size_t named = 0;
  size_t only = 0;
  for (size_t s = 0; s < sources; s++) {
    if (counts[s] == 0) continue;
    total += static_cast<size_t>(counts[s]);
    named++;
    only = s;
  }
  if (named == 0) return 0;
  if (total > most_applied_) most_applied_ = total;
  for (size_t s = 0; s < sources && frozen_ != nullptr; s++) keep_rows(handles[s], static_cast<size_t>(counts[s]));
  if (named == 1) {
    const size_t count = static_cast<size_t>(counts[only]);
    const size_t updated =
        half() ? update_half_rows_(plan, space(), rounding, handles[only], fids[only], count, gradients[only], rates, clip)
               : update_rows_(plan, space(), handles[only], count, gradients[only], rates, clip);
    return static_cast<int64_t>(updated);
  }
  const int64_t rows = half() ? merge<true>(sources, handles, counts, gradients, total, fids)
                              : merge<false>(sources, handles, counts, gradients, total, nullptr);
  if (rows < 0) return rows;
  const GradientPart* parts = static_cast<const GradientPart*>(merge_parts_.data());
  const MergedRow* merged = static_cast<const MergedRow*>(merge_rows_.data());
  if (half()) {
    const uint64_t* merged_fids = static_cast<const uint64_t*>(merge_fids_.data());
    update_half_merged_(plan, space(), rounding, merged, merged_fids, static_cast<size_t>(rows), parts, rates, clip);
  } else {
    update_merged_(plan, space(), merged, static_cast<size_t>(rows), parts, rates, clip);
  }
  return rows;
}

template <bool Half>
int64_t Table::merge(size_t sources, const int32_t* const* handles, const int32_t* counts, const float* const* gradients, size_t total,
                     const uint64_t* const* fids) {
  uint32_t log2 = 6;
  while ((size_t{1} << log2) < 2 * total) log2++;
  const size_t capacity = size_t{1} << log2;
  if (merge_hash_.bytes() < capacity * sizeof(uint32_t) && !merge_hash_.allocate(capacity * sizeof(uint32_t))) return kNoMemory;
  if (merge_parts_.bytes() < total * sizeof(GradientPart) && !merge_parts_.allocate(capacity * sizeof(GradientPart))) return kNoMemory;
  if (merge_rows_.bytes() < total * sizeof(MergedRow) && !merge_rows_.allocate(capacity * sizeof(MergedRow))) return kNoMemory;
  if (Half && merge_fids_.bytes() < total * sizeof(uint64_t) && !merge_fids_.allocate(capacity * sizeof(uint64_t))) return kNoMemory;
  uint32_t* table = static_cast<uint32_t*>(merge_hash_.data());
  std::memset(table, 0xFF, capacity * sizeof(uint32_t));
  GradientPart* parts = static_cast<GradientPart*>(merge_parts_.data());
  MergedRow* merged = static_cast<MergedRow*>(merge_rows_.data());
  size_t num_parts = 0;
  size_t num_rows = 0;
  for (size_t s = 0; s < sources; s++) {
    const float* gradient = gradients[s];
    for (size_t i = 0; i < static_cast<size_t>(counts[s]); i++, gradient += dim_) {
      if (handles[s][i] < 0) continue;
      const uint32_t row = static_cast<uint32_t>(handles[s][i]);
      const int32_t part = static_cast<int32_t>(num_parts++);
      parts[part] = {gradient, -1};
      size_t position = static_cast<size_t>(row * 0x9E3779B1u) >> (32 - log2);
      while (table[position] != kNone && merged[table[position]].row != row) position = (position + 1) & (capacity - 1);
      if (table[position] != kNone) {
        MergedRow& known = merged[table[position]];
        parts[known.last].next = part;
        known.last = part;
      } else {
        table[position] = static_cast<uint32_t>(num_rows);
        if constexpr (Half) static_cast<uint64_t*>(merge_fids_.data())[num_rows] = fids[s][i];
        merged[num_rows++] = {row, part, part};
      }
    }
  }
  return static_cast<int64_t>(num_rows);
}

}  // namespace monolith
