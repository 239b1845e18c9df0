// Criteo's binary form: 160 bytes a record, label · 13 numbers · 26 ids, all 32 bits, little-endian. Twin: src/data/twins/criteo-bin.ts.
#include "parsers/emit.h"
#include "parsers/parsers.h"

namespace monolith {

namespace {
constexpr size_t kRecordBytes = 160;

double read_number(const uint8_t* p, bool is_float) {
  if (is_float) {
    float value;
    std::memcpy(&value, p, 4);
    return value;
  }
  int32_t value;
  std::memcpy(&value, p, 4);
  return value;
}
}  // namespace

void parse_criteo_bin(const Program& program, const uint8_t* data, size_t length, Block& block, double* result) {
  Emitter out(program, block, result);
  const bool float_label = program[P_LABEL_TYPE] == 1, float_dense = program[P_DENSE_TYPE] == 1;
  const int32_t num_actions = program[P_NUM_ACTIONS];
  size_t at = 0;
  bool full = false;
  while (at < length) {
    if (!out.has_room()) {
      full = true;
      break;
    }
    out.begin();
    if (length - at < kRecordBytes) {
      out.bad(B_TRUNCATED, at, 0, 0, at, length, static_cast<int32_t>(length - at));
      at = length;
      break;
    }
    const uint8_t* record = data + at;
    int32_t code = out.set_label(read_number(record, float_label)), column = 0;
    for (int32_t i = 0; code == OK && i < num_actions; i++) {
      const int32_t* a = program.action(i);
      column = a[A_COLUMN];
      const uint8_t* cell = record + static_cast<size_t>(column) * 4;
      if (a[A_OP] == OP_NUMERIC) {
        double value = read_number(cell, float_dense);
        out.set_dense(a[A_DENSE], static_cast<float>(float_dense ? value : log1p_positive(value)));
      } else if (a[A_OP] == OP_CATEGORICAL) {
        uint32_t id;
        std::memcpy(&id, cell, 4);
        code = out.push(a[A_GROUP], make_fid(a[A_SLOT], id), 1);
        if (code == OK) code = out.end_bag(a[A_GROUP], a[A_INDEX]);
      } else {
        code = out.bucket(a, false, read_number(cell, float_dense));
      }
    }
    if (code == FULL) {
      full = true;
      break;
    }
    if (code == OK) out.good();
    else out.bad(code, at, 0, column, at, at + kRecordBytes, 0);
    at += kRecordBytes;
  }
  out.finish(at, 0, full);
}

}  // namespace monolith
