// A parsed block's examples in few bytes, and back: the body of a data cache (docs/formats/data.md). Twin: src/data/twins/pack.ts.
#include "parsers/pack.h"

#include <cstring>

#include "parsers/crc32c.h"

namespace monolith {
namespace {

constexpr uint64_t kLow48 = 0xffffffffffffull, kLow32 = 0xffffffffull;

size_t padded(size_t bytes) { return (bytes + 7) & ~static_cast<size_t>(7); }

// Writes sections of eight bytes each; past the end it only counts.
class Writer {
 public:
  Writer(uint8_t* data, size_t capacity) : data_(data), capacity_(capacity) {}
  // Room for a section: null where the buffer ends before it.
  uint8_t* section(size_t bytes) {
    const size_t start = at_;
    at_ += padded(bytes);
    if (at_ > capacity_) return nullptr;
    std::memset(data_ + start + bytes, 0, at_ - start - bytes);
    return data_ + start;
  }
  void copy(const void* from, size_t bytes) {
    uint8_t* to = section(bytes);
    if (to != nullptr) std::memcpy(to, from, bytes);
  }
  size_t length() const { return at_; }
  bool full() const { return at_ > capacity_; }

 private:
  uint8_t* data_;
  size_t capacity_, at_ = 0;
};

bool all_ones(const float* values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (values[i] != 1) return false;
  }
  return true;
}

// How the ids of a regular group are stored: by what they share, feature by feature.
uint32_t id_form(const BlockGroup& group, size_t n) {
  const size_t features = static_cast<size_t>(group.features);
  uint64_t differ = 0;
  for (size_t i = 1; i < n; i++) {
    const int64_t* ids = group.fids + i * features;
    uint64_t row = 0;
    for (size_t j = 0; j < features; j++) row |= static_cast<uint64_t>(ids[j] ^ group.fids[j]);
    differ |= row;
    if (differ > kLow48) return kIdsWhole;
  }
  return differ <= kLow32 ? kIds32 : kIds48;
}

void write_group(const BlockGroup& group, size_t n, bool regular, Writer& out) {
  const size_t features = static_cast<size_t>(group.features), bags = n * features, ids = static_cast<size_t>(group.offsets[bags]);
  uint32_t lengths = kLengthsOne;
  if (!regular) {
    lengths = kLengths8;
    for (size_t b = 0; b < bags && lengths == kLengths8; b++) {
      if (group.offsets[b + 1] - group.offsets[b] > 255) lengths = kLengths32;
    }
  }
  const uint32_t form = regular && n > 0 ? id_form(group, n) : static_cast<uint32_t>(kIdsWhole);
  const bool has_values = group.values != nullptr && !all_ones(group.values, ids);
  const uint32_t head[2] = {lengths | form << 2 | (has_values ? kGroupValues : 0u), static_cast<uint32_t>(ids)};
  out.copy(head, sizeof head);
  if (lengths == kLengths8) {
    uint8_t* to = out.section(bags);
    for (size_t b = 0; to != nullptr && b < bags; b++) to[b] = static_cast<uint8_t>(group.offsets[b + 1] - group.offsets[b]);
  } else if (lengths == kLengths32) {
    uint8_t* to = out.section(bags * 4);
    for (size_t b = 0; to != nullptr && b < bags; b++) {
      const int32_t length = group.offsets[b + 1] - group.offsets[b];
      std::memcpy(to + b * 4, &length, 4);
    }
  }
  if (form == kIdsWhole) {
    out.copy(group.fids, ids * 8);
  } else {
    const uint64_t mask = form == kIds32 ? kLow32 : kLow48;
    const size_t width = form == kIds32 ? 4 : 6;
    uint8_t* bases = out.section(features * 8);
    for (size_t j = 0; bases != nullptr && j < features; j++) {
      const uint64_t base = static_cast<uint64_t>(group.fids[j]) & ~mask;
      std::memcpy(bases + j * 8, &base, 8);
    }
    uint8_t* to = out.section(ids * width);
    for (size_t i = 0; to != nullptr && i < ids; i++) std::memcpy(to + i * width, group.fids + i, width);
  }
  if (has_values) out.copy(group.values, ids * 4);
}

// Reads sections; a null pointer where the bytes end first.
class Reader {
 public:
  Reader(const uint8_t* data, size_t length) : data_(data), left_(length) {}
  const uint8_t* section(size_t bytes) {
    const size_t whole = padded(bytes);
    if (whole < bytes || whole > left_) return nullptr;
    const uint8_t* start = data_;
    data_ += whole;
    left_ -= whole;
    return start;
  }
  bool copy(void* to, size_t bytes) {
    const uint8_t* from = section(bytes);
    if (from == nullptr) return false;
    std::memcpy(to, from, bytes);
    return true;
  }
  size_t left() const { return left_; }

 private:
  const uint8_t* data_;
  size_t left_;
};

bool read_group(Reader& in, size_t n, BlockGroup& group, bool* regular) {
  const size_t features = static_cast<size_t>(group.features), bags = n * features;
  uint32_t head[2];
  if (!in.copy(head, sizeof head)) return false;
  const uint32_t lengths = head[0] & 3, form = head[0] >> 2 & 3;
  const size_t ids = head[1];
  if (ids > static_cast<size_t>(group.max_ids) || lengths > kLengths32 || form > kIds48) return false;
  *regular = lengths == kLengthsOne;
  if (*regular) {
    if (ids != bags) return false;
    for (size_t b = 0; b <= bags; b++) group.offsets[b] = static_cast<int32_t>(b);
  } else {
    if (form != kIdsWhole) return false;
    const size_t width = lengths == kLengths8 ? 1 : 4;
    const uint8_t* from = in.section(bags * width);
    if (from == nullptr) return false;
    int64_t end = 0;
    group.offsets[0] = 0;
    for (size_t b = 0; b < bags; b++) {
      int32_t length = from[b * width];
      if (width == 4) std::memcpy(&length, from + b * 4, 4);
      end += length;
      if (length < 0 || end > static_cast<int64_t>(ids)) return false;
      group.offsets[b + 1] = static_cast<int32_t>(end);
    }
    if (end != static_cast<int64_t>(ids)) return false;
  }
  group.ids = static_cast<int32_t>(ids);
  if (form == kIdsWhole) {
    if (!in.copy(group.fids, ids * 8)) return false;
  } else {
    const uint8_t* bases = in.section(features * 8);
    const size_t width = form == kIds32 ? 4 : 6;
    const uint8_t* from = in.section(ids * width);
    if (bases == nullptr || from == nullptr) return false;
    int64_t* to = group.fids;
    for (size_t i = 0; i < n; i++, from += features * width, to += features) {
      if (form == kIds32) {
        for (size_t j = 0; j < features; j++) {
          uint64_t base;
          uint32_t low;
          std::memcpy(&base, bases + j * 8, 8);
          std::memcpy(&low, from + j * 4, 4);
          to[j] = static_cast<int64_t>(base | low);
        }
      } else {
        for (size_t j = 0; j < features; j++) {
          uint64_t base;
          uint32_t low;
          uint16_t high;
          std::memcpy(&base, bases + j * 8, 8);
          std::memcpy(&low, from + j * 6, 4);
          std::memcpy(&high, from + j * 6 + 4, 2);
          to[j] = static_cast<int64_t>(base | static_cast<uint64_t>(high) << 32 | low);
        }
      }
    }
  }
  if (group.values == nullptr) return (head[0] & kGroupValues) == 0;
  if ((head[0] & kGroupValues) != 0) return in.copy(group.values, ids * 4);
  for (size_t i = 0; i < ids; i++) group.values[i] = 1;
  return true;
}

}  // namespace

const char* pack_block(const Block& block, uint8_t* out, size_t capacity, size_t* length) {
  const int32_t examples = block.header[0];
  if (examples < 0 || examples > block.max_examples) return "the block's count is wrong";
  const size_t n = static_cast<size_t>(examples);
  bool regular[kMaxGroups];
  for (int32_t g = 0; g < block.num_groups; g++) {
    const BlockGroup& group = block.groups[g];
    const size_t bags = n * static_cast<size_t>(group.features);
    int32_t before = group.offsets[0];
    if (before != 0) return "the block's offsets are wrong";
    regular[g] = true;
    for (size_t b = 1; b <= bags; before = group.offsets[b++]) {
      if (group.offsets[b] < before) return "the block's offsets are wrong";
      regular[g] = regular[g] && group.offsets[b] == before + 1;
    }
    if (before > group.max_ids) return "the block's offsets are wrong";
  }
  bool weights = !all_ones(block.weights, n), flags = false;
  for (size_t i = 0; i < n; i++) flags = flags || block.flags[i] != 0;
  const uint32_t head[2] = {static_cast<uint32_t>(n), (weights ? kPackedWeights : 0u) | (flags ? kPackedFlags : 0u)};
  Writer to(out, capacity);
  to.copy(head, sizeof head);
  to.copy(block.labels, n * 4);
  if (weights) to.copy(block.weights, n * 4);
  if (flags) to.copy(block.flags, n);
  to.copy(block.dense, n * static_cast<size_t>(block.num_dense) * 4);
  for (int32_t g = 0; g < block.num_groups; g++) write_group(block.groups[g], n, regular[g], to);
  *length = to.length();
  return to.full() ? "the buffer is too short" : nullptr;
}

int32_t unpack_block(const uint8_t* data, size_t length, uint32_t checksum, Block& block) {
  if (crc32c(data, length) != checksum) return kUnpackChecksum;
  Reader in(data, length);
  uint32_t head[2];
  if (!in.copy(head, sizeof head)) return kUnpackMalformed;
  const size_t n = head[0];
  if (n > static_cast<size_t>(block.max_examples)) return kUnpackMalformed;
  if (!in.copy(block.labels, n * 4)) return kUnpackMalformed;
  if ((head[1] & kPackedWeights) != 0) {
    if (!in.copy(block.weights, n * 4)) return kUnpackMalformed;
  } else {
    for (size_t i = 0; i < n; i++) block.weights[i] = 1;
  }
  if ((head[1] & kPackedFlags) != 0) {
    if (!in.copy(block.flags, n)) return kUnpackMalformed;
  } else {
    std::memset(block.flags, 0, n);
  }
  if (!in.copy(block.dense, n * static_cast<size_t>(block.num_dense) * 4)) return kUnpackMalformed;
  std::memset(block.header, 0, kHeaderWords * 4);
  for (int32_t g = 0; g < block.num_groups; g++) {
    bool regular = false;
    if (!read_group(in, n, block.groups[g], &regular)) return kUnpackMalformed;
    block.header[kHeaderIds + g] = block.groups[g].ids;
    if (regular) block.header[kHeaderRegular + (g >> 5)] |= static_cast<int32_t>(1u << (g & 31));
  }
  if (in.left() != 0) return kUnpackMalformed;
  block.header[0] = block.header[1] = static_cast<int32_t>(n);
  return kUnpacked;
}

}  // namespace monolith
