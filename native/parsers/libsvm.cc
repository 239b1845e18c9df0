// LibSVM (label index:value …) and LibFFM (label field:index:value …). Twin: src/data/twins/libsvm.ts.
#include <memory>
#include <vector>

#include "parsers/emit.h"
#include "parsers/parsers.h"

namespace monolith {
namespace {

struct Entry {
  int32_t field;
  int64_t fid;
  float value;
};

bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r'; }

// A whole number of at most 15 digits. False: none there.
bool parse_index(const uint8_t*& p, const uint8_t* end, int64_t* out) {
  const uint8_t* start = p;
  int64_t value = 0;
  while (p < end && is_digit(*p) && p - start < 16) value = value * 10 + (*p++ - '0');
  *out = value;
  return p > start && p - start < 16;
}

}  // namespace

void parse_libsvm(const Program& program, const uint8_t* data, size_t length, Block& block, double* result) {
  Emitter out(program, block, result);
  const bool ffm = program[P_FORMAT] == kLibffm;
  const int32_t num_fields = program[P_NUM_FIELDS];
  const int32_t* field_table = program.words + program[P_FIELDS_AT];
  const int64_t index_limit = (1ll << 48) - 1;
  std::vector<Entry> entries;
  // Entries of each field, as chains through `next`: fields may come in any order.
  std::vector<int32_t> first(static_cast<size_t>(num_fields) + 1), last(static_cast<size_t>(num_fields) + 1), next;
  std::vector<int32_t> order;
  for (int32_t g = 0; g < block.num_groups; g++) {
    for (int32_t j = 0; j < block.groups[g].features; j++) {
      int32_t field = -1;
      for (int32_t f = 0; f < num_fields && field < 0; f++) {
        if (field_table[f * 2] == g && field_table[f * 2 + 1] == j) field = f;
      }
      order.push_back(field);
    }
  }
  const uint8_t* end = data + length;
  const uint8_t* p = data;
  int32_t lines = 0;
  bool full = false;
  while (p < end) {
    const uint8_t* newline = static_cast<const uint8_t*>(std::memchr(p, '\n', static_cast<size_t>(end - p)));
    const uint8_t* line_end = newline != nullptr ? newline : end;
    const uint8_t* after = newline != nullptr ? newline + 1 : end;
    const uint8_t* comment = static_cast<const uint8_t*>(std::memchr(p, '#', static_cast<size_t>(line_end - p)));
    const uint8_t* stop = comment != nullptr ? comment : line_end;
    const uint8_t* q = p;
    while (q < stop && is_space(*q)) q++;
    if (q == stop) {
      p = after;
      lines += newline != nullptr ? 1 : 0;
      continue;
    }
    if (!out.has_room()) {
      full = true;
      break;
    }
    out.begin();
    entries.clear();
    next.clear();
    for (int32_t f = 0; f < num_fields; f++) first[static_cast<size_t>(f)] = -1;
    int32_t code = OK, extra = 0, column = 0;
    const uint8_t* token = q;
    while (q < stop && !is_space(*q)) q++;
    // A first token with a colon is a pair: the line has no label.
    double value = 0;
    if (std::memchr(token, ':', static_cast<size_t>(q - token)) != nullptr) {
      if (program.flag(F_REQUIRE_LABEL)) code = B_MISSING_LABEL;
      else q = token;
    } else if (!parse_number(token, static_cast<size_t>(q - token), &value)) {
      code = B_LABEL;
    } else {
      code = out.set_label(value == -1 ? 0 : value);
    }
    while (code == OK) {
      while (q < stop && is_space(*q)) q++;
      if (q == stop) break;
      token = q;
      column++;
      const uint8_t* token_end = q;
      while (token_end < stop && !is_space(*token_end)) token_end++;
      int64_t field = 0, index = 0;
      if (ffm) {
        if (!parse_index(q, token_end, &field) || q == token_end || *q != ':') {
          code = B_PAIR;
        } else if (field >= num_fields) {
          code = B_FIELD;
          extra = field > 0x7fffffff ? 0x7fffffff : static_cast<int32_t>(field);
        } else {
          q++;
        }
      }
      if (code == OK && (!parse_index(q, token_end, &index) || q == token_end || *q != ':')) code = B_PAIR;
      if (code == OK && index > index_limit) code = B_INDEX;
      if (code == OK) {
        q++;
        if (!parse_number(q, static_cast<size_t>(token_end - q), &value)) code = B_NUMBER;
      }
      if (code != OK) {
        q = token_end;
        break;
      }
      q = token_end;
      const int32_t f = static_cast<int32_t>(field);
      const int32_t number = static_cast<int32_t>(entries.size());
      entries.push_back({f, make_fid(0, static_cast<uint64_t>(index)), static_cast<float>(value)});
      next.push_back(-1);
      if (first[static_cast<size_t>(f)] < 0) first[static_cast<size_t>(f)] = number;
      else next[static_cast<size_t>(last[static_cast<size_t>(f)])] = number;
      last[static_cast<size_t>(f)] = number;
    }
    const size_t at = static_cast<size_t>(p - data);
    size_t bag = 0;
    for (int32_t g = 0; code == OK && g < block.num_groups; g++) {
      for (int32_t j = 0; code == OK && j < block.groups[g].features; j++) {
        const int32_t field = order[bag++];
        for (int32_t e = field < 0 ? -1 : first[static_cast<size_t>(field)]; code == OK && e >= 0; e = next[static_cast<size_t>(e)]) {
          if (out.ids_of_record(g) > out.id_limit(g)) code = B_TOO_MANY_IDS;
          else code = out.push(g, entries[static_cast<size_t>(e)].fid, entries[static_cast<size_t>(e)].value);
        }
        if (code == OK) code = out.end_bag(g, j);
        if (code == B_TOO_MANY_IDS) extra = static_cast<int32_t>(entries.size());
      }
    }
    if (code == FULL) {
      full = true;
      break;
    }
    if (code == OK) out.good();
    else out.bad(code, at, lines, column, static_cast<size_t>(token - data), static_cast<size_t>(q - data), extra);
    p = after;
    lines += newline != nullptr ? 1 : 0;
  }
  out.finish(static_cast<size_t>(p - data), lines, full);
}

}  // namespace monolith
