import { failpoint } from '../base/index.js';
import { IDLE_TIMEOUT_MS } from '../ps/index.js';
import type { Counter, Ring } from '../sharedarraybuffer-ring/index.js';
import type { BatchSlot } from '../tensor/index.js';
import { evaluateStep, trainStep, type WorkerContext } from './train-step.js';
import { LOSS_HISTORY, WORKER_COMMAND_WORDS, WorkerOp, WorkerStat } from './worker-command.js';

/** A worker's lines to the coordinator. */
export type WorkerLines = {
  readonly commands: Ring;
  /** Train and evaluate commands carried out: their slots may be filled again. */
  readonly done: Counter;
  /** Sync points reached: all pushes before them are applied. */
  readonly synced: Counter;
  readonly slots: readonly BatchSlot[];
  /** [slot] logits of a batch, [B] */
  readonly logits: readonly Float32Array[];
  /** [LOSS_HISTORY] Σ weight·loss of step % LOSS_HISTORY */
  readonly losses: Float64Array;
};

/**
 * Carries out commands until told to stop. Rows of up to `prefetch` further batches are asked for before the oldest batch is computed, in
 * synchronous mode too: shards bring them up to date after each step. Commands are carried out strictly in order. Blocks its thread; throws Aborted when the run ends early.
 */
export function runWorkerLoop(worker: WorkerContext, lines: WorkerLines, prefetch: number): void {
  const { embeddings, regions, stats, spans, now } = worker;
  const depth = prefetch + 1;
  const queue = Array.from({ length: depth }, () => new Int32Array(WORKER_COMMAND_WORDS));
  const regionOf = new Int32Array(depth);
  let head = 0;
  let queued = 0;
  let nextRegion = 0;
  let open = true; // false while a sync or stop command waits in the queue: nothing may be asked for beyond it
  for (;;) {
    while (open && queued < depth) {
      const place = (head + queued) % depth;
      const command = queue[place];
      if (queued > 0) {
        if (!lines.commands.tryPop(command)) break;
      } else {
        const waiting = now();
        if (!lines.commands.pop(command, IDLE_TIMEOUT_MS)) return;
        // Before the first step others are still starting.
        if (stats[WorkerStat.steps] > 0) {
          const got = now();
          stats[WorkerStat.waitBatchMs] += got - waiting;
          spans.add(0, command[0] === WorkerOp.train ? command[2] : -1, waiting, got);
        }
      }
      queued++;
      const op = command[0];
      if (op === WorkerOp.train || op === WorkerOp.evaluate) {
        failpoint('steps.beforeLookup');
        const asking = now();
        regionOf[place] = nextRegion;
        embeddings.lookup(lines.slots[command[1]], nextRegion, op === WorkerOp.train, command[2]);
        const asked = now();
        stats[WorkerStat.dedupeMs] += asked - asking;
        spans.add(1, op === WorkerOp.train ? command[2] : -1, asking, asked);
        nextRegion = (nextRegion + 1) % regions.length;
      } else {
        open = false;
      }
    }
    const command = queue[head];
    const region = regionOf[head];
    head = (head + 1) % depth;
    queued--;
    const batch = lines.slots[command[1]];
    worker.slot = command[1];
    switch (command[0]) {
      case WorkerOp.train: {
        if (stats[WorkerStat.steps] === 0) stats[WorkerStat.firstStepAtMs] = performance.timeOrigin + now();
        lines.losses[command[2] % LOSS_HISTORY] = trainStep(worker, batch, region, command[2], lines.logits[command[1]]);
        stats[WorkerStat.steps]++;
        stats[WorkerStat.examples] += batch.numExamples;
        stats[WorkerStat.lastStepAtMs] = performance.timeOrigin + now();
        lines.done.add(1);
        break;
      }
      case WorkerOp.evaluate:
        evaluateStep(worker, batch, region, lines.logits[command[1]]);
        lines.done.add(1);
        break;
      case WorkerOp.sync:
        embeddings.awaitOutstanding(0);
        open = true;
        lines.synced.add(1);
        break;
      default:
        embeddings.awaitOutstanding(0);
        return;
    }
  }
}
