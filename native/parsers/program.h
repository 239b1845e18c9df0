// Words of a parser's program and of a parsed block. Keep in step with src/data/program.ts, which explains them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace monolith {

enum ProgramFormat : int32_t { kDelimited = 1, kCriteoBin = 2, kLibsvm = 3, kLibffm = 4, kTfrecord = 5 };  // 6 to 9, Monolith's, are parsed in TypeScript

enum ProgramWord {
  P_FORMAT = 0, P_FLAGS, P_SEPARATOR, P_COLUMNS, P_MAX_IDS, P_NUM_DENSE, P_NUM_GROUPS, P_NUM_ACTIONS, P_MISSING_FIRST, P_MISSING_COUNT,
  P_LABEL_TYPE, P_DENSE_TYPE, P_NUM_FIELDS, P_GROUPS_AT, P_FIELDS_AT, P_ACTIONS_AT, P_STRINGS_AT, P_NUM_STRINGS, P_NAMES_FIRST, P_MAX_RECORD,
  P_NUM_CLOSING = 31,
  P_HEADER_WORDS = 32,
};

enum ProgramFlag : int32_t { F_REQUIRE_LABEL = 1, F_TRIM = 2, F_QUOTES = 4, F_MAY_LACK_FIRST = 8, F_UNIT_LABEL = 16 };

enum ActionWord {
  A_OP = 0, A_COLUMN, A_DENSE, A_SLOT, A_SEPARATOR, A_MAX_LENGTH, A_MISSING_TOKEN, A_CONSTANT_FIRST, A_CONSTANT_COUNT, A_TRANSFORM, A_MODE,
  A_STRING_FIRST, A_STRING_COUNT, A_GROUP, A_INDEX, A_WORDS = 16,
};

enum Op : int32_t { OP_LABEL = 1, OP_WEIGHT, OP_NUMERIC, OP_CATEGORICAL, OP_BOUNDARIES, OP_LOG2_SQUARED, OP_EVAL_VALUE, OP_LABEL_LIMIT, OP_CROSS_PART,
  OP_FILTER, OP_LABEL_FILTER, OP_SAMPLE };
enum FilterMode : int32_t { M_AT_LEAST = 1, M_AT_MOST = 2, M_LIST = 4, M_LEAVE_OUT = 8 };
constexpr int32_t kMaxSamplings = 4;
enum CrossMode : int32_t { X_PART = 0, X_LAST };
constexpr int32_t kMaxCrossParts = 4;
enum Transform : int32_t { T_NONE = 0, T_LOG1P, T_STANDARDIZE };
enum LabelMode : int32_t { L_NUMBER = 0, L_POSITIVE, L_AT_LEAST, L_GREATER_THAN };

constexpr int64_t kSmallOffset = 1000, kSmallest = -1000, kLargeOffset = 1024, kLargestBucket = 1 << 20, kMissingBucket = 1023;

enum Bad : int32_t {
  OK = 0, B_COLUMNS, B_NUMBER, B_LABEL, B_WEIGHT, B_TOO_MANY_IDS, B_MISSING_LABEL, B_QUOTE, B_PAIR, B_INDEX, B_FIELD, B_LENGTH_CRC, B_DATA_CRC,
  B_TRUNCATED, B_TOO_LONG, B_EXAMPLE, B_KIND, B_TOO_MANY_VALUES, B_FIELD_ORDER, B_LABEL_RANGE,
  // Not a bad record: the parsed block has no room.
  FULL = -1,
  // Not a bad record either: a filter leaves it out.
  LEFT_OUT = -2,
};

constexpr int kBadWords = 8, kBadEntries = 16;
constexpr uint8_t kFlagBad = 1, kFlagEvaluation = 2, kFlagLeftOut = 4, kFlagSampled = 16, kFlagAnySampled = 0xf0;

enum ResultWord { R_CONSUMED = 0, R_RECORDS, R_LINES, R_BAD, R_FULL, R_WORDS = 8 };

struct Program {
  const int32_t* words = nullptr;
  size_t num_words = 0;
  const double* constants = nullptr;
  size_t num_constants = 0;
  const uint8_t* strings = nullptr;
  size_t strings_length = 0;

  int32_t operator[](ProgramWord w) const { return words[w]; }
  const int32_t* action(int32_t i) const { return words + words[P_ACTIONS_AT] + static_cast<size_t>(i) * A_WORDS; }
  const uint8_t* string(int32_t i, size_t* length) const {
    const int32_t* ends = words + words[P_STRINGS_AT];
    *length = static_cast<size_t>(ends[i + 1] - ends[i]);
    return strings + ends[i];
  }
  bool flag(ProgramFlag f) const { return (words[P_FLAGS] & f) != 0; }
};

// Checks every offset and index of a program once, so that the parsers may trust them. Null: fine; else what is wrong.
const char* check_program(const Program& program);

}  // namespace monolith
