import { MessageChannel, Worker } from 'node:worker_threads';
import { MonolithError, threadArguments } from '../base/index.js';
import { SHARD_REQUEST_WORDS, ShardOp } from '../ps/index.js';
import type { RunSpec } from '../steps/index.js';
import type { ShardAnswer, ShardControl } from './messages.js';
import { ShardPort } from './shard-port.js';
import { ABORT_CLOSED, Supervisor } from './supervisor.js';
import { ClusterMemory } from './topology.js';

/** How long a thread may take to end after it was told to, before it is terminated. */
const CLOSE_TIMEOUT_MS = 2000;
/** Longest wait for a place in a shard's ring. */
const REQUEST_TIMEOUT_MS = 10_000;

/** What asks shards; the threads of a training run are another one. */
export interface ShardThreads {
  ask(shard: number, message: ShardControl): Promise<ShardAnswer>;
}

type Shard = { readonly thread: Worker; readonly port: ShardPort; readonly supervisor: Supervisor };

/**
 * Shard threads of a cluster without a training run, each started and stopped by itself. They are the threads of a run, with no table and no
 * model. What is carved out for them lives as long as one of them; a thread that dies ends the others, as in a run.
 */
export class RoleThreads implements ShardThreads {
  private readonly spec: RunSpec;
  private memory: ClusterMemory | null = null;
  private readonly shards: (Shard | null)[];

  constructor(ps: number, workers: number) {
    this.spec = specWithoutModel(ps, workers);
    this.shards = new Array<Shard | null>(ps).fill(null);
  }

  /** @throws what the thread failed with. */
  async start(index: number): Promise<void> {
    const memory = this.currentMemory();
    if (memory.abort.isAborted()) {
      throw new MonolithError(
        'CommunicationError',
        `a thread of this cluster has died; stop the cluster before parameter server ${index} is started`,
        {
          index,
        },
      );
    }
    const { port1, port2 } = new MessageChannel();
    // One supervisor a thread, all over one abort word: each thread may be expected to end while the others may not.
    const supervisor = new Supervisor(memory.abort);
    const thread = new Worker(new URL('./entry/ps-shard.thread.js', import.meta.url), {
      name: `ps-${index}`,
      workerData: { role: 'ps', index, spec: this.spec, buffers: memory.buffers, port: port2 },
      transferList: [port2],
      ...threadArguments(),
    });
    supervisor.watch(thread, { role: 'ps', index });
    const port = new ShardPort(port1, memory.requests[index], supervisor, REQUEST_TIMEOUT_MS);
    this.shards[index] = { thread, port, supervisor };
    try {
      await supervisor.whenReady();
    } catch (error) {
      await this.stop(index);
      throw error;
    }
  }

  /** Ends the thread: terminated when it does not end by itself. Nothing to do when there is none. */
  async stop(index: number): Promise<void> {
    const shard = this.shards[index];
    const { memory } = this;
    if (shard === null || memory === null) return;
    this.shards[index] = null;
    const { supervisor, thread, port } = shard;
    supervisor.expectExit();
    const told = supervisor.failure === null && !memory.abort.isAborted() && this.tell(memory, index);
    const timer = setTimeout(
      () => {
        // Its ring may hold what it did not take: the others can't go on with this memory.
        memory.abort.abort(ABORT_CLOSED);
        void thread.terminate();
      },
      told ? CLOSE_TIMEOUT_MS : 0,
    );
    await supervisor.whenGone();
    clearTimeout(timer);
    port.close();
    if (this.shards.every((other) => other === null)) this.memory = null;
  }

  async ask(index: number, message: ShardControl): Promise<ShardAnswer> {
    const shard = this.shards[index];
    if (shard === null) throw new MonolithError('CommunicationError', `parameter server ${index} is not running`, { index });
    try {
      return await shard.port.ask(message);
    } catch (error) {
      throw await this.explain(shard, error);
    }
  }

  /** Ends one thread as a crash would: for tests of what the cluster then does. */
  async terminate(index: number): Promise<void> {
    await this.shards[index]?.thread.terminate();
  }

  private currentMemory(): ClusterMemory {
    if (this.memory === null || (this.memory.abort.isAborted() && this.shards.every((shard) => shard === null))) {
      this.memory = new ClusterMemory(this.spec, ClusterMemory.allocate(this.spec, 0), 0);
    }
    return this.memory;
  }

  private tell(memory: ClusterMemory, index: number): boolean {
    const request = new Int32Array(SHARD_REQUEST_WORDS);
    request[0] = ShardOp.stop;
    return memory.requests[index].tryPush(request);
  }

  /** A thread that died elsewhere explains why this one ended. */
  private async explain(shard: Shard, error: unknown): Promise<unknown> {
    const cause = this.shards.find((other) => other?.supervisor.isCause);
    if (cause?.supervisor.failure) return cause.supervisor.failure;
    return shard.supervisor.explain(error);
  }
}

/** What the threads agree on when there is nothing to train: no table, no dense parameter, the smallest of slots. */
function specWithoutModel(ps: number, workers: number): RunSpec {
  return {
    seed: 0,
    backend: 'auto',
    precision: 'fp32',
    mode: 'sync',
    shardWork: 'threads',
    workers,
    ps,
    staleness: 0,
    prefetch: 0,
    regionsPerWorker: 1,
    slotsPerWorker: 1,
    stepTimeoutMs: REQUEST_TIMEOUT_MS,
    model: '',
    modelOptions: {},
    inputs: { dense: [], sparse: [] },
    plan: { name: '', tables: [], parameters: [], parametersLength: 0, wholeBatch: false, loss: 'bce' },
    batch: { maxExamples: 1, numDense: 0, groups: [] },
    tables: [],
    tensors: [],
    denseStateLength: 0,
    clip: { value: 0, globalNorm: 0, rowNorm: 0 },
    schedule: { kind: 'constant' },
  };
}
