// One array of fixed-length parts of rows (values, state, or both), in segments that never move. Address space comes by segments, memory in
// chunks of a huge page as rows come.
#pragma once
#include <cstddef>
#include <cstdint>

#include "table/page_block.h"

namespace monolith {

class RowPlane {
 public:
  RowPlane() = default;
  RowPlane(const RowPlane&) = delete;
  RowPlane& operator=(const RowPlane&) = delete;
  ~RowPlane();

  // Before anything else: bytes of one row (0: there is nothing to keep) and 2^shift rows a segment.
  void start(size_t row_bytes, uint32_t shift);
  // Makes rows [0, rows) usable, zeroed at first. False when there is no memory; what there was stays.
  bool reserve(size_t rows);

  size_t row_bytes() const { return row_bytes_; }
  // Floats from one row to the next, where rows are made of floats.
  size_t stride() const { return row_bytes_ / sizeof(float); }
  uint32_t shift() const { return shift_; }
  uint32_t mask() const { return static_cast<uint32_t>((uint64_t{1} << shift_) - 1); }
  float* const* segments() const { return static_cast<float* const*>(pointers_.data()); }
  float* at(size_t row) const { return segments()[row >> shift_] + (row & mask()) * stride(); }
  const char* at_byte(size_t row) const {
    return reinterpret_cast<const char*>(segments()[row >> shift_]) + (row & mask()) * row_bytes_;
  }
  // Memory there is, not address space.
  size_t bytes() const { return bytes_ + pointers_.bytes(); }

 private:
  struct Segment {
    void* mapping;
    // 0: from the heap.
    size_t mapping_bytes;
  };

  size_t segment_bytes() const { return row_bytes_ << shift_; }
  bool add_segment();

  size_t row_bytes_ = 0;
  uint32_t shift_ = 0;
  size_t num_segments_ = 0;
  // Of the last segment: bytes that are present.
  size_t present_ = 0;
  size_t ready_rows_ = 0;
  size_t bytes_ = 0;
  // Starts of segments, and what they were got with.
  PageBlock pointers_;
  PageBlock owned_;
};

}  // namespace monolith
