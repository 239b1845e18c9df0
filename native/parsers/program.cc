#include "parsers/program.h"

namespace monolith {

constexpr int32_t kMaxColumns = 1 << 17;

const char* check_program(const Program& p) {
  if (p.num_words < P_HEADER_WORDS) return "program is too short";
  auto range = [&](int64_t at, int64_t count) { return at >= P_HEADER_WORDS && count >= 0 && at + count <= static_cast<int64_t>(p.num_words); };
  const int64_t groups = p[P_NUM_GROUPS], actions = p[P_NUM_ACTIONS], closing = p[P_NUM_CLOSING], strings = p[P_NUM_STRINGS], fields = p[P_NUM_FIELDS];
  if (groups < 0 || groups > 56 || p[P_NUM_DENSE] < 0 || p[P_COLUMNS] < 0 || actions < 0 || closing < 0 || strings < 0 || fields < 0) return "program has a negative count";
  // Tables of this many entries are made for each parse call.
  if (p[P_COLUMNS] > kMaxColumns || fields > kMaxColumns) return "program has too many columns";
  if (!range(p[P_GROUPS_AT], groups * 2) || !range(p[P_FIELDS_AT], fields * 2) || !range(p[P_ACTIONS_AT], (actions + closing) * A_WORDS) ||
      !range(p[P_STRINGS_AT], strings + 1)) {
    return "program points outside itself";
  }
  auto strings_ok = [&](int64_t first, int64_t count) { return first >= 0 && count >= 0 && first + count <= strings; };
  const int32_t* ends = p.words + p[P_STRINGS_AT];
  for (int64_t i = 0; i < strings; i++) {
    if (ends[i] < 0 || ends[i + 1] < ends[i] || static_cast<size_t>(ends[i + 1]) > p.strings_length) return "program has wrong string ends";
  }
  if (!strings_ok(p[P_MISSING_FIRST], p[P_MISSING_COUNT])) return "program has wrong missing texts";
  if (p[P_FORMAT] == kTfrecord && !strings_ok(p[P_NAMES_FIRST], p[P_COLUMNS])) return "program has wrong feature names";
  const int32_t* table = p.words + p[P_GROUPS_AT];
  for (int64_t g = 0; g < groups; g++) {
    if (table[g * 2] < 0) return "program has a group without a size";
  }
  const int32_t* field = p.words + p[P_FIELDS_AT];
  for (int64_t f = 0; f < fields; f++) {
    if (field[f * 2] >= 0 && (field[f * 2] >= groups || field[f * 2 + 1] < 0 || field[f * 2 + 1] >= table[field[f * 2] * 2])) {
      return "program sends a field outside its group";
    }
  }
  const int64_t columns = p[P_FORMAT] == kCriteoBin ? 40 : p[P_COLUMNS];
  int64_t last_group = 0, last_index = -1;
  int32_t cross_parts = 0;
  for (int64_t k = 0; k < actions + closing; k++) {
    const int32_t i = static_cast<int32_t>(k);
    const int32_t* a = p.action(i);
    if (a[A_OP] < OP_LABEL || a[A_OP] > OP_SAMPLE) return "program has an unknown action";
    if ((a[A_OP] >= OP_LABEL_FILTER) != (k >= actions)) return "program has an action in the wrong place";
    if (a[A_COLUMN] < 0 || (a[A_COLUMN] >= columns && k < actions)) return "program reads a column that is not there";
    if (a[A_CONSTANT_FIRST] < 0 || a[A_CONSTANT_COUNT] < 0 ||
        static_cast<int64_t>(a[A_CONSTANT_FIRST]) + a[A_CONSTANT_COUNT] > static_cast<int64_t>(p.num_constants)) {
      return "program has constants outside the list";
    }
    if (a[A_OP] >= OP_FILTER && a[A_CONSTANT_COUNT] < (a[A_OP] == OP_SAMPLE ? 1 : 2)) return "program lacks the constants of a filter";
    if (a[A_OP] == OP_SAMPLE && (a[A_MODE] < 0 || a[A_MODE] >= kMaxSamplings)) return "program has a sampling without a flag";
    if (!strings_ok(a[A_STRING_FIRST], a[A_STRING_COUNT])) return "program has strings outside the list";
    if (a[A_OP] == OP_NUMERIC && (a[A_DENSE] < 0 || a[A_DENSE] >= p[P_NUM_DENSE])) return "program writes a dense column that is not there";
    if (a[A_OP] == OP_NUMERIC && a[A_CONSTANT_COUNT] < 3 && p[P_FORMAT] != kCriteoBin) return "program lacks the constants of a number";
    if (((a[A_OP] == OP_LABEL && a[A_MODE] >= L_AT_LEAST) || a[A_OP] == OP_LABEL_LIMIT) && a[A_CONSTANT_COUNT] < 1) return "program lacks the constant of a label";
    // The parts of a cross follow one another, the last one writes the bag.
    if (a[A_OP] == OP_CROSS_PART ? a[A_DENSE] != cross_parts : cross_parts != 0) return "program leaves a cross open";
    bool writes_bag = a[A_OP] >= OP_CATEGORICAL && a[A_OP] <= OP_LOG2_SQUARED;
    if (a[A_OP] == OP_CROSS_PART) {
      if (cross_parts++ == kMaxCrossParts) return "program crosses too many columns";
      writes_bag = a[A_MODE] == X_LAST;
      if (writes_bag) cross_parts = 0;
    }
    if (writes_bag) {
      const int64_t g = a[A_GROUP], j = a[A_INDEX];
      if (g < 0 || g >= groups || j < 0 || j >= table[g * 2]) return "program writes a bag that is not there";
      if (a[A_SLOT] < 0 || a[A_SLOT] > 32767) return "program has a slot outside 0..32767";
      // Bags are appended: each group's features must come in order, without gaps.
      if (g != last_group) {
        if (g < last_group || last_index + 1 != table[last_group * 2]) return "program writes bags out of order";
        for (int64_t k = last_group + 1; k < g; k++) {
          if (table[k * 2] != 0) return "program leaves a bag out";
        }
        last_group = g;
        last_index = -1;
      }
      if (j != last_index + 1) return "program writes bags out of order";
      last_index = j;
    }
  }
  return cross_parts == 0 ? nullptr : "program leaves a cross open";
}

}  // namespace monolith
