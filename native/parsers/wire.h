// Reading the protocol buffer wire form. Every length is checked against what is left. Twin: FieldReader in src/data/twins/example.ts.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

// A varint of at most ten bytes. Null: malformed or cut off.
inline const uint8_t* read_varint(const uint8_t* p, const uint8_t* end, uint64_t* out) {
  if (p < end && *p < 0x80) {
    *out = *p;
    return p + 1;
  }
  uint64_t value = 0;
  for (int shift = 0; shift < 70 && p < end; shift += 7) {
    const uint8_t byte = *p++;
    if (shift == 63 && byte > 1) return nullptr;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out = value;
      return p;
    }
  }
  return nullptr;
}

// One field: its number, wire type and, for lengths, its bytes; for varints its value. Null: malformed.
struct Field {
  uint64_t number = 0;
  int wire = 0;
  uint64_t value = 0;
  const uint8_t* data = nullptr;
  const uint8_t* end = nullptr;
};

__attribute__((noinline)) inline const uint8_t* read_any_field(const uint8_t* p, const uint8_t* end, Field* field) {
  uint64_t tag;
  p = read_varint(p, end, &tag);
  if (p == nullptr) return nullptr;
  field->number = tag >> 3;
  field->wire = static_cast<int>(tag & 7);
  if (field->number == 0 || field->number > 536870911) return nullptr;
  switch (field->wire) {
    case 0:
      return read_varint(p, end, &field->value);
    case 1:
    case 5: {
      const size_t size = field->wire == 1 ? 8 : 4;
      if (static_cast<size_t>(end - p) < size) return nullptr;
      field->data = p;
      field->end = p + size;
      return field->end;
    }
    case 2: {
      uint64_t length;
      p = read_varint(p, end, &length);
      if (p == nullptr || length > static_cast<uint64_t>(end - p)) return nullptr;
      field->data = p;
      field->end = p + length;
      return field->end;
    }
    default:
      return nullptr;
  }
}

__attribute__((always_inline)) inline const uint8_t* read_field(const uint8_t* p, const uint8_t* end, Field* field) {
  // Nearly every field: a short length behind a tag of one byte.
  if (end - p >= 2 && (p[0] & 0x87) == 2 && p[0] >= 8 && p[1] < 0x80 && p[1] <= end - p - 2) {
    field->number = p[0] >> 3;
    field->wire = 2;
    field->data = p + 2;
    field->end = p + 2 + p[1];
    return field->end;
  }
  return read_any_field(p, end, field);
}

}  // namespace monolith
