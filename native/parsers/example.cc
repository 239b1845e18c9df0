// TFRecord framing around tf.train.Example and SequenceExample. Twins: src/data/twins/tfrecord.ts and example.ts.
#include <memory>
#include <vector>

#include "parsers/crc32c.h"
#include "parsers/emit.h"
#include "parsers/example_values.h"
#include "parsers/parsers.h"
#include "parsers/wire.h"

namespace monolith {
namespace {

// Open-addressed names → numbers.
class Names {
 public:
  Names(const Program& program) : program_(program) {
    const int32_t count = program[P_COLUMNS];
    size_t size = 16;
    while (size < static_cast<size_t>(count) * 4) size *= 2;
    mask_ = size - 1;
    table_.assign(size, -1);
    for (int32_t i = 0; i < count; i++) {
      Token name = text(i);
      size_t at = hash(name) & mask_;
      while (table_[at] >= 0) at = (at + 1) & mask_;
      table_[at] = i;
    }
  }
  int32_t find(Token name) const {
    for (size_t at = hash(name) & mask_; table_[at] >= 0; at = (at + 1) & mask_) {
      Token known = text(table_[at]);
      if (known.length == name.length && std::memcmp(known.data, name.data, name.length) == 0) return table_[at];
    }
    return -1;
  }

 private:
  Token text(int32_t i) const {
    Token token;
    token.data = program_.string(program_[P_NAMES_FIRST] + i, &token.length);
    return token;
  }
  static size_t hash(Token t) {
    // Two overlapping loads of a fixed size: copying a varying length would go through memory.
    uint64_t low = 0, high = 0;
    if (t.length >= 8) {
      low = city::fetch64(t.data);
      high = city::fetch64(t.data + t.length - 8);
    } else if (t.length >= 4) {
      low = city::fetch32(t.data);
      high = city::fetch32(t.data + t.length - 4);
    } else if (t.length > 0) {
      low = t.data[0];
      high = static_cast<uint64_t>(t.data[t.length >> 1]) << 8 | t.data[t.length - 1];
    }
    uint64_t h = (low ^ (high * 0x9E3779B97F4A7C15ull) ^ t.length) * 0xBF58476D1CE4E5B9ull;
    return static_cast<size_t>(h >> 32);
  }
  const Program& program_;
  size_t mask_ = 0;
  std::vector<int32_t> table_;
};

class ExampleParser {
 public:
  ExampleParser(const Program& program, Emitter& out) : program_(program), out_(out), names_(program), features_(static_cast<size_t>(program[P_COLUMNS])) {}

  int32_t column = 0;
  int32_t extra = 0;

  int32_t parse(const uint8_t* p, const uint8_t* end) {
    for (Feature& feature : features_) {
      feature.kind = kMissing;
      feature.sequence = false;
    }
    column = 0;
    extra = 0;
    while (p < end) {
      Field field;
      p = read_field(p, end, &field);
      if (p == nullptr) return B_EXAMPLE;
      // 1: the features of an Example, the context of a SequenceExample; 2: its feature lists.
      if (field.number > 2) continue;
      if (field.wire != 2) return B_EXAMPLE;
      if (!scan_features(field.data, field.end, field.number == 2)) return B_EXAMPLE;
    }
    for (int32_t i = 0; i < program_[P_NUM_ACTIONS]; i++) {
      const int32_t* a = program_.action(i);
      int32_t code = act(a, features_[static_cast<size_t>(a[A_COLUMN])]);
      if (code != OK) {
        column = a[A_COLUMN];
        if (code == B_TOO_MANY_IDS) extra = out_.ids_of_record(a[A_GROUP]);
        return code;
      }
    }
    return OK;
  }

 private:
  bool scan_features(const uint8_t* p, const uint8_t* end, bool sequences) {
    while (p < end) {
      Field entry;
      p = read_field(p, end, &entry);
      if (p == nullptr) return false;
      if (entry.number != 1) continue;
      if (entry.wire != 2) return false;
      Token key;
      const uint8_t* value = nullptr;
      const uint8_t* value_end = nullptr;
      for (const uint8_t* q = entry.data; q < entry.end;) {
        Field part;
        q = read_field(q, entry.end, &part);
        if (q == nullptr) return false;
        if (part.number == 1 && part.wire == 2) key = {part.data, static_cast<size_t>(part.end - part.data)};
        else if (part.number == 2 && part.wire == 2) {
          value = part.data;
          value_end = part.end;
        } else if (part.number <= 2) return false;
      }
      const uint8_t empty = 0;
      if (key.data == nullptr) key.data = &empty;
      const int32_t number = names_.find(key);
      if (number < 0) continue;
      Feature& feature = features_[static_cast<size_t>(number)];
      if (sequences) {
        feature.sequence = true;
        if (!scan_steps(value, value_end, &feature)) return false;
        // A name that stands in both is that of the sequence.
      } else if (!feature.sequence && !find_list(value, value_end, &feature)) {
        return false;
      }
    }
    return true;
  }

  // Settles the kind of a sequence: that of its first step with a value, which the other steps with values share.
  bool scan_steps(const uint8_t* p, const uint8_t* end, Feature* feature) {
    feature->kind = kMissing;
    feature->data = p;
    feature->end = end;
    while (p < end) {
      Field field;
      p = read_field(p, end, &field);
      if (p == nullptr) return false;
      if (field.number != 1) continue;
      Feature step;
      if (field.wire != 2 || !find_list(field.data, field.end, &step)) return false;
      if (step.kind == kMissing || step.data == step.end) continue;
      if (feature->kind != kMissing && feature->kind != step.kind) return false;
      feature->kind = step.kind;
    }
    return true;
  }

  // The one number or text of a feature. *values counts; more than one is refused by the caller.
  int32_t act(const int32_t* a, const Feature& feature) {
    if (a[A_OP] == OP_CATEGORICAL) return categories(a, feature);
    if (a[A_OP] == OP_FILTER) return filter(a, feature);
    Token text;
    double number = 0;
    int64_t values = 0;
    int32_t code = OK;
    if (feature.kind != kMissing) {
      code = for_each_value(feature, [&](Token t, double d, int64_t i) {
        if (values++ == 0) {
          text = t;
          number = feature.kind == kInt64 ? static_cast<double>(i) : d;
          if (feature.kind == kInt64) integer_ = i;
        }
        return static_cast<int32_t>(OK);
      });
    }
    if (code != OK) return code;
    if (values > 1) {
      extra = static_cast<int32_t>(values > 0x7fffffff ? 0x7fffffff : values);
      return B_TOO_MANY_VALUES;
    }
    if (values == 0) return out_.missing(a);
    if (feature.kind == kBytes) return out_.text(a, text);
    switch (a[A_OP]) {
      case OP_NUMERIC:
        out_.numeric(a, number);
        return OK;
      case OP_BOUNDARIES:
      case OP_LOG2_SQUARED:
        return out_.bucket(a, false, number);
      case OP_CROSS_PART:
        if (a[A_TRANSFORM] != OP_CATEGORICAL) return out_.cross_number(a, number);
        if (feature.kind == kFloat) return B_KIND;
        return out_.text(a, {digits_, decimal(integer_, digits_)});
      case OP_LABEL_LIMIT:
        return out_.label_limit(a, number);
      case OP_WEIGHT:
        return out_.set_weight(number);
      case OP_LABEL:
        if (a[A_MODE] != L_POSITIVE) return out_.label_number(a, number);
        if (feature.kind == kFloat) return B_KIND;
        return out_.text(a, {digits_, decimal(integer_, digits_)});
      default:
        if (feature.kind == kFloat) return B_KIND;
        return out_.text(a, {digits_, decimal(integer_, digits_)});
    }
  }

  // One value that meets the condition is enough.
  int32_t filter(const int32_t* a, const Feature& feature) {
    int64_t values = 0;
    int32_t code = OK;
    out_.filter.begin();
    if (feature.kind != kMissing) {
      code = for_each_value(feature, [&](Token t, double d, int64_t i) {
        values++;
        if (feature.kind == kBytes) return out_.filter.text(a, t.data, t.length, out_.is_missing(t));
        const bool whole = feature.kind == kInt64;
        const size_t length = whole ? decimal(i, digits_) : 0;
        out_.filter.value(a, whole, digits_, length, whole ? static_cast<double>(i) : d);
        return static_cast<int32_t>(OK);
      });
    }
    if (code != OK) return code;
    return values == 0 ? out_.missing(a) : out_.filter.end(a);
  }

  int32_t categories(const int32_t* a, const Feature& feature) {
    if (feature.kind == kFloat) return !feature.sequence && feature.data == feature.end ? out_.missing_category(a) : static_cast<int32_t>(B_KIND);
    const bool single = a[A_MAX_LENGTH] == 0 && a[A_SEPARATOR] < 0;
    int32_t count = 0;
    int64_t values = 0;
    const int32_t limit = out_.id_limit(a[A_GROUP]);
    int32_t code = OK;
    if (feature.kind != kMissing) {
      code = for_each_value(feature, [&](Token t, double, int64_t i) {
        if (feature.kind == kInt64) t = {digits_, decimal(i, digits_)};
        else if (out_.is_missing(t)) return static_cast<int32_t>(OK);
        values++;
        if (single && values > 1) return static_cast<int32_t>(OK);
        if (a[A_MAX_LENGTH] > 0 && count >= a[A_MAX_LENGTH]) return static_cast<int32_t>(OK);
        if (out_.ids_of_record(a[A_GROUP]) > limit) return static_cast<int32_t>(B_TOO_MANY_IDS);
        return out_.categories(a, t, &count);
      });
    }
    if (code != OK) return code;
    if (single && values > 1) {
      extra = static_cast<int32_t>(values);
      return B_TOO_MANY_VALUES;
    }
    return values == 0 ? out_.missing_category(a) : out_.end_bag(a[A_GROUP], a[A_INDEX]);
  }

  const Program& program_;
  Emitter& out_;
  Names names_;
  std::vector<Feature> features_;
  int64_t integer_ = 0;
  uint8_t digits_[24];
};

uint64_t read64(const uint8_t* p) { return city::fetch64(p); }
uint32_t read32(const uint8_t* p) { return city::fetch32(p); }

constexpr size_t kFrameHeader = 12, kFrame = 16;

bool good_header(const uint8_t* p, uint64_t max_record) { return masked_crc32c(p, 8) == read32(p + 8) && read64(p) <= max_record; }

}  // namespace

void parse_tfrecord(const Program& program, const uint8_t* data, size_t length, Block& block, double* result) {
  Emitter out(program, block, result);
  ExampleParser parser(program, out);
  const uint64_t max_record = static_cast<uint64_t>(program[P_MAX_RECORD]);
  size_t at = 0;
  bool full = false;
  while (at < length) {
    if (!out.has_room()) {
      full = true;
      break;
    }
    const uint8_t* p = data + at;
    const size_t left = length - at;
    int32_t code = OK;
    size_t next = length;
    out.begin();
    if (left < kFrameHeader) {
      code = B_TRUNCATED;
    } else {
      const uint64_t size = read64(p);
      const bool header_ok = masked_crc32c(p, 8) == read32(p + 8);
      const bool fits = size <= max_record && size + kFrame <= left;
      if (header_ok && size <= max_record) {
        if (!fits) code = B_TRUNCATED;
        else {
          next = at + kFrame + static_cast<size_t>(size);
          if (masked_crc32c(p + kFrameHeader, static_cast<size_t>(size)) != read32(p + kFrameHeader + size)) code = B_DATA_CRC;
        }
      } else {
        code = header_ok ? B_TOO_LONG : B_LENGTH_CRC;
        if (fits && masked_crc32c(p + kFrameHeader, static_cast<size_t>(size)) == read32(p + kFrameHeader + size)) {
          // The length is right after all: only its checksum is not.
          next = at + kFrame + static_cast<size_t>(size);
        } else {
          // Skip to the next place that looks like a record's start.
          for (size_t q = at + 1; q + kFrameHeader <= length; q++) {
            if (good_header(data + q, max_record)) {
              next = q;
              break;
            }
          }
        }
      }
    }
    int32_t column = 0, extra = 0;
    if (code == OK) {
      code = parser.parse(p + kFrameHeader, data + next - 4);
      column = parser.column;
      extra = parser.extra;
      if (code == FULL) {
        full = true;
        break;
      }
    }
    if (code == OK) out.good();
    else if (code == LEFT_OUT) out.leave_out();
    else out.bad(code, at, 0, column, at, next, extra);
    at = next;
  }
  out.finish(at, 0, full);
}

}  // namespace monolith
