// Where a raw block may be cut: at the end of its last whole record. Twin: src/data/cut.ts.
#include <cstring>

#include "parsers/crc32c.h"
#include "parsers/parsers.h"

namespace monolith {
namespace {

// The splitting rules of split_quoted, without the fields.
size_t last_quoted_end(const uint8_t* data, size_t length, uint8_t separator, bool trim) {
  const uint8_t* p = data;
  const uint8_t* const stop = data + length;
  size_t end = 0;
  while (p < stop) {
    const uint8_t* quote = p;
    if (trim) {
      while (quote < stop && *quote == ' ') quote++;
    }
    if (quote < stop && *quote == '"') {
      p = quote + 1;
      for (;;) {
        p = static_cast<const uint8_t*>(std::memchr(p, '"', static_cast<size_t>(stop - p)));
        if (p == nullptr) return end;
        // The byte after a quote decides whether it closes; where it is not there yet, the record is not whole either.
        if (p + 1 >= stop || p[1] != '"') break;
        p += 2;
      }
      p++;
    }
    while (p < stop && *p != separator && *p != '\n') p++;
    if (p >= stop) return end;
    if (*p == '\n') end = static_cast<size_t>(p - data) + 1;
    p++;
  }
  return end;
}

}  // namespace

int64_t last_record_end(const Program& program, const uint8_t* data, size_t length) {
  if (program[P_FORMAT] == kDelimited && program.flag(F_QUOTES)) {
    return static_cast<int64_t>(last_quoted_end(data, length, static_cast<uint8_t>(program[P_SEPARATOR]), program.flag(F_TRIM)));
  }
  if (program[P_FORMAT] != kTfrecord) return -1;
  constexpr size_t kHeader = 12, kFrame = 16;
  size_t at = 0;
  while (length - at >= kHeader) {
    uint64_t size;
    uint32_t checksum;
    std::memcpy(&size, data + at, 8);
    std::memcpy(&checksum, data + at + 8, 4);
    // A length that can't be trusted takes a search for the next frame, which is the twin's.
    if (masked_crc32c(data + at, 8) != checksum || size > static_cast<uint64_t>(program[P_MAX_RECORD])) return -1;
    if (size + kFrame > length - at) break;
    at += static_cast<size_t>(size) + kFrame;
  }
  return static_cast<int64_t>(at);
}

}  // namespace monolith
