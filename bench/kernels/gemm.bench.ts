// GEMM of the native backend on the layers of DLRM and DeepFM, 512 examples a chunk, one thread: GFLOP/s and share of the FMA peak
// that the same run measures. Best of several runs.   node dist/bench/kernels/gemm.bench.js [word]
import { loadAddon } from '../../src/kernels/native/load.js';

/** Examples of one chunk, as in models (ModelRuntime.chunkRows). */
const chunkRows = 512;
/** Time spent on one shape; the best of the runs that fit counts, since other processes only make runs slower. */
const millisecondsPerShape = 150;

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

type Gemm = (
  ...args: [
    boolean,
    boolean,
    number,
    number,
    number,
    Float32Array,
    number,
    Float32Array,
    number,
    Float32Array,
    number,
    boolean,
    Float32Array | null,
    number,
  ]
) => void;

function filled(length: number): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(length * 4));
  for (let i = 0; i < length; i++) values[i] = ((i * 7919) % 1000) / 1000 - 0.5;
  return values;
}

function bestSeconds(run: () => void): number {
  run();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + millisecondsPerShape;
  while (performance.now() < end) {
    const start = performance.now();
    for (let i = 0; i < 3; i++) run();
    best = Math.min(best, (performance.now() - start) / 3);
  }
  return best / 1000;
}

const { addon, reason } = loadAddon();
if (addon === null) {
  process.stderr.write(`native backend not available: ${reason}\n`);
  process.exit(1);
}
const gemm = addon.gemm as unknown as Gemm;
const peak = Number((addon.fmaPeak as unknown as () => number)());
process.stdout.write(`${addon.info().instructionSet}: FMA peak ${peak.toFixed(1)} GFLOP/s\n`);
let seconds = 0;
let flops = 0;
const word = process.argv[2] ?? '';
for (const { name, inputs, outputs } of shapes.filter((shape) => shape.name.includes(word))) {
  const x = filled(chunkRows * inputs);
  const weight = filled(inputs * outputs);
  const y = filled(chunkRows * outputs);
  const bias = filled(outputs);
  const passes: readonly (readonly [string, () => void])[] = [
    ['forward', () => gemm(false, false, chunkRows, outputs, inputs, x, inputs, weight, outputs, y, outputs, false, bias, 1)],
    ['dgrad', () => gemm(false, true, chunkRows, inputs, outputs, y, outputs, weight, outputs, x, inputs, false, null, 0)],
    ['wgrad', () => gemm(true, false, inputs, outputs, chunkRows, x, inputs, y, outputs, weight, outputs, true, null, 0)],
  ];
  for (const [pass, run] of passes) {
    x.set(filled(x.length));
    y.set(filled(y.length));
    const best = bestSeconds(run);
    const work = 2 * chunkRows * inputs * outputs;
    seconds += best;
    flops += work;
    const rate = work / best / 1e9;
    process.stdout.write(
      `${name.padEnd(14)} ${String(inputs).padStart(3)}→${String(outputs).padEnd(3)} ${pass.padEnd(7)} ${(best * 1e6).toFixed(0).padStart(6)} µs ${rate.toFixed(1).padStart(6)} GFLOP/s ${((100 * rate) / peak).toFixed(0).padStart(3)} %\n`,
    );
  }
}
process.stdout.write(`all ${(flops / seconds / 1e9).toFixed(1)} GFLOP/s, ${((100 * flops) / seconds / 1e9 / peak).toFixed(1)} % of peak\n`);
