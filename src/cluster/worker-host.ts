import { Worker } from 'node:worker_threads';
import { type MonolithError, threadArguments } from '../base/index.js';
import { planDenseBlocks, type ShardLine } from '../ps/index.js';
import { type RunSpec, WORKER_COMMAND_WORDS, WorkerOp } from '../steps/index.js';
import type { BadBatch } from './bad-batch.js';
import type { ThreadMessage } from './messages.js';
import { ABORT_CLOSED, Supervisor } from './supervisor.js';
import { ClusterMemory } from './topology.js';

/** How long the thread may take to end after it was told to, before it is terminated. */
const CLOSE_TIMEOUT_MS = 2000;

/**
 * One worker of a run as a thread of this process, whose shards and fellow workers are elsewhere. The thread is that of a run on one machine
 * and cannot tell the difference: for each shard there is a {@link ShardLine}, whose requests somebody here must answer.
 */
export class WorkerHost {
  readonly memory: ClusterMemory;
  readonly supervisor: Supervisor;
  /** [shard] this worker's lines. */
  readonly lines: readonly ShardLine[];
  private readonly command = new Int32Array(WORKER_COMMAND_WORDS);
  private thread: Worker | null = null;
  private answer: Extract<ThreadMessage, { kind: 'ready' }> | null = null;
  private closed = false;

  private constructor(
    readonly spec: RunSpec,
    readonly worker: number,
  ) {
    const { blocks } = planDenseBlocks(spec.tensors);
    const buffers = ClusterMemory.allocate(spec, blocks.length, (w) => w === worker);
    this.memory = new ClusterMemory(spec, buffers, blocks.length);
    this.supervisor = new Supervisor(this.memory.abort);
    const { requests, lookups, applies, regions, parameters } = this.memory;
    this.lines = requests.map((ring, shard) => ({
      worker,
      shard,
      requests: ring,
      lookups: lookups[worker][shard],
      applies: applies[worker][shard],
      regions: regions[worker],
      parameters,
      blocks,
    }));
  }

  /** Starts the thread and waits until it is ready. @throws what it failed with: BackendUnavailable, InvalidModel, … */
  static async start(spec: RunSpec, worker: number): Promise<WorkerHost> {
    // Shards that are elsewhere do their own work.
    const host = new WorkerHost({ ...spec, shardWork: 'threads' }, worker);
    try {
      const thread = new Worker(new URL('./entry/worker.thread.js', import.meta.url), {
        name: `worker-${worker}`,
        workerData: { role: 'worker', index: worker, spec: host.spec, buffers: host.memory.buffers },
        ...threadArguments(),
      });
      host.thread = thread;
      host.supervisor.watch(thread, { role: 'worker', index: worker });
      [host.answer] = await host.supervisor.whenReady();
      return host;
    } catch (error) {
      const reason = await host.supervisor.explain(host.supervisor.failure ?? error);
      await host.close();
      throw reason;
    }
  }

  /** Backend and instruction set that the thread runs on, and why not native if so. */
  get backend(): { readonly name: string; readonly instructionSet: string; readonly reason: string | null } {
    const { answer } = this;
    return { name: answer?.backend ?? '', instructionSet: answer?.instructionSet ?? '', reason: answer?.reason ?? null };
  }

  /** Puts a command into the worker's ring. Calls must not overlap. */
  async send(op: number, slot: number, step: number): Promise<void> {
    const ring = this.memory.commands[this.worker];
    this.command[0] = op;
    this.command[1] = slot;
    this.command[2] = step;
    if (!ring.tryPush(this.command)) await ring.pushAsync(this.command, this.spec.stepTimeoutMs);
  }

  /** Ends the run here for a reason that arose elsewhere. The first reason stays. */
  fail(error: MonolithError, badBatch: BadBatch | null = null): void {
    if (!this.closed) this.supervisor.end(error, badBatch);
  }

  /** Ends the thread, terminates it where it does not end by itself. Its lines must be answered until then. Twice is fine. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const { thread, supervisor, memory } = this;
    supervisor.expectExit();
    const sound = supervisor.failure === null;
    if (sound) {
      try {
        this.command.fill(0);
        this.command[0] = WorkerOp.stop;
        memory.commands[this.worker].tryPush(this.command);
      } catch {
        // A ring that takes nothing more belongs to a thread that is ending: it is terminated below.
      }
    }
    const gone = supervisor.whenGone();
    const timer = setTimeout(
      () => {
        memory.abort.abort(ABORT_CLOSED);
        void thread?.terminate();
      },
      sound ? CLOSE_TIMEOUT_MS : 0,
    );
    await gone;
    clearTimeout(timer);
  }
}
