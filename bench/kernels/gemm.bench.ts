// Matrix products of the native backend on the layers of DLRM and DeepFM, 512 examples a chunk, one thread, in fp32 and bf16: GFLOP/s and
// share of the peak. Weights are packed beforehand, as a training step packs them once a batch; packing is a figure of its own.
//   node dist/bench/kernels/gemm.bench.js [--only TEXT]
import { loadAddon, Precision } from '../../src/kernels/index.js';
import { createNativeDense } from '../../src/kernels/native/native-dense.js';
import type { DenseKernels } from '../../src/kernels/reference/dense.js';
import { benchArguments, report, wanted } from '../lib/report.js';

/** Examples of one chunk, as in models (ModelRuntime.chunkRows). */
const CHUNK_ROWS = 512;
/** Time spent on one product, at one second a part. */
const MILLISECONDS = 80;
const ROUNDS = 5;

type Shape = { readonly name: string; readonly inputs: number; readonly outputs: number };
const shapes: readonly Shape[] = [
  { name: 'dlrm bottom 0', inputs: 13, outputs: 512 },
  { name: 'dlrm bottom 1', inputs: 512, outputs: 256 },
  { name: 'dlrm bottom 2', inputs: 256, outputs: 16 },
  { name: 'dlrm top 0', inputs: 367, outputs: 512 },
  { name: 'dlrm top 1', inputs: 512, outputs: 256 },
  { name: 'dlrm top 2', inputs: 256, outputs: 1 },
  { name: 'deepfm 0', inputs: 429, outputs: 400 },
  { name: 'deepfm 1', inputs: 400, outputs: 400 },
  { name: 'deepfm 2', inputs: 400, outputs: 1 },
];

function filled(length: number): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(length * 4));
  for (let i = 0; i < length; i++) values[i] = ((i * 7919) % 1000) / 1000 - 0.5;
  return values;
}

/** Seconds of one call, round by round: the best of each round, since other processes only make calls slower. */
function secondsOf(run: () => void): number[] {
  run();
  return Array.from({ length: ROUNDS }, () => {
    let best = Number.POSITIVE_INFINITY;
    const end = performance.now() + (MILLISECONDS * benchArguments.seconds) / ROUNDS;
    do {
      const start = performance.now();
      for (let i = 0; i < 3; i++) run();
      best = Math.min(best, (performance.now() - start) / 3);
    } while (performance.now() < end);
    return best / 1000;
  });
}

/** Outputs of a layer whose gradient of inputs is a product of little depth. */
const NARROW = 16;

/**
 * What one layer calls in a step. A single column is computed in fp32 whatever `precision` says, as the dense layer does; wgrad includes the
 * bias gradient, dgrad the derivative of the activation before; where that takes a good part of the time, the bare product stands beside it.
 */
function callsOf(
  kernels: DenseKernels,
  { inputs, outputs }: Shape,
  precision: 'fp32' | 'bf16',
): readonly (readonly [string, () => void])[] {
  const format = outputs === 1 ? Precision.fp32 : Precision[precision];
  const rows = CHUNK_ROWS;
  const [x, y, weight] = [filled(rows * inputs), filled(rows * outputs), filled(inputs * outputs)];
  const [bias, dX, dWeight, dZ] = [filled(outputs), filled(rows * inputs), filled(inputs * outputs), filled(rows * outputs)];
  const forward = new Float32Array(kernels.packedWeightsLength(format, outputs, inputs));
  const backward = new Float32Array(kernels.packedWeightsLength(format, inputs, outputs));
  const packForward = () => kernels.packWeights(format, false, outputs, inputs, weight, outputs, forward);
  const packBackward = () => kernels.packWeights(format, true, inputs, outputs, weight, outputs, backward);
  packForward();
  packBackward();
  return [
    ['forward', () => kernels.gemmPacked(format, rows, outputs, inputs, x, inputs, forward, y, outputs, false, bias, 1, 0, null, 0)],
    ['dgrad', () => kernels.gemmPacked(format, rows, inputs, outputs, dZ, outputs, backward, dX, inputs, false, null, 0, 1, x, inputs)],
    ...(outputs > NARROW
      ? []
      : [
          [
            'dgrad without derivative',
            () => kernels.gemmPacked(format, rows, inputs, outputs, dZ, outputs, backward, dX, inputs, false, null, 0, 0, null, 0),
          ] as const,
        ]),
    ['wgrad', () => kernels.weightGradient(format, rows, inputs, outputs, x, inputs, dZ, outputs, dWeight, bias)],
    ['pack forward', packForward],
    ['pack dgrad', packBackward],
  ];
}

const limits = { fp32: 'FMA peak, 1 thread', bf16: 'bf16 peak, 1 thread' } as const;

function measure(kernels: DenseKernels, precision: 'fp32' | 'bf16'): void {
  const flop = { limit: { name: limits[precision] }, unit: 'GFLOP/s', better: 'higher' } as const;
  let seconds = 0;
  let operations = 0;
  for (const shape of shapes) {
    const { name, inputs, outputs } = shape;
    const work = 2 * CHUNK_ROWS * inputs * outputs;
    for (const [call, run] of callsOf(kernels, shape, precision)) {
      const title = `gemm ${precision} ${name} ${inputs}→${outputs} ${call}`;
      if (!wanted(title)) continue;
      const times = secondsOf(run);
      const µs = Math.min(...times) * 1e6;
      if (call.startsWith('pack')) {
        report({ name: title, unit: 'µs', better: 'lower', values: times.map((time) => time * 1e6) });
        continue;
      }
      if (call !== 'dgrad without derivative') {
        seconds += Math.min(...times);
        operations += work;
      }
      report({ name: title, ...flop, values: times.map((time) => work / time / 1e9), info: { µs } });
    }
  }
  if (benchArguments.only === null) report({ name: `gemm ${precision} of all MLP shapes`, ...flop, values: [operations / seconds / 1e9] });
}

const { addon, reason } = loadAddon();
if (addon === null) {
  process.stderr.write(`native backend not available: ${reason}\n`);
  process.exit(1);
}
const kernels = createNativeDense(addon);
measure(kernels, 'fp32');
if (addon.info().instructionSet === 'avx512-bf16') measure(kernels, 'bf16');
