// Argument checks of batch norm and the losses.
#include "addon/args.h"
#include "addon/shapes.h"
#include "kernels/losses.h"
#include "kernels/normalization.h"

namespace monolith {
namespace {

const NormalizationKernels& kernels() {
  static const NormalizationKernels& chosen = choose_normalization_kernels();
  return chosen;
}

napi_value column_moments(napi_env env, napi_callback_info info) {
  Args args(env, info, "columnMoments", 5);
  const size_t m = args.size(0), n = args.size(1);
  const float* x = args.array<float>(2, times(m, n)).data;
  float* mean = args.array<float>(3, n).data;
  float* variance = args.array<float>(4, n).data;
  if (args.ok()) kernels().column_moments(m, n, x, mean, variance);
  return nullptr;
}

napi_value batch_norm_forward(napi_env env, napi_callback_info info) {
  Args args(env, info, "batchNormForward", 9);
  const size_t m = args.size(0), n = args.size(1), all = times(m, n);
  const float* x = args.array<float>(2, all).data;
  const float* mean = args.array<float>(3, n).data;
  const float* inverse_std = args.array<float>(4, n).data;
  const float* gamma = args.array<float>(5, n).data;
  const float* beta = args.array<float>(6, n).data;
  float* x_hat = args.array<float>(7, all).data;
  float* y = args.array<float>(8, all).data;
  if (args.ok() && n > 0) kernels().batch_norm_forward(m, n, x, mean, inverse_std, gamma, beta, x_hat, y);
  return nullptr;
}

napi_value batch_norm_backward(napi_env env, napi_callback_info info) {
  Args args(env, info, "batchNormBackward", 10);
  const size_t m = args.size(0), n = args.size(1), all = times(m, n);
  const float* x_hat = args.array<float>(2, all).data;
  const float* inverse_std = args.array<float>(3, n).data;
  const float* gamma = args.array<float>(4, n).data;
  const float* d_y = args.array<float>(5, all).data;
  float* d_x = args.array<float>(6, all).data;
  const bool accumulate = args.boolean(7);
  float* d_gamma = args.array<float>(8, n).data;
  float* d_beta = args.array<float>(9, n).data;
  if (args.ok()) kernels().batch_norm_backward(m, n, x_hat, inverse_std, gamma, d_y, d_x, accumulate, d_gamma, d_beta);
  return nullptr;
}

using Loss = double (*)(size_t, const float*, const float*, const float*, double, float*);

napi_value loss(napi_env env, napi_callback_info info, const char* name, Loss run) {
  Args args(env, info, name, 6);
  const size_t m = args.size(0);
  const float* predictions = args.array<float>(1, m).data;
  const float* labels = args.array<float>(2, m).data;
  const float* weights = args.nullable_array<float>(3, m).data;
  const double scale = args.number(4);
  float* gradient = args.array<float>(5, m).data;
  return args.ok() ? make_number(env, run(m, predictions, labels, weights, scale, gradient)) : nullptr;
}

napi_value bce(napi_env env, napi_callback_info info) { return loss(env, info, "bceWithLogits", bce_with_logits); }
napi_value mse(napi_env env, napi_callback_info info) { return loss(env, info, "mseLoss", mse_loss); }

}  // namespace

void register_normalization(napi_env env, napi_value exports) {
  export_function(env, exports, "columnMoments", column_moments);
  export_function(env, exports, "batchNormForward", batch_norm_forward);
  export_function(env, exports, "batchNormBackward", batch_norm_backward);
  export_function(env, exports, "bceWithLogits", bce);
  export_function(env, exports, "mseLoss", mse);
}

}  // namespace monolith
