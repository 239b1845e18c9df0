// JavaScript heap that a worker allocates per training step, after warm-up. The bound is 4 KiB, the aim 0.
//
//   node dist/bench/step/heap.bench.js [steps]
//
// A worker runs its real loop against real shard threads. The young generation is made so large that nothing is collected while it is measured:
// the growth of the heap is then all that was allocated, not only what stayed. Ends with 1 when a model is over the bound.
import { MessageChannel, Worker } from 'node:worker_threads';
import { ClusterMemory } from '../../src/cluster/topology.js';
import { resolveConfig } from '../../src/config/index.js';
import { loadModel } from '../../src/models/index.js';
import { initializeDenseState, planDenseBlocks, SHARD_REQUEST_WORDS, ShardOp } from '../../src/ps/index.js';
import { planOfRun, planRun, WORKER_COMMAND_WORDS, WorkerOp } from '../../src/training/index.js';
import { benchArguments, report, wanted } from '../lib/report.js';
import { fillStep, flatLayout } from '../lib/synthetic.js';

const steps = Number(benchArguments.words[0] ?? Math.max(50, Math.round(1000 * Math.min(1, benchArguments.seconds))));
const WARM_UP = 200;
const BOUND_BYTES = 4096;
const TIMEOUT_MS = 60_000;

type Measured = { readonly bytes: number; readonly collections: number };

const inputs = {
  dense: Array.from({ length: 13 }, (_, i) => `d${i}`),
  sparse: Array.from({ length: 26 }, (_, i) => ({ name: `c${i}`, combiner: 0 as const })),
};

async function measure(model: string, mode: 'sync' | 'async'): Promise<Measured> {
  const { config } = resolveConfig({ values: { model, mode, workers: 1, ps: 2, batchSize: 128 } });
  const definition = await loadModel(model);
  const plan = planOfRun(config, definition, inputs);
  const layout = flatLayout(
    config.batchSize,
    inputs.dense.length,
    plan.tables.map((table) => table.features.length),
  );
  const spec = planRun(config, model, definition, inputs, plan, layout);
  const { blocks } = planDenseBlocks(spec.tensors);
  const memory = new ClusterMemory(spec, ClusterMemory.allocate(spec, blocks.length), blocks.length);
  initializeDenseState(spec.tensors, blocks, memory.denseState);
  for (const slot of memory.slots[0]) fillStep([slot], 1, 0, 5000);
  const threads = Array.from({ length: spec.ps }, (_, index) => {
    const { port2 } = new MessageChannel();
    const workerData = { role: 'ps', index, spec, buffers: memory.buffers, port: port2 };
    return new Worker(new URL('../../src/cluster/entry/ps-shard.thread.js', import.meta.url), { workerData, transferList: [port2] });
  });
  const worker = new Worker(new URL('./heap.thread.js', import.meta.url), {
    workerData: { spec, buffers: memory.buffers },
    resourceLimits: { maxYoungGenerationSizeMb: 512 },
  });
  const result = new Promise<Measured>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const command = new Int32Array(WORKER_COMMAND_WORDS);
  let step = 0;
  for (const count of [WARM_UP, steps]) {
    for (let i = 0; i < count; i++, step++) {
      if (step >= spec.slotsPerWorker) await memory.done[0].waitForAsync(step - spec.slotsPerWorker + 1, TIMEOUT_MS);
      command.set([WorkerOp.train, step % spec.slotsPerWorker, step, 0]);
      await memory.commands[0].pushAsync(command, TIMEOUT_MS);
    }
    command.set([WorkerOp.stop, 0, 0, 0]);
    await memory.commands[0].pushAsync(command, TIMEOUT_MS);
  }
  const measured = await result;
  const request = new Int32Array(SHARD_REQUEST_WORDS);
  request[0] = ShardOp.stop;
  for (const ring of memory.requests) await ring.pushAsync(request, TIMEOUT_MS);
  await Promise.all([worker, ...threads].map((thread) => thread.terminate()));
  return measured;
}

let over = false;
for (const [model, mode] of [
  ['dlrm', 'sync'],
  ['deepfm', 'sync'],
  ['deepfm', 'async'],
] as const) {
  const name = `heap ${model} ${mode}`;
  if (!wanted(name)) continue;
  const { bytes, collections } = await measure(model, mode);
  const perStep = bytes / steps;
  if (perStep > BOUND_BYTES || collections > 0) over = true;
  report({ name, unit: 'bytes a step', better: 'lower', values: [perStep], info: { bound: BOUND_BYTES, steps, collections } });
}
process.exitCode = over ? 1 : 0;
