// Argument checks of the dense kernels; see KernelBackend in src/kernels/kernel-backend.ts for what each does.
#include "addon/args.h"
#include "addon/shapes.h"
#include "kernels/gemm.h"

namespace monolith {

void register_elementwise(napi_env env, napi_value exports);
void register_interactions(napi_env env, napi_value exports);
void register_normalization(napi_env env, napi_value exports);

namespace {

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
  if (!args.ok()) return nullptr;
  static const GemmKernels& kernels = choose_gemm_kernels();
  if (!kernels.gemm(call)) args.fail_range("gemm: out of memory for packing");
  return nullptr;
}

napi_value fma_peak(napi_env env, napi_callback_info) { return make_number(env, choose_gemm_kernels().fma_peak()); }

}  // namespace

void register_kernels(napi_env env, napi_value exports) {
  export_function(env, exports, "gemm", gemm);
  export_function(env, exports, "fmaPeak", fma_peak);
  register_elementwise(env, exports);
  register_interactions(env, exports);
  register_normalization(env, exports);
}

}  // namespace monolith
