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
// The usual program: numbers and ids as they are, one id a bag, all bags of all groups in order. Such a record needs no per-id checks.
class PlainPlan {
 public:
  explicit PlainPlan(const Program& program, const Block& block) {
    const int32_t num_actions = program[P_NUM_ACTIONS];
    int32_t next[kMaxGroups] = {0};
    for (int32_t i = 0; i < num_actions; i++) {
      const int32_t* a = program.action(i);
      const int32_t column = a[A_COLUMN];
      if (column < 0 || column >= static_cast<int32_t>(kRecordBytes / 4)) return;
      if (a[A_OP] == OP_NUMERIC) {
        if (numbers_ == kCells) return;
        number_[numbers_++] = {column, a[A_DENSE], 0};
      } else if (a[A_OP] == OP_CATEGORICAL) {
        if (ids_ == kCells || a[A_INDEX] != next[a[A_GROUP]]++) return;
        id_[ids_++] = {column, a[A_GROUP], static_cast<uint64_t>(a[A_SLOT]) << 48};
      } else {
        return;
      }
    }
    for (int32_t g = 0; g < block.num_groups; g++) {
      const BlockGroup& group = block.groups[g];
      if (next[g] != group.features || group.values != nullptr) return;
      if (static_cast<int64_t>(block.max_examples) * group.features > group.max_ids) return;
    }
    fits_ = true;
  }

  bool fits() const { return fits_; }

  void write(const uint8_t* record, size_t at, bool float_dense, LogTable& logs, Block& block) const {
    float* dense = block.dense + at * static_cast<size_t>(block.num_dense);
    for (int32_t i = 0; i < numbers_; i++) {
      const uint8_t* cell = record + static_cast<size_t>(number_[i].column) * 4;
      float value;
      if (float_dense) {
        std::memcpy(&value, cell, 4);
      } else {
        int32_t whole;
        std::memcpy(&whole, cell, 4);
        value = logs.of(whole);
      }
      dense[number_[i].target] = value;
    }
    // Ids stand group by group, each group's in order; bad records before this one have none.
    const Cell* cell = id_;
    for (int32_t g = 0; g < block.num_groups; g++) {
      BlockGroup& group = block.groups[g];
      const int32_t features = group.features, first = group.ids;
      int64_t* fids = group.fids + first;
      int32_t* offsets = group.offsets + at * static_cast<size_t>(features);
      for (int32_t j = 0; j < features; j++) {
        uint32_t id;
        std::memcpy(&id, record + static_cast<size_t>(cell[j].column) * 4, 4);
        fids[j] = static_cast<int64_t>(cell[j].slot_bits | id);
        offsets[j + 1] = first + j + 1;
      }
      cell += features;
    }
  }

 private:
  static constexpr int32_t kCells = 64;
  struct Cell {
    int32_t column;
    int32_t target;
    uint64_t slot_bits;
  };
  Cell number_[kCells];
  Cell id_[kCells];
  int32_t numbers_ = 0, ids_ = 0;
  bool fits_ = false;
};
}  // namespace

void parse_criteo_bin(const Program& program, const uint8_t* data, size_t length, Block& block, double* result) {
  Emitter out(program, block, result);
  const bool float_label = program[P_LABEL_TYPE] == 1, float_dense = program[P_DENSE_TYPE] == 1;
  const int32_t num_actions = program[P_NUM_ACTIONS];
  const PlainPlan plan(program, block);
  LogTable logs;
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
    if (code == OK && plan.fits()) {
      plan.write(record, static_cast<size_t>(out.record()), float_dense, logs, block);
      out.good();
      at += kRecordBytes;
      continue;
    }
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
      } else if (a[A_OP] == OP_FILTER) {
        uint32_t id;
        std::memcpy(&id, cell, 4);
        out.filter.begin();
        out.filter.value(a, false, nullptr, 0, column > 13 ? id : read_number(cell, column == 0 ? float_label : float_dense));
        code = out.filter.end(a);
      } else if (a[A_OP] == OP_CROSS_PART) {
        uint32_t id;
        std::memcpy(&id, cell, 4);
        code = a[A_TRANSFORM] == OP_CATEGORICAL ? out.cross_id(a, id) : out.cross_number(a, read_number(cell, float_dense));
      } else {
        code = out.bucket(a, false, read_number(cell, float_dense));
      }
    }
    if (code == FULL) {
      full = true;
      break;
    }
    if (code == OK) out.good();
    else if (code == LEFT_OUT) out.leave_out();
    else out.bad(code, at, 0, column, at, at + kRecordBytes, 0);
    at += kRecordBytes;
  }
  out.finish(at, 0, full);
}

}  // namespace monolith
