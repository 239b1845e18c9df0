// A worker: one model replica that trains on batch slots until told to stop. See docs/journey-of-a-batch.md.
import { parentPort, workerData } from 'node:worker_threads';
import { MonolithError } from '../../base/index.js';
import { selectBackend } from '../../kernels/index.js';
import { planDenseBlocks } from '../../ps/index.js';
import { runWorkerLoop } from '../../steps/index.js';
import type { BatchSlot } from '../../tensor/index.js';
import type { BadBatch } from '../bad-batch.js';
import type { ThreadMessage, ThreadStart } from '../messages.js';
import { ClusterMemory } from '../topology.js';
import { createWorkerContext, workerLines } from '../worker-context.js';

const { index, spec, buffers } = workerData as ThreadStart;

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

async function work(): Promise<void> {
  const { backend, reason } = selectBackend(spec.backend);
  const memory = new ClusterMemory(spec, buffers, planDenseBlocks(spec.tensors).blocks.length);
  const context = await createWorkerContext(spec, memory, index, backend);
  tell({ kind: 'ready', backend: backend.name, instructionSet: backend.instructionSet, reason });
  try {
    runWorkerLoop(context, workerLines(memory, index), spec.prefetch);
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
