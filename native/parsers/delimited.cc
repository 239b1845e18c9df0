// CSV, TSV and Criteo text. Twin: src/data/twins/delimited.ts.
#include <memory>
#include <vector>

#include "parsers/emit.h"
#include "parsers/parsers.h"
#include "parsers/scan.h"

namespace monolith {
namespace {

struct Line {
  const uint8_t* next = nullptr;
  int32_t columns = 0;
  int32_t lines = 0;
  bool bad_quote = false;
  bool blank = false;
};

// Splits [p, end) up to the first line end into fields; more than `most` fields are counted, not kept. A '\r' before '\n' belongs to the line end.
// With `quotes`, a line that has a quote is left alone: *quoted is set and nothing else is.
Line split_plain(const uint8_t* p, const uint8_t* end, const Scanner& scanner, uint8_t separator, bool quotes, Token* fields, int32_t most,
                 bool* quoted) {
  Line line;
  const uint8_t* start = p;
  const uint8_t* at = p;
  const uint8_t* stop = nullptr;
  int32_t columns = 0;
  *quoted = false;
  while (stop == nullptr && at < end) {
    uint64_t found;
    const size_t left = static_cast<size_t>(end - at);
    if (left >= kScanBytes) {
      found = scanner.of(at);
    } else {
      uint8_t rest[kScanBytes] = {0};
      std::memcpy(rest, at, left);
      found = scanner.of(rest) & ((1ull << left) - 1);
    }
    for (; found != 0; found &= found - 1) {
      const uint8_t* hit = at + __builtin_ctzll(found);
      if (*hit == separator) {
        if (columns < most) fields[columns] = {start, static_cast<size_t>(hit - start)};
        columns++;
        start = hit + 1;
      } else if (*hit == '\n') {
        stop = hit;
        break;
      } else if (quotes) {
        *quoted = true;
        return line;
      }
    }
    at += kScanBytes;
  }
  line.next = stop != nullptr ? stop + 1 : end;
  line.lines = stop != nullptr ? 1 : 0;
  if (stop == nullptr) stop = end;
  if (stop > p && stop[-1] == '\r' && stop[-1] != separator) stop--;
  line.blank = stop == p;
  if (columns < most) fields[columns] = {start, static_cast<size_t>(stop - start)};
  line.columns = columns + 1;
  return line;
}

// The same with RFC 4180 quotes: a field that begins with '"' (after spaces, when trimming) runs to the closing quote, "" is one quote.
// `scratch` holds the fields that had doubled quotes.
Line split_quoted(const uint8_t* p, const uint8_t* end, uint8_t separator, bool trim, Token* fields, int32_t most, uint8_t* scratch) {
  Line line;
  int32_t columns = 0;
  for (;;) {
    const uint8_t* start = p;
    Token field;
    const uint8_t* quote = p;
    if (trim) {
      while (quote < end && *quote == ' ') quote++;
    }
    if (quote < end && *quote == '"') {
      p = quote + 1;
      start = p;
      uint8_t* copy = nullptr;
      uint8_t* copy_start = scratch;
      bool closed = false;
      while (p < end) {
        if (*p == '"') {
          if (p + 1 < end && p[1] == '"') {
            if (copy == nullptr) {
              std::memcpy(scratch, start, static_cast<size_t>(p - start));
              copy = scratch + (p - start);
            }
            *copy++ = '"';
            p += 2;
            continue;
          }
          closed = true;
          break;
        }
        if (*p == '\n') line.lines++;
        if (copy != nullptr) *copy++ = *p;
        p++;
      }
      if (copy != nullptr) {
        field = {copy_start, static_cast<size_t>(copy - copy_start)};
        scratch = copy;
      } else {
        field = {start, static_cast<size_t>(p - start)};
      }
      if (!closed) line.bad_quote = true;
      else p++;
      const uint8_t* after = p;
      while (p < end && *p != separator && *p != '\n') p++;
      for (; after < p; after++) {
        if (*after != ' ' && *after != '\r') line.bad_quote = true;
      }
    } else {
      while (p < end && *p != separator && *p != '\n') p++;
      field = {start, static_cast<size_t>(p - start)};
      if ((p == end || *p == '\n') && field.length > 0 && field.data[field.length - 1] == '\r') field.length--;
      if (columns == 0 && field.length == 0 && (p == end || *p == '\n')) line.blank = true;
    }
    if (columns < most) fields[columns] = field;
    columns++;
    if (p >= end) break;
    if (*p == '\n') {
      p++;
      line.lines++;
      break;
    }
    p++;
    if (p == end) {
      // The bytes end behind a separator: one more, empty field.
      if (columns < most) fields[columns] = {p, 0};
      columns++;
      break;
    }
  }
  line.next = p;
  line.columns = columns;
  return line;
}

}  // namespace

void parse_delimited(const Program& program, const uint8_t* data, size_t length, Block& block, double* result) {
  Emitter out(program, block, result);
  const int32_t columns = program[P_COLUMNS], num_actions = program[P_NUM_ACTIONS];
  const uint8_t separator = static_cast<uint8_t>(program[P_SEPARATOR]);
  const bool quotes = program.flag(F_QUOTES), trim = program.flag(F_TRIM);
  std::unique_ptr<Token[]> fields(new Token[static_cast<size_t>(columns) + 1]);
  std::vector<uint8_t> scratch;
  const uint8_t* end = data + length;
  const bool any_quote = quotes && std::memchr(data, '"', length) != nullptr;
  if (any_quote) scratch.resize(length);
  const Scanner scanner(separator, '\n', any_quote ? '"' : '\n');
  const uint8_t* p = data;
  int32_t lines = 0;
  bool full = false;
  while (p < end) {
    if (!out.has_room()) {
      full = true;
      break;
    }
    bool quoted;
    Line line = split_plain(p, end, scanner, separator, any_quote, fields.get(), columns, &quoted);
    if (quoted) line = split_quoted(p, end, separator, trim, fields.get(), columns, scratch.data());
    if (line.blank) {
      p = line.next;
      lines += line.lines;
      continue;
    }
    out.begin();
    const size_t at = static_cast<size_t>(p - data);
    int32_t shift = 0, code = OK, column = 0, extra = 0;
    Token token{p, 0};
    if (line.bad_quote) {
      code = B_QUOTE;
    } else if (line.columns != columns) {
      if (line.columns == columns - 1 && program.flag(F_MAY_LACK_FIRST)) shift = 1;
      else {
        code = B_COLUMNS;
        extra = line.columns;
        token.length = static_cast<size_t>(line.next - p);
      }
    }
    for (int32_t i = 0; code == OK && i < num_actions; i++) {
      const int32_t* a = program.action(i);
      if (a[A_COLUMN] < shift) continue;
      token = fields[a[A_COLUMN] - shift];
      if (trim) token = Emitter::trimmed(token);
      code = a[A_OP] == OP_CATEGORICAL && a[A_SEPARATOR] < 0 && !out.is_missing(token) ? out.single_category(a, token) : out.text(a, token);
      column = a[A_COLUMN] - shift;
      if (code == B_TOO_MANY_IDS) extra = out.ids_of_record(a[A_GROUP]);
    }
    if (code == FULL) {
      full = true;
      break;
    }
    if (code == OK) out.good();
    else if (code == LEFT_OUT) out.leave_out();
    else {
      const bool inside = token.data >= data && token.data + token.length <= end;
      const size_t token_start = inside ? static_cast<size_t>(token.data - data) : at;
      out.bad(code, at, lines, column, token_start, inside ? token_start + token.length : at, extra);
    }
    p = line.next;
    lines += line.lines;
  }
  out.finish(static_cast<size_t>(p - data), lines, full);
}

}  // namespace monolith
