#include "table/frozen_reader.h"

#include <cmath>
#include <cstring>

#include "table/index_visit.h"
#include "table/table_registry.h"

namespace monolith {
namespace {

// Rows ahead of the one being read that are fetched.
constexpr size_t kAhead = 16;

// Whether all of n floats are finite: one pass without a branch a value.
bool all_finite(const float* values, size_t n) {
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    bad |= static_cast<uint32_t>((bits & 0x7F800000u) == 0x7F800000u);
  }
  return bad == 0;
}

}  // namespace

bool FrozenReader::start(size_t sources) { return sources_.allocate(sources * sizeof(Source)); }

bool FrozenReader::add(uint32_t table_id) {
  if ((num_sources_ + 1) * sizeof(Source) > sources_.bytes()) return false;
  Table* table = hold_shared_table(table_id);
  if (table == nullptr) return false;
  const bool same = num_sources_ == 0 || (table->dim() == dim_ && table->state_length() == state_);
  FrozenRows* rows = same ? table->hold_frozen() : nullptr;
  if (rows == nullptr) {
    let_go_shared_table(table);
    return false;
  }
  dim_ = table->dim();
  state_ = table->state_length();
  sources()[num_sources_++] = {table, rows};
  return true;
}

void FrozenReader::release() {
  for (size_t s = 0; s < num_sources_; s++) {
    sources()[s].rows->end();
    CopySpace* space = FrozenRows::let_go_for_space(sources()[s].rows);
    if (space != nullptr) sources()[s].table->keep_spare(space);
    let_go_shared_table(sources()[s].table);
  }
  num_sources_ = 0;
  collected_ = 0;
  capacity_ = 0;
  found_.release();
}

void FrozenReader::end() {
  for (size_t s = 0; s < num_sources_; s++) sources()[s].rows->end();
}

size_t FrozenReader::size() const {
  size_t sum = 0;
  for (size_t s = 0; s < num_sources_; s++) sum += sources()[s].rows->size();
  return sum;
}

size_t FrozenReader::count() const {
  size_t sum = 0;
  for (size_t s = 0; s < num_sources_; s++) sum += sources()[s].rows->count();
  return sum;
}

size_t FrozenReader::copies() const {
  size_t sum = 0;
  for (size_t s = 0; s < num_sources_; s++) sum += sources()[s].rows->copies();
  return sum;
}

size_t FrozenReader::bytes() const {
  size_t sum = found_.bytes();
  for (size_t s = 0; s < num_sources_; s++) sum += sources()[s].rows->bytes();
  return sum;
}

bool FrozenReader::alone() const {
  bool shared = false;
  for (size_t s = 0; s < num_sources_; s++) shared = shared || sources()[s].rows->shared();
  return !shared;
}

int64_t FrozenReader::collect(uint32_t bits, uint64_t bucket) {
  collected_ = 0;
  if (capacity_ == 0) {
    const double share = std::ldexp(static_cast<double>(count()), -static_cast<int>(bits));
    capacity_ = static_cast<size_t>(share + 8 * std::sqrt(share)) + 64;
    if (!found_.allocate(2 * capacity_ * sizeof(DumpedRow))) {
      capacity_ = 0;
      return kNoMemory;
    }
  }
  size_t n = 0;
  bool room = true;
  for (size_t s = 0; s < num_sources_ && room; s++) {
    const FrozenRows& rows = *sources()[s].rows;
    visit_bucket(rows.index(), bits, bucket, [&](uint64_t fid, uint32_t row) {
      if (!rows.has(row) || !room) return;
      if (n == capacity_) {
        PageBlock grown;
        room = grown.allocate(4 * capacity_ * sizeof(DumpedRow));
        if (!room) return;
        std::memcpy(grown.data(), found_.data(), n * sizeof(DumpedRow));
        found_.swap(grown);
        capacity_ *= 2;
      }
      found()[n++] = {fid, row, static_cast<uint32_t>(s)};
    });
  }
  if (!room) return kNoMemory;
  sorted_ = sort_by_fid(found(), found() + capacity_, n);
  collected_ = n;
  return static_cast<int64_t>(n);
}

int64_t FrozenReader::read(uint64_t* fids, uint32_t* timestamps, float* records) {
  const size_t length = dim_ + state_;
  int64_t wrong = -1;
  for (size_t i = 0; i < collected_; i++) {
    if (i + kAhead < collected_) sources()[sorted_[i + kAhead].source].rows->prefetch(sorted_[i + kAhead].row);
    const DumpedRow& found = sorted_[i];
    float* record = records + i * length;
    fids[i] = found.fid;
    timestamps[i] = sources()[found.source].rows->read(found.row, record);
    if (wrong >= 0 || all_finite(record, length)) continue;
    for (size_t k = 0; k < length && wrong < 0; k++) {
      if (!std::isfinite(record[k])) wrong = static_cast<int64_t>(i * length + k);
    }
  }
  collected_ = 0;
  return wrong;
}

}  // namespace monolith
