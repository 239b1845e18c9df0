// Interaction, element-wise and loss kernels of the native backend on one chunk of 512 examples at Criteo's sizes: microseconds.
//   node dist/bench/kernels/interactions.bench.js [--only TEXT]
import { loadAddon } from '../../src/kernels/native/load.js';
import { createNativeDense } from '../../src/kernels/native/native-dense.js';
import { benchArguments, millisecondsOf, report, wanted } from '../lib/report.js';

const rows = 512;
/** Share of the time of a part that one kernel gets. */
const share = 0.1;

function filled(length: number): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(length * 4));
  for (let i = 0; i < length; i++) values[i] = ((i * 7919) % 1000) / 1000 - 0.5;
  return values;
}

const { addon, reason } = loadAddon();
if (addon === null) {
  process.stderr.write(`native backend not available: ${reason}\n`);
  process.exit(1);
}
const kernels = createNativeDense(addon);
const [f, d, v, n] = [26, 16, 27, 429];
const e = filled(rows * v * d);
const dE = filled(rows * v * d);
const out = filled(rows * 512);
const one = filled(rows);
const labels = one.map((value) => (value > 0 ? 1 : 0));
const sums = filled(rows * d);
const pairs = (v * (v - 1)) / 2;
const x = filled(rows * n);
const y = filled(rows * n);
const z = filled(rows * n);
const column = filled(512);
const columns = filled(512);
const field = filled(rows * f * f * 4);
const dField = filled(rows * f * f * 4);

const cases: readonly (readonly [string, () => unknown])[] = [
  ['dotForward 27×16', () => kernels.dotForward(rows, v, d, e, v * d, out, pairs)],
  ['dotBackward 27×16', () => kernels.dotBackward(rows, v, d, e, v * d, out, pairs, dE, v * d, false)],
  ['fmForward 26×16', () => kernels.fmForward(rows, f, d, e, f * d, sums, one)],
  ['fmBackward 26×16', () => kernels.fmBackward(rows, f, d, e, f * d, sums, one, dE, f * d, false)],
  ['ffmForward 26×4', () => kernels.ffmForward(rows, f, 4, field, one)],
  ['ffmBackward 26×4', () => kernels.ffmBackward(rows, f, 4, field, one, dField, false)],
  ['crossV1Forward 429', () => kernels.crossV1Forward(rows, n, x, y, column, columns, one, z)],
  ['crossV1Backward 429', () => kernels.crossV1Backward(rows, n, x, y, column, one, z, e.subarray(0, rows * n), dE, column, columns)],
  ['crossV2Forward 429', () => kernels.crossV2Forward(rows * n, x, y, x, z)],
  ['outerForward 26×26', () => kernels.outerForward(rows, f, f, e, dE, field)],
  ['outerBackward 26×26', () => kernels.outerBackward(rows, f, f, e, dE, field, x, y)],
  ['transposeInner 27×16', () => kernels.transposeInner(rows, v, d, e, dE, false)],
  ['columnMoments 429', () => kernels.columnMoments(rows, n, x, column, columns)],
  ['batchNormForward 429', () => kernels.batchNormForward(rows, n, x, column, columns, column, columns, y, z)],
  ['batchNormBackward 429', () => kernels.batchNormBackward(rows, n, x, column, columns, y, z, false, column, columns)],
  ['columnSum 429', () => kernels.columnSum(rows, n, x, n, column, true)],
  ['sigmoid 512×429', () => kernels.activationForward(2, rows * n, x, y)],
  ['tanh 512×429', () => kernels.activationForward(3, rows * n, x, y)],
  ['relu backward 512×429', () => kernels.activationBackward(1, rows * n, x, y, z, false)],
  ['dropoutMask 512×429', () => kernels.dropoutMask(rows * n, 0.5, 1, 2, 0, y)],
  ['sumSquares 512×429', () => kernels.sumSquares(rows * n, x)],
  ['firstNonFinite 512×429', () => kernels.firstNonFinite(rows * n, x)],
  ['bceWithLogits 512', () => kernels.bceWithLogits(rows, one, labels, null, 1, sums)],
];
for (const [name, run] of cases) {
  if (!wanted(name)) continue;
  const times = await millisecondsOf(run, share * benchArguments.seconds);
  report({ name, unit: 'µs', better: 'lower', values: times.map((ms) => 1000 * ms) });
}
