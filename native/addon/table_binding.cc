// The table as a wrapped object: created, used and freed in one thread. Argument checks only.
#include <new>

#include "addon/args.h"
#include "addon/table_argument.h"
#include "table/gather.h"
#include "table/table.h"

namespace monolith {

void register_sparse(napi_env env, napi_value exports);
void register_table_refresh(napi_env env, napi_value exports);

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
    args.fail_type("argument 0 must be a table made by tableCreate in this thread");
    return nullptr;
  }
  return static_cast<Table*>(table);
}

void fail_memory(napi_env env, const char* text) { napi_throw_error(env, "ERR_MONOLITH_MEMORY", text); }

namespace {

// tableCreate(slices: Float64Array, seedLow, seedHigh, segmentRows, maxRows) -> table
napi_value table_create(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableCreate", 5);
  auto words = args.array<double>(0, kSliceWords);
  const uint64_t seed = static_cast<uint64_t>(args.u32(2)) << 32 | args.u32(1);
  const size_t segment_rows = args.size(3);
  const size_t max_rows = args.size(4);
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
  napi_value object;
  if (!table->finish(seed, shift, max_rows) || napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, &kTableTag) != napi_ok ||
      napi_wrap(env, object, table, [](napi_env, void* data, void*) { delete static_cast<Table*>(data); }, nullptr, nullptr) != napi_ok) {
    delete table;
    fail_memory(env, "tableCreate: no memory");
    return nullptr;
  }
  return object;
}

// tableAddSegment(table, bytes: Uint8Array): the caller keeps `bytes` alive as long as the table.
napi_value table_add_segment(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableAddSegment", 2);
  Table* table = table_of(args, env);
  if (table == nullptr) return nullptr;
  auto memory = args.array<uint8_t>(1, table->segment_bytes());
  if (!args.ok()) return nullptr;
  if (!table->add_segment(memory.data, memory.length)) args.fail_range("tableAddSegment: segment too short (segment bytes + 63) or no memory");
  return nullptr;
}

// tableReserve(table, rows): grows the index for so many rows
napi_value table_reserve(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableReserve", 2);
  Table* table = table_of(args, env);
  const size_t rows = args.size(1);
  if (args.ok() && rows > kMaxRows) args.fail_range("tableReserve: at most 2^31 - 1 rows");
  if (!args.ok()) return nullptr;
  if (!table->reserve_index(rows)) {
    fail_memory(env, "tableReserve: no memory for the index");
    return nullptr;
  }
  return nullptr;
}

// tableCountMissing(table, fids, start, count) -> how many of them have no row
napi_value table_count_missing(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableCountMissing", 4);
  Table* table = table_of(args, env);
  const size_t start = args.size(2);
  const size_t count = args.size(3);
  if (args.ok() && (start > kMaxRows || count > kMaxRows)) args.fail_range("tableCountMissing: start or count too large");
  auto fids = args.array<int64_t>(1, start + count);
  if (!args.ok()) return nullptr;
  return make_number(env, static_cast<double>(table->count_missing(reinterpret_cast<const uint64_t*>(fids.data) + start, count)));
}

// tableLookup(table, fids, start, count, create, timestamp, rows, handles) -> rows created; -n: n rows are missing and have no room, none was created
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
  return make_number(env, static_cast<double>(created));
}

// tableApply(table, handles: Int32Array[], starts, counts, gradients: Float32Array[], rates, clipRowNorm) -> rows updated
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
  // 64 KiB of stack.
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
  const int64_t updated = table->apply(sources, handle_data, counts.data, gradient_data, rates.data, static_cast<float>(clip));
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

// tableLoad(table, fids, timestamps, records, count) -> rows added; room must have been reserved
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
  if (added < 0) {
    args.fail_range("tableLoad: no room reserved");
    return nullptr;
  }
  return make_number(env, static_cast<double>(added));
}

napi_value table_clear(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableClear", 1);
  Table* table = table_of(args, env);
  if (table != nullptr) table->clear();
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

napi_value table_own_bytes(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableOwnBytes", 1);
  Table* table = table_of(args, env);
  return table == nullptr ? nullptr : make_number(env, static_cast<double>(table->own_bytes()));
}

napi_value table_segment_bytes(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableSegmentBytes", 1);
  Table* table = table_of(args, env);
  return table == nullptr ? nullptr : make_number(env, static_cast<double>(table->segment_bytes()));
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

// adviseHugePages(bytes: Uint8Array)
napi_value advise_huge_pages_call(napi_env env, napi_callback_info info) {
  Args args(env, info, "adviseHugePages", 1);
  auto memory = args.array<uint8_t>(0, 0);
  if (args.ok()) advise_huge_pages(memory.data, memory.length);
  return nullptr;
}

}  // namespace

void register_table(napi_env env, napi_value exports) {
  export_function(env, exports, "tableCreate", table_create);
  export_function(env, exports, "tableAddSegment", table_add_segment);
  export_function(env, exports, "tableReserve", table_reserve);
  export_function(env, exports, "tableCountMissing", table_count_missing);
  export_function(env, exports, "tableLookup", table_lookup);
  export_function(env, exports, "tableApply", table_apply);
  export_function(env, exports, "tableCountBucket", table_count_bucket);
  export_function(env, exports, "tableDump", table_dump);
  export_function(env, exports, "tableLoad", table_load);
  export_function(env, exports, "tableClear", table_clear);
  export_function(env, exports, "tableCountDirty", table_count_dirty);
  export_function(env, exports, "tableClearDirty", table_clear_dirty);
  export_function(env, exports, "tableOwnBytes", table_own_bytes);
  export_function(env, exports, "tableSegmentBytes", table_segment_bytes);
  export_function(env, exports, "gatherRows", gather_rows_call);
  export_function(env, exports, "adviseHugePages", advise_huge_pages_call);
  register_sparse(env, exports);
  register_table_refresh(env, exports);
}

}  // namespace monolith
