// The table as a wrapped object, one a thread that holds it; the last one frees it. Argument checks only.
#include <new>

#include "addon/args.h"
#include "addon/table_argument.h"
#include "table/gather.h"
#include "table/table.h"
#include "table/table_registry.h"

namespace monolith {

namespace {

constexpr napi_type_tag kTableTag = {0x6d6f6e6f6c697468ull, 0x7461626c65303031ull};
constexpr size_t kMaxSources = 4096;
// Doubles that describe one slice: dim, initializer kind, a, b, optimizer kind, hyper[5].
constexpr size_t kSliceWords = 5 + kMaxHyper;
// Row numbers are int32.
constexpr size_t kMaxRows = 0x7FFFFFFF;
constexpr size_t kMaxDim = size_t{1} << 24;

}  // namespace

Table* table_of(Args& args, napi_env env) {
  if (!args.ok()) return nullptr;
  napi_valuetype type;
  bool tagged = false;
  void* table = nullptr;
  if (napi_typeof(env, args.raw(0), &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(env, args.raw(0), &kTableTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, args.raw(0), &table) != napi_ok) {
    args.fail_type("argument 0 must be a table that tableCreate or tableAttach gave this thread");
    return nullptr;
  }
  return static_cast<Table*>(table);
}

void fail_memory(napi_env env, const char* text) { napi_throw_error(env, "ERR_MONOLITH_MEMORY", text); }

namespace {

// The object that stands for one holding of `table`, which ends with it. nullptr: it could not be made, the holding is the caller's still.
napi_value wrap_table(napi_env env, Table* table) {
  napi_value object;
  const auto end = [](napi_env, void* data, void*) { let_go_shared_table(static_cast<Table*>(data)); };
  if (napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, &kTableTag) != napi_ok ||
      napi_wrap(env, object, table, end, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  return object;
}

// tableCreate(slices: Float64Array, seedLow, seedHigh, segmentRows, maxRows, timestamps, format: a RowFormat) -> table
napi_value table_create(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableCreate", 7);
  auto words = args.array<double>(0, kSliceWords);
  const uint64_t seed = static_cast<uint64_t>(args.u32(2)) << 32 | args.u32(1);
  const size_t segment_rows = args.size(3);
  const size_t max_rows = args.size(4);
  const bool keep_stamps = args.boolean(5);
  const uint32_t format = args.u32(6);
  if (args.ok() && format >= kNumRowFormats) args.fail_range("tableCreate: format must be 0 (fp32), 1 (bf16) or 2 (fp16)");
  if (args.ok() && max_rows > kMaxRows) args.fail_range("tableCreate: maxRows must be at most 2^31 - 1");
  if (!args.ok()) return nullptr;
  const size_t num_slices = words.length / kSliceWords;
  if (words.length % kSliceWords != 0 || num_slices > Table::kMaxSlices) {
    args.fail_range("tableCreate: slices must be 10 doubles each, 1 to 64 of them");
    return nullptr;
  }
  if (segment_rows == 0 || segment_rows > (size_t{1} << 30) || (segment_rows & (segment_rows - 1)) != 0) {
    args.fail_range("tableCreate: segmentRows must be a power of two, at most 2^30");
    return nullptr;
  }
  Table* table = new (std::nothrow) Table();
  if (table == nullptr) {
    fail_memory(env, "tableCreate: no memory");
    return nullptr;
  }
  size_t total = 0;
  for (size_t k = 0; k < num_slices && args.ok(); k++) {
    const double* slice = words.data + k * kSliceWords;
    const bool whole = slice[0] >= 1 && slice[0] <= static_cast<double>(kMaxDim) && std::floor(slice[0]) == slice[0];
    const bool kinds = (slice[1] == 0 || slice[1] == 1 || slice[1] == 2 || slice[1] == 3) && slice[4] >= 0 &&
                       slice[4] < kNumOptimizerKinds && std::floor(slice[4]) == slice[4];
    if (!whole || !kinds || (total += static_cast<size_t>(slice[0])) > kMaxDim) {
      args.fail_range("tableCreate: a slice has a wrong dim, initializer kind or optimizer kind");
      break;
    }
    table->add_slice(static_cast<size_t>(slice[0]), {static_cast<InitializerKind>(static_cast<uint32_t>(slice[1])), slice[2], slice[3]},
                     static_cast<OptimizerKind>(static_cast<uint32_t>(slice[4])), slice + 5);
  }
  if (!args.ok()) {
    delete table;
    return nullptr;
  }
  uint32_t shift = 0;
  while ((size_t{1} << shift) < segment_rows) shift++;
  if (!table->finish(seed, shift, max_rows, keep_stamps, static_cast<RowFormat>(format)) || register_shared_table(table) == 0) {
    delete table;
    fail_memory(env, "tableCreate: no memory");
    return nullptr;
  }
  const napi_value object = wrap_table(env, table);
  if (object == nullptr) {
    let_go_shared_table(table);
    fail_memory(env, "tableCreate: no memory");
  }
  return object;
}

// tableAttach(id) -> table: one that this or another thread of the process made, by tableId
napi_value table_attach(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableAttach", 1);
  const uint32_t id = args.u32(0);
  if (!args.ok()) return nullptr;
  Table* table = hold_shared_table(id);
  if (table == nullptr) {
    args.fail_range("tableAttach: no table of this number; it was freed, or never was");
    return nullptr;
  }
  const napi_value object = wrap_table(env, table);
  if (object == nullptr) {
    let_go_shared_table(table);
    fail_memory(env, "tableAttach: no memory");
  }
  return object;
}

// tableRelease(table): this holder lets go; the object names no table from then on
napi_value table_release(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableRelease", 1);
  if (table_of(args, env) == nullptr) return nullptr;
  void* table = nullptr;
  if (napi_remove_wrap(env, args.raw(0), &table) == napi_ok) let_go_shared_table(static_cast<Table*>(table));
  return nullptr;
}

// tableDescribe(table, out: Float64Array): id, dim, state length, maxRows, rows, bytes
napi_value table_describe(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableDescribe", 2);
  Table* table = table_of(args, env);
  auto out = args.array<double>(1, 6);
  if (!args.ok()) return nullptr;
  const size_t values[] = {shared_table_id(table), table->dim(), table->state_length(), table->max_rows(), table->size(), table->bytes()};
  for (size_t i = 0; i < 6; i++) out.data[i] = static_cast<double>(values[i]);
  return nullptr;
}

// tableSize(table) -> rows
napi_value table_size(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableSize", 1);
  Table* table = table_of(args, env);
  return table == nullptr ? nullptr : make_number(env, static_cast<double>(table->size()));
}

// tableReserve(table, rows): makes index and planes ready for so many rows
napi_value table_reserve(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableReserve", 2);
  Table* table = table_of(args, env);
  const size_t rows = args.size(1);
  if (args.ok() && rows > kMaxRows) args.fail_range("tableReserve: at most 2^31 - 1 rows");
  if (!args.ok()) return nullptr;
  if (!table->reserve(rows)) fail_memory(env, "tableReserve: no memory for so many rows");
  return nullptr;
}

// Rows created, or -n where maxRows has no room for n missing rows: none was created then.
napi_value created_or_full(napi_env env, int64_t created, const char* no_memory) {
  if (created == Table::kNoMemory) {
    fail_memory(env, no_memory);
    return nullptr;
  }
  return make_number(env, static_cast<double>(created));
}

// tableLookup(table, fids, start, count, create, timestamp, rows, handles) -> rows created; -n: n rows are missing and maxRows has no room, none was created
napi_value table_lookup(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableLookup", 8);
  Table* table = table_of(args, env);
  const size_t start = args.size(2);
  const size_t count = args.size(3);
  const bool create = args.boolean(4);
  const uint32_t timestamp = args.u32(5);
  if (args.ok() && (start > kMaxRows || count > kMaxRows)) args.fail_range("tableLookup: start or count too large");
  if (!args.ok()) return nullptr;
  auto fids = args.array<int64_t>(1, start + count);
  auto rows = args.array<float>(6, (start + count) * table->dim());
  auto handles = args.array<int32_t>(7, start + count);
  if (!args.ok()) return nullptr;
  const int64_t created = table->lookup(reinterpret_cast<const uint64_t*>(fids.data) + start, count, create, timestamp,
                                        rows.data + start * table->dim(), handles.data + start);
  return created_or_full(env, created, "tableLookup: no memory for new rows");
}

// tableApply(table, handles: Int32Array[], starts, counts, gradients: Float32Array[], rates, clipRowNorm, fids: BigInt64Array[], step) -> rows updated
// fids and step are read by tables of 16-bit values only.
napi_value table_apply(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableApply", 7);
  Table* table = table_of(args, env);
  if (table == nullptr) return nullptr;
  uint32_t sources = 0;
  uint32_t gradient_sources = 0;
  bool arrays = false;
  if (napi_is_array(env, args.raw(1), &arrays) != napi_ok || !arrays || napi_get_array_length(env, args.raw(1), &sources) != napi_ok) {
    args.fail_type("tableApply: argument 1 must be an array of Int32Array");
  } else if (napi_is_array(env, args.raw(4), &arrays) != napi_ok || !arrays ||
             napi_get_array_length(env, args.raw(4), &gradient_sources) != napi_ok) {
    args.fail_type("tableApply: argument 4 must be an array of Float32Array");
  } else if (gradient_sources != sources || sources > kMaxSources) {
    args.fail_range("tableApply: as many gradients as handles are expected, at most 4096 sources");
  }
  if (!args.ok()) return nullptr;
  auto starts = args.array<int32_t>(2, sources);
  auto counts = args.array<int32_t>(3, sources);
  auto rates = args.array<float>(5, table->num_slices());
  const double clip = args.number(6);
  if (args.ok() && !(clip >= 0)) args.fail_range("tableApply: clipRowNorm must be >= 0");
  if (!args.ok()) return nullptr;
  uint64_t step = 0;
  if (table->half()) {
    uint32_t fid_sources = 0;
    step = args.size(8);
    if (args.ok() && (napi_is_array(env, args.raw(7), &arrays) != napi_ok || !arrays ||
                      napi_get_array_length(env, args.raw(7), &fid_sources) != napi_ok || fid_sources != sources)) {
      args.fail_type("tableApply: argument 7 must be an array of BigInt64Array, one a source: rows of 16-bit values are rounded by fid and step");
    }
    if (!args.ok()) return nullptr;
  }
  // 96 KiB of stack.
  const uint64_t* fid_data[kMaxSources];
  const int32_t* handle_data[kMaxSources];
  const float* gradient_data[kMaxSources];
  const uint32_t bound = static_cast<uint32_t>(table->size());
  size_t total = 0;
  for (uint32_t s = 0; s < sources; s++) {
    if (counts.data[s] < 0 || starts.data[s] < 0) {
      args.fail_range("tableApply: a start or count is negative");
      return nullptr;
    }
    const size_t start = static_cast<size_t>(starts.data[s]);
    const size_t count = static_cast<size_t>(counts.data[s]);
    napi_value element;
    if (napi_get_element(env, args.raw(1), s, &element) != napi_ok) return nullptr;
    auto handles = args.view<int32_t>(element, 1, start + count);
    if (napi_get_element(env, args.raw(4), s, &element) != napi_ok) return nullptr;
    auto gradients = args.view<float>(element, 4, (start + count) * table->dim());
    if (!args.ok()) return nullptr;
    if (table->half()) {
      if (napi_get_element(env, args.raw(7), s, &element) != napi_ok) return nullptr;
      auto fids = args.view<int64_t>(element, 7, start + count);
      if (!args.ok()) return nullptr;
      fid_data[s] = reinterpret_cast<const uint64_t*>(fids.data) + start;
    }
    // -1 becomes 0 and passes; anything else must be a row.
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
      const uint32_t shifted = static_cast<uint32_t>(handles.data[start + i]) + 1;
      largest = shifted > largest ? shifted : largest;
    }
    if (largest > bound) {
      args.fail_range("tableApply: a handle is not a row of this table");
      return nullptr;
    }
    handle_data[s] = handles.data + start;
    gradient_data[s] = gradients.data + start * table->dim();
    total += count;
  }
  if (total > (size_t{1} << 30)) {
    args.fail_range("tableApply: more than 2^30 gradients");
    return nullptr;
  }
  const int64_t updated = table->apply(sources, handle_data, counts.data, gradient_data, rates.data, static_cast<float>(clip), fid_data, step);
  if (updated < 0) {
    fail_memory(env, "tableApply: no memory to merge sources");
    return nullptr;
  }
  return make_number(env, static_cast<double>(updated));
}

// Reads bucketBits and bucket at i and i + 1.
bool read_bucket(Args& args, size_t i, uint32_t& bits, uint64_t& bucket) {
  bits = args.u32(i);
  bucket = args.u32(i + 1);
  if (args.ok() && (bits > 32 || bucket >= (uint64_t{1} << bits))) args.fail_range("bucketBits must be in 0..32 and bucket below 2^bucketBits");
  return args.ok();
}

napi_value table_count_bucket(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableCountBucket", 3);
  Table* table = table_of(args, env);
  uint32_t bits;
  uint64_t bucket;
  if (!read_bucket(args, 1, bits, bucket)) return nullptr;
  return make_number(env, static_cast<double>(table->count_bucket(bits, bucket)));
}

// tableDump(table, bucketBits, bucket, fids, timestamps, records) -> rows written
napi_value table_dump(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableDump", 6);
  Table* table = table_of(args, env);
  uint32_t bits;
  uint64_t bucket;
  if (!read_bucket(args, 1, bits, bucket)) return nullptr;
  const size_t count = table->count_bucket(bits, bucket);
  auto fids = args.array<int64_t>(3, count);
  auto timestamps = args.array<uint32_t>(4, count);
  auto records = args.array<float>(5, count * table->record_length());
  if (!args.ok()) return nullptr;
  const int64_t written = table->dump(bits, bucket, reinterpret_cast<uint64_t*>(fids.data), timestamps.data, records.data);
  if (written < 0) {
    fail_memory(env, "tableDump: no memory to sort");
    return nullptr;
  }
  return make_number(env, static_cast<double>(written));
}

// tableLoad(table, fids, timestamps, records, count) -> as tableLookup
napi_value table_load(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableLoad", 5);
  Table* table = table_of(args, env);
  const size_t count = args.size(4);
  if (args.ok() && count > kMaxRows) args.fail_range("tableLoad: count too large");
  if (!args.ok()) return nullptr;
  auto fids = args.array<int64_t>(1, count);
  auto timestamps = args.array<uint32_t>(2, count);
  auto records = args.array<float>(3, count * table->record_length());
  if (!args.ok()) return nullptr;
  const int64_t added = table->load(reinterpret_cast<const uint64_t*>(fids.data), timestamps.data, records.data, count);
  return created_or_full(env, added, "tableLoad: no memory for new rows");
}

napi_value table_clear(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableClear", 1);
  Table* table = table_of(args, env);
  if (table != nullptr && !table->clear()) fail_memory(env, "tableClear: no memory, or frozen rows of the table are being read");
  return nullptr;
}

napi_value table_count_dirty(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableCountDirty", 1);
  Table* table = table_of(args, env);
  return table == nullptr ? nullptr : make_number(env, static_cast<double>(table->count_dirty()));
}

napi_value table_clear_dirty(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableClearDirty", 1);
  Table* table = table_of(args, env);
  if (table != nullptr) table->clear_dirty();
  return nullptr;
}

// gatherRows(rows, length, indices, count, out): see table/gather.h
napi_value gather_rows_call(napi_env env, napi_callback_info info) {
  Args args(env, info, "gatherRows", 5);
  const size_t length = args.size(1);
  const size_t count = args.size(3);
  if (args.ok() && (length == 0 || length > kMaxDim || count > kMaxRows)) args.fail_range("gatherRows: a size is out of range");
  if (!args.ok()) return nullptr;
  auto rows = args.array<float>(0, 0);
  auto indices = args.array<int32_t>(2, count);
  auto out = args.array<float>(4, count * length);
  if (!args.ok()) return nullptr;
  const size_t num_rows = rows.length / length;
  for (size_t i = 0; i < count; i++) {
    if (static_cast<size_t>(static_cast<uint32_t>(indices.data[i])) >= num_rows) {
      args.fail_range("gatherRows: an index is beyond rows");
      return nullptr;
    }
  }
  gather_rows(rows.data, length, indices.data, count, out.data);
  return nullptr;
}

}  // namespace

void register_table(napi_env env, napi_value exports) {
  export_function(env, exports, "tableCreate", table_create);
  export_function(env, exports, "tableAttach", table_attach);
  export_function(env, exports, "tableRelease", table_release);
  export_function(env, exports, "tableDescribe", table_describe);
  export_function(env, exports, "tableSize", table_size);
  export_function(env, exports, "tableReserve", table_reserve);
  export_function(env, exports, "tableLookup", table_lookup);
  export_function(env, exports, "tableApply", table_apply);
  export_function(env, exports, "tableCountBucket", table_count_bucket);
  export_function(env, exports, "tableDump", table_dump);
  export_function(env, exports, "tableLoad", table_load);
  export_function(env, exports, "tableClear", table_clear);
  export_function(env, exports, "tableCountDirty", table_count_dirty);
  export_function(env, exports, "tableClearDirty", table_clear_dirty);
  export_function(env, exports, "gatherRows", gather_rows_call);
}

}  // namespace monolith
