import { SHARD_STAGES, ShardStat } from '../ps/index.js';
import type { SpanLog } from '../sharedarraybuffer-ring/index.js';
import type { BatchSlot } from '../tensor/index.js';
import { LOSS_HISTORY, type RunSpec, type Span, type StageTimes, WORKER_STAGES, WorkerOp, WorkerStat } from '../training/index.js';
import type { BadBatch } from './bad-batch.js';
import type { Supervisor } from './supervisor.js';
import type { ClusterMemory } from './topology.js';

/**
 * The rounds of a run over its shared memory: which slot is whose turn, what is done, what was the loss. Whoever carries the commands out
 * raises the counters of {@link ClusterMemory}; where a worker lives makes no difference here.
 */
export abstract class RoundEngine {
  readonly maxInFlight: number;
  rounds = 0;
  private syncs = 0;

  constructor(
    readonly spec: RunSpec,
    protected readonly memory: ClusterMemory,
    protected readonly supervisor: Supervisor,
  ) {
    this.maxInFlight = spec.slotsPerWorker;
  }

  get parameters(): Float32Array {
    return this.memory.parameters;
  }

  get denseState(): Float32Array {
    return this.memory.denseState;
  }

  /** The batch of a NonFiniteLoss, if there was one. */
  get badBatch(): BadBatch | null {
    return this.supervisor.badBatch;
  }

  /** Hands one command to every worker, in order. @param examples of the step, over all workers; 0 for a sync point. */
  protected abstract send(op: number, slot: number, step: number, examples: number): Promise<void>;

  acquire(): Promise<readonly BatchSlot[]> {
    return this.guard(async () => {
      await this.awaitDone(this.rounds - this.spec.slotsPerWorker + 1);
      return this.slotsOf(this.rounds);
    });
  }

  submitTrain(step: number): Promise<void> {
    return this.submit(WorkerOp.train, step);
  }

  submitEvaluate(): Promise<void> {
    return this.submit(WorkerOp.evaluate, 0);
  }

  completedRounds(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const done of this.memory.done) least = Math.min(least, done.load());
    return least;
  }

  awaitRound(round: number): Promise<void> {
    return this.guard(() => this.awaitDone(round + 1));
  }

  result(round: number, worker: number): { batch: BatchSlot; logits: Float32Array } {
    const slot = round % this.spec.slotsPerWorker;
    return { batch: this.memory.slots[worker][slot], logits: this.memory.logits[worker][slot] };
  }

  lossOf(step: number): number {
    let sum = 0;
    for (const losses of this.memory.losses) sum += losses[step % LOSS_HISTORY];
    return sum;
  }

  sync(): Promise<void> {
    return this.guard(async () => {
      // Round by round, so that the time limit is one of a step and not of all that are in flight.
      for (let round = this.completedRounds() + 1; round <= this.rounds; round++) await this.awaitDone(round);
      this.syncs++;
      await this.send(WorkerOp.sync, 0, this.syncs, 0);
      for (const synced of this.memory.synced) await synced.waitForAsync(this.syncs, this.spec.stepTimeoutMs);
    });
  }

  whileSound<T>(wait: Promise<T>): Promise<T> {
    return this.supervisor.whileSound(wait);
  }

  stageTimes(): StageTimes {
    const { workerStats, shardStats } = this.memory;
    const total = (all: readonly Float64Array[], stat: number): number => all.reduce((sum, stats) => sum + stats[stat], 0);
    return {
      wait_batch: total(workerStats, WorkerStat.waitBatchMs),
      dedupe: total(workerStats, WorkerStat.dedupeMs),
      lookup: total(workerStats, WorkerStat.lookupMs),
      compute: total(workerStats, WorkerStat.computeMs),
      push: total(workerStats, WorkerStat.pushMs),
      shard_lookup: total(shardStats, ShardStat.lookupMs),
      shard_apply: total(shardStats, ShardStat.applyMs),
      shard_refresh: total(shardStats, ShardStat.refreshMs),
    };
  }

  recordSpans(on: boolean): void {
    for (const log of [...this.memory.workerSpans, ...this.memory.shardSpans]) log.record(on);
  }

  takeSpans(): Span[] {
    const { workerSpans, shardSpans } = this.memory;
    const named = (logs: readonly SpanLog[], role: string, stages: readonly string[]): Span[] =>
      logs.flatMap((log, i) =>
        log
          .take()
          .map(({ kind, step, ...times }) => ({ thread: `${role} ${i}`, stage: stages[kind], step: step < 0 ? null : step, ...times })),
      );
    return [...named(workerSpans, 'worker', WORKER_STAGES), ...named(shardSpans, 'shard', SHARD_STAGES)];
  }

  /** Runs a wait; when the run ended meanwhile, throws what ended it. */
  protected async guard<T>(wait: () => Promise<T>): Promise<T> {
    this.supervisor.check();
    try {
      return await wait();
    } catch (error) {
      throw await this.supervisor.explain(error);
    }
  }

  private slotsOf(round: number): readonly BatchSlot[] {
    const slot = round % this.spec.slotsPerWorker;
    return this.memory.slots.map((own) => own[slot]);
  }

  private async submit(op: number, step: number): Promise<void> {
    const [{ globalExamples }] = this.slotsOf(this.rounds);
    await this.guard(() => this.send(op, this.rounds % this.spec.slotsPerWorker, step, globalExamples));
    this.rounds++;
  }

  private async awaitDone(count: number): Promise<void> {
    if (count <= 0) return;
    for (const done of this.memory.done) {
      if (done.load() < count) await done.waitForAsync(count, this.spec.stepTimeoutMs);
    }
  }
}
