import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { MonolithError, threadArguments } from '../base/index.js';
import { initializeParameters } from '../models/index.js';
import { initializeDenseState, planDenseBlocks, SHARD_REQUEST_WORDS, ShardOp, ShardStat } from '../ps/index.js';
import { availableCores } from '../sharedarraybuffer-ring/index.js';
import type { BatchSlot } from '../tensor/index.js';
import {
  LOSS_HISTORY,
  type RunSpec,
  resolveShardWork,
  type StageTimes,
  shareOfRows,
  type TableRows,
  type TrainingEngine,
  WORKER_COMMAND_WORDS,
  WorkerOp,
  WorkerStat,
} from '../training/index.js';
import type { BadBatch } from './bad-batch.js';
import type { ShardAnswer, ShardControl, ThreadMessage } from './messages.js';
import { ABORT_CLOSED, Supervisor } from './supervisor.js';
import { ClusterMemory } from './topology.js';

/** How long a thread may take to end after it was told to, before it is terminated. */
const CLOSE_TIMEOUT_MS = 2000;

/**
 * Workers and parameter-server shards as threads of this process over shared memory. Every tensor lies where both sides see it; threads
 * exchange slot numbers, requests of four words and counters. Use {@link LocalCluster.start}; always `close()` it.
 */
export class LocalCluster implements TrainingEngine {
  readonly parameters: Float32Array;
  readonly denseState: Float32Array;
  readonly maxInFlight: number;
  rounds = 0;
  private readonly memory: ClusterMemory;
  private readonly supervisor: Supervisor;
  private readonly threads: Worker[] = [];
  private readonly ports: MessagePort[] = [];
  private readonly command = new Int32Array(WORKER_COMMAND_WORDS);
  private readonly request = new Int32Array(SHARD_REQUEST_WORDS);
  private syncs = 0;
  private closed = false;
  private answers: Extract<ThreadMessage, { kind: 'ready' }>[] = [];

  private constructor(readonly spec: RunSpec) {
    const { blocks } = planDenseBlocks(spec.tensors);
    this.memory = new ClusterMemory(spec, ClusterMemory.allocate(spec, blocks.length), blocks.length);
    this.supervisor = new Supervisor(this.memory.abort);
    this.parameters = this.memory.parameters;
    this.denseState = this.memory.denseState;
    this.maxInFlight = spec.slotsPerWorker;
    initializeParameters(spec.plan, spec.seed, this.parameters);
    initializeDenseState(spec.tensors, blocks, this.denseState);
  }

  /**
   * Starts all threads and waits until they are ready.
   * @throws what a thread failed with: BackendUnavailable, InvalidModel, …
   */
  static async start(spec: RunSpec): Promise<LocalCluster> {
    const cluster = new LocalCluster(resolveShardWork(spec, availableCores()));
    try {
      for (let s = 0; s < spec.ps; s++) {
        const { port1, port2 } = new MessageChannel();
        port1.unref();
        cluster.ports.push(port1);
        cluster.spawn('ps', s, port2);
      }
      for (let w = 0; w < spec.workers; w++) cluster.spawn('worker', w);
      cluster.answers = await cluster.supervisor.whenReady();
      return cluster;
    } catch (error) {
      const reason = await cluster.supervisor.explain(cluster.supervisor.failure ?? error);
      await cluster.close();
      throw reason;
    }
  }

  /** Backend and instruction set that the threads run on, and why not native if so. */
  get backend(): { readonly name: string; readonly instructionSet: string; readonly reason: string | null } {
    const [first] = this.answers;
    return { name: first.backend, instructionSet: first.instructionSet, reason: first.reason };
  }

  /** The batch of a NonFiniteLoss, if there was one. */
  get badBatch(): BadBatch | null {
    return this.supervisor.badBatch;
  }

  acquire(): Promise<readonly BatchSlot[]> {
    return this.guard(async () => {
      await this.awaitDone(this.rounds - this.spec.slotsPerWorker + 1);
      const slot = this.rounds % this.spec.slotsPerWorker;
      return this.memory.slots.map((own) => own[slot]);
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
      await this.command4(WorkerOp.sync, 0, this.syncs);
      for (const synced of this.memory.synced) await synced.waitForAsync(this.syncs, this.spec.stepTimeoutMs);
    });
  }

  async sizes(): Promise<{ rows: number[]; memoryBytes: number }> {
    const rows = this.spec.tables.map(() => 0);
    let memoryBytes = 0;
    for (let s = 0; s < this.spec.ps; s++) {
      const answer = await this.ask(s, { kind: 'size' });
      if (answer.kind !== 'size') throw unexpected(answer.kind);
      for (let t = 0; t < rows.length; t++) rows[t] += answer.rows[t];
      memoryBytes += answer.memoryBytes;
    }
    return { rows, memoryBytes };
  }

  dump(table: number, bucketBits: number, bucket: number): Promise<TableRows[]> {
    return Promise.all(
      Array.from({ length: this.spec.ps }, async (_, s) => {
        const answer = await this.ask(s, { kind: 'dump', table, bucketBits, bucket });
        if (answer.kind !== 'dump') throw unexpected(answer.kind);
        return answer.rows;
      }),
    );
  }

  async expectRows(table: number, rows: number): Promise<void> {
    const share = shareOfRows(rows, this.spec.ps);
    await Promise.all(Array.from({ length: this.spec.ps }, (_, s) => this.ask(s, { kind: 'expect', table, rows: share })));
  }

  async load(table: number, rows: TableRows): Promise<void> {
    await Promise.all(Array.from({ length: this.spec.ps }, (_, s) => this.ask(s, { kind: 'load', table, rows })));
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

  /** Ends one thread as a crash would: for tests of what the run then does. */
  async terminateThread(role: 'worker' | 'ps', index: number): Promise<void> {
    await this.threads[role === 'ps' ? index : this.spec.ps + index].terminate();
  }

  /** Ends all threads: those that do not end by themselves are terminated. Twice is fine. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.supervisor.expectExit();
    this.command.fill(0);
    this.command[0] = WorkerOp.stop;
    this.request.fill(0);
    this.request[0] = ShardOp.stop;
    const sound = this.supervisor.failure === null;
    if (sound) {
      try {
        for (const ring of this.memory.commands) ring.tryPush(this.command);
        for (const ring of this.memory.requests) ring.tryPush(this.request);
      } catch {
        // A ring that takes nothing more belongs to a thread that is ending: it is terminated below.
      }
    }
    const gone = this.supervisor.whenGone();
    const timer = setTimeout(
      () => {
        this.memory.abort.abort(ABORT_CLOSED);
        for (const thread of this.threads) void thread.terminate();
      },
      sound ? CLOSE_TIMEOUT_MS : 0,
    );
    await gone;
    clearTimeout(timer);
    for (const port of this.ports) port.close();
  }

  private spawn(role: 'worker' | 'ps', index: number, port?: MessagePort): void {
    const file = role === 'ps' ? './entry/ps-shard.thread.js' : './entry/worker.thread.js';
    const thread = new Worker(new URL(file, import.meta.url), {
      name: `${role}-${index}`,
      workerData: { role, index, spec: this.spec, buffers: this.memory.buffers, ...(port === undefined ? {} : { port }) },
      transferList: port === undefined ? [] : [port],
      ...threadArguments(),
    });
    this.supervisor.watch(thread, { role, index });
    this.threads.push(thread);
  }

  private async submit(op: number, step: number): Promise<void> {
    await this.guard(() => this.command4(op, this.rounds % this.spec.slotsPerWorker, step));
    this.rounds++;
  }

  private async command4(op: number, slot: number, step: number): Promise<void> {
    this.command[0] = op;
    this.command[1] = slot;
    this.command[2] = step;
    for (const ring of this.memory.commands) {
      if (!ring.tryPush(this.command)) await ring.pushAsync(this.command, this.spec.stepTimeoutMs);
    }
  }

  private async awaitDone(count: number): Promise<void> {
    if (count <= 0) return;
    for (const done of this.memory.done) {
      if (done.load() < count) await done.waitForAsync(count, this.spec.stepTimeoutMs);
    }
  }

  /** A request on a shard's port, taken between two requests of its ring. */
  private ask(shard: number, message: ShardControl): Promise<ShardAnswer> {
    return this.guard(async () => {
      const port = this.ports[shard];
      const answer = this.supervisor.whileSound(new Promise<ShardAnswer>((resolve) => port.once('message', resolve)));
      // When the run ends while the request is still being sent, that is what is reported.
      answer.catch(() => {});
      port.ref();
      port.postMessage(message);
      this.request[0] = ShardOp.control;
      await this.memory.requests[shard].pushAsync(this.request, this.spec.stepTimeoutMs);
      const value = await answer;
      port.unref();
      if (value.kind === 'failed') throw MonolithError.fromJSON(value.error);
      return value;
    });
  }

  /** Runs a wait; when the run ended meanwhile, throws what ended it. */
  private async guard<T>(wait: () => Promise<T>): Promise<T> {
    this.supervisor.check();
    try {
      return await wait();
    } catch (error) {
      throw await this.supervisor.explain(error);
    }
  }
}

function unexpected(kind: string): MonolithError {
  return new MonolithError('Internal', `a shard answered "${kind}" to another question`);
}
