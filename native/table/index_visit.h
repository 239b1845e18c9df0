// Going through the rows of a bucket in the index.
#pragma once
#include "table/index_line.h"
#include "table/mix64.h"

namespace monolith {

template <typename Visit>
void visit_lines(const Partition& partition, uint32_t bits, uint64_t bucket, Visit visit) {
  const bool whole = bits <= partition.depth;
  // Homes of the bucket, then on to the first line with an empty entry behind them: displaced entries end there.
  const uint64_t first = whole ? 0 : bucket << (64 - bits);
  const size_t begin = whole ? 0 : home_line(partition, first);
  const size_t last = whole ? partition.num_lines - 1 : home_line(partition, first + ((uint64_t{1} << (64 - bits)) - 1));
  size_t line = begin;
  bool behind = false;
  for (size_t steps = 0; steps < partition.num_lines; steps++) {
    const IndexLine& entries = partition.lines[line];
    const size_t count = entries.count;
    for (size_t j = 0; j < count; j++) {
      if (whole || mix64(entries.fid[j]) >> (64 - bits) == bucket) visit(entries.fid[j], entries.row1[j] - 1);
    }
    behind = behind || line == last;
    if (behind && (whole || count < kLineEntries)) return;
    if (++line == partition.num_lines) line = 0;
  }
}

// visit(fid, row) for every row of a bucket, in no order that a caller may rely on.
template <typename Visit>
void visit_bucket(const IndexView& index, uint32_t bits, uint64_t bucket, Visit visit) {
  const uint32_t depth = index.depth;
  size_t slot = bits <= depth ? static_cast<size_t>(bucket << (depth - bits)) : static_cast<size_t>(bucket >> (bits - depth));
  const size_t end = bits <= depth ? static_cast<size_t>((bucket + 1) << (depth - bits)) : slot + 1;
  while (slot < end) {
    const Partition& partition = index.directory[slot];
    visit_lines(partition, bits, bucket, visit);
    slot = first_slot(slot, depth, partition.depth) + (size_t{1} << (depth - partition.depth));
  }
}

}  // namespace monolith
