import type { KernelBackend } from '../kernel-backend.js';
import { activate, activationSlope } from './activation.js';
import { requireActivation, requireMatrix, requireSizes, requireVector } from './checks.js';

type Elementwise = Pick<
  KernelBackend,
  | 'activationForward'
  | 'activationBackward'
  | 'columnSum'
  | 'copyColumns'
  | 'axpy'
  | 'scale'
  | 'multiply'
  | 'sumSquares'
  | 'firstNonFinite'
  | 'crossV2Forward'
  | 'crossV2Backward'
>;

/** Values summed together by sumSquares before they join the total. */
const sumBlock = 4096;

/** Σ x² of x[from, to) in eight interleaved sums, added as one tree: the order that vector code keeps too. */
function blockSumSquares(x: Float32Array, from: number, to: number): number {
  let total = 0;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  for (let i = from; i < to; i += 8) {
    s0 += x[i] * x[i];
    if (i + 1 < to) s1 += x[i + 1] * x[i + 1];
    if (i + 2 < to) s2 += x[i + 2] * x[i + 2];
    if (i + 3 < to) s3 += x[i + 3] * x[i + 3];
    if (i + 4 < to) s4 += x[i + 4] * x[i + 4];
    if (i + 5 < to) s5 += x[i + 5] * x[i + 5];
    if (i + 6 < to) s6 += x[i + 6] * x[i + 6];
    if (i + 7 < to) s7 += x[i + 7] * x[i + 7];
  }
  total = s0 + s4 + (s2 + s6) + (s1 + s5 + (s3 + s7));
  return total;
}

/** Element-wise operations and reductions. */
export const referenceElementwise: Elementwise = {
  activationForward(activation, n, x, y) {
    requireActivation('activationForward', activation);
    requireSizes('activationForward', n);
    requireVector('activationForward', 'x', x, n);
    requireVector('activationForward', 'y', y, n);
    for (let i = 0; i < n; i++) y[i] = activate(activation, x[i]);
  },

  activationBackward(activation, n, y, dY, dX, accumulate) {
    requireActivation('activationBackward', activation);
    requireSizes('activationBackward', n);
    requireVector('activationBackward', 'y', y, n);
    requireVector('activationBackward', 'dY', dY, n);
    requireVector('activationBackward', 'dX', dX, n);
    for (let i = 0; i < n; i++) {
      const slope = activationSlope(activation, y[i]);
      // A closed relu passes nothing on, not even NaN.
      const value = slope === 0 && activation === 1 ? 0 : dY[i] * slope;
      dX[i] = accumulate ? dX[i] + value : value;
    }
  },

  columnSum(m, n, x, ldx, out, accumulate) {
    requireSizes('columnSum', m, n);
    requireMatrix('columnSum', 'x', x, m, n, ldx);
    requireVector('columnSum', 'out', out, n);
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let r = 0; r < m; r++) sum += x[r * ldx + j];
      out[j] = accumulate ? out[j] + sum : sum;
    }
  },

  copyColumns(m, n, src, ldsrc, dst, lddst, accumulate) {
    requireSizes('copyColumns', m, n);
    requireMatrix('copyColumns', 'src', src, m, n, ldsrc);
    requireMatrix('copyColumns', 'dst', dst, m, n, lddst);
    if (n === 0) return;
    for (let r = 0; r < m; r++) {
      for (let j = 0; j < n; j++) {
        const value = src[r * ldsrc + j];
        dst[r * lddst + j] = accumulate ? dst[r * lddst + j] + value : value;
      }
    }
  },

  axpy(n, alpha, x, y) {
    requireSizes('axpy', n);
    requireVector('axpy', 'x', x, n);
    requireVector('axpy', 'y', y, n);
    const factor = Math.fround(alpha);
    for (let i = 0; i < n; i++) y[i] += factor * x[i];
  },

  scale(n, alpha, x) {
    requireSizes('scale', n);
    requireVector('scale', 'x', x, n);
    const factor = Math.fround(alpha);
    for (let i = 0; i < n; i++) x[i] *= factor;
  },

  multiply(n, a, b, out, accumulate) {
    requireSizes('multiply', n);
    requireVector('multiply', 'a', a, n);
    requireVector('multiply', 'b', b, n);
    requireVector('multiply', 'out', out, n);
    for (let i = 0; i < n; i++) out[i] = accumulate ? out[i] + a[i] * b[i] : a[i] * b[i];
  },

  sumSquares(n, x) {
    requireSizes('sumSquares', n);
    requireVector('sumSquares', 'x', x, n);
    let total = 0;
    for (let from = 0; from < n; from += sumBlock) total += blockSumSquares(x, from, Math.min(n, from + sumBlock));
    return total;
  },

  firstNonFinite(n, x) {
    requireSizes('firstNonFinite', n);
    requireVector('firstNonFinite', 'x', x, n);
    for (let i = 0; i < n; i++) if (!Number.isFinite(x[i])) return i;
    return -1;
  },

  crossV2Forward(n, x0, u, x, y) {
    requireSizes('crossV2Forward', n);
    requireVector('crossV2Forward', 'x0', x0, n);
    requireVector('crossV2Forward', 'u', u, n);
    requireVector('crossV2Forward', 'x', x, n);
    requireVector('crossV2Forward', 'y', y, n);
    for (let i = 0; i < n; i++) y[i] = x0[i] * u[i] + x[i];
  },

  crossV2Backward(n, x0, u, dY, dU, dX0, dX) {
    requireSizes('crossV2Backward', n);
    requireVector('crossV2Backward', 'x0', x0, n);
    requireVector('crossV2Backward', 'u', u, n);
    requireVector('crossV2Backward', 'dY', dY, n);
    requireVector('crossV2Backward', 'dU', dU, n);
    requireVector('crossV2Backward', 'dX0', dX0, n);
    requireVector('crossV2Backward', 'dX', dX, n);
    for (let i = 0; i < n; i++) {
      const d = dY[i];
      const weight = u[i];
      dU[i] = d * x0[i];
      dX0[i] += d * weight;
      dX[i] += d;
    }
  },
};
