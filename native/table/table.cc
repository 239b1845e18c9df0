#include "table/table.h"

#include <cstring>

#include "table/mix64.h"
#include "table/prefetch.h"

namespace monolith {
namespace {

// Load bound of the index, in tenths.
constexpr size_t kLoadTenths = 8;
constexpr size_t kFirstLines = 256;

}  // namespace

void Table::add_slice(size_t dim, InitializerSpec initializer, OptimizerKind kind, const double* hyper) {
  // State offsets are known once all values are: finish() moves them behind the values.
  slices_[num_slices_] = make_slice_update(kind, dim, dim_, record_ - dim_, hyper);
  initializers_[num_slices_] = initializer;
  num_slices_++;
  const size_t state = monolith::state_length(kind, dim);
  dim_ += dim;
  record_ += dim + state;
}

bool Table::finish(uint64_t seed, uint32_t segment_shift, size_t max_rows) {
  max_rows_ = max_rows;
  seed_ = seed;
  shift_ = segment_shift;
  mask_ = static_cast<uint32_t>((uint64_t{1} << segment_shift) - 1);
  // A multiple of 16 bytes; records of a whole number of 64-byte lines start on a line, since segments do.
  stride_ = (record_ + 3) & ~size_t{3};
  if (!initial_state_.allocate((record_ - dim_ + 1) * sizeof(float)) || !gradient_.allocate(dim_ * sizeof(float))) return false;
  float* state = static_cast<float*>(initial_state_.data());
  for (size_t k = 0; k < num_slices_; k++) {
    initial_state(slices_[k], state + slices_[k].state_offset);
    slices_[k].state_offset += static_cast<uint32_t>(dim_);
  }
  lookup_rows_ = ML_CHOOSE(lookup_rows);
  create_rows_ = ML_CHOOSE(create_rows);
  count_missing_ = ML_CHOOSE(count_missing);
  initialize_slice_ = ML_CHOOSE(initialize_slice);
  update_rows_ = ML_CHOOSE(update_rows);
  update_merged_ = ML_CHOOSE(update_merged);
  return reserve_index(1);
}

size_t Table::room() const {
  const size_t rows = num_segments_ << shift_;
  const size_t fitting = rows < limit_ ? rows : limit_;
  return fitting < max_rows_ ? fitting : max_rows_;
}

bool Table::add_segment(void* memory, size_t bytes) {
  const uintptr_t base = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t aligned = (base + 63) & ~uintptr_t{63};
  if (aligned - base > bytes || bytes - (aligned - base) < segment_bytes()) return false;
  const size_t words = (((num_segments_ + 1) << shift_) + 63) / 64;
  if (dirty_.bytes() < words * sizeof(uint64_t)) {
    PageBlock dirty;
    if (!dirty.allocate(words * sizeof(uint64_t) * 3 / 2)) return false;
    if (dirty_.bytes() != 0) std::memcpy(dirty.data(), dirty_.data(), dirty_.bytes());
    dirty_.swap(dirty);
  }
  if (segments_.bytes() < (num_segments_ + 1) * sizeof(float*)) {
    PageBlock segments;
    if (!segments.allocate((num_segments_ + 8) * 2 * sizeof(float*))) return false;
    if (num_segments_ != 0) std::memcpy(segments.data(), segments_.data(), num_segments_ * sizeof(float*));
    segments_.swap(segments);
  }
  advise_huge_pages(memory, bytes);
  static_cast<float**>(segments_.data())[num_segments_++] = reinterpret_cast<float*>(aligned);
  return true;
}

bool Table::reserve_index(size_t rows) {
  if (rows <= limit_) return true;
  const size_t old_entries = lines_ * kLineEntries;
  size_t lines = lines_ == 0 ? kFirstLines : lines_ + lines_ / 2;
  const size_t wanted = (rows + rows / 4) / kLineEntries + 1;
  if (lines < wanted) lines = wanted;
  PageBlock index;
  if (!index.allocate(lines * kLineEntries * sizeof(Entry))) return false;
  index_.swap(index);
  lines_ = lines;
  limit_ = lines * kLineEntries * kLoadTenths / 10;
  const Entry* old = static_cast<const Entry*>(index.data());
  for (size_t i = 0; i < old_entries; i++) {
    if (old[i].row1 != 0) *find(old[i].fid, home(mix64(old[i].fid))) = old[i];
  }
  return true;
}

void Table::initialize_row(uint64_t fid, float* record) const {
  const uint64_t key = mix64(seed_ ^ mix64(fid));
  for (size_t k = 0; k < num_slices_; k++) {
    const InitializerSpec& spec = initializers_[k];
    initialize_slice_(spec.kind, spec.a, spec.b, key, slices_[k].offset, slices_[k].dim, record + slices_[k].offset);
  }
  std::memcpy(record + dim_, initial_state_.data(), (record_ - dim_) * sizeof(float));
}

template <typename Visit>
void Table::visit_bucket(uint32_t bits, uint64_t bucket, Visit visit) const {
  // Homes of the bucket, then on to the first line with an empty entry behind them: displaced entries end there.
  const uint64_t first_hash = bits == 0 ? 0 : bucket << (64 - bits);
  const size_t last = home(bits == 0 ? ~uint64_t{0} : first_hash + ((uint64_t{1} << (64 - bits)) - 1));
  size_t line = home(first_hash);
  bool behind = false;
  for (size_t steps = 0; steps < lines_; steps++) {
    const Entry* entry = line_at(line);
    for (size_t j = 0; j < kLineEntries && entry[j].row1 != 0; j++) {
      if (bits == 0 || mix64(entry[j].fid) >> (64 - bits) == bucket) visit(entry[j]);
    }
    if (line == last) behind = true;
    if (behind && entry[kLineEntries - 1].row1 == 0) return;
    if (++line == lines_) line = 0;
  }
}

size_t Table::count_bucket(uint32_t bits, uint64_t bucket) const {
  if (bits == 0) return size_;
  size_t count = 0;
  visit_bucket(bits, bucket, [&count](const Entry&) { count++; });
  return count;
}

namespace {

struct Dumped {
  uint64_t fid;
  uint32_t row;
  uint32_t last_use;
};

// Least-significant-byte radix sort by fid; `items` and `other` hold count each, the result is in the returned one.
Dumped* sort_by_fid(Dumped* items, Dumped* other, size_t count) {
  for (uint32_t shift = 0; shift < 64; shift += 8) {
    size_t starts[257] = {0};
    for (size_t i = 0; i < count; i++) starts[((items[i].fid >> shift) & 255) + 1]++;
    bool one = false;
    for (size_t b = 1; b <= 256; b++) one = one || starts[b] == count;
    if (one) continue;
    for (size_t b = 1; b <= 256; b++) starts[b] += starts[b - 1];
    for (size_t i = 0; i < count; i++) other[starts[(items[i].fid >> shift) & 255]++] = items[i];
    Dumped* swap = items;
    items = other;
    other = swap;
  }
  return items;
}

}  // namespace

int64_t Table::dump(uint32_t bits, uint64_t bucket, uint64_t* fids, uint32_t* timestamps, float* records) {
  const size_t count = count_bucket(bits, bucket);
  if (count == 0) return 0;
  PageBlock memory;
  if (!memory.allocate(count * 2 * sizeof(Dumped))) return kNoMemory;
  Dumped* items = static_cast<Dumped*>(memory.data());
  size_t n = 0;
  visit_bucket(bits, bucket, [&](const Entry& entry) { items[n++] = {entry.fid, entry.row1 - 1, entry.last_use}; });
  const Dumped* sorted = sort_by_fid(items, items + count, count);
  constexpr size_t kAhead = 16;
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) ML_PREFETCH(row_address(sorted[i + kAhead].row));
    fids[i] = sorted[i].fid;
    timestamps[i] = sorted[i].last_use;
    std::memcpy(records + i * record_, row_address(sorted[i].row), record_ * sizeof(float));
  }
  return static_cast<int64_t>(count);
}

int64_t Table::load(const uint64_t* fids, const uint32_t* timestamps, const float* records, size_t count) {
  if (size_ + count > room() && size_ + count_missing(fids, count) > room()) return kNoRoom;
  constexpr size_t kAhead = 16;
  const size_t before = size_;
  for (size_t i = 0; i < count; i++) {
    if (i + kAhead < count) ML_PREFETCH(line_at(home(mix64(fids[i + kAhead]))));
    Entry* entry = find(fids[i], home(mix64(fids[i])));
    if (entry->row1 == 0) *entry = {fids[i], static_cast<uint32_t>(++size_), 0};
    entry->last_use = timestamps[i];
    std::memcpy(row_address(entry->row1 - 1), records + i * record_, record_ * sizeof(float));
  }
  return static_cast<int64_t>(size_ - before);
}

void Table::clear() {
  if (size_ == 0) return;
  std::memset(index_.data(), 0, index_.bytes());
  clear_dirty();
  size_ = 0;
}

size_t Table::count_dirty() const {
  size_t count = 0;
  const uint64_t* words = dirty_words();
  for (size_t i = 0; i < (size_ + 63) / 64; i++) count += static_cast<size_t>(__builtin_popcountll(words[i]));
  return count;
}

void Table::clear_dirty() {
  if (dirty_.bytes() != 0) std::memset(dirty_.data(), 0, dirty_.bytes());
}

}  // namespace monolith
