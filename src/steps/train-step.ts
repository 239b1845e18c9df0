import { failpoint, MonolithError } from '../base/index.js';
import type { ModelRuntime } from '../models/index.js';
import type { EmbeddingClient, ExchangeRegion, SparseView } from '../ps/index.js';
import type { SpanLog } from '../sharedarraybuffer-ring/index.js';
import type { BatchSlot } from '../tensor/index.js';
import { WorkerStat } from './worker-command.js';

/** What one worker works with; made once per thread. */
export type WorkerContext = {
  readonly worker: number;
  /** [region] the model bound to the region's gradient vector; they share one arena. */
  readonly models: readonly ModelRuntime[];
  readonly embeddings: EmbeddingClient;
  readonly regions: readonly ExchangeRegion[];
  readonly sparse: readonly SparseView[];
  readonly seed: { readonly low: number; readonly high: number };
  /** Pushes that may be outstanding after a step: 0 makes the step synchronous. */
  readonly staleness: number;
  readonly stats: Float64Array;
  /** What it did when; kinds are places in WORKER_STAGES. */
  readonly spans: SpanLog;
  readonly now: () => number;
  /** Slot number of the batch in hand, for the report of a failure. */
  slot: number;
};

/**
 * One step of one worker, the journey of a batch in order; the batch's lookup is already on its way (see worker-loop). In synchronous mode
 * it returns when every shard has applied the gradients of all workers.
 *
 * @param logits [B] what the model said of each example before it learnt from it: written.
 * @returns Σ weight · loss over the worker's examples.
 */
export function trainStep(worker: WorkerContext, batch: BatchSlot, region: number, step: number, logits: Float32Array): number {
  const { embeddings, regions, sparse, seed, stats, spans, now } = worker;
  const model = worker.models[region];
  const started = now();
  failpoint('steps.beforeReceive');
  embeddings.receive(batch, region, sparse, true); //                                   rows [N, D]: shards → worker
  const received = now();
  failpoint('steps.beforeCompute');
  regions[region].gradients.fill(0);
  model.setStep((seed.low ^ Math.imul(step + 1, 0x9e3779b1)) >>> 0, (seed.high + step) >>> 0, batch.globalExamples);
  let loss = 0;
  for (let first = 0; first < batch.numExamples; first += model.chunkRows) {
    const rows = Math.min(model.chunkRows, batch.numExamples - first);
    loss += model.trainChunk(batch, sparse, first, rows); //                            logits, loss, gradients of rows and parameters
    for (let i = 0; i < rows; i++) logits[first + i] = model.logits[i];
  }
  if (!Number.isFinite(loss)) throw nonFinite(worker, model, step, loss);
  const computed = now();
  failpoint('steps.beforePush');
  embeddings.push(region, step); //                                                     worker → shards: sparse and dense gradients
  failpoint('steps.afterPush');
  embeddings.awaitOutstanding(worker.staleness);
  failpoint('steps.afterApply');
  stats[WorkerStat.lookupMs] += received - started;
  stats[WorkerStat.computeMs] += computed - received;
  const pushed = now();
  stats[WorkerStat.pushMs] += pushed - computed;
  spans.add(2, step, started, received);
  spans.add(3, step, received, computed);
  spans.add(4, step, computed, pushed);
  return loss;
}

/** Logits of a batch without learning: missing ids count as zero rows. */
export function evaluateStep(worker: WorkerContext, batch: BatchSlot, region: number, logits: Float32Array): void {
  const { embeddings, sparse } = worker;
  const model = worker.models[region];
  embeddings.receive(batch, region, sparse, false);
  for (let first = 0; first < batch.numExamples; first += model.chunkRows) {
    const rows = Math.min(model.chunkRows, batch.numExamples - first);
    model.forward(batch, sparse, first, rows, false);
    for (let i = 0; i < rows; i++) logits[first + i] = model.logits[i];
  }
}

function nonFinite(worker: WorkerContext, model: ModelRuntime, step: number, loss: number): MonolithError {
  const at = model.firstNonFinite();
  const where = at === null ? 'every layer output is finite: look at labels and weights' : `first non-finite value in "${at.layer}" output`;
  return new MonolithError('NonFiniteLoss', `step ${step}, worker ${worker.worker}: loss is ${loss}; ${where}`, {
    step,
    worker: worker.worker,
    layer: at?.layer ?? null,
    index: at?.index ?? null,
  });
}
