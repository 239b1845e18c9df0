#pragma once
#include <stddef.h>

namespace monolith {

// The methods of KernelBackend with the same names; weights null means 1. In double from the C library, one value an example: the cost is
// a few thousandths of the towers' and every instruction set gives the same bits.
double bce_with_logits(size_t m, const float* logits, const float* labels, const float* weights, double gradient_scale, float* d_logits);
double mse_loss(size_t m, const float* predictions, const float* labels, const float* weights, double gradient_scale, float* d_predictions);

}  // namespace monolith
