// GEMM of the native backend on the layers of DLRM and DeepFM, 512 examples a chunk, one thread: GFLOP/s and share of the FMA peak
// that the same run measures.   node dist/bench/kernels/gemm.bench.js [--only TEXT]
import { loadAddon } from '../../src/kernels/native/load.js';
import { benchArguments, report, wanted } from '../lib/report.js';

/** Examples of one chunk, as in models (ModelRuntime.chunkRows). */
const chunkRows = 512;
/** Time spent on one shape, at one second a part. */
const millisecondsPerShape = 150;
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

/** Seconds of one call, round by round: the best of each round, since other processes only make calls slower. */
function secondsOf(run: () => void): number[] {
  run();
  return Array.from({ length: ROUNDS }, () => {
    let best = Number.POSITIVE_INFINITY;
    const end = performance.now() + (millisecondsPerShape * benchArguments.seconds) / ROUNDS;
    do {
      const start = performance.now();
      for (let i = 0; i < 3; i++) run();
      best = Math.min(best, (performance.now() - start) / 3);
    } while (performance.now() < end);
    return best / 1000;
  });
}

const { addon, reason } = loadAddon();
if (addon === null) {
  process.stderr.write(`native backend not available: ${reason}\n`);
  process.exit(1);
}
const gemm = addon.gemm as unknown as Gemm;
const flop = { limit: { name: 'FMA peak, 1 thread' }, unit: 'GFLOP/s', better: 'higher' } as const;
let seconds = 0;
let operations = 0;
for (const { name, inputs, outputs } of shapes) {
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
    const title = `gemm ${name} ${inputs}→${outputs} ${pass}`;
    if (!wanted(title)) continue;
    x.set(filled(x.length));
    y.set(filled(y.length));
    const times = secondsOf(run);
    const work = 2 * chunkRows * inputs * outputs;
    seconds += Math.min(...times);
    operations += work;
    report({ name: title, ...flop, values: times.map((time) => work / time / 1e9), info: { µs: Math.min(...times) * 1e6 } });
  }
}
if (benchArguments.only === null) report({ name: 'gemm of all MLP shapes', ...flop, values: [operations / seconds / 1e9] });
