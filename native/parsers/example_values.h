// Values of tf.train.Feature and of sequences of them, as bytes of a message. Twin: src/data/twins/example.ts.
#pragma once
#include <cstddef>
#include <cstdint>

#include "parsers/parsers.h"
#include "parsers/program.h"
#include "parsers/wire.h"

namespace monolith {

enum Kind : int32_t { kMissing = 0, kBytes = 1, kFloat = 2, kInt64 = 3 };

struct Feature {
  // Of a list: its values. Of a sequence: its steps, each a Feature.
  const uint8_t* data = nullptr;
  const uint8_t* end = nullptr;
  Kind kind = kMissing;
  bool sequence = false;
};

inline size_t decimal(int64_t value, uint8_t* text) {
  uint8_t digits[20];
  size_t n = 0, at = 0;
  uint64_t rest = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  do {
    digits[n++] = static_cast<uint8_t>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) text[at++] = '-';
  while (n > 0) text[at++] = digits[--n];
  return at;
}

// The list of a Feature's bytes: the last of its kinds counts. False: malformed.
inline bool find_list(const uint8_t* p, const uint8_t* end, Feature* feature) {
  feature->kind = kMissing;
  while (p < end) {
    Field list;
    p = read_field(p, end, &list);
    if (p == nullptr) return false;
    if (list.number < 1 || list.number > 3) continue;
    if (list.wire != 2) return false;
    feature->kind = static_cast<Kind>(list.number);
    feature->data = list.data;
    feature->end = list.end;
  }
  return true;
}

// Calls `each` for every value of a list; it returns a code, OK goes on.
template <typename Each>
int32_t for_each_value_of_list(const Feature& feature, Each each) {
  const uint8_t* p = feature.data;
  while (p < feature.end) {
    Field field;
    p = read_field(p, feature.end, &field);
    if (p == nullptr) return B_EXAMPLE;
    if (field.number != 1) continue;
    int32_t code = OK;
    if (feature.kind == kBytes) {
      if (field.wire != 2) return B_EXAMPLE;
      code = each(Token{field.data, static_cast<size_t>(field.end - field.data)}, 0.0, static_cast<int64_t>(0));
    } else if (feature.kind == kFloat) {
      if (field.wire != 5 && field.wire != 2) return B_EXAMPLE;
      if ((field.end - field.data) % 4 != 0) return B_EXAMPLE;
      for (const uint8_t* q = field.data; code == OK && q < field.end; q += 4) {
        float value;
        std::memcpy(&value, q, 4);
        code = each(Token{}, static_cast<double>(value), static_cast<int64_t>(0));
      }
    } else if (field.wire == 0) {
      code = each(Token{}, 0.0, static_cast<int64_t>(field.value));
    } else {
      if (field.wire != 2) return B_EXAMPLE;
      for (const uint8_t* q = field.data; code == OK && q < field.end;) {
        uint64_t value;
        q = read_varint(q, field.end, &value);
        if (q == nullptr) return B_EXAMPLE;
        code = each(Token{}, 0.0, static_cast<int64_t>(value));
      }
    }
    if (code != OK) return code;
  }
  return OK;
}

// The same for a feature, be it a list or a sequence, whose steps are one after another.
template <typename Each>
int32_t for_each_value(const Feature& feature, Each each) {
  if (!feature.sequence) return for_each_value_of_list(feature, each);
  for (const uint8_t* p = feature.data; p < feature.end;) {
    Field field;
    p = read_field(p, feature.end, &field);
    if (p == nullptr) return B_EXAMPLE;
    if (field.number != 1) continue;
    Feature step;
    if (field.wire != 2 || !find_list(field.data, field.end, &step)) return B_EXAMPLE;
    if (step.kind == kMissing || step.data == step.end) continue;
    const int32_t code = for_each_value_of_list(step, each);
    if (code != OK) return code;
  }
  return OK;
}

}  // namespace monolith
