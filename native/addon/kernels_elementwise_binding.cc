// Argument checks of the element-wise kernels.
#include "addon/args.h"
#include "addon/shapes.h"
#include "kernels/elementwise.h"

namespace monolith {
namespace {

const ElementwiseKernels& kernels() {
  static const ElementwiseKernels& chosen = choose_elementwise_kernels();
  return chosen;
}

napi_value activation_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "activationForward", 4);
  const int kind = activation(args, 0);
  const size_t n = args.size(1);
  const float* x = args.array<float>(2, n).data;
  float* y = args.array<float>(3, n).data;
  if (args.ok()) kernels().activation_forward(kind, n, x, y);
  return nullptr;
}

napi_value activation_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "activationBackward", 6);
  const int kind = activation(args, 0);
  const size_t n = args.size(1);
  const float* y = args.array<float>(2, n).data;
  const float* d_y = args.array<float>(3, n).data;
  float* d_x = args.array<float>(4, n).data;
  const bool accumulate = args.boolean(5);
  if (args.ok()) kernels().activation_backward(kind, n, y, d_y, d_x, accumulate);
  return nullptr;
}

napi_value column_sum(napi_env env, napi_callback_info info) {
  Args args(env, info, "columnSum", 6);
  const size_t m = args.size(0), n = args.size(1);
  size_t ldx;
  const float* x = matrix(args, 2, m, n, &ldx).data;
  float* out = args.array<float>(4, n).data;
  const bool accumulate = args.boolean(5);
  if (args.ok()) kernels().column_sum(m, n, x, ldx, out, accumulate);
  return nullptr;
}

napi_value copy_columns(napi_env env, napi_callback_info info) {
  Args args(env, info, "copyColumns", 7);
  const size_t m = args.size(0), n = args.size(1);
  size_t ldsrc, lddst;
  const float* src = matrix(args, 2, m, n, &ldsrc).data;
  float* dst = matrix(args, 4, m, n, &lddst).data;
  const bool accumulate = args.boolean(6);
  if (args.ok() && n > 0) kernels().copy_columns(m, n, src, ldsrc, dst, lddst, accumulate);
  return nullptr;
}

napi_value axpy(napi_env env, napi_callback_info info) {
  Args args(env, info, "axpy", 4);
  const size_t n = args.size(0);
  const float alpha = static_cast<float>(args.number(1));
  const float* x = args.array<float>(2, n).data;
  float* y = args.array<float>(3, n).data;
  if (args.ok()) kernels().axpy(n, alpha, x, y);
  return nullptr;
}

napi_value scale(napi_env env, napi_callback_info info) {
  Args args(env, info, "scale", 3);
  const size_t n = args.size(0);
  const float alpha = static_cast<float>(args.number(1));
  float* x = args.array<float>(2, n).data;
  if (args.ok()) kernels().scale(n, alpha, x);
  return nullptr;
}

napi_value multiply(napi_env env, napi_callback_info info) {
  Args args(env, info, "multiply", 5);
  const size_t n = args.size(0);
  const float* a = args.array<float>(1, n).data;
  const float* b = args.array<float>(2, n).data;
  float* out = args.array<float>(3, n).data;
  const bool accumulate = args.boolean(4);
  if (args.ok()) kernels().multiply(n, a, b, out, accumulate);
  return nullptr;
}

napi_value sum_squares(napi_env env, napi_callback_info info) {
  Args args(env, info, "sumSquares", 2);
  const size_t n = args.size(0);
  const float* x = args.array<float>(1, n).data;
  return args.ok() ? make_number(env, kernels().sum_squares(n, x)) : nullptr;
}

napi_value first_non_finite(napi_env env, napi_callback_info info) {
  Args args(env, info, "firstNonFinite", 2);
  const size_t n = args.size(0);
  const float* x = args.array<float>(1, n).data;
  return args.ok() ? make_number(env, static_cast<double>(kernels().first_non_finite(n, x))) : nullptr;
}

napi_value dropout_mask(napi_env env, napi_callback_info info) {
  Args args(env, info, "dropoutMask", 6);
  const size_t n = args.size(0);
  const double rate = args.number(1);
  if (args.ok() && !(rate >= 0 && rate <= 1)) args.fail_range("dropoutMask: rate must be 0 to 1");
  const uint64_t low = args.u32(2), high = args.u32(3);
  const size_t first = args.size(4);
  float* mask = args.array<float>(5, n).data;
  if (args.ok()) kernels().dropout_mask(n, rate, high << 32 | low, first, mask);
  return nullptr;
}

napi_value cross_v2_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "crossV2Forward", 5);
  const size_t n = args.size(0);
  const float* x0 = args.array<float>(1, n).data;
  const float* u = args.array<float>(2, n).data;
  const float* x = args.array<float>(3, n).data;
  float* y = args.array<float>(4, n).data;
  if (args.ok()) kernels().cross_v2_forward(n, x0, u, x, y);
  return nullptr;
}

napi_value cross_v2_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "crossV2Backward", 7);
  const size_t n = args.size(0);
  const float* x0 = args.array<float>(1, n).data;
  const float* u = args.array<float>(2, n).data;
  const float* d_y = args.array<float>(3, n).data;
  float* d_u = args.array<float>(4, n).data;
  float* d_x0 = args.array<float>(5, n).data;
  float* d_x = args.array<float>(6, n).data;
  if (args.ok()) kernels().cross_v2_backward(n, x0, u, d_y, d_u, d_x0, d_x);
  return nullptr;
}

}  // namespace

void register_elementwise(napi_env env, napi_value exports) {
  export_function(env, exports, "activationForward", activation_forward);
  export_function(env, exports, "activationBackward", activation_backward);
  export_function(env, exports, "columnSum", column_sum);
  export_function(env, exports, "copyColumns", copy_columns);
  export_function(env, exports, "axpy", axpy);
  export_function(env, exports, "scale", scale);
  export_function(env, exports, "multiply", multiply);
  export_function(env, exports, "sumSquares", sum_squares);
  export_function(env, exports, "firstNonFinite", first_non_finite);
  export_function(env, exports, "dropoutMask", dropout_mask);
  export_function(env, exports, "crossV2Forward", cross_v2_forward);
  export_function(env, exports, "crossV2Backward", cross_v2_backward);
}

}  // namespace monolith
