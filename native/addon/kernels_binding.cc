// The dense kernels; see KernelBackend in src/kernels/kernel-backend.ts for what each does.
#include "addon/args.h"

namespace monolith {

void register_gemm(napi_env env, napi_value exports);
void register_elementwise(napi_env env, napi_value exports);
void register_interactions(napi_env env, napi_value exports);
void register_normalization(napi_env env, napi_value exports);

void register_kernels(napi_env env, napi_value exports) {
  register_gemm(env, exports);
  register_elementwise(env, exports);
  register_interactions(env, exports);
  register_normalization(env, exports);
}

}  // namespace monolith
