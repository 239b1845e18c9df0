import { MonolithError } from '../../base/index.js';
import { type KernelBackend, Precision } from '../kernel-backend.js';
import { activate, activationSlope } from './activation.js';
import { roundToBf16 } from './bf16.js';
import { requireActivation, requireMatrix, requireSizes, requireVector } from './checks.js';

type PackedGemm = Pick<KernelBackend, 'packedWeightsLength' | 'packWeights' | 'gemmPacked' | 'weightGradient'>;

function requirePrecision(where: string, precision: Precision): void {
  if (precision !== Precision.fp32 && precision !== Precision.bf16) {
    throw new MonolithError('InvalidArgument', `${where}: unknown precision ${String(precision)}, expected 0 or 1`, { where });
  }
}

function rounded(precision: Precision, x: number): number {
  return precision === Precision.bf16 ? roundToBf16(x) : x;
}

/** Products with packed weights. Here packed means op(B) row after row, rounded; sums run in double. */
export const referencePackedGemm: PackedGemm = {
  packedWeightsLength(precision, n, k) {
    requirePrecision('packedWeightsLength', precision);
    requireSizes('packedWeightsLength', n, k, n * k);
    return n * k;
  },

  packWeights(precision, transposed, n, k, b, ldb, packed) {
    requirePrecision('packWeights', precision);
    requireSizes('packWeights', n, k);
    requireMatrix('packWeights', 'b', b, transposed ? n : k, transposed ? k : n, ldb);
    requireVector('packWeights', 'packed', packed, n * k);
    for (let p = 0; p < k; p++) {
      for (let j = 0; j < n; j++) packed[p * n + j] = rounded(precision, transposed ? b[j * ldb + p] : b[p * ldb + j]);
    }
  },

  gemmPacked(precision, m, n, k, a, lda, packed, c, ldc, accumulate, bias, activation, slope, y, ldy) {
    requirePrecision('gemmPacked', precision);
    requireSizes('gemmPacked', m, n, k);
    requireMatrix('gemmPacked', 'a', a, m, k, lda);
    requireVector('gemmPacked', 'packed', packed, n * k);
    requireMatrix('gemmPacked', 'c', c, m, n, ldc);
    requireActivation('gemmPacked', activation);
    requireActivation('gemmPacked', slope);
    if (bias !== null) requireVector('gemmPacked', 'bias', bias, n);
    if (slope !== 0) requireMatrix('gemmPacked', 'y', y ?? new Float32Array(0), m, n, ldy);
    if ((accumulate || slope !== 0) && (bias !== null || activation !== 0)) {
      throw new MonolithError('InvalidArgument', 'gemmPacked: accumulate and slope take neither bias nor activation');
    }
    const row = new Float64Array(n);
    for (let i = 0; i < m; i++) {
      row.fill(0);
      for (let p = 0; p < k; p++) {
        const factor = rounded(precision, a[i * lda + p]);
        for (let j = 0, at = p * n; j < n; j++, at++) row[j] += factor * packed[at];
      }
      for (let j = 0; j < n; j++) {
        const at = i * ldc + j;
        const sum = accumulate ? c[at] + row[j] : bias === null ? row[j] : row[j] + bias[j];
        c[at] = slope === 0 || y === null ? activate(activation, sum) : sum * activationSlope(slope, y[i * ldy + j]);
      }
    }
  },

  weightGradient(precision, rows, inputs, units, x, ldx, dZ, lddZ, dWeight, dBias) {
    requirePrecision('weightGradient', precision);
    requireSizes('weightGradient', rows, inputs, units);
    requireMatrix('weightGradient', 'x', x, rows, inputs, ldx);
    requireMatrix('weightGradient', 'dZ', dZ, rows, units, lddZ);
    requireVector('weightGradient', 'dWeight', dWeight, inputs * units);
    if (dBias !== null) requireVector('weightGradient', 'dBias', dBias, units);
    const row = new Float64Array(units);
    for (let i = 0; i < inputs; i++) {
      row.fill(0);
      for (let r = 0; r < rows; r++) {
        const factor = rounded(precision, x[r * ldx + i]);
        for (let j = 0, at = r * lddZ; j < units; j++, at++) row[j] += factor * rounded(precision, dZ[at]);
      }
      for (let j = 0; j < units; j++) dWeight[i * units + j] += row[j];
    }
    if (dBias === null) return;
    row.fill(0);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < units; j++) row[j] += dZ[r * lddZ + j];
    }
    for (let j = 0; j < units; j++) dBias[j] += row[j];
  },
};
