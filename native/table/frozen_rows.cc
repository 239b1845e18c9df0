#include "table/frozen_rows.h"

#include <cstring>
#include <new>

#include "table/prefetch.h"

namespace monolith {
namespace {

// Rows ahead of the one in hand whose marks, and whose record, are fetched.
constexpr size_t kMarksAhead = 32;
constexpr size_t kRowsAhead = 8;

// Of smaller tables the space of copies is not kept: what they need is quick to be had.
constexpr size_t kLeastRowsOfSpare = 16384;

template <typename T>
bool copy_block(PageBlock& block, const T* from, size_t count) {
  if (!block.allocate(count * sizeof(T))) return false;
  if (count != 0) std::memcpy(block.data(), from, count * sizeof(T));
  return true;
}

size_t segments_of(const RowPlane& plane, size_t rows) { return (rows + plane.mask()) >> plane.shift(); }

size_t count_bits(const uint64_t* words, size_t rows) {
  size_t count = 0;
  for (size_t i = 0; i < rows / 64; i++) count += static_cast<size_t>(__builtin_popcountll(words[i]));
  if (rows % 64 != 0) count += static_cast<size_t>(__builtin_popcountll(words[rows / 64] & ((uint64_t{1} << (rows % 64)) - 1)));
  return count;
}

}  // namespace

bool FrozenRows::start(const FrozenParts& parts, CopySpace* spare, size_t expected) {
  copies_in_ = spare;
  size_ = parts.size;
  dim_ = parts.dim;
  state_ = parts.state_length;
  format_ = parts.format;
  widen_ = parts.widen;
  value_bytes_ = dim_ * value_bytes(format_);
  const size_t copy_bytes = (value_bytes_ + state_ * sizeof(float) + sizeof(uint32_t) + 7) & ~size_t{7};
  space_ = parts.rows;
  space_.dirty = nullptr;
  depth_ = parts.index.depth;
  const size_t words = (size_ + 63) / 64;
  if (parts.only != nullptr && !copy_block(only_, parts.only, words)) return false;
  count_ = parts.only == nullptr ? size_ : count_bits(only(), size_);
  if (!copy_block(value_segments_, parts.values.segments(), segments_of(parts.values, size_)) ||
      !copy_block(state_segments_, parts.states.segments(), segments_of(parts.states, size_))) {
    return false;
  }
  space_.values = static_cast<float* const*>(value_segments_.data());
  space_.states = static_cast<float* const*>(state_segments_.data());
  if (parts.stamps.stride() != 0) {
    if (!copy_block(stamp_segments_, parts.stamps.segments(), segments_of(parts.stamps, size_))) return false;
    stamp_shift_ = parts.stamps.shift();
    stamp_mask_ = parts.stamps.mask();
  }
  if (!copy_block(directory_, parts.index.directory, size_t{1} << depth_)) return false;
  if (copies_in_ == nullptr || !copies_in_->fits(size_, copy_bytes)) {
    delete copies_in_;
    copies_in_ = new (std::nothrow) CopySpace();
    if (copies_in_ == nullptr || !copies_in_->allocate(size_, copy_bytes)) return false;
  }
  copies_in_->prepare(size_, expected);
  return true;
}

void FrozenRows::let_go(FrozenRows* frozen) {
  if (frozen->holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete frozen;
}

CopySpace* FrozenRows::let_go_for_space(FrozenRows* frozen) {
  if (frozen->holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return nullptr;
  if (frozen->size_ < kLeastRowsOfSpare) {
    delete frozen;
    return nullptr;
  }
  CopySpace* space = frozen->copies_in_;
  frozen->copies_in_ = nullptr;
  space->clean(frozen->size_, frozen->copies(), frozen->blocks_);
  delete frozen;
  return space;
}

size_t FrozenRows::bytes() const {
  const size_t blocks = __atomic_load_n(&blocks_, __ATOMIC_RELAXED);
  return copies_in_->bytes(size_, copies(), blocks) + value_segments_.bytes() + state_segments_.bytes() + stamp_segments_.bytes() +
         directory_.bytes() + only_.bytes();
}

const char* FrozenRows::stored_values(uint32_t row) const {
  const char* segment = reinterpret_cast<const char*>(space_.values[row >> space_.value_shift]);
  // Strides count floats, or values of 16 bits.
  return segment + static_cast<size_t>(row & space_.value_mask) * space_.value_stride * value_bytes(format_);
}

const uint32_t* FrozenRows::stamp(uint32_t row) const {
  float* const* segments = static_cast<float* const*>(stamp_segments_.data());
  return reinterpret_cast<const uint32_t*>(segments[row >> stamp_shift_]) + (row & stamp_mask_);
}

void FrozenRows::prefetch(uint32_t row) const {
  const char* values = stored_values(row);
  for (size_t at = 0; at < value_bytes_ && at < 512; at += 64) ML_PREFETCH(values + at);
  ML_PREFETCH(values + value_bytes_ - 1);
  if (state_ != 0) ML_PREFETCH(row_state(space_, row));
  ML_PREFETCH(&copies_in_->marks(row));
}

void FrozenRows::make_copy(uint32_t row) {
  const size_t copy = copies_.load(std::memory_order_relaxed);
  char* to = copies_in_->copy_at(copy);
  std::memcpy(to, stored_values(row), value_bytes_);
  if (state_ != 0) std::memcpy(to + value_bytes_, row_state(space_, row), state_ * sizeof(float));
  if (stamp_segments_.bytes() != 0) std::memcpy(to + value_bytes_ + state_ * sizeof(float), stamp(row), sizeof(uint32_t));
  uint32_t& block = copies_in_->marks(row).block[row >> 4 & 3];
  if (block == 0) {
    block = blocks_ + 1;
    __atomic_store_n(&blocks_, block, __ATOMIC_RELAXED);
  }
  copies_in_->number(block, row) = static_cast<uint32_t>(copy);
  copies_.store(copy + 1, std::memory_order_relaxed);
}

void FrozenRows::keep(const int32_t* handles, size_t count) {
  if (ended()) return;
  for (size_t i = 0; i < count; i++) {
    if (i + kMarksAhead < count && static_cast<uint32_t>(handles[i + kMarksAhead]) < size_) {
      ML_PREFETCH(&copies_in_->marks(static_cast<uint32_t>(handles[i + kMarksAhead])));
    }
    if (i + kRowsAhead < count) {
      const uint32_t next = static_cast<uint32_t>(handles[i + kRowsAhead]);
      if (next < size_ && ((copies_in_->marks(next).kept | copies_in_->marks(next).read) >> (next & 63) & 1) == 0) prefetch(next);
    }
    const uint32_t row = static_cast<uint32_t>(handles[i]);
    if (!has(row)) continue;
    CopyMarks& mark = copies_in_->marks(row);
    const uint64_t bit = uint64_t{1} << (row & 63);
    const uint64_t kept = __atomic_load_n(&mark.kept, __ATOMIC_RELAXED);
    if (((kept | __atomic_load_n(&mark.read, __ATOMIC_ACQUIRE)) & bit) != 0) continue;
    make_copy(row);
    __atomic_store_n(&mark.kept, kept | bit, __ATOMIC_RELEASE);
  }
  // Bits first, then the rows' changes.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void FrozenRows::unpack(const char* values, const float* state, float* record) const {
  if (format_ == RowFormat::fp32) {
    std::memcpy(record, values, value_bytes_);
  } else {
    widen_(reinterpret_cast<const uint16_t*>(values), dim_, record);
  }
  if (state_ != 0) std::memcpy(record + dim_, state, state_ * sizeof(float));
}

uint32_t FrozenRows::read(uint32_t row, float* record) {
  CopyMarks& mark = copies_in_->marks(row);
  const uint64_t bit = uint64_t{1} << (row & 63);
  const bool stamped = stamp_segments_.bytes() != 0;
  uint32_t last = 0;
  if ((__atomic_load_n(&mark.kept, __ATOMIC_ACQUIRE) & bit) == 0) {
    unpack(stored_values(row), state_ == 0 ? nullptr : row_state(space_, row), record);
    if (stamped) last = __atomic_load_n(stamp(row), __ATOMIC_RELAXED);
    // What was read above is whole unless the owner came meanwhile, and then the bit is there.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  if ((__atomic_load_n(&mark.kept, __ATOMIC_ACQUIRE) & bit) != 0) {
    const char* copy = copies_in_->copy_at(copies_in_->number(mark.block[row >> 4 & 3], row));
    unpack(copy, reinterpret_cast<const float*>(copy + value_bytes_), record);
    if (stamped) std::memcpy(&last, copy + value_bytes_ + state_ * sizeof(float), sizeof last);
  }
  __atomic_store_n(&mark.read, mark.read | bit, __ATOMIC_RELEASE);
  return last;
}

}  // namespace monolith
