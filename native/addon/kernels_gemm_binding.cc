// Argument checks of the matrix products.
#include "addon/args.h"
#include "addon/shapes.h"
#include "kernels/gemm.h"

namespace monolith {
namespace {

const GemmKernels& kernels() {
  static const GemmKernels& chosen = best_gemm_kernels();
  return chosen;
}

// A Precision number: whether it is bf16.
bool precision(Args& args, size_t i) {
  const uint32_t value = args.u32(i);
  if (args.ok() && value > 1) args.fail_range("precision must be 0 or 1");
  return value == 1;
}

// Packed weights begin at the first cache line of the caller's array, which has that much more room.
constexpr size_t kSlack = 16;
constexpr size_t kMostPacked = size_t{1} << 48;
float* aligned(float* p) { return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(p) + 63) / 64 * 64); }

void run(Args& args, const GemmCall& call) {
  if (args.ok() && !kernels().gemm(call)) args.fail_range("matrix product: out of memory for packing");
}

napi_value gemm(napi_env env, napi_callback_info info) {
  Args args(env, info, "gemm", 14);
  GemmCall call{};
  call.trans_a = args.boolean(0);
  call.trans_b = args.boolean(1);
  call.m = args.size(2);
  call.n = args.size(3);
  call.k = args.size(4);
  call.a = matrix(args, 5, call.trans_a ? call.k : call.m, call.trans_a ? call.m : call.k, &call.lda).data;
  call.b = matrix(args, 7, call.trans_b ? call.n : call.k, call.trans_b ? call.k : call.n, &call.ldb).data;
  call.c = matrix(args, 9, call.m, call.n, &call.ldc).data;
  call.accumulate = args.boolean(11);
  call.bias = args.nullable_array<float>(12, call.n).data;
  call.activation = activation(args, 13);
  if (args.ok() && call.accumulate && (call.bias != nullptr || call.activation != 0)) {
    args.fail_range("gemm: accumulate takes neither bias nor activation");
  }
  run(args, call);
  return nullptr;
}

napi_value packed_weights_length(napi_env env, napi_callback_info info) {
  Args args(env, info, "packedWeightsLength", 3);
  const bool bf16 = precision(args, 0);
  const size_t n = args.size(1), k = args.size(2);
  if (args.ok() && times(n, k) > kMostPacked) args.fail_range("packedWeightsLength: more than any array holds");
  return args.ok() ? make_number(env, static_cast<double>(kernels().packed_length(bf16, n, k) + kSlack)) : nullptr;
}

napi_value pack_weights(napi_env env, napi_callback_info info) {
  Args args(env, info, "packWeights", 7);
  const bool bf16 = precision(args, 0), trans_b = args.boolean(1);
  const size_t n = args.size(2), k = args.size(3);
  size_t ldb;
  const float* b = matrix(args, 4, trans_b ? n : k, trans_b ? k : n, &ldb).data;
  float* packed = args.array<float>(6, kernels().packed_length(bf16, n, k) + kSlack).data;
  if (args.ok() && n > 0 && k > 0 && !kernels().pack(bf16, trans_b, n, k, b, ldb, aligned(packed))) {
    args.fail_range("packWeights: out of memory for packing");
  }
  return nullptr;
}

napi_value gemm_packed(napi_env env, napi_callback_info info) {
  Args args(env, info, "gemmPacked", 15);
  GemmCall call{};
  call.bf16 = precision(args, 0);
  call.m = args.size(1);
  call.n = args.size(2);
  call.k = args.size(3);
  call.a = matrix(args, 4, call.m, call.k, &call.lda).data;
  call.packed = aligned(args.array<float>(6, kernels().packed_length(call.bf16, call.n, call.k) + kSlack).data);
  call.c = matrix(args, 7, call.m, call.n, &call.ldc).data;
  call.accumulate = args.boolean(9);
  call.bias = args.nullable_array<float>(10, call.n).data;
  call.activation = activation(args, 11);
  call.slope = activation(args, 12);
  if (call.slope != 0) call.y = matrix(args, 13, call.m, call.n, &call.ldy).data;
  if (args.ok() && (call.accumulate || call.slope != 0) && (call.bias != nullptr || call.activation != 0)) {
    args.fail_range("gemmPacked: accumulate and slope take neither bias nor activation");
  }
  run(args, call);
  return nullptr;
}

napi_value weight_gradient(napi_env env, napi_callback_info info) {
  Args args(env, info, "weightGradient", 10);
  GemmCall call{};
  call.bf16 = precision(args, 0);
  call.trans_a = true;
  call.k = args.size(1);
  call.m = args.size(2);
  call.n = args.size(3);
  call.a = matrix(args, 4, call.k, call.m, &call.lda).data;
  call.b = matrix(args, 6, call.k, call.n, &call.ldb).data;
  call.c = args.array<float>(8, times(call.m, call.n)).data;
  call.ldc = call.n;
  call.column_sums = args.nullable_array<float>(9, call.n).data;
  call.accumulate = true;
  run(args, call);
  return nullptr;
}

napi_value fma_peak(napi_env env, napi_callback_info) { return make_number(env, kernels().fma_peak()); }
napi_value bf16_peak(napi_env env, napi_callback_info) { return make_number(env, kernels().bf16_peak()); }

}  // namespace

void register_gemm(napi_env env, napi_value exports) {
  export_function(env, exports, "gemm", gemm);
  export_function(env, exports, "packedWeightsLength", packed_weights_length);
  export_function(env, exports, "packWeights", pack_weights);
  export_function(env, exports, "gemmPacked", gemm_packed);
  export_function(env, exports, "weightGradient", weight_gradient);
  export_function(env, exports, "fmaPeak", fma_peak);
  export_function(env, exports, "bf16Peak", bf16_peak);
}

}  // namespace monolith
