// The calls of src/data/native-parsers.ts: argument checks only.
#include <memory>

#include "addon/args.h"
#include "parsers/crc32c.h"
#include "parsers/pack.h"
#include "parsers/parsers.h"

namespace monolith {
namespace {

napi_value undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

// parseRecords(words, constants, strings, raw, start, length, common, shape, block, result): bytes [start, start + length) of raw.
napi_value parse_records(napi_env env, napi_callback_info info) {
  Args args(env, info, "parseRecords", 10);
  Program program;
  Span<int32_t> words = args.array<int32_t>(0, P_HEADER_WORDS);
  Span<double> constants = args.array<double>(1, 0);
  Span<uint8_t> strings = args.array<uint8_t>(2, 0);
  Span<uint8_t> raw = args.array<uint8_t>(3, 0);
  const size_t start = args.size(4), length = args.size(5);
  Span<int32_t> common = args.array<int32_t>(6, 2);
  Span<int32_t> shape = args.array<int32_t>(7, 1);
  Span<uint8_t> memory = args.array<uint8_t>(8, 0);
  Span<double> result = args.array<double>(9, R_WORDS);
  if (!args.ok()) return nullptr;
  if (start > raw.length || length > raw.length - start || length > 0x7fffffff) {
    args.fail_range("parseRecords: start and length lie outside the raw block");
    return nullptr;
  }
  program.words = words.data;
  program.num_words = words.length;
  program.constants = constants.data;
  program.num_constants = constants.length;
  program.strings = strings.data;
  program.strings_length = strings.length;
  const char* wrong = check_program(program);
  std::unique_ptr<Block> block(new Block());
  if (wrong == nullptr) wrong = bind_block(memory.data, memory.length, common.data, common.length, shape.data, shape.length, true, block.get());
  if (wrong == nullptr && (block->num_dense != program[P_NUM_DENSE] || block->num_groups != program[P_NUM_GROUPS])) {
    wrong = "program and block differ";
  }
  for (int32_t g = 0; wrong == nullptr && g < block->num_groups; g++) {
    if (block->groups[g].features != words.data[words.data[P_GROUPS_AT] + g * 2]) wrong = "program and block differ";
  }
  if (wrong != nullptr) {
    args.fail_range(wrong);
    return nullptr;
  }
  // An empty typed array may have a null pointer; the parsers compare pointers.
  static const uint8_t nothing = 0;
  const uint8_t* data = length == 0 ? &nothing : raw.data + start;
  switch (program[P_FORMAT]) {
    case kDelimited:
      parse_delimited(program, data, length, *block, result.data);
      break;
    case kLibsvm:
    case kLibffm:
      parse_libsvm(program, data, length, *block, result.data);
      break;
    case kCriteoBin:
      parse_criteo_bin(program, data, length, *block, result.data);
      break;
    case kTfrecord:
      parse_tfrecord(program, data, length, *block, result.data);
      break;
    default:
      args.fail_range("parseRecords: unknown format");
      return nullptr;
  }
  return undefined(env);
}

// gatherExamples(common, blocks, shapes, picks, first, count, slotShape, slot): `blocks` is an array of Uint8Array, shapes holds one shape a block.
napi_value gather(napi_env env, napi_callback_info info) {
  Args args(env, info, "gatherExamples", 8);
  Span<int32_t> common = args.array<int32_t>(0, 2);
  uint32_t count = 0;
  if (args.ok() && napi_get_array_length(env, args.raw(1), &count) != napi_ok) args.fail_type("gatherExamples: argument 1 must be an array");
  Span<int32_t> shapes = args.array<int32_t>(2, 0);
  const size_t first = args.size(4), picked = args.size(5);
  Span<int32_t> picks = args.array<int32_t>(3, 0);
  Span<int32_t> slot_shape = args.array<int32_t>(6, 1);
  Span<uint8_t> slot = args.array<uint8_t>(7, 0);
  if (!args.ok()) return nullptr;
  if (first > picks.length / 2 || picked > picks.length / 2 - first) {
    args.fail_range("gatherExamples: first and count lie outside picks");
    return nullptr;
  }
  std::unique_ptr<Block[]> blocks(new Block[count + 1]);
  const size_t shape_words = common.data[1] < 0 ? 0 : 1 + static_cast<size_t>(common.data[1]);
  if (shape_words == 0 || shapes.length / shape_words < count) {
    args.fail_range("gatherExamples: shapes are too short");
    return nullptr;
  }
  const char* wrong = nullptr;
  for (uint32_t i = 0; wrong == nullptr && i < count; i++) {
    napi_value value;
    if (napi_get_element(env, args.raw(1), i, &value) != napi_ok) return nullptr;
    Span<uint8_t> bytes = args.view<uint8_t>(value, 1, 0);
    if (!args.ok()) return nullptr;
    wrong = bind_block(bytes.data, bytes.length, common.data, common.length, shapes.data + i * shape_words, shape_words, true, &blocks[i]);
  }
  if (wrong == nullptr) {
    wrong = bind_block(slot.data, slot.length, common.data, common.length, slot_shape.data, slot_shape.length, false, &blocks[count]);
  }
  if (wrong == nullptr) wrong = gather_examples(blocks.get(), count, picks.data, first, picked, blocks[count]);
  if (wrong != nullptr) {
    char text[160];
    std::snprintf(text, sizeof text, "gatherExamples: %s", wrong);
    args.fail_range(text);
    return nullptr;
  }
  return undefined(env);
}

// selectExamples(selector, flags, count, block, fileIndex, firstRecord, picks, at): the number of pairs in picks afterwards.
napi_value select(napi_env env, napi_callback_info info) {
  Args args(env, info, "selectExamples", 8);
  Span<double> selector = args.array<double>(0, S_WORDS);
  const size_t count = args.size(2);
  Span<uint8_t> flags = args.array<uint8_t>(1, count);
  const uint32_t block = args.u32(3), file = args.u32(4);
  const size_t first_record = args.size(5), at = args.size(7);
  Span<int32_t> picks = args.array<int32_t>(6, 0);
  if (!args.ok()) return nullptr;
  if (count > 0x7fffffff || at > picks.length / 2 || count > picks.length / 2 - at) {
    args.fail_range("selectExamples: picks has no room for the examples");
    return nullptr;
  }
  return make_number(env, static_cast<double>(select_examples(selector.data, flags.data, count, static_cast<int32_t>(block), file, first_record,
                                                              picks.data, at)));
}

// shufflePicks(picks, count, seedLow, seedHigh)
napi_value shuffle(napi_env env, napi_callback_info info) {
  Args args(env, info, "shufflePicks", 4);
  const size_t count = args.size(1);
  Span<int32_t> picks = args.array<int32_t>(0, 0);
  const uint32_t low = args.u32(2), high = args.u32(3);
  if (!args.ok()) return nullptr;
  if (count > picks.length / 2) {
    args.fail_range("shufflePicks: more pairs than picks holds");
    return nullptr;
  }
  shuffle_picks(picks.data, count, static_cast<uint64_t>(high) << 32 | low);
  return undefined(env);
}

// lastRecordEnd(words, constants, strings, bytes, length): see last_record_end.
napi_value record_end(napi_env env, napi_callback_info info) {
  Args args(env, info, "lastRecordEnd", 5);
  Program program;
  Span<int32_t> words = args.array<int32_t>(0, P_HEADER_WORDS);
  Span<double> constants = args.array<double>(1, 0);
  Span<uint8_t> strings = args.array<uint8_t>(2, 0);
  const size_t length = args.size(4);
  Span<uint8_t> bytes = args.array<uint8_t>(3, length);
  if (!args.ok()) return nullptr;
  program.words = words.data;
  program.num_words = words.length;
  program.constants = constants.data;
  program.num_constants = constants.length;
  program.strings = strings.data;
  program.strings_length = strings.length;
  const char* wrong = check_program(program);
  if (wrong != nullptr) {
    args.fail_range(wrong);
    return nullptr;
  }
  return make_number(env, static_cast<double>(last_record_end(program, bytes.data, length)));
}

// packBlock(common, shape, block, out, result): result gets the bytes written and their crc32c.
napi_value pack(napi_env env, napi_callback_info info) {
  Args args(env, info, "packBlock", 5);
  Span<int32_t> common = args.array<int32_t>(0, 2);
  Span<int32_t> shape = args.array<int32_t>(1, 1);
  Span<uint8_t> memory = args.array<uint8_t>(2, 0);
  Span<uint8_t> out = args.array<uint8_t>(3, 0);
  Span<double> result = args.array<double>(4, 2);
  if (!args.ok()) return nullptr;
  std::unique_ptr<Block> block(new Block());
  size_t length = 0;
  const char* wrong = bind_block(memory.data, memory.length, common.data, common.length, shape.data, shape.length, true, block.get());
  if (wrong == nullptr) wrong = pack_block(*block, out.data, out.length, &length);
  if (wrong != nullptr) {
    char text[160];
    std::snprintf(text, sizeof text, "packBlock: %s", wrong);
    args.fail_range(text);
    return nullptr;
  }
  result.data[0] = static_cast<double>(length);
  result.data[1] = crc32c(out.data, length);
  return undefined(env);
}

// unpackBlock(packed, start, length, checksum, common, shape, block): 0, or why not (UnpackResult).
napi_value unpack(napi_env env, napi_callback_info info) {
  Args args(env, info, "unpackBlock", 7);
  Span<uint8_t> packed = args.array<uint8_t>(0, 0);
  const size_t start = args.size(1), length = args.size(2);
  const uint32_t checksum = args.u32(3);
  Span<int32_t> common = args.array<int32_t>(4, 2);
  Span<int32_t> shape = args.array<int32_t>(5, 1);
  Span<uint8_t> memory = args.array<uint8_t>(6, 0);
  if (!args.ok()) return nullptr;
  if (start > packed.length || length > packed.length - start) {
    args.fail_range("unpackBlock: start and length lie outside the bytes");
    return nullptr;
  }
  std::unique_ptr<Block> block(new Block());
  const char* wrong = bind_block(memory.data, memory.length, common.data, common.length, shape.data, shape.length, true, block.get());
  if (wrong != nullptr) {
    args.fail_range(wrong);
    return nullptr;
  }
  return make_number(env, unpack_block(packed.data + start, length, checksum, *block));
}

// checksum(bytes, start, length): crc32c.
napi_value checksum(napi_env env, napi_callback_info info) {
  Args args(env, info, "checksum", 3);
  Span<uint8_t> bytes = args.array<uint8_t>(0, 0);
  const size_t start = args.size(1), length = args.size(2);
  if (!args.ok()) return nullptr;
  if (start > bytes.length || length > bytes.length - start) {
    args.fail_range("checksum: start and length lie outside the bytes");
    return nullptr;
  }
  return make_number(env, crc32c(bytes.data + start, length));
}

}  // namespace

void register_parsers(napi_env env, napi_value exports) {
  export_function(env, exports, "parseRecords", parse_records);
  export_function(env, exports, "gatherExamples", gather);
  export_function(env, exports, "selectExamples", select);
  export_function(env, exports, "shufflePicks", shuffle);
  export_function(env, exports, "lastRecordEnd", record_end);
  export_function(env, exports, "packBlock", pack);
  export_function(env, exports, "unpackBlock", unpack);
  export_function(env, exports, "checksum", checksum);
}

}  // namespace monolith
