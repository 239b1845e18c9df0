// Writing one record's values into a parsed block. A record is begun, filled by actions, and ended as good or bad; a bad one leaves no trace but
// its flag. Twin: src/data/twins/emitter.ts.
#pragma once
#include <cmath>
#include <cstring>
#include <limits>

#include "parsers/block.h"
#include "parsers/city_hash.h"
#include "parsers/derived.h"
#include "parsers/filter.h"
#include "parsers/number_text.h"
#include "parsers/program.h"

namespace monolith {

struct Token {
  const uint8_t* data = nullptr;
  size_t length = 0;
};

constexpr uint8_t kNoBytes[1] = {0};

inline int64_t make_fid(int32_t slot, uint64_t low48) {
  return static_cast<int64_t>((static_cast<uint64_t>(slot) << 48) | (low48 & 0xffffffffffffull));
}

class Emitter {
 public:
  Emitter(const Program& program, Block& block, double* result) : filter(program), program_(program), block_(block), result_(result), unit_labels_(program.flag(F_UNIT_LABEL)) {
    for (int32_t g = 0; g < block.num_groups; g++) block.groups[g].offsets[0] = 0;
    for (int32_t i = 0; i < program[P_MISSING_COUNT]; i++) {
      size_t length;
      const uint8_t* text = program.string(program[P_MISSING_FIRST] + i, &length);
      if (length == 0) empty_is_missing_ = true;
      else may_be_missing_[text[0]] = true;
    }
  }

  RecordFilters filter;

  bool has_room() const { return record_ < block_.max_examples; }
  int32_t record() const { return record_; }

  void begin() {
    flags_ = 0;
    label_ = std::numeric_limits<float>::quiet_NaN();
    weight_ = 1;
    compared_ = false;
    limit_ = std::numeric_limits<float>::quiet_NaN();
    for (int32_t g = 0; g < block_.num_groups; g++) block_.groups[g].ids = start(g);
  }

  // Ends the record. `at` and token offsets are relative to the parsed bytes.
  void good() {
    // A limit that is missing is never exceeded.
    if (compared_) label_ = value_ > limit_ ? 1 : 0;
    if (program_[P_NUM_CLOSING] > 0) {
      const uint8_t closing = filter.closing(label_);
      if ((closing & kFlagLeftOut) != 0) return leave_out();
      flags_ |= closing;
    }
    block_.labels[record_] = label_;
    block_.weights[record_] = weight_;
    block_.flags[record_] = flags_;
    record_++;
  }

  void bad(int32_t code, size_t at, int32_t line, int32_t column, size_t token_start, size_t token_end, int32_t extra) {
    if (bad_ < kBadEntries) {
      int32_t* entry = block_.bad + bad_ * kBadWords;
      entry[0] = record_;
      entry[1] = static_cast<int32_t>(at);
      entry[2] = line;
      entry[3] = code;
      entry[4] = column;
      entry[5] = static_cast<int32_t>(token_start);
      entry[6] = static_cast<int32_t>(token_end);
      entry[7] = extra;
    }
    bad_++;
    end_empty(kFlagBad);
  }

  // Ends the record as one that a filter leaves out.
  void leave_out() { end_empty(kFlagLeftOut); }

  // Ends the record without any values.
  void end_empty(uint8_t flag) {
    for (int32_t d = 0; d < block_.num_dense; d++) block_.dense[static_cast<size_t>(record_) * block_.num_dense + d] = 0;
    for (int32_t g = 0; g < block_.num_groups; g++) {
      BlockGroup& group = block_.groups[g];
      const int32_t first = start(g);
      group.ids = first;
      for (int32_t j = 1; j <= group.features; j++) group.offsets[static_cast<size_t>(record_) * group.features + j] = first;
    }
    block_.labels[record_] = std::numeric_limits<float>::quiet_NaN();
    block_.weights[record_] = 0;
    block_.flags[record_] = flags_ | flag;
    record_++;
  }

  void finish(size_t consumed, int32_t lines, bool full) {
    std::memset(block_.header, 0, kHeaderWords * 4);
    block_.header[0] = record_;
    block_.header[1] = record_;
    for (int32_t g = 0; g < block_.num_groups; g++) {
      block_.header[kHeaderIds + g] = start(g);
      if (is_regular(block_.groups[g])) block_.header[kHeaderRegular + (g >> 5)] |= static_cast<int32_t>(1u << (g & 31));
    }
    result_[R_CONSUMED] = static_cast<double>(consumed);
    result_[R_RECORDS] = record_;
    result_[R_LINES] = lines;
    result_[R_BAD] = bad_;
    result_[R_FULL] = full ? 1 : 0;
  }

  // --- values -------------------------------------------------------------------------------------------------------------------------

  void set_dense(int32_t column, float value) { block_.dense[static_cast<size_t>(record_) * block_.num_dense + column] = value; }
  void set_flag(uint8_t flag) { flags_ |= flag; }

  int32_t set_label(double value) {
    if (!std::isfinite(value)) return B_LABEL;
    label_ = static_cast<float>(value);
    if (!std::isfinite(label_)) return B_LABEL;
    return unit_labels_ && (label_ < 0 || label_ > 1) ? B_LABEL_RANGE : OK;
  }

  int32_t set_weight(double value) {
    if (!(value >= 0) || !std::isfinite(static_cast<float>(value))) return B_WEIGHT;
    weight_ = static_cast<float>(value);
    return OK;
  }

  int32_t push(int32_t g, int64_t fid, float value) {
    BlockGroup& group = block_.groups[g];
    if (group.ids >= group.max_ids) return FULL;
    group.fids[group.ids] = fid;
    if (group.values != nullptr) group.values[group.ids] = value;
    group.ids++;
    return OK;
  }

  int32_t ids_of_record(int32_t g) const { return block_.groups[g].ids - start(g); }

  // Ends bag j of group g.
  int32_t end_bag(int32_t g, int32_t j) {
    BlockGroup& group = block_.groups[g];
    group.offsets[static_cast<size_t>(record_) * group.features + j + 1] = group.ids;
    return group.ids - start(g) > id_limit(g) ? B_TOO_MANY_IDS : OK;
  }

  int32_t id_limit(int32_t g) const {
    const int32_t most = program_[P_MAX_IDS], features = block_.groups[g].features;
    return most > features ? most : features;
  }

  // --- actions over numbers and texts -------------------------------------------------------------------------------------------------

  bool is_missing(Token t) const {
    if (t.length == 0) return empty_is_missing_;
    return may_be_missing_[t.data[0]] && in_strings(t, program_[P_MISSING_FIRST], program_[P_MISSING_COUNT]);
  }

  bool in_strings(Token t, int32_t first, int32_t count) const {
    for (int32_t i = 0; i < count; i++) {
      size_t length;
      const uint8_t* text = program_.string(first + i, &length);
      if (length == t.length && (length == 0 || std::memcmp(text, t.data, length) == 0)) return true;
    }
    return false;
  }

  void numeric(const int32_t* a, double value) {
    const double* c = program_.constants + a[A_CONSTANT_FIRST];
    if (a[A_TRANSFORM] == T_LOG1P) {
      set_dense(a[A_DENSE], logs_.of(value));
      return;
    }
    if (a[A_TRANSFORM] == T_STANDARDIZE) value = (value - c[1]) / c[2];
    set_dense(a[A_DENSE], static_cast<float>(value));
  }

  void numeric_missing(const int32_t* a) { set_dense(a[A_DENSE], static_cast<float>(program_.constants[a[A_CONSTANT_FIRST]])); }

  int32_t label_number(const int32_t* a, double value) {
    if (a[A_MODE] == L_NUMBER) return set_label(value);
    if (value != value) return B_LABEL;
    if (a[A_MODE] == L_GREATER_THAN) {
      compared_ = true;
      value_ = static_cast<float>(value);
      return OK;
    }
    return set_label(value >= program_.constants[a[A_CONSTANT_FIRST]] ? 1 : 0);
  }

  // The other column of a label that compares two. Floats, as in TensorFlow: a float that stands for 2.45 is not more than 0.2 · 12.25.
  int32_t label_limit(const int32_t* a, double value) {
    limit_ = static_cast<float>(value) * static_cast<float>(program_.constants[a[A_CONSTANT_FIRST]]);
    return OK;
  }

  int32_t bucket(const int32_t* a, bool missing, double value) {
    const int64_t id = bucket_of(program_, a[A_OP], a, missing, value);
    int32_t code = push(a[A_GROUP], make_fid(a[A_SLOT], static_cast<uint64_t>(id)), 1);
    return code != OK ? code : end_bag(a[A_GROUP], a[A_INDEX]);
  }

  int32_t category(const int32_t* a, Token t) { return push(a[A_GROUP], make_fid(a[A_SLOT], city_hash64(t.data, t.length)), 1); }

  // The usual case of text(): a categorical feature of one value that is not missing.
  int32_t single_category(const int32_t* a, Token t) {
    const int32_t code = category(a, t);
    return code != OK ? code : end_bag(a[A_GROUP], a[A_INDEX]);
  }

  // One text into a bag without ending it: split at the separator, at most maxLength values in all (count so far in *count).
  int32_t categories(const int32_t* a, Token t, int32_t* count) {
    const int32_t most = a[A_MAX_LENGTH] > 0 ? a[A_MAX_LENGTH] : std::numeric_limits<int32_t>::max();
    if (a[A_SEPARATOR] < 0) {
      if (*count >= most) return OK;
      (*count)++;
      return category(a, t);
    }
    const int32_t limit = id_limit(a[A_GROUP]);
    const uint8_t* p = t.data;
    const uint8_t* end = t.data + t.length;
    while (*count < most) {
      const uint8_t* q = p;
      while (q < end && *q != a[A_SEPARATOR]) q++;
      Token part{p, static_cast<size_t>(q - p)};
      if (program_.flag(F_TRIM)) part = trimmed(part);
      if (part.length > 0) {
        if (ids_of_record(a[A_GROUP]) > limit) return B_TOO_MANY_IDS;
        int32_t code = category(a, part);
        if (code != OK) return code;
        (*count)++;
      }
      if (q >= end) break;
      p = q + 1;
    }
    return OK;
  }

  // A part of a cross that has a text.
  int32_t cross_text(const int32_t* a, Token t) {
    if (a[A_TRANSFORM] == OP_CATEGORICAL) return cross_id(a, city_hash64(t.data, t.length));
    double value = 0;
    return parse_number(t.data, t.length, &value) ? cross_number(a, value) : static_cast<int32_t>(B_NUMBER);
  }

  // A part of a cross whose numbers have buckets.
  int32_t cross_number(const int32_t* a, double value) {
    if (value != value) return crossed(a, true);
    return cross_id(a, static_cast<uint64_t>(bucket_of(program_, a[A_TRANSFORM], a, false, value)));
  }

  int32_t cross_id(const int32_t* a, uint64_t id) {
    cross_.add(a[A_DENSE], id);
    return crossed(a, false);
  }

  // Ends a part; behind the last one, the cross.
  int32_t crossed(const int32_t* a, bool missing) {
    const int32_t k = a[A_DENSE];
    cross_.missing = missing || (k > 0 && cross_.missing);
    if (a[A_MODE] != X_LAST) return OK;
    int32_t code = OK;
    if (!cross_.missing) code = category(a, {cross_.bytes, static_cast<size_t>(k + 1) * 8});
    else if (a[A_MISSING_TOKEN] != 0) code = category(a, Token{});
    return code != OK ? code : end_bag(a[A_GROUP], a[A_INDEX]);
  }

  int32_t missing_category(const int32_t* a) {
    if (a[A_MISSING_TOKEN] != 0) {
      int32_t code = push(a[A_GROUP], make_fid(a[A_SLOT], city_hash64(nullptr, 0)), 1);
      if (code != OK) return code;
    }
    return end_bag(a[A_GROUP], a[A_INDEX]);
  }

  static Token trimmed(Token t) {
    while (t.length > 0 && t.data[0] == ' ') {
      t.data++;
      t.length--;
    }
    while (t.length > 0 && t.data[t.length - 1] == ' ') t.length--;
    return t;
  }

  // The action `a` where there is no value.
  int32_t missing(const int32_t* a) {
    switch (a[A_OP]) {
      case OP_CATEGORICAL:
        return missing_category(a);
      case OP_NUMERIC:
        numeric_missing(a);
        return OK;
      case OP_BOUNDARIES:
      case OP_LOG2_SQUARED:
        return bucket(a, true, 0);
      case OP_FILTER:
        return filter.one(a, kNoBytes, 0, true);
      case OP_CROSS_PART:
        return crossed(a, true);
      case OP_LABEL:
        return program_.flag(F_REQUIRE_LABEL) ? B_MISSING_LABEL : OK;
      default:
        return OK;
    }
  }

  // The action `a` on a text (csv, tsv, criteo; also one bytes value of tf.Example).
  int32_t text(const int32_t* a, Token t) {
    double value = 0;
    if (a[A_OP] == OP_EVAL_VALUE) {
      if (in_strings(t, a[A_STRING_FIRST], a[A_STRING_COUNT])) set_flag(kFlagEvaluation);
      return OK;
    }
    if (a[A_OP] == OP_FILTER) return filter.one(a, t.data, t.length, is_missing(t));
    if (is_missing(t)) return missing(a);
    switch (a[A_OP]) {
      case OP_CATEGORICAL: {
        int32_t count = 0, code = categories(a, t, &count);
        return code != OK ? code : end_bag(a[A_GROUP], a[A_INDEX]);
      }
      case OP_NUMERIC:
        if (!parse_number(t.data, t.length, &value)) return B_NUMBER;
        numeric(a, value);
        return OK;
      case OP_BOUNDARIES:
      case OP_LOG2_SQUARED:
        return parse_number(t.data, t.length, &value) ? bucket(a, false, value) : static_cast<int32_t>(B_NUMBER);
      case OP_LABEL:
        if (a[A_MODE] == L_POSITIVE) return set_label(in_strings(t, a[A_STRING_FIRST], a[A_STRING_COUNT]) ? 1 : 0);
        return parse_number(t.data, t.length, &value) ? label_number(a, value) : static_cast<int32_t>(B_LABEL);
      case OP_CROSS_PART:
        return cross_text(a, t);
      case OP_LABEL_LIMIT:
        return parse_number(t.data, t.length, &value) ? label_limit(a, value) : static_cast<int32_t>(B_LABEL);
      case OP_WEIGHT:
        return parse_number(t.data, t.length, &value) ? set_weight(value) : static_cast<int32_t>(B_WEIGHT);
      default:
        return OK;
    }
  }

 private:
  bool is_regular(const BlockGroup& group) const {
    const int32_t* offsets = group.offsets;
    for (int32_t i = 0; i < record_; i++, offsets += group.features) {
      int32_t wrong = 0;
      const int32_t first = i * group.features;
      for (int32_t j = 1; j <= group.features; j++) wrong |= offsets[j] ^ (first + j);
      if (wrong != 0) return false;
    }
    return true;
  }

  int32_t start(int32_t g) const {
    const BlockGroup& group = block_.groups[g];
    return group.offsets[static_cast<size_t>(record_) * group.features];
  }

  const Program& program_;
  Block& block_;
  double* result_;
  int32_t record_ = 0;
  int32_t bad_ = 0;
  uint8_t flags_ = 0;
  float label_ = 0;
  float weight_ = 1;
  bool compared_ = false;
  float value_ = 0;
  float limit_ = 0;
  const bool unit_labels_;
  bool empty_is_missing_ = false;
  // [first byte] of the texts that mean "no value"
  bool may_be_missing_[256] = {false};
  CrossIds cross_;
  LogTable logs_;
};

}  // namespace monolith
