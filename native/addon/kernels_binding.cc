#include "addon/args.h"

namespace monolith {

void register_kernels(napi_env env, napi_value exports) {
  (void)env;
  (void)exports;
}

}  // namespace monolith
