import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { MonolithError, threadArguments } from '../base/index.js';
import { selectBackend, type TableHolder } from '../kernels/index.js';
import { initializeParameters } from '../models/index.js';
import { initializeDenseState, planDenseBlocks, SHARD_REQUEST_WORDS, ShardOp } from '../ps/index.js';
import { availableCores } from '../sharedarraybuffer-ring/index.js';
import {
  type FrozenState,
  type RunSpec,
  resolveShardWork,
  shareOfRows,
  type TableRows,
  type TrainingEngine,
  WORKER_COMMAND_WORDS,
  WorkerOp,
} from '../training/index.js';
import type { ShardAnswer, ShardControl, ThreadMessage } from './messages.js';
import { RoundEngine } from './round-engine.js';
import { ShardPort } from './shard-port.js';
import { ABORT_CLOSED, Supervisor } from './supervisor.js';
import { ClusterMemory } from './topology.js';

/** How long a thread may take to end after it was told to, before it is terminated. */
const CLOSE_TIMEOUT_MS = 2000;

/**
 * Workers and parameter-server shards as threads of this process over shared memory. Every tensor lies where both sides see it; threads
 * exchange slot numbers, requests of four words and counters. Use {@link TrainingThreads.start}; always `close()` it.
 */
export class TrainingThreads extends RoundEngine implements TrainingEngine {
  private readonly threads: Worker[] = [];
  private readonly ports: ShardPort[] = [];
  private readonly command = new Int32Array(WORKER_COMMAND_WORDS);
  private readonly request = new Int32Array(SHARD_REQUEST_WORDS);
  private closed = false;
  /** Copies of the dense parameters and their state, made once. */
  private frozen: { readonly parameters: Float32Array; readonly denseState: Float32Array } | null = null;
  /** Holders of all tables, from the first checkpoint in the background on. */
  private held: TableHolder[] | null = null;
  private answers: Extract<ThreadMessage, { kind: 'ready' }>[] = [];

  private constructor(spec: RunSpec) {
    const { blocks } = planDenseBlocks(spec.tensors);
    const memory = new ClusterMemory(spec, ClusterMemory.allocate(spec, blocks.length), blocks.length);
    super(spec, memory, new Supervisor(memory.abort));
    initializeParameters(spec.plan, spec.seed, this.parameters);
    initializeDenseState(spec.tensors, blocks, this.denseState);
  }

  /**
   * Starts all threads and waits until they are ready.
   * @throws what a thread failed with: BackendUnavailable, InvalidModel, …
   */
  static async start(spec: RunSpec): Promise<TrainingThreads> {
    const cluster = new TrainingThreads(resolveShardWork(spec, availableCores()));
    try {
      for (let s = 0; s < spec.ps; s++) {
        const { port1, port2 } = new MessageChannel();
        cluster.ports.push(new ShardPort(port1, cluster.memory.requests[s], cluster.supervisor, spec.stepTimeoutMs));
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

  /** Rows can be frozen where another thread can hold their table. */
  get canFreeze(): boolean {
    return this.backend.name === 'native';
  }

  async freeze(onlyChanged: boolean, forgetChanges: boolean): Promise<FrozenState | null> {
    if (!this.canFreeze) return null;
    const { spec, memory } = this;
    this.held ??= this.holdTables();
    await this.askAll({ kind: 'freeze', onlyChanged, forgetChanges });
    this.frozen ??= { parameters: sharedLike(this.parameters), denseState: sharedLike(this.denseState) };
    this.frozen.parameters.set(this.parameters);
    this.frozen.denseState.set(this.denseState);
    return { ...this.frozen, tables: spec.tables.map((_, t) => memory.tableIds.map((ids) => ids[t])) };
  }

  /** Rows that are being written outlive the threads that trained them: a run that fails ends with that checkpoint. */
  private holdTables(): TableHolder[] {
    const { backend } = selectBackend(this.spec.backend);
    return this.memory.tableIds.flatMap((ids) => this.spec.tables.map((_, t) => backend.holdTable(ids[t])));
  }

  async forgetChanges(): Promise<void> {
    await this.askAll({ kind: 'forgetChanges' });
  }

  async expectRows(table: number, rows: number): Promise<void> {
    const share = shareOfRows(rows, this.spec.ps);
    await this.askAll({ kind: 'expect', table, rows: share });
  }

  async load(table: number, rows: TableRows): Promise<void> {
    await this.askAll({ kind: 'load', table, rows });
  }

  /** Shards and workers read parameters and state where they lie. */
  async begin(): Promise<void> {}

  async fetchDense(): Promise<void> {}

  async checkpointed(): Promise<void> {}

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
    for (const table of this.held ?? []) table.release();
    this.held = null;
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

  protected async send(op: number, slot: number, step: number): Promise<void> {
    this.command[0] = op;
    this.command[1] = slot;
    this.command[2] = step;
    for (const ring of this.memory.commands) {
      if (!ring.tryPush(this.command)) await ring.pushAsync(this.command, this.spec.stepTimeoutMs);
    }
  }

  private async askAll(message: ShardControl): Promise<void> {
    await Promise.all(Array.from({ length: this.spec.ps }, (_, s) => this.ask(s, message)));
  }

  /** A request on a shard's port, taken between two requests of its ring. */
  ask(shard: number, message: ShardControl): Promise<ShardAnswer> {
    return this.guard(() => this.ports[shard].ask(message));
  }
}

function sharedLike(array: Float32Array): Float32Array {
  return new Float32Array(new SharedArrayBuffer(array.byteLength));
}

function unexpected(kind: string): MonolithError {
  return new MonolithError('Internal', `a shard answered "${kind}" to another question`);
}
