// A worker: one model replica that trains on batch slots until told to stop. See docs/journey-of-a-batch.md.
import { parentPort, workerData } from 'node:worker_threads';
import { MonolithError, seedFromNames } from '../../base/index.js';
import { selectBackend } from '../../kernels/index.js';
import { loadModel, ModelRuntime } from '../../models/index.js';
import { EmbeddingClient, LocalShardChannel, planDenseBlocks, type SparseView } from '../../ps/index.js';
import type { BatchSlot } from '../../tensor/index.js';
import { exchangeLayout, runWorkerLoop, type WorkerContext } from '../../training/index.js';
import type { BadBatch } from '../bad-batch.js';
import type { ThreadMessage, ThreadStart } from '../messages.js';
import { ClusterMemory } from '../topology.js';

const { index, spec, buffers } = workerData as ThreadStart;

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

async function work(): Promise<void> {
  const { backend, reason } = selectBackend(spec.backend);
  const memory = new ClusterMemory(spec, buffers, planDenseBlocks(spec.tensors).blocks.length);
  const definition = await loadModel(spec.model);
  const regions = memory.regions[index];
  const models: ModelRuntime[] = [];
  for (const region of regions) {
    const shared = models.length > 0 ? { arena: models[0].arena } : {};
    models.push(
      new ModelRuntime(
        definition,
        spec.modelOptions,
        spec.inputs,
        backend,
        { parameters: memory.parameters, gradients: region.gradients, ...shared },
        spec.batch.maxExamples,
      ),
    );
  }
  const channels = memory.requests.map(
    (requests, s) => new LocalShardChannel(index, requests, memory.lookups[index][s], memory.applies[index][s], spec.stepTimeoutMs),
  );
  const sparse: SparseView[] = spec.plan.tables.map((table) => ({
    bagOffsets: new Int32Array(0),
    inverse: new Int32Array(0),
    values: null,
    rows: new Float32Array(0),
    dRows: new Float32Array(0),
    rowStride: table.dim,
  }));
  const context: WorkerContext = {
    worker: index,
    models,
    embeddings: new EmbeddingClient(backend, exchangeLayout(spec), regions, channels),
    regions,
    sparse,
    seed: seedFromNames(spec.seed, 'worker', index),
    staleness: spec.staleness,
    stats: memory.workerStats[index],
    now: () => performance.now(),
    slot: 0,
  };
  tell({ kind: 'ready', backend: backend.name, instructionSet: backend.instructionSet, reason });
  try {
    runWorkerLoop(
      context,
      {
        commands: memory.commands[index],
        done: memory.done[index],
        synced: memory.synced[index],
        slots: memory.slots[index],
        logits: memory.logits[index],
        losses: memory.losses[index],
      },
      spec.prefetch,
    );
  } catch (error) {
    const failure = MonolithError.from(error);
    const batch = failure.code === 'NonFiniteLoss' ? memory.slots[index][context.slot] : undefined;
    tell({
      kind: 'failed',
      error: failure.toJSON(),
      ...(batch === undefined ? {} : { badBatch: describeBatch(batch, Number(failure.details.step)) }),
    });
  }
}

/** The batch as plain JSON: enough to see what was wrong with it. */
function describeBatch(batch: BatchSlot, step: number): BadBatch {
  const { numDense, groups } = spec.batch;
  const examples = Array.from({ length: batch.numExamples }, (_, i) => i);
  return {
    step,
    worker: index,
    numExamples: batch.numExamples,
    labels: Array.from(batch.labels.subarray(0, batch.numExamples)),
    dense: examples.map((i) =>
      Array.from(batch.dense.subarray(i * numDense, (i + 1) * numDense), (value) => (Number.isFinite(value) ? value : String(value))),
    ),
    ids: examples.map((i) =>
      groups.flatMap(({ numFeatures }, g) => {
        const { fids, offsets } = batch.groups[g];
        return Array.from(fids.subarray(offsets[i * numFeatures], offsets[(i + 1) * numFeatures]), String);
      }),
    ),
  };
}

try {
  await work();
} catch (error) {
  tell({ kind: 'failed', error: MonolithError.from(error).toJSON() });
}
