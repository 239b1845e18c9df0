// optimizerStep, dedupe and embedding pooling: argument checks only.
#include "addon/args.h"
#include "optimizers/row_update.h"
#include "sparse/dedupe.h"
#include "sparse/embedding_pool.h"

namespace monolith {
namespace {

napi_value optimizer_step(napi_env env, napi_callback_info info) {
  Args args(env, info, "optimizerStep", 7);
  const uint32_t kind = args.u32(0);
  const size_t n = args.size(1);
  if (args.ok() && kind >= kNumOptimizerKinds) args.fail_range("optimizerStep: unknown optimizer kind");
  if (!args.ok()) return nullptr;
  const OptimizerKind rule = static_cast<OptimizerKind>(kind);
  auto w = args.array<float>(2, n);
  auto gradient = args.array<float>(3, n);
  auto state = args.array<float>(4, state_length(rule, n));
  const float rate = static_cast<float>(args.number(5));
  auto hyper = args.array<double>(6, hyper_length(rule));
  if (!args.ok()) return nullptr;
  if (n == 0) return nullptr;
  const SliceUpdate slice = make_slice_update(rule, 0, 0, 0, hyper.data);
  ML_CHOOSE(update_slice)(slice, n, w.data, gradient.data, state.data, rate);
  return nullptr;
}

constexpr size_t kMaxIds = size_t{1} << 30;
constexpr size_t kMaxShards = size_t{1} << 20;

napi_value dedupe_call(napi_env env, napi_callback_info info) {
  Args args(env, info, "dedupe", 7);
  const size_t nnz = args.size(1);
  const size_t shards = args.size(2);
  if (args.ok() && nnz > kMaxIds) args.fail_range("dedupe: more than 2^30 ids");
  if (args.ok() && (shards == 0 || shards > kMaxShards)) args.fail_range("dedupe: number of shards must be in 1..2^20");
  if (!args.ok()) return nullptr;
  auto fids = args.array<int64_t>(0, nnz);
  auto unique = args.array<int64_t>(3, nnz);
  auto inverse = args.array<int32_t>(4, nnz);
  auto offsets = args.array<int32_t>(5, shards + 1);
  auto scratch = args.array<int32_t>(6, dedupe_scratch_length(nnz));
  if (!args.ok()) return nullptr;
  return make_number(
      env, static_cast<double>(dedupe(fids.data, nnz, shards, unique.data, inverse.data, offsets.data, scratch.data, scratch.length)));
}

// Reads the arguments that forward and backward share: positions 0..12 without `rows` (7), `matrix` and its row distance last.
struct PoolCall {
  PoolArguments a{};
  float* rows = nullptr;
  float* matrix = nullptr;
};

bool read_pool(Args& args, PoolCall& call) {
  PoolArguments& a = call.a;
  a.m = args.size(0);
  a.f = args.size(1);
  a.d = args.size(2);
  const size_t first_example = args.size(3);
  a.row_stride = args.size(8);
  const size_t slice_offset = args.size(9);
  a.ldout = args.size(13);
  constexpr size_t kLimit = size_t{1} << 31;
  if (args.ok() && (a.m >= kLimit || a.f >= kLimit || a.d >= kLimit || first_example >= kLimit || a.row_stride >= kLimit ||
                    slice_offset >= kLimit || a.ldout >= kLimit || a.d == 0)) {
    args.fail_range("embeddingPool: a size is out of range");
  }
  if (!args.ok()) return false;
  if (slice_offset + a.d > a.row_stride) args.fail_range("embeddingPool: sliceOffset + d exceeds rowStride");
  if ((first_example + a.m) > kLimit / (a.f == 0 ? 1 : a.f)) args.fail_range("embeddingPool: too many bags");
  if (!args.ok()) return false;
  auto offsets = args.array<int32_t>(4, (first_example + a.m) * a.f + 1);
  auto inverse = args.array<int32_t>(5, 0);
  auto values = args.nullable_array<float>(6, 0);
  auto rows = args.array<float>(7, 0);
  auto combiners = args.array<uint8_t>(10, a.f);
  auto columns = args.array<int32_t>(11, a.f);
  if (!args.ok()) return false;
  for (size_t j = 0; j < a.f; j++) {
    if (combiners.data[j] > 2) args.fail_range("embeddingPool: unknown combiner");
    if (columns.data[j] >= 0 && static_cast<size_t>(columns.data[j]) + a.d > a.ldout) {
      args.fail_range("embeddingPool: outColumns + d exceeds ldout");
    }
  }
  auto matrix = args.array<float>(12, a.m == 0 ? 0 : a.m * a.ldout);
  if (!args.ok()) return false;
  a.bag_offsets = offsets.data + first_example * a.f;
  a.inverse = inverse.data;
  a.values = values.data;
  a.combiners = combiners.data;
  a.out_columns = columns.data;
  size_t ids = inverse.length;
  if (values.data != nullptr && values.length < ids) ids = values.length;
  const size_t used = slice_offset + a.d;
  const size_t num_rows = rows.length < used ? 0 : (rows.length - used) / a.row_stride + 1;
  switch (ML_CHOOSE(check_bags)(a, ids, num_rows)) {
    case BagFault::none: break;
    case BagFault::offsets: args.fail_range("embeddingPool: bagOffsets do not ascend within inverse (and values)"); break;
    case BagFault::inverse: args.fail_range("embeddingPool: inverse names a row beyond rows"); break;
  }
  call.rows = rows.data + slice_offset;
  call.matrix = matrix.data;
  return args.ok();
}

napi_value embedding_pool(napi_env env, napi_callback_info info) {
  Args args(env, info, "embeddingPool", 14);
  PoolCall call;
  if (read_pool(args, call)) ML_CHOOSE(pool_forward)(call.a, call.rows, call.matrix);
  return nullptr;
}

napi_value embedding_pool_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "embeddingPoolBackward", 14);
  PoolCall call;
  if (read_pool(args, call)) ML_CHOOSE(pool_backward)(call.a, call.matrix, call.rows);
  return nullptr;
}

}  // namespace

void register_sparse(napi_env env, napi_value exports) {
  export_function(env, exports, "optimizerStep", optimizer_step);
  export_function(env, exports, "dedupe", dedupe_call);
  export_function(env, exports, "embeddingPool", embedding_pool);
  export_function(env, exports, "embeddingPoolBackward", embedding_pool_backward);
}

}  // namespace monolith
