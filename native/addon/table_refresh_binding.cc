// tableRefresh: argument checks only.
#include "addon/args.h"
#include "addon/table_argument.h"

namespace monolith {
namespace {

constexpr uint32_t kMaxLists = 1024;

// Lists of handles, each with the range in use.
struct HandleLists {
  uint32_t length = 0;
  const int32_t* starts = nullptr;
  const int32_t* counts = nullptr;
  const int32_t* data[kMaxLists];
};

bool array_length(Args& args, napi_env env, size_t i, uint32_t& length) {
  bool is_array = false;
  if (!args.ok()) return false;
  if (napi_is_array(env, args.raw(i), &is_array) != napi_ok || !is_array || napi_get_array_length(env, args.raw(i), &length) != napi_ok) {
    args.fail_type("tableRefresh: an array of typed arrays is expected");
    return false;
  }
  if (length > kMaxLists) args.fail_range("tableRefresh: more than 1024 lists");
  return args.ok();
}

// Arguments i, i + 1 and i + 2: lists, starts, counts.
bool read_lists(Args& args, napi_env env, size_t i, const Table& table, HandleLists& lists) {
  if (!array_length(args, env, i, lists.length)) return false;
  lists.starts = args.array<int32_t>(i + 1, lists.length).data;
  lists.counts = args.array<int32_t>(i + 2, lists.length).data;
  for (uint32_t s = 0; s < lists.length && args.ok(); s++) {
    if (lists.starts[s] < 0 || lists.counts[s] < 0) {
      args.fail_range("tableRefresh: a start or count is negative");
      return false;
    }
    const size_t start = static_cast<size_t>(lists.starts[s]);
    const size_t count = static_cast<size_t>(lists.counts[s]);
    napi_value element;
    if (napi_get_element(env, args.raw(i), s, &element) != napi_ok) return false;
    const int32_t* handles = args.view<int32_t>(element, i, start + count).data;
    if (!args.ok()) return false;
    lists.data[s] = handles + start;
    // -1 becomes 0 and passes; anything else must be a row.
    uint32_t largest = 0;
    for (size_t j = 0; j < count; j++) {
      const uint32_t shifted = static_cast<uint32_t>(lists.data[s][j]) + 1;
      largest = shifted > largest ? shifted : largest;
    }
    if (largest > table.size()) args.fail_range("tableRefresh: a handle is not a row of this table");
  }
  return args.ok();
}

// tableRefresh(table, sources: Int32Array[], starts, counts, targets: Int32Array[], starts, counts, rows: Float32Array[])
napi_value table_refresh(napi_env env, napi_callback_info info) {
  Args args(env, info, "tableRefresh", 8);
  Table* table = table_of(args, env);
  if (table == nullptr) return nullptr;
  HandleLists sources;
  HandleLists targets;
  uint32_t num_rows = 0;
  if (!read_lists(args, env, 1, *table, sources) || !read_lists(args, env, 4, *table, targets) || !array_length(args, env, 7, num_rows)) {
    return nullptr;
  }
  if (num_rows != targets.length) args.fail_range("tableRefresh: as many rows as targets are expected");
  float* rows[kMaxLists];
  for (uint32_t t = 0; t < targets.length && args.ok(); t++) {
    const size_t start = static_cast<size_t>(targets.starts[t]);
    napi_value element;
    if (napi_get_element(env, args.raw(7), t, &element) != napi_ok) return nullptr;
    auto view = args.view<float>(element, 7, (start + static_cast<size_t>(targets.counts[t])) * table->dim());
    rows[t] = view.data + start * table->dim();
  }
  if (!args.ok()) return nullptr;
  if (!table->name_rows(sources.length, sources.data, sources.counts)) {
    fail_memory(env, "tableRefresh: no memory for the set of rows");
    return nullptr;
  }
  for (uint32_t t = 0; t < targets.length; t++) table->refresh_named(targets.data[t], static_cast<size_t>(targets.counts[t]), rows[t]);
  return nullptr;
}

}  // namespace

void register_table_refresh(napi_env env, napi_value exports) { export_function(env, exports, "tableRefresh", table_refresh); }

}  // namespace monolith
