import type { KernelBackend } from '../kernel-backend.js';
import { requireSizes, requireVector } from './checks.js';

type Losses = Pick<KernelBackend, 'bceWithLogits' | 'mseLoss'>;

function check(
  where: string,
  m: number,
  predictions: Float32Array,
  labels: Float32Array,
  weights: Float32Array | null,
  gradient: Float32Array,
) {
  requireSizes(where, m);
  requireVector(where, 'predictions', predictions, m);
  requireVector(where, 'labels', labels, m);
  if (weights !== null) requireVector(where, 'weights', weights, m);
  requireVector(where, 'gradient', gradient, m);
}

/** Losses with their gradients. */
export const referenceLosses: Losses = {
  bceWithLogits(m, logits, labels, weights, gradientScale, dLogits) {
    check('bceWithLogits', m, logits, labels, weights, dLogits);
    let total = 0;
    for (let i = 0; i < m; i++) {
      const z = logits[i];
      const weight = weights === null ? 1 : weights[i];
      const e = Math.exp(-Math.abs(z));
      const probability = z >= 0 ? 1 / (1 + e) : e / (1 + e);
      total += weight * (Math.max(z, 0) - z * labels[i] + Math.log1p(e));
      dLogits[i] = (probability - labels[i]) * weight * gradientScale;
    }
    return total;
  },

  mseLoss(m, predictions, labels, weights, gradientScale, dPredictions) {
    check('mseLoss', m, predictions, labels, weights, dPredictions);
    let total = 0;
    for (let i = 0; i < m; i++) {
      const weight = weights === null ? 1 : weights[i];
      const error = predictions[i] - labels[i];
      total += weight * 0.5 * error * error;
      dPredictions[i] = error * weight * gradientScale;
    }
    return total;
  },
};
