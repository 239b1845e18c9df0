#include "table/row_plane.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace monolith {
namespace {

// Made present at a time: one huge page, about 0.2 ms.
constexpr size_t kChunk = size_t{2} << 20;

template <typename T>
bool grow_list(PageBlock& list, size_t length) {
  if (list.bytes() >= (length + 1) * sizeof(T)) return true;
  PageBlock grown;
  if (!grown.allocate((length + 8) * 2 * sizeof(T))) return false;
  if (length != 0) std::memcpy(grown.data(), list.data(), length * sizeof(T));
  list.swap(grown);
  return true;
}

}  // namespace

RowPlane::~RowPlane() {
  const Segment* owned = static_cast<const Segment*>(owned_.data());
  for (size_t i = 0; i < num_segments_; i++) {
    if (owned[i].mapping_bytes != 0) {
      munmap(owned[i].mapping, owned[i].mapping_bytes);
    } else {
      std::free(owned[i].mapping);
    }
  }
}

void RowPlane::start(size_t row_bytes, uint32_t shift) {
  row_bytes_ = row_bytes;
  shift_ = shift;
}

bool RowPlane::add_segment() {
  if (!grow_list<float*>(pointers_, num_segments_) || !grow_list<Segment>(owned_, num_segments_)) return false;
  Segment segment{nullptr, 0};
  void* data = nullptr;
  const size_t bytes = segment_bytes();
  if (bytes >= kChunk) {
    data = map_pages(bytes, segment.mapping, segment.mapping_bytes);
    if (data == nullptr) return false;
    present_ = 0;
  } else {
    if (posix_memalign(&data, 64, bytes) != 0) return false;
    std::memset(data, 0, bytes);
    segment.mapping = data;
    present_ = bytes;
    bytes_ += bytes;
  }
  static_cast<float**>(pointers_.data())[num_segments_] = static_cast<float*>(data);
  static_cast<Segment*>(owned_.data())[num_segments_] = segment;
  num_segments_++;
  return true;
}

bool RowPlane::reserve(size_t rows) {
  if (row_bytes_ == 0 || rows <= ready_rows_) return true;
  const size_t bytes = segment_bytes();
  while (ready_rows_ < rows) {
    if (ready_rows_ == num_segments_ << shift_ && !add_segment()) return false;
    char* base = reinterpret_cast<char*>(static_cast<float**>(pointers_.data())[num_segments_ - 1]);
    const size_t first = (num_segments_ - 1) << shift_;
    while (ready_rows_ < rows && present_ < bytes) {
      const size_t chunk = bytes - present_ < kChunk ? bytes - present_ : kChunk;
      if (!populate_pages(base + present_, chunk)) return false;
      present_ += chunk;
      bytes_ += chunk;
      ready_rows_ = first + present_ / row_bytes_;
    }
    if (present_ == bytes) ready_rows_ = num_segments_ << shift_;
  }
  return true;
}

}  // namespace monolith
