// Argument checks of the interaction kernels.
#include "addon/args.h"
#include "addon/shapes.h"
#include "kernels/interactions.h"

namespace monolith {
namespace {

const InteractionKernels& kernels() {
  static const InteractionKernels& chosen = choose_interaction_kernels();
  return chosen;
}

napi_value fm_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "fmForward", 7);
  const size_t m = args.size(0), f = args.size(1), d = args.size(2);
  size_t lde;
  const float* e = matrix(args, 3, m, times(f, d), &lde).data;
  float* sums = args.array<float>(5, times(m, d)).data;
  float* out = args.array<float>(6, m).data;
  if (args.ok()) kernels().fm_forward(m, f, d, e, lde, sums, out);
  return nullptr;
}

napi_value fm_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "fmBackward", 10);
  const size_t m = args.size(0), f = args.size(1), d = args.size(2);
  size_t lde, ldd_e;
  const float* e = matrix(args, 3, m, times(f, d), &lde).data;
  const float* sums = args.array<float>(5, times(m, d)).data;
  const float* d_out = args.array<float>(6, m).data;
  float* d_e = matrix(args, 7, m, times(f, d), &ldd_e).data;
  const bool accumulate = args.boolean(9);
  if (args.ok()) kernels().fm_backward(m, f, d, e, lde, sums, d_out, d_e, ldd_e, accumulate);
  return nullptr;
}

// v(v−1)/2, saturating.
size_t pairs(size_t v) {
  const size_t twice = times(v, v == 0 ? 0 : v - 1);
  return twice == SIZE_MAX ? SIZE_MAX : twice / 2;
}

napi_value dot_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "dotForward", 7);
  const size_t m = args.size(0), v = args.size(1), d = args.size(2);
  size_t ldx, ldout;
  const float* x = matrix(args, 3, m, times(v, d), &ldx).data;
  float* out = matrix(args, 5, m, pairs(v), &ldout).data;
  if (args.ok() && m > 0 && v > 1 && !choose_dot_kernels().forward(m, v, d, x, ldx, out, ldout)) args.fail_range("dotForward: out of memory");
  return nullptr;
}

napi_value dot_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "dotBackward", 10);
  const size_t m = args.size(0), v = args.size(1), d = args.size(2);
  size_t ldx, ldd_out, ldd_x;
  const float* x = matrix(args, 3, m, times(v, d), &ldx).data;
  const float* d_out = matrix(args, 5, m, pairs(v), &ldd_out).data;
  float* d_x = matrix(args, 7, m, times(v, d), &ldd_x).data;
  const bool accumulate = args.boolean(9);
  if (args.ok() && m > 0 && times(v, d) > 0 && !choose_dot_kernels().backward(m, v, d, x, ldx, d_out, ldd_out, d_x, ldd_x, accumulate)) {
    args.fail_range("dotBackward: out of memory");
  }
  return nullptr;
}

napi_value cross_v1_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "crossV1Forward", 8);
  const size_t m = args.size(0), n = args.size(1), all = times(m, n);
  const float* x0 = args.array<float>(2, all).data;
  const float* x = args.array<float>(3, all).data;
  const float* w = args.array<float>(4, n).data;
  const float* bias = args.array<float>(5, n).data;
  float* s = args.array<float>(6, m).data;
  float* y = args.array<float>(7, all).data;
  if (args.ok()) kernels().cross_v1_forward(m, n, x0, x, w, bias, s, y);
  return nullptr;
}

napi_value cross_v1_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "crossV1Backward", 11);
  const size_t m = args.size(0), n = args.size(1), all = times(m, n);
  const float* x0 = args.array<float>(2, all).data;
  const float* x = args.array<float>(3, all).data;
  const float* w = args.array<float>(4, n).data;
  const float* s = args.array<float>(5, m).data;
  const float* d_y = args.array<float>(6, all).data;
  float* d_x0 = args.array<float>(7, all).data;
  float* d_x = args.array<float>(8, all).data;
  float* d_w = args.array<float>(9, n).data;
  float* d_bias = args.array<float>(10, n).data;
  if (args.ok()) kernels().cross_v1_backward(m, n, x0, x, w, s, d_y, d_x0, d_x, d_w, d_bias);
  return nullptr;
}

napi_value outer_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "outerForward", 6);
  const size_t m = args.size(0), p = args.size(1), q = args.size(2);
  const float* a = args.array<float>(3, times(m, p)).data;
  const float* b = args.array<float>(4, times(m, q)).data;
  float* out = args.array<float>(5, times(m, p, q)).data;
  if (args.ok() && times(p, q) > 0) kernels().outer_forward(m, p, q, a, b, out);
  return nullptr;
}

napi_value outer_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "outerBackward", 8);
  const size_t m = args.size(0), p = args.size(1), q = args.size(2);
  const float* a = args.array<float>(3, times(m, p)).data;
  const float* b = args.array<float>(4, times(m, q)).data;
  const float* d_out = args.array<float>(5, times(m, p, q)).data;
  float* d_a = args.array<float>(6, times(m, p)).data;
  float* d_b = args.array<float>(7, times(m, q)).data;
  if (args.ok() && times(p, q) > 0) kernels().outer_backward(m, p, q, a, b, d_out, d_a, d_b);
  return nullptr;
}

napi_value transpose_inner(napi_env env, napi_callback_info info) {
  Args args(env, info, "transposeInner", 6);
  const size_t m = args.size(0), p = args.size(1), q = args.size(2);
  const float* x = args.array<float>(3, times(m, p, q)).data;
  float* out = args.array<float>(4, times(m, p, q)).data;
  const bool accumulate = args.boolean(5);
  if (args.ok() && times(p, q) > 0) kernels().transpose_inner(m, p, q, x, out, accumulate);
  return nullptr;
}

napi_value ffm_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "ffmForward", 5);
  const size_t m = args.size(0), f = args.size(1), d = args.size(2);
  const float* e = args.array<float>(3, times(times(m, f), times(f, d))).data;
  float* out = args.array<float>(4, m).data;
  if (args.ok()) kernels().ffm_forward(m, f, d, e, out);
  return nullptr;
}

napi_value ffm_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "ffmBackward", 7);
  const size_t m = args.size(0), f = args.size(1), d = args.size(2), all = times(times(m, f), times(f, d));
  const float* e = args.array<float>(3, all).data;
  const float* d_out = args.array<float>(4, m).data;
  float* d_e = args.array<float>(5, all).data;
  const bool accumulate = args.boolean(6);
  if (args.ok()) kernels().ffm_backward(m, f, d, e, d_out, d_e, accumulate);
  return nullptr;
}

}  // namespace

void register_interactions(napi_env env, napi_value exports) {
  export_function(env, exports, "fmForward", fm_forward);
  export_function(env, exports, "fmBackward", fm_backward);
  export_function(env, exports, "dotForward", dot_forward);
  export_function(env, exports, "dotBackward", dot_backward);
  export_function(env, exports, "crossV1Forward", cross_v1_forward);
  export_function(env, exports, "crossV1Backward", cross_v1_backward);
  export_function(env, exports, "outerForward", outer_forward);
  export_function(env, exports, "outerBackward", outer_backward);
  export_function(env, exports, "transposeInner", transpose_inner);
  export_function(env, exports, "ffmForward", ffm_forward);
  export_function(env, exports, "ffmBackward", ffm_backward);
}

}  // namespace monolith
