#include "kernels/losses.h"

#include <cmath>

namespace monolith {

double bce_with_logits(size_t m, const float* logits, const float* labels, const float* weights, double gradient_scale, float* d_logits) {
  double total = 0;
  for (size_t i = 0; i < m; i++) {
    const double z = logits[i], y = labels[i];
    const double weight = weights == nullptr ? 1.0 : weights[i];
    const double e = std::exp(-std::fabs(z));
    const double probability = z >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
    // z < 0 ? 0 : z instead of a maximum keeps NaN.
    total += weight * ((z < 0 ? 0.0 : z) - z * y + std::log1p(e));
    d_logits[i] = static_cast<float>((probability - y) * weight * gradient_scale);
  }
  return total;
}

double mse_loss(size_t m, const float* predictions, const float* labels, const float* weights, double gradient_scale, float* d_predictions) {
  double total = 0;
  for (size_t i = 0; i < m; i++) {
    const double weight = weights == nullptr ? 1.0 : weights[i];
    const double error = static_cast<double>(predictions[i]) - static_cast<double>(labels[i]);
    total += weight * 0.5 * error * error;
    d_predictions[i] = static_cast<float>(error * weight * gradient_scale);
  }
  return total;
}

}  // namespace monolith
