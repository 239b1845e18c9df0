import type { KernelBackend } from '../kernel-backend.js';
import { requireSizes, requireVector } from './checks.js';

type Cross = Pick<KernelBackend, 'crossV1Forward' | 'crossV1Backward' | 'outerForward' | 'outerBackward' | 'transposeInner'>;

/** Cross network v1 and the parts of the compressed interaction network. */
export const referenceCross: Cross = {
  crossV1Forward(m, n, x0, x, w, bias, s, y) {
    requireSizes('crossV1Forward', m, n);
    requireVector('crossV1Forward', 'x0', x0, m * n);
    requireVector('crossV1Forward', 'x', x, m * n);
    requireVector('crossV1Forward', 'w', w, n);
    requireVector('crossV1Forward', 'bias', bias, n);
    requireVector('crossV1Forward', 's', s, m);
    requireVector('crossV1Forward', 'y', y, m * n);
    for (let r = 0; r < m; r++) {
      let product = 0;
      for (let j = 0; j < n; j++) product += x[r * n + j] * w[j];
      s[r] = product;
      for (let j = 0; j < n; j++) y[r * n + j] = x0[r * n + j] * s[r] + bias[j] + x[r * n + j];
    }
  },

  crossV1Backward(m, n, x0, x, w, s, dY, dX0, dX, dW, dBias) {
    requireSizes('crossV1Backward', m, n);
    for (const [what, view] of [['x0', x0] as const, ['x', x] as const, ['dY', dY] as const, ['dX0', dX0] as const, ['dX', dX] as const]) {
      requireVector('crossV1Backward', what, view, m * n);
    }
    for (const [what, view] of [['w', w] as const, ['dW', dW] as const, ['dBias', dBias] as const]) {
      requireVector('crossV1Backward', what, view, n);
    }
    requireVector('crossV1Backward', 's', s, m);
    for (let r = 0; r < m; r++) {
      let product = 0;
      for (let j = 0; j < n; j++) product += dY[r * n + j] * x0[r * n + j];
      for (let j = 0; j < n; j++) {
        const d = dY[r * n + j];
        dX0[r * n + j] += d * s[r];
        dX[r * n + j] += d + product * w[j];
        dW[j] += product * x[r * n + j];
        dBias[j] += d;
      }
    }
  },

  outerForward(m, p, q, a, b, out) {
    requireSizes('outerForward', m, p, q);
    requireVector('outerForward', 'a', a, m * p);
    requireVector('outerForward', 'b', b, m * q);
    requireVector('outerForward', 'out', out, m * p * q);
    if (p * q === 0) return;
    for (let r = 0; r < m; r++) {
      for (let i = 0; i < p; i++) {
        for (let j = 0; j < q; j++) out[(r * p + i) * q + j] = a[r * p + i] * b[r * q + j];
      }
    }
  },

  outerBackward(m, p, q, a, b, dOut, dA, dB) {
    requireSizes('outerBackward', m, p, q);
    requireVector('outerBackward', 'a', a, m * p);
    requireVector('outerBackward', 'b', b, m * q);
    requireVector('outerBackward', 'dOut', dOut, m * p * q);
    requireVector('outerBackward', 'dA', dA, m * p);
    requireVector('outerBackward', 'dB', dB, m * q);
    if (p * q === 0) return;
    for (let r = 0; r < m; r++) {
      for (let i = 0; i < p; i++) {
        let sum = 0;
        for (let j = 0; j < q; j++) sum += dOut[(r * p + i) * q + j] * b[r * q + j];
        dA[r * p + i] += sum;
      }
      for (let j = 0; j < q; j++) {
        let sum = 0;
        for (let i = 0; i < p; i++) sum += dOut[(r * p + i) * q + j] * a[r * p + i];
        dB[r * q + j] += sum;
      }
    }
  },

  transposeInner(m, p, q, x, out, accumulate) {
    requireSizes('transposeInner', m, p, q);
    requireVector('transposeInner', 'x', x, m * p * q);
    requireVector('transposeInner', 'out', out, m * p * q);
    if (p * q === 0) return;
    for (let r = 0; r < m; r++) {
      for (let i = 0; i < p; i++) {
        for (let j = 0; j < q; j++) {
          const value = x[(r * p + i) * q + j];
          const at = (r * q + j) * p + i;
          out[at] = accumulate ? out[at] + value : value;
        }
      }
    }
  },
};
