// Which records are left out. Twin: src/data/twins/filter.ts.
#pragma once
#include <cstring>
#include <limits>

#include "parsers/number_text.h"
#include "parsers/program.h"

namespace monolith {

class RecordFilters {
 public:
  explicit RecordFilters(const Program& program) : program_(program) {}

  // The filter `a` on a column of one text.
  int32_t one(const int32_t* a, const uint8_t* data, size_t length, bool missing) {
    begin();
    const int32_t code = text(a, data, length, missing);
    return code != OK ? code : end(a);
  }

  void begin() { matched_ = false; }

  // LEFT_OUT or OK, after the values of a column.
  int32_t end(const int32_t* a) const { return matched_ == ((a[A_MODE] & M_LEAVE_OUT) != 0) ? LEFT_OUT : OK; }

  // A value that is a text; a code where the filter has bounds and it is no number.
  int32_t text(const int32_t* a, const uint8_t* data, size_t length, bool missing) {
    const bool bounded = (a[A_MODE] & (M_AT_LEAST | M_AT_MOST)) != 0;
    double number = std::numeric_limits<double>::quiet_NaN();
    if (!missing && (bounded || a[A_CONSTANT_COUNT] > 2) && !parse_number(data, length, &number)) {
      if (bounded) return B_NUMBER;
      number = std::numeric_limits<double>::quiet_NaN();
    }
    value(a, true, data, length, number);
    return OK;
  }

  // A value of a column; NaN where it is no number.
  void value(const int32_t* a, bool has_text, const uint8_t* data, size_t length, double number) {
    const int32_t mode = a[A_MODE];
    const double* c = program_.constants + a[A_CONSTANT_FIRST];
    bool hit = true;
    if ((mode & M_AT_LEAST) != 0 && !(number >= c[0])) hit = false;
    if ((mode & M_AT_MOST) != 0 && !(number <= c[1])) hit = false;
    if (hit && (mode & M_LIST) != 0) hit = lists(a, number) || (has_text && lists_text(a, data, length));
    if (hit) matched_ = true;
  }

  // The flags of a finished record with this label.
  uint8_t closing(float label) {
    uint8_t flags = 0;
    const int32_t first = program_[P_NUM_ACTIONS];
    for (int32_t i = 0; i < program_[P_NUM_CLOSING]; i++) {
      const int32_t* a = program_.action(first + i);
      if (a[A_OP] == OP_SAMPLE) {
        if (label == static_cast<float>(program_.constants[a[A_CONSTANT_FIRST]])) flags |= static_cast<uint8_t>(kFlagSampled << a[A_MODE]);
        continue;
      }
      begin();
      value(a, false, nullptr, 0, label);
      if (end(a) != OK) return kFlagLeftOut;
    }
    return flags;
  }

 private:
  bool lists(const int32_t* a, double number) const {
    const double* c = program_.constants + a[A_CONSTANT_FIRST];
    for (int32_t i = 2; i < a[A_CONSTANT_COUNT]; i++) {
      if (c[i] == number) return true;
    }
    return false;
  }

  bool lists_text(const int32_t* a, const uint8_t* data, size_t length) const {
    for (int32_t i = 0; i < a[A_STRING_COUNT]; i++) {
      size_t size;
      const uint8_t* text = program_.string(a[A_STRING_FIRST] + i, &size);
      if (size == length && (size == 0 || std::memcmp(text, data, size) == 0)) return true;
    }
    return false;
  }

  const Program& program_;
  bool matched_ = false;
};

}  // namespace monolith
