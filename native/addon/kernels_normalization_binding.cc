#include "addon/args.h"
namespace monolith { void register_normalization(napi_env env, napi_value exports) { (void)env; (void)exports; } }
