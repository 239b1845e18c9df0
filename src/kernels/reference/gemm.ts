import { MonolithError } from '../../base/index.js';
import type { Activation, KernelBackend } from '../kernel-backend.js';
import { activate } from './activation.js';
import { requireActivation, requireMatrix, requireSizes, requireVector } from './checks.js';

type Gemm = Pick<KernelBackend, 'gemm'>;

function finish(
  sum: number,
  at: number,
  column: number,
  c: Float32Array,
  accumulate: boolean,
  bias: Float32Array | null,
  activation: Activation,
) {
  if (accumulate) c[at] += sum;
  else c[at] = activate(activation, bias === null ? sum : sum + bias[column]);
}

/** The matrix product, summed in double over k in order; four columns at a time only for speed. */
export const referenceGemm: Gemm = {
  gemm(transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias, activation) {
    requireSizes('gemm', m, n, k);
    requireMatrix('gemm', 'a', a, transA ? k : m, transA ? m : k, lda);
    requireMatrix('gemm', 'b', b, transB ? n : k, transB ? k : n, ldb);
    requireMatrix('gemm', 'c', c, m, n, ldc);
    requireActivation('gemm', activation);
    if (bias !== null) requireVector('gemm', 'bias', bias, n);
    if (accumulate && (bias !== null || activation !== 0)) {
      throw new MonolithError('InvalidArgument', 'gemm: accumulate takes neither bias nor activation');
    }
    // Distances between neighbours along m, n and k.
    const aRow = transA ? 1 : lda;
    const aInner = transA ? lda : 1;
    const bColumn = transB ? ldb : 1;
    const bInner = transB ? 1 : ldb;
    for (let i = 0; i < m; i++) {
      let j = 0;
      for (; j + 4 <= n; j += 4) {
        let sum0 = 0;
        let sum1 = 0;
        let sum2 = 0;
        let sum3 = 0;
        for (let p = 0, x = i * aRow, y = j * bColumn; p < k; p++, x += aInner, y += bInner) {
          const factor = a[x];
          sum0 += factor * b[y];
          sum1 += factor * b[y + bColumn];
          sum2 += factor * b[y + 2 * bColumn];
          sum3 += factor * b[y + 3 * bColumn];
        }
        finish(sum0, i * ldc + j, j, c, accumulate, bias, activation);
        finish(sum1, i * ldc + j + 1, j + 1, c, accumulate, bias, activation);
        finish(sum2, i * ldc + j + 2, j + 2, c, accumulate, bias, activation);
        finish(sum3, i * ldc + j + 3, j + 3, c, accumulate, bias, activation);
      }
      for (; j < n; j++) {
        let sum = 0;
        for (let p = 0, x = i * aRow, y = j * bColumn; p < k; p++, x += aInner, y += bInner) sum += a[x] * b[y];
        finish(sum, i * ldc + j, j, c, accumulate, bias, activation);
      }
    }
  },
};
