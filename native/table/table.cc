#include "table/table.h"

#include <cstring>

namespace monolith {
namespace {

// Cache lines that `bytes` at the start of every row touch on average, rows `stride` bytes apart from the start of a line.
double lines_touched(size_t bytes, size_t stride) {
  size_t lines = 0;
  for (size_t row = 0; row < 16; row++) {
    const size_t begin = row * stride % 64;
    lines += bytes == 0 ? 0 : (begin + bytes + 63) / 64;
  }
  return static_cast<double>(lines) / 16;
}

// Whether state behind the values costs no more lines than a plane of its own, over one lookup and one update.
bool together_is_better(size_t value_bytes, size_t state_bytes) {
  const size_t record = value_bytes + state_bytes;
  const double together = lines_touched(value_bytes, record) + lines_touched(record, record);
  const double apart = 2 * lines_touched(value_bytes, value_bytes) + lines_touched(state_bytes, state_bytes);
  return together <= apart;
}

}  // namespace

void Table::add_slice(size_t dim, InitializerSpec initializer, OptimizerKind kind, const double* hyper) {
  slices_[num_slices_] = make_slice_update(kind, dim, dim_, state_, hyper);
  initializers_[num_slices_] = initializer;
  num_slices_++;
  dim_ += dim;
  state_ += monolith::state_length(kind, dim);
}

bool Table::finish(uint64_t seed, uint32_t segment_shift, size_t max_rows, bool keep_stamps, RowFormat format) {
  max_rows_ = max_rows;
  seed_ = seed;
  format_ = format;
  if (!initial_state_.allocate((state_ + 1) * sizeof(float)) || !gradient_.allocate(dim_ * sizeof(float))) return false;
  for (size_t k = 0; k < num_slices_; k++) initial_state(slices_[k], static_cast<float*>(initial_state_.data()) + slices_[k].state_offset);
  const bool together = !half() && (state_ == 0 || together_is_better(dim_ * sizeof(float), state_ * sizeof(float)));
  values_.start(dim_ * value_bytes(format) + (together ? state_ * sizeof(float) : 0), segment_shift);
  // Segments of about as many bytes in every plane, so that huge pages cover them all.
  const auto shift_for = [&](size_t row_bytes) {
    uint32_t shift = segment_shift;
    while ((row_bytes << (shift + 1)) <= values_.row_bytes() << segment_shift) shift++;
    return shift;
  };
  if (!together && state_ != 0) states_.start(state_ * sizeof(float), shift_for(state_ * sizeof(float)));
  if (keep_stamps) stamps_.start(sizeof(uint32_t), shift_for(sizeof(uint32_t)));
  if (half() && !widened_.allocate(half_work_bytes(dim_))) return false;
  switch (format) {
    case RowFormat::fp32:
      lookup_rows_ = ML_CHOOSE(lookup_rows);
      create_rows_ = ML_CHOOSE(create_rows);
      break;
    case RowFormat::bf16:
      lookup_rows_ = ML_CHOOSE(lookup_rows_bf16);
      create_rows_ = ML_CHOOSE(create_rows_bf16);
      update_half_rows_ = ML_CHOOSE(update_rows_bf16);
      update_half_merged_ = ML_CHOOSE(update_merged_bf16);
      widen_ = ML_CHOOSE(widen_bf16);
      nearest_ = ML_CHOOSE(nearest_bf16);
      break;
    case RowFormat::fp16:
      lookup_rows_ = ML_CHOOSE(lookup_rows_fp16);
      create_rows_ = ML_CHOOSE(create_rows_fp16);
      update_half_rows_ = ML_CHOOSE(update_rows_fp16);
      update_half_merged_ = ML_CHOOSE(update_merged_fp16);
      widen_ = ML_CHOOSE(widen_fp16);
      nearest_ = ML_CHOOSE(nearest_fp16);
      break;
  }
  count_missing_ = ML_CHOOSE(count_missing);
  update_rows_ = ML_CHOOSE(update_rows);
  update_merged_ = ML_CHOOSE(update_merged);
  return index_.start();
}

size_t Table::bytes() const {
  return index_.bytes() + values_.bytes() + states_.bytes() + stamps_.bytes() + dirty_.bytes() + merge_hash_.bytes() + merge_parts_.bytes() +
         merge_rows_.bytes() + merge_fids_.bytes() + named_.bytes() + (frozen_ == nullptr ? 0 : frozen_->bytes()) + spare_bytes_.load(std::memory_order_relaxed);
}

RowSpace Table::space() const {
  const RowPlane& states = apart() ? states_ : values_;
  const size_t value_stride = half() ? dim_ : values_.stride();
  return {values_.segments(), states.segments(), values_.shift(), values_.mask(),          states.shift(),
          states.mask(),      value_stride,      states.stride(), apart() ? 0 : dim_, dirty_words()};
}

RowUpdatePlan Table::update_plan() const {
  return {slices_, num_slices_, dim_, values_.row_bytes(), states_.row_bytes(), static_cast<float*>(gradient_.data())};
}

void Table::read_values(const RowSpace& rows, uint32_t row, float* out) const {
  if (half()) {
    widen_(half_values(rows, row, dim_), dim_, out);
  } else {
    std::memcpy(out, row_values(rows, row), dim_ * sizeof(float));
  }
}

void Table::write_values(const RowSpace& rows, uint32_t row, const float* values) {
  if (half()) {
    nearest_(values, dim_, half_values(rows, row, dim_));
  } else {
    std::memcpy(row_values(rows, row), values, dim_ * sizeof(float));
  }
}

bool Table::reserve_rows(size_t rows) {
  const size_t dirty_bytes = (rows + 63) / 64 * sizeof(uint64_t);
  if (dirty_.bytes() < dirty_bytes) {
    PageBlock dirty;
    if (!dirty.allocate((dirty_bytes + dirty_bytes / 16 + 63) & ~size_t{63})) return false;
    if (dirty_.bytes() != 0) std::memcpy(dirty.data(), dirty_.data(), dirty_.bytes());
    dirty_.swap(dirty);
  }
  return values_.reserve(rows) && states_.reserve(rows) && stamps_.reserve(rows);
}

bool Table::clear() {
  if (size_ == 0) return true;
  if (being_read()) return false;
  if (!index_.clear()) return false;
  clear_dirty();
  size_ = 0;
  return true;
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
