// Frozen rows of tables and who reads them: argument checks only.
#include <new>

#include "addon/args.h"
#include "addon/table_argument.h"
#include "table/frozen_reader.h"

namespace monolith {
namespace {

constexpr napi_type_tag kReaderTag = {0x6d6f6e6f6c697468ull, 0x66726f7a656e3031ull};

FrozenReader* reader_of(Args& args, napi_env env) {
  if (!args.ok()) return nullptr;
  napi_valuetype type;
  bool tagged = false;
  void* reader = nullptr;
  if (napi_typeof(env, args.raw(0), &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(env, args.raw(0), &kReaderTag, &tagged) != napi_ok || !tagged || napi_unwrap(env, args.raw(0), &reader) != napi_ok) {
    args.fail_type("argument 0 must be what frozenOpen gave this thread");
    return nullptr;
  }
  return static_cast<FrozenReader*>(reader);
}

// tableFreeze(table, onlyChanged, forgetChanges)
napi_value table_freeze(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableFreeze", 3);
  Table* table = table_of(args, env);
  const bool only_changed = args.boolean(1);
  const bool forget = args.boolean(2);
  if (!args.ok()) return nullptr;
  switch (table->freeze(only_changed, forget)) {
    case Freezing::done: break;
    case Freezing::busy: napi_throw_error(env, "ERR_MONOLITH_BUSY", "tableFreeze: rows frozen before are still being read"); break;
    case Freezing::no_memory: fail_memory(env, "tableFreeze: no memory"); break;
  }
  return nullptr;
}

// frozenOpen(ids: Float64Array) -> reader of the frozen rows of these tables, shards of one
napi_value frozen_open(napi_env env, napi_callback_info info) {
  Args args(env, info, "frozenOpen", 1);
  auto ids = args.array<double>(0, 1);
  if (args.ok() && ids.length > FrozenReader::kMostSources) args.fail_range("frozenOpen: too many tables");
  if (!args.ok()) return nullptr;
  FrozenReader* reader = new (std::nothrow) FrozenReader();
  if (reader == nullptr || !reader->start(ids.length)) {
    delete reader;
    fail_memory(env, "frozenOpen: no memory");
    return nullptr;
  }
  for (size_t i = 0; i < ids.length; i++) {
    const double id = ids.data[i];
    if (id >= 1 && id <= 4294967295.0 && reader->add(static_cast<uint32_t>(id))) continue;
    delete reader;
    args.fail_range("frozenOpen: a number names no table with frozen rows, or one of other widths");
    return nullptr;
  }
  napi_value object;
  const auto end = [](napi_env, void* data, void*) { delete static_cast<FrozenReader*>(data); };
  if (napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, &kReaderTag) != napi_ok ||
      napi_wrap(env, object, reader, end, nullptr, nullptr) != napi_ok) {
    delete reader;
    fail_memory(env, "frozenOpen: no memory");
    return nullptr;
  }
  return object;
}

// frozenDescribe(reader, out: Float64Array): dim, state length, rows there were, rows to read, copies, bytes, held by no owner
napi_value frozen_describe(napi_env env, napi_callback_info info) {
  Args args(env, info, "frozenDescribe", 2);
  FrozenReader* reader = reader_of(args, env);
  auto out = args.array<double>(1, 7);
  if (!args.ok()) return nullptr;
  const size_t values[] = {reader->dim(),    reader->state_length(), reader->size(), reader->count(),
                           reader->copies(), reader->bytes(),        reader->alone()};
  for (size_t i = 0; i < 7; i++) out.data[i] = static_cast<double>(values[i]);
  return nullptr;
}

// frozenCollect(reader, bucketBits, bucket) -> rows of the bucket
napi_value frozen_collect(napi_env env, napi_callback_info info) {
  Args args(env, info, "frozenCollect", 3);
  FrozenReader* reader = reader_of(args, env);
  const uint32_t bits = args.u32(1);
  const uint64_t bucket = args.u32(2);
  if (args.ok() && (bits > 32 || bucket >= (uint64_t{1} << bits))) args.fail_range("bucketBits must be in 0..32 and bucket below 2^bucketBits");
  if (!args.ok()) return nullptr;
  const int64_t count = reader->collect(bits, bucket);
  if (count < 0) {
    fail_memory(env, "frozenCollect: no memory to sort");
    return nullptr;
  }
  return make_number(env, static_cast<double>(count));
}

// frozenRead(reader, fids, timestamps, records) -> index of the first value that is not finite, or -1; the rows collected last, once
napi_value frozen_read(napi_env env, napi_callback_info info) {
  Args args(env, info, "frozenRead", 4);
  FrozenReader* reader = reader_of(args, env);
  if (reader == nullptr) return nullptr;
  const size_t count = reader->collected();
  auto fids = args.array<int64_t>(1, count);
  auto timestamps = args.array<uint32_t>(2, count);
  auto records = args.array<float>(3, count * (reader->dim() + reader->state_length()));
  if (!args.ok()) return nullptr;
  return make_number(env, static_cast<double>(reader->read(reinterpret_cast<uint64_t*>(fids.data), timestamps.data, records.data)));
}

// frozenEnd(reader): owners stop keeping copies
napi_value frozen_end(napi_env env, napi_callback_info info) {
  Args args(env, info, "frozenEnd", 1);
  FrozenReader* reader = reader_of(args, env);
  if (reader != nullptr) reader->end();
  return nullptr;
}

// frozenRelease(reader): ends, and frees what no owner holds
napi_value frozen_release(napi_env env, napi_callback_info info) {
  Args args(env, info, "frozenRelease", 1);
  FrozenReader* reader = reader_of(args, env);
  if (reader != nullptr) reader->release();
  return nullptr;
}

}  // namespace

void register_table_frozen(napi_env env, napi_value exports) {
  export_function(env, exports, "tableFreeze", table_freeze);
  export_function(env, exports, "frozenOpen", frozen_open);
  export_function(env, exports, "frozenDescribe", frozen_describe);
  export_function(env, exports, "frozenCollect", frozen_collect);
  export_function(env, exports, "frozenRead", frozen_read);
  export_function(env, exports, "frozenEnd", frozen_end);
  export_function(env, exports, "frozenRelease", frozen_release);
}

}  // namespace monolith
