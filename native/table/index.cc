#include "table/index.h"

#include <cmath>
#include <cstring>
#include <new>

namespace monolith {
namespace {

// At which load a partition grows, and how much.
struct Filling {
  double most_load;
  double growth;
};
// Up to some 30 million rows of a shard: the mean load is about 0.6 and the lines take 21 bytes a row, but few ids are not found in their home lines and new
// ones go in fast. Beyond, memory counts: the mean load is 0.865 and lines take 14.8 bytes a row, 16 to 17 with what lies free between them.
constexpr Filling kLoose = {0.75, 1.5};
constexpr Filling kTight = {0.93, 1.15};
constexpr uint32_t kLooseDepth = 8;

constexpr const Filling& filling(uint32_t depth) { return depth <= kLooseDepth ? kLoose : kTight; }

// A table starts with 1 KiB and doubles up to 64 KiB.
constexpr size_t kFirstLines = 16;
constexpr size_t kSmallLines = 1024;
// 2 MiB: growing one takes a millisecond or two, and the directory for 100 million rows is 32 KiB.
constexpr size_t kMostLines = 32768;
// Beyond it, hashes agree in so many bits that splitting would not help: partitions just get longer.
constexpr uint32_t kMostDepth = 16;

// Adds a fid that is not there yet.
inline void add_new(const Partition& partition, uint64_t fid, uint64_t hash, uint32_t row1) {
  for (size_t line = home_line(partition, hash);;) {
    IndexLine& entries = partition.lines[line];
    const uint32_t j = entries.count;
    if (j < kLineEntries) {
      entries.count = j + 1;
      entries.fid[j] = fid;
      entries.row1[j] = row1;
      return;
    }
    if (++line == partition.num_lines) line = 0;
  }
}

size_t lines_for(double rows, uint32_t depth) { return static_cast<size_t>(rows / (filling(depth).most_load * kLineEntries)) + 1; }
uint32_t limit_of(const Partition& partition) {
  return static_cast<uint32_t>(static_cast<double>(partition.num_lines * kLineEntries) * filling(partition.depth).most_load);
}

// Place of a partition in the period of growth, [0, 1): its prefix bits as a binary fraction, first bit a half.
double phase(size_t slot, uint32_t directory_depth, uint32_t depth) {
  double sum = 0;
  for (uint32_t bit = 1; bit <= depth; bit++) {
    if ((slot >> (directory_depth - bit) & 1) != 0) sum += std::ldexp(1.0, -static_cast<int>(bit));
  }
  return sum;
}

}  // namespace

bool Index::start() {
  if (!directory_.allocate(sizeof(Partition)) || !use_.allocate(sizeof(PartitionUse))) return false;
  IndexLine* lines = arena_.allocate(kFirstLines);
  if (lines == nullptr) return false;
  depth_ = 0;
  set(0, {lines, static_cast<uint32_t>(kFirstLines), 0}, 0);
  return true;
}

void Index::release() {
  if (directory_.bytes() == 0) return;
  for (size_t slot = 0; slot < size_t{1} << depth_;) {
    const Partition partition = directory()[slot];
    arena_.release(partition.lines, partition.num_lines);
    slot += size_t{1} << (depth_ - partition.depth);
  }
  directory_.release();
  use_.release();
}

Index::~Index() {
  release();
  keep_old(false);
}

void Index::keep_old(bool keep) {
  keeping_ = keep;
  if (keep) return;
  while (old_ != nullptr) {
    OldLines* old = old_;
    old_ = old->next;
    arena_.release(old->lines, old->num_lines);
    delete old;
  }
  delete spare_;
  spare_ = nullptr;
}

bool Index::can_retire() {
  if (keeping_ && spare_ == nullptr) spare_ = new (std::nothrow) OldLines();
  return !keeping_ || spare_ != nullptr;
}

void Index::retire(const Partition& partition) {
  if (!keeping_) {
    arena_.release(partition.lines, partition.num_lines);
    return;
  }
  *spare_ = {old_, partition.lines, partition.num_lines};
  old_ = spare_;
  spare_ = nullptr;
}

bool Index::clear() {
  PageBlock directory;
  PageBlock use;
  IndexLine* lines = arena_.allocate(kFirstLines);
  if (lines == nullptr) return false;
  if (!directory.allocate(sizeof(Partition)) || !use.allocate(sizeof(PartitionUse))) {
    arena_.release(lines, kFirstLines);
    return false;
  }
  release();
  directory_.swap(directory);
  use_.swap(use);
  depth_ = 0;
  set(0, {lines, static_cast<uint32_t>(kFirstLines), 0}, 0);
  return true;
}

void Index::set(size_t slot, const Partition& partition, size_t rows) {
  const size_t first = first_slot(slot, depth_, partition.depth);
  const size_t end = first + (size_t{1} << (depth_ - partition.depth));
  for (size_t i = first; i < end; i++) directory()[i] = partition;
  use()[first] = {static_cast<uint32_t>(rows), limit_of(partition), 0};
}

bool Index::double_directory() {
  const size_t entries = size_t{1} << depth_;
  PageBlock directory;
  PageBlock use;
  if (!directory.allocate(2 * entries * sizeof(Partition)) || !use.allocate(2 * entries * sizeof(PartitionUse))) return false;
  Partition* partitions = static_cast<Partition*>(directory.data());
  PartitionUse* uses = static_cast<PartitionUse*>(use.data());
  for (size_t i = 0; i < entries; i++) {
    partitions[2 * i] = this->directory()[i];
    partitions[2 * i + 1] = this->directory()[i];
    uses[2 * i] = this->use()[i];
  }
  directory_.swap(directory);
  use_.swap(use);
  depth_++;
  return true;
}

void Index::move_rows(const Partition& from, const Partition* to, size_t* counts) {
  const uint32_t depth = to[0].depth;
  const bool one = depth == from.depth;
  for (size_t line = 0; line < from.num_lines; line++) {
    const IndexLine& entries = from.lines[line];
    for (size_t j = 0; j < entries.count; j++) {
      const uint64_t hash = mix64(entries.fid[j]);
      const size_t child = one ? 0 : static_cast<size_t>(hash >> (64 - depth)) & 1;
      add_new(to[child], entries.fid[j], hash, entries.row1[j]);
      counts[child]++;
    }
  }
}

bool Index::split(size_t slot, size_t rows) {
  if (!can_retire()) return false;
  const Partition old = directory()[slot];
  if (old.depth == depth_) {
    if (!double_directory()) return false;
    slot *= 2;
  }
  slot = first_slot(slot, depth_, old.depth);
  const uint32_t depth = old.depth + 1;
  Partition children[2];
  for (size_t child = 0; child < 2; child++) {
    // The left child has just grown; the right one, whose phase is later by 2^-depth of a period, will be the next of the two to grow. A child that is
    // still too long is split in its turn. One that gets more than its share of the rows must hold them, so it never starts beyond half full.
    const double room = std::pow(filling(depth).growth, child == 0 ? 1.0 : 1.0 - std::ldexp(1.0, -static_cast<int>(depth)));
    size_t lines = lines_for(static_cast<double>(rows) / 2 * room, depth);
    if (lines > kMostLines) lines = kMostLines;
    children[child] = {nullptr, static_cast<uint32_t>(lines), depth};
  }
  size_t counts[2] = {0, 0};
  for (size_t line = 0; line < old.num_lines; line++) {
    for (size_t j = 0; j < old.lines[line].count; j++) counts[(mix64(old.lines[line].fid[j]) >> (64 - depth)) & 1]++;
  }
  for (size_t child = 0; child < 2; child++) {
    const size_t fitting = lines_for(static_cast<double>(counts[child]), depth);
    if (children[child].num_lines < fitting) children[child].num_lines = static_cast<uint32_t>(fitting);
    children[child].lines = arena_.allocate(children[child].num_lines);
    if (children[child].lines == nullptr) {
      if (child == 1) arena_.release(children[0].lines, children[0].num_lines);
      return false;
    }
  }
  size_t moved[2] = {0, 0};
  move_rows(old, children, moved);
  const size_t half = size_t{1} << (depth_ - depth);
  set(slot, children[0], moved[0]);
  set(slot + half, children[1], moved[1]);
  retire(old);
  return true;
}

bool Index::grow(size_t slot, size_t rows) {
  const Partition old = directory()[slot];
  size_t lines = lines_for(static_cast<double>(rows), old.depth);
  const size_t step = old.num_lines < kSmallLines ? size_t{2} * old.num_lines : static_cast<size_t>(old.num_lines * filling(old.depth).growth);
  if (lines < step) lines = step;
  if (lines > kMostLines && old.depth < kMostDepth) return split(slot, rows);
  if (!can_retire()) return false;
  const Partition grown = {arena_.allocate(lines), static_cast<uint32_t>(lines), old.depth};
  if (grown.lines == nullptr) return false;
  size_t moved = 0;
  move_rows(old, &grown, &moved);
  set(slot, grown, moved);
  retire(old);
  return true;
}

bool Index::reserve(size_t rows) {
  for (size_t slot = 0; slot < size_t{1} << depth_;) {
    const Partition& partition = directory()[slot];
    const size_t first = first_slot(slot, depth_, partition.depth);
    const double share = std::ldexp(static_cast<double>(rows), -static_cast<int>(partition.depth));
    // Four deviations more than the mean.
    const double most = share + 4 * std::sqrt(share);
    if (rows == 0 || most <= use()[first].limit) {
      slot = first + (size_t{1} << (depth_ - partition.depth));
      continue;
    }
    const uint32_t before = depth_;
    if (!grow(first, static_cast<size_t>(most * std::pow(filling(partition.depth).growth, phase(first, depth_, partition.depth))) + 1)) return false;
    slot = first << (depth_ - before);
  }
  return true;
}

bool Index::prepare(const uint64_t* fids, const int32_t* handles, size_t count) {
  for (;;) {
    for (size_t i = 0; i < count; i++) {
      if (handles != nullptr && handles[i] >= 0) continue;
      const size_t slot = directory_slot(mix64(fids[i]), depth_);
      use()[first_slot(slot, depth_, directory()[slot].depth)].pending++;
    }
    bool changed = false;
    for (size_t slot = 0; slot < size_t{1} << depth_;) {
      PartitionUse& use = this->use()[slot];
      const size_t wanted = size_t{use.rows} + use.pending;
      use.pending = 0;
      const uint32_t before = depth_;
      if (wanted > use.limit) {
        changed = true;
        if (!grow(slot, wanted)) {
          for (size_t i = 0; i < size_t{1} << depth_; i++) this->use()[i].pending = 0;
          return false;
        }
        slot <<= depth_ - before;
      }
      slot += size_t{1} << (depth_ - directory()[slot].depth);
    }
    if (!changed) return true;
  }
}

}  // namespace monolith
