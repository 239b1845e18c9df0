// Entry of the addon. Context-aware: any number of threads may load and leave it; there is no state beside what handles own.
#include <node_api.h>

#include <initializer_list>

#include "addon/args.h"
#include "simd/isa.h"

namespace monolith {

void register_kernels(napi_env env, napi_value exports);
void register_memory(napi_env env, napi_value exports);
void register_table(napi_env env, napi_value exports);
void register_table_refresh(napi_env env, napi_value exports);
void register_table_frozen(napi_env env, napi_value exports);
void register_sparse(napi_env env, napi_value exports);
void register_parsers(napi_env env, napi_value exports);

namespace {

napi_value info(napi_env env, napi_callback_info) {
  napi_value result, text;
  napi_create_object(env, &result);
  napi_create_string_utf8(env, chosen_name(), NAPI_AUTO_LENGTH, &text);
  napi_set_named_property(env, result, "instructionSet", text);
  napi_value list;
  napi_create_array(env, &list);
  uint32_t n = 0;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon}) {
    if (!isa_available(isa)) continue;
    napi_create_string_utf8(env, isa_name(isa), NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, list, n++, text);
  }
  if (has_avx512_bf16()) {
    napi_create_string_utf8(env, kBf16Name, NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, list, n++, text);
  }
  napi_set_named_property(env, result, "available", list);
  if (isa_error() != nullptr) {
    napi_create_string_utf8(env, isa_error(), NAPI_AUTO_LENGTH, &text);
    napi_set_named_property(env, result, "error", text);
  }
  return result;
}

}  // namespace
}  // namespace monolith

NAPI_MODULE_INIT() {
  monolith::export_function(env, exports, "info", monolith::info);
  monolith::register_kernels(env, exports);
  monolith::register_memory(env, exports);
  monolith::register_table(env, exports);
  monolith::register_table_refresh(env, exports);
  monolith::register_table_frozen(env, exports);
  monolith::register_sparse(env, exports);
  monolith::register_parsers(env, exports);
  return exports;
}
