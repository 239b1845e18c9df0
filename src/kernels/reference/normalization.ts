import type { KernelBackend } from '../kernel-backend.js';
import { requireSizes, requireVector } from './checks.js';

type Normalization = Pick<KernelBackend, 'columnMoments' | 'batchNormForward' | 'batchNormBackward'>;

/** Batch normalisation by column. */
export const referenceNormalization: Normalization = {
  columnMoments(m, n, x, mean, variance) {
    requireSizes('columnMoments', m, n);
    requireVector('columnMoments', 'x', x, m * n);
    requireVector('columnMoments', 'mean', mean, n);
    requireVector('columnMoments', 'variance', variance, n);
    const count = Math.max(m, 1);
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let r = 0; r < m; r++) sum += x[r * n + j];
      const center = sum / count;
      let squares = 0;
      for (let r = 0; r < m; r++) squares += (x[r * n + j] - center) ** 2;
      mean[j] = center;
      variance[j] = squares / count;
    }
  },

  batchNormForward(m, n, x, mean, inverseStd, gamma, beta, xHat, y) {
    requireSizes('batchNormForward', m, n);
    requireVector('batchNormForward', 'x', x, m * n);
    requireVector('batchNormForward', 'mean', mean, n);
    requireVector('batchNormForward', 'inverseStd', inverseStd, n);
    requireVector('batchNormForward', 'gamma', gamma, n);
    requireVector('batchNormForward', 'beta', beta, n);
    requireVector('batchNormForward', 'xHat', xHat, m * n);
    requireVector('batchNormForward', 'y', y, m * n);
    if (n === 0) return;
    for (let r = 0; r < m; r++) {
      for (let j = 0; j < n; j++) {
        const value = (x[r * n + j] - mean[j]) * inverseStd[j];
        xHat[r * n + j] = value;
        y[r * n + j] = value * gamma[j] + beta[j];
      }
    }
  },

  batchNormBackward(m, n, xHat, inverseStd, gamma, dY, dX, accumulate, dGamma, dBeta) {
    requireSizes('batchNormBackward', m, n);
    requireVector('batchNormBackward', 'xHat', xHat, m * n);
    requireVector('batchNormBackward', 'inverseStd', inverseStd, n);
    requireVector('batchNormBackward', 'gamma', gamma, n);
    requireVector('batchNormBackward', 'dY', dY, m * n);
    requireVector('batchNormBackward', 'dX', dX, m * n);
    requireVector('batchNormBackward', 'dGamma', dGamma, n);
    requireVector('batchNormBackward', 'dBeta', dBeta, n);
    if (m === 0) return;
    for (let j = 0; j < n; j++) {
      let sum = 0;
      let product = 0;
      for (let r = 0; r < m; r++) {
        sum += dY[r * n + j];
        product += dY[r * n + j] * xHat[r * n + j];
      }
      dGamma[j] += product;
      dBeta[j] += sum;
      const factor = (gamma[j] * inverseStd[j]) / m;
      for (let r = 0; r < m; r++) {
        const at = r * n + j;
        const value = factor * (m * dY[at] - sum - xHat[at] * product);
        dX[at] = accumulate ? dX[at] + value : value;
      }
    }
  },
};
