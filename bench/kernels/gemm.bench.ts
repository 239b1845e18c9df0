// Matrix products of the native backend on the layers of DLRM and DeepFM, 512 examples a chunk, one thread, in fp32 and bf16: GFLOP/s and
// share of the peak that the same run measures. Weights are packed beforehand, as a training step packs them once a batch; what packing
// takes stands in a column of its own. Best of several runs.   node dist/bench/kernels/gemm.bench.js [word]
import { pathToFileURL } from 'node:url';
import { loadAddon, Precision } from '../../src/kernels/index.js';
import { createNativeDense } from '../../src/kernels/native/native-dense.js';
import type { DenseKernels } from '../../src/kernels/reference/dense.js';

/** Examples of one chunk, as in models (ModelRuntime.chunkRows). */
const CHUNK_ROWS = 512;
/** Time spent on one product; the best of the runs that fit counts, since other processes only make runs slower. */
const MILLISECONDS = 80;

export type GemmShape = { readonly name: string; readonly inputs: number; readonly outputs: number };

/** Layers whose products are measured. */
export const gemmShapes: readonly GemmShape[] = [
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

/** One measured product. `percent` of the peak of its precision; `packSeconds`: of its weights, 0 where none are packed. */
export type GemmFigure = {
  readonly name: string;
  readonly pass: 'forward' | 'dgrad' | 'wgrad';
  readonly precision: 'fp32' | 'bf16';
  readonly seconds: number;
  readonly packSeconds: number;
  readonly gflops: number;
  readonly percent: number;
};

export type GemmPeaks = { readonly fp32: number; readonly bf16: number };

/** The ceilings of this core in GFLOP/s; bf16 is that of fp32 where the processor has no instruction for it. Null without the addon. */
export function measurePeaks(): GemmPeaks | null {
  const { addon } = loadAddon();
  if (addon === null) return null;
  const fp32 = Number((addon.fmaPeak as unknown as () => number)());
  return { fp32, bf16: Number((addon.bf16Peak as unknown as () => number)()) || fp32 };
}

function filled(length: number): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(length * 4));
  for (let i = 0; i < length; i++) values[i] = ((i * 7919) % 1000) / 1000 - 0.5;
  return values;
}

function bestSeconds(run: () => void, milliseconds: number): number {
  run();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    const start = performance.now();
    for (let i = 0; i < 3; i++) run();
    best = Math.min(best, (performance.now() - start) / 3);
  }
  return best / 1000;
}

/**
 * The three products of one layer. A single column is measured in fp32 whatever `precision` says, as the dense layer computes it; wgrad
 * includes the bias gradient, dgrad the derivative of the activation before.
 */
export function measureLayer(
  kernels: DenseKernels,
  shape: GemmShape,
  precision: 'fp32' | 'bf16',
  peaks: GemmPeaks,
  milliseconds = MILLISECONDS,
): GemmFigure[] {
  const { name, inputs, outputs } = shape;
  const format = outputs === 1 ? Precision.fp32 : Precision[precision];
  const rows = CHUNK_ROWS;
  const [x, y, weight] = [filled(rows * inputs), filled(rows * outputs), filled(inputs * outputs)];
  const [bias, dX, dWeight] = [filled(outputs), filled(rows * inputs), filled(inputs * outputs)];
  const forward = new Float32Array(kernels.packedWeightsLength(format, outputs, inputs));
  const backward = new Float32Array(kernels.packedWeightsLength(format, inputs, outputs));
  const packForward = () => kernels.packWeights(format, false, outputs, inputs, weight, outputs, forward);
  const packBackward = () => kernels.packWeights(format, true, inputs, outputs, weight, outputs, backward);
  packForward();
  packBackward();
  const passes: readonly (readonly [GemmFigure['pass'], () => void, (() => void) | null])[] = [
    [
      'forward',
      () => kernels.gemmPacked(format, rows, outputs, inputs, x, inputs, forward, y, outputs, false, bias, 1, 0, null, 0),
      packForward,
    ],
    [
      'dgrad',
      () => kernels.gemmPacked(format, rows, inputs, outputs, y, outputs, backward, dX, inputs, false, null, 0, 1, x, inputs),
      packBackward,
    ],
    ['wgrad', () => kernels.weightGradient(format, rows, inputs, outputs, x, inputs, y, outputs, dWeight, bias), null],
  ];
  return passes.map(([pass, run, pack]) => {
    y.set(filled(y.length));
    const seconds = bestSeconds(run, milliseconds);
    const gflops = (2 * rows * inputs * outputs) / seconds / 1e9;
    const packSeconds = pack === null ? 0 : bestSeconds(pack, milliseconds / 4);
    return { name, pass, precision, seconds, packSeconds, gflops, percent: (100 * gflops) / peaks[precision] };
  });
}

function main(word: string): void {
  const { addon, reason } = loadAddon();
  const peaks = measurePeaks();
  if (addon === null || peaks === null) {
    process.stderr.write(`native backend not available: ${reason}\n`);
    process.exitCode = 1;
    return;
  }
  const kernels = createNativeDense(addon);
  process.stdout.write(
    `${addon.info().instructionSet}: peak ${peaks.fp32.toFixed(1)} GFLOP/s fp32, ${peaks.bf16.toFixed(1)} GFLOP/s bf16\n`,
  );
  for (const precision of ['fp32', 'bf16'] as const) {
    let seconds = 0;
    let flops = 0;
    for (const shape of gemmShapes.filter(({ name }) => name.includes(word))) {
      for (const figure of measureLayer(kernels, shape, precision, peaks)) {
        seconds += figure.seconds;
        flops += figure.seconds * figure.gflops;
        const size = `${String(shape.inputs).padStart(3)}→${String(shape.outputs).padEnd(3)}`;
        process.stdout.write(
          `${precision} ${shape.name.padEnd(14)} ${size} ${figure.pass.padEnd(7)} ${(figure.seconds * 1e6).toFixed(0).padStart(6)} µs ${figure.gflops.toFixed(1).padStart(6)} GFLOP/s ${figure.percent.toFixed(0).padStart(3)} %  packing ${(figure.packSeconds * 1e6).toFixed(0).padStart(3)} µs\n`,
        );
      }
    }
    const rate = flops / seconds;
    process.stdout.write(`${precision} all ${rate.toFixed(1)} GFLOP/s, ${((100 * rate) / peaks[precision]).toFixed(1)} % of peak\n`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main(process.argv[2] ?? '');
