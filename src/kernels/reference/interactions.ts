import type { KernelBackend } from '../kernel-backend.js';
import { requireMatrix, requireSizes, requireVector } from './checks.js';

type Interactions = Pick<KernelBackend, 'fmForward' | 'fmBackward' | 'dotForward' | 'dotBackward' | 'ffmForward' | 'ffmBackward'>;

/** Second-order interactions: factorization machine, pairwise dots, field-aware factorization machine. */
export const referenceInteractions: Interactions = {
  fmForward(m, f, d, e, lde, sums, out) {
    requireSizes('fmForward', m, f, d);
    requireMatrix('fmForward', 'e', e, m, f * d, lde);
    requireVector('fmForward', 'sums', sums, m * d);
    requireVector('fmForward', 'out', out, m);
    for (let r = 0; r < m; r++) {
      let total = 0;
      for (let c = 0; c < d; c++) {
        let sum = 0;
        let squares = 0;
        for (let j = 0; j < f; j++) {
          const x = e[r * lde + j * d + c];
          sum += x;
          squares += x * x;
        }
        sums[r * d + c] = sum;
        total += sum * sum - squares;
      }
      out[r] = 0.5 * total;
    }
  },

  fmBackward(m, f, d, e, lde, sums, dOut, dE, lddE, accumulate) {
    requireSizes('fmBackward', m, f, d);
    requireMatrix('fmBackward', 'e', e, m, f * d, lde);
    requireVector('fmBackward', 'sums', sums, m * d);
    requireVector('fmBackward', 'dOut', dOut, m);
    requireMatrix('fmBackward', 'dE', dE, m, f * d, lddE);
    for (let r = 0; r < m; r++) {
      for (let j = 0; j < f; j++) {
        for (let c = 0; c < d; c++) {
          const value = dOut[r] * (sums[r * d + c] - e[r * lde + j * d + c]);
          const at = r * lddE + j * d + c;
          dE[at] = accumulate ? dE[at] + value : value;
        }
      }
    }
  },

  dotForward(m, v, d, x, ldx, out, ldout) {
    requireSizes('dotForward', m, v, d);
    requireMatrix('dotForward', 'x', x, m, v * d, ldx);
    requireMatrix('dotForward', 'out', out, m, (v * (v - 1)) / 2, ldout);
    if (v < 2) return;
    for (let r = 0; r < m; r++) {
      let pair = r * ldout;
      for (let i = 1; i < v; i++) {
        for (let j = 0; j < i; j++) {
          let sum = 0;
          for (let c = 0; c < d; c++) sum += x[r * ldx + i * d + c] * x[r * ldx + j * d + c];
          out[pair++] = sum;
        }
      }
    }
  },

  dotBackward(m, v, d, x, ldx, dOut, lddOut, dX, lddX, accumulate) {
    requireSizes('dotBackward', m, v, d);
    requireMatrix('dotBackward', 'x', x, m, v * d, ldx);
    requireMatrix('dotBackward', 'dOut', dOut, m, (v * (v - 1)) / 2, lddOut);
    requireMatrix('dotBackward', 'dX', dX, m, v * d, lddX);
    if (v * d === 0) return;
    for (let r = 0; r < m; r++) {
      for (let i = 0; i < v; i++) {
        for (let c = 0; c < d; c++) {
          let sum = 0;
          for (let j = 0; j < v; j++) {
            if (j === i) continue;
            const pair = j < i ? (i * (i - 1)) / 2 + j : (j * (j - 1)) / 2 + i;
            sum += dOut[r * lddOut + pair] * x[r * ldx + j * d + c];
          }
          const at = r * lddX + i * d + c;
          dX[at] = accumulate ? dX[at] + sum : sum;
        }
      }
    }
  },

  ffmForward(m, f, d, e, out) {
    requireSizes('ffmForward', m, f, d);
    requireVector('ffmForward', 'e', e, m * f * f * d);
    requireVector('ffmForward', 'out', out, m);
    for (let r = 0; r < m; r++) {
      const row = r * f * f * d;
      let sum = 0;
      for (let i = 0; i < f; i++) {
        for (let j = i + 1; j < f; j++) {
          for (let c = 0; c < d; c++) sum += e[row + (i * f + j) * d + c] * e[row + (j * f + i) * d + c];
        }
      }
      out[r] = sum;
    }
  },

  ffmBackward(m, f, d, e, dOut, dE, accumulate) {
    requireSizes('ffmBackward', m, f, d);
    requireVector('ffmBackward', 'e', e, m * f * f * d);
    requireVector('ffmBackward', 'dOut', dOut, m);
    requireVector('ffmBackward', 'dE', dE, m * f * f * d);
    for (let r = 0; r < m; r++) {
      const row = r * f * f * d;
      for (let i = 0; i < f; i++) {
        for (let j = 0; j < f; j++) {
          for (let c = 0; c < d; c++) {
            const value = i === j ? 0 : dOut[r] * e[row + (j * f + i) * d + c];
            const at = row + (i * f + j) * d + c;
            dE[at] = accumulate ? dE[at] + value : value;
          }
        }
      }
    }
  },
};
