// Where the time of one worker's step goes: every kernel call of a training step is timed, on made-up batches with DLRM's or DeepFM's shapes.
//
//   node dist/bench/step/step-profile.bench.js [dlrm|deepfm|…] [batch size]
//
// One thread, no shards: model, loss and backward alone. The sum of kernels against the whole shows what the code between them costs.
// The profile stands on standard error; results are the whole, the share of matrix products and what no kernel accounts for.
import { makeFid, SeededRandom } from '../../src/base/index.js';
import { deepfmMegaflop, dlrmMegaflop } from '../../src/bench/index.js';
import { type KernelBackend, selectBackend } from '../../src/kernels/index.js';
import { initializeParameters, loadModel, ModelRuntime, planModel } from '../../src/models/index.js';
import { BatchHeader, BatchSlot } from '../../src/tensor/index.js';
import { benchArguments, report } from '../lib/report.js';

const model = benchArguments.words[0] ?? 'dlrm';
const batchSize = Number(benchArguments.words[1] ?? 2048);
/** At most; fewer where the time is short. */
const MOST_STEPS = 60;
const FEATURES = 26;
const DENSE = 13;
const ROWS = 1 << 20;

type Timed = { calls: number; ms: number };
const times = new Map<string, Timed>();

function timed(backend: KernelBackend): KernelBackend {
  return new Proxy(backend, {
    get(target, name: string) {
      const member = target[name as keyof KernelBackend];
      if (typeof member !== 'function') return member;
      return (...args: never[]) => {
        const key = name === 'gemm' ? `gemm ${args[0] ? 'T' : 'N'}${args[1] ? 'T' : 'N'} ${args[2]}×${args[3]}×${args[4]}` : name;
        const from = performance.now();
        const result = (member as (...values: never[]) => unknown)(...args);
        const entry = times.get(key) ?? { calls: 0, ms: 0 };
        entry.calls++;
        entry.ms += performance.now() - from;
        times.set(key, entry);
        return result;
      };
    },
  });
}

const { backend } = selectBackend('auto');
const definition = await loadModel(model);
const inputs = {
  dense: Array.from({ length: DENSE }, (_, i) => `d${i}`),
  sparse: Array.from({ length: FEATURES }, (_, i) => ({ name: `c${i}`, combiner: 0 as const })),
};
const plan = planModel(definition, {}, inputs);
const parameters = new Float32Array(plan.parametersLength);
initializeParameters(plan, 1, parameters);
const gradients = new Float32Array(plan.parametersLength);
const layout = {
  maxExamples: batchSize,
  numDense: DENSE,
  groups: plan.tables.map((table) => ({ numFeatures: table.features.length, maxIds: batchSize * table.features.length, hasValues: false })),
};
const slot = new BatchSlot(layout, new SharedArrayBuffer(BatchSlot.byteLength(layout)), 0);
const random = new SeededRandom(1);
slot.header[BatchHeader.numExamples] = batchSize;
slot.header[BatchHeader.globalExamples] = batchSize;
for (let i = 0; i < batchSize; i++) {
  slot.labels[i] = random.nextFloat() < 0.25 ? 1 : 0;
  slot.weights[i] = 1;
  for (let d = 0; d < DENSE; d++) slot.dense[i * DENSE + d] = random.nextFloat();
}
const runtime = new ModelRuntime(definition, {}, inputs, timed(backend), { parameters, gradients }, batchSize);
const sparse = plan.tables.map((table, t) => {
  const { fids, offsets } = slot.groups[t];
  const nnz = batchSize * table.features.length;
  for (let i = 0; i < nnz; i++) {
    fids[i] = makeFid(1 + (i % table.features.length), BigInt(Math.floor(ROWS * random.nextFloat() ** 6)));
    offsets[i + 1] = i + 1;
  }
  const unique = new BigInt64Array(nnz);
  const inverse = new Int32Array(nnz);
  const scratch = new Int32Array(backend.dedupeScratchLength(nnz));
  const count = backend.dedupe(fids, nnz, 1, unique, inverse, new Int32Array(2), scratch);
  const rows = new Float32Array(count * table.dim).map(() => 0.01 * (random.nextFloat() - 0.5));
  return { bagOffsets: offsets, inverse, values: null, rows, dRows: new Float32Array(count * table.dim), rowStride: table.dim };
});

function step(): void {
  gradients.fill(0);
  for (const { dRows } of sparse) dRows.fill(0);
  runtime.setStep(1, 2, batchSize);
  for (let first = 0; first < batchSize; first += runtime.chunkRows) {
    runtime.trainChunk(slot, sparse, first, Math.min(runtime.chunkRows, batchSize - first));
  }
}

for (let i = 0; i < 3; i++) step();
times.clear();
const perStep: number[] = [];
const end = performance.now() + 2000 * benchArguments.seconds;
while (perStep.length < MOST_STEPS && (perStep.length < 3 || performance.now() < end)) {
  const from = performance.now();
  step();
  perStep.push(performance.now() - from);
}
const steps = perStep.length;
const total = perStep.reduce((sum, ms) => sum + ms, 0) / steps;
const profile = [...times].map(([name, { calls, ms }]) => ({ name, calls: calls / steps, ms: ms / steps })).sort((a, b) => b.ms - a.ms);
for (const { name, calls, ms } of profile) {
  process.stderr.write(
    `${name.padEnd(30)} ${String(calls).padStart(5)} calls  ${ms.toFixed(3).padStart(8)} ms  ${((ms / total) * 100).toFixed(1).padStart(5)} %\n`,
  );
}
const inKernels = profile.reduce((sum, { ms }) => sum + ms, 0);
const inProducts = profile.filter(({ name }) => name.startsWith('gemm')).reduce((sum, { ms }) => sum + ms, 0);
const megaflop = model === 'dlrm' ? dlrmMegaflop : model === 'deepfm' ? deepfmMegaflop : null;
const title = `${model} batch ${batchSize}`;
report({
  name: `${title}: forward, backward`,
  unit: 'samples/s',
  better: 'higher',
  values: perStep.map((ms) => (1000 * batchSize) / ms),
  ...(megaflop === null ? {} : { limit: { name: 'FMA peak, 1 thread', times: 1000 / megaflop } }),
});
report({ name: `${title}: in kernels`, unit: '% of the step', better: 'higher', values: [(100 * inKernels) / total] });
report({ name: `${title}: in matrix products`, unit: '% of the step', better: 'higher', values: [(100 * inProducts) / total] });
report({ name: `${title}: between kernels`, unit: '% of the step', better: 'lower', values: [(100 * (total - inKernels)) / total] });
for (const { name, ms } of profile.slice(0, 12)) {
  report({ name: `${title}: ${name}`, unit: 'µs a sample', better: 'lower', values: [(1000 * ms) / batchSize] });
}
