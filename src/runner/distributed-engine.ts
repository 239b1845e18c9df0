import { createHash } from 'node:crypto';
import { MonolithError } from '../base/index.js';
import { type BadBatch, RoundEngine, WorkerHost } from '../cluster/index.js';
import type { DataPosition } from '../data/index.js';
import { initializeParameters } from '../models/index.js';
import { type Answer, type BeginOrder, type Command, Operation } from '../proto/index.js';
import { initializeDenseState, planDenseBlocks, SHARD_STATS, type ShardLine } from '../ps/index.js';
import { LOSS_HISTORY, type RunSpec, shareOfRows, type TableRows, type TrainingEngine, WorkerOp } from '../training/index.js';
import type { Followers, FollowersOptions } from './followers.js';

/** What the chief asks of one parameter server, whatever carries it. */
export interface ShardControl {
  /** Gives the shard the job; what it held of another one goes. */
  configure(): Promise<void>;
  /** `stats`: ShardStat counters of the shard, for the stage times of the run. */
  sizes(): Promise<{ readonly rows: readonly number[]; readonly memoryBytes: number; readonly stats?: readonly number[] }>;
  dump(table: number, bucketBits: number, bucket: number): Promise<TableRows>;
  expectRows(table: number, rows: number): Promise<void>;
  /** Takes the rows that belong to the shard, leaves the others aside. */
  load(table: number, rows: TableRows): Promise<void>;
  /** Writes the shard's blocks into the two vectors. */
  readDense(parameters: Float32Array, state: Float32Array): Promise<void>;
  /** Takes the shard's blocks out of the two vectors. */
  writeDense(parameters: Float32Array, state: Float32Array): Promise<void>;
  /** A checkpoint made at `step` is durable, or a state to go on from is in place. */
  committed(step: number): Promise<void>;
}

/** One line between the worker of this process and a shard; {@link ShardBridge} is one. */
export interface Bridge {
  readonly ready: Promise<void>;
  readonly failed: Promise<never>;
  close(): void;
}

export type DistributedParts = {
  readonly spec: RunSpec;
  /** [shard] */
  readonly shards: readonly ShardControl[];
  readonly openBridge: (line: ShardLine) => Bridge;
  /** Makes the line to the other workers; null where the chief is the only one. */
  readonly openFollowers: (handlers: Pick<FollowersOptions, 'onAnswer' | 'onFailure'>) => Followers;
  /** Names and sizes of the data files, which must be the same everywhere. */
  readonly identity: { readonly train: string; readonly evaluation: string };
  /** How long to wait for the other workers to come, once everything is ready here. */
  readonly barrierTimeoutMs: number;
  /** How long they may then take to get ready. */
  readonly startTimeoutMs: number;
  /** Ends that wait. */
  readonly signal: AbortSignal;
};

/**
 * The engine of the chief of a run on several hosts: worker 0 is a thread here, the others follow commands, the shards are servers elsewhere.
 * What other workers report is written into the memory where a run on one machine has it, so that the rounds cannot tell the difference.
 */
export class DistributedEngine extends RoundEngine implements TrainingEngine {
  readonly followers: Followers;
  private readonly bridges: Bridge[] = [];
  /** Workers that were told to begin and are not yet ready. */
  private begun: Set<number> | null = null;
  private allBegun: () => void = () => {};

  private constructor(
    private readonly parts: DistributedParts,
    private readonly host: WorkerHost,
  ) {
    super(parts.spec, host.memory, host.supervisor);
    this.followers = parts.openFollowers({
      onAnswer: (worker, command, answer) => this.take(worker, command, answer),
      onFailure: (error, badBatch) => host.fail(error, parseBadBatch(badBatch)),
    });
    initializeParameters(parts.spec.plan, parts.spec.seed, this.parameters);
    initializeDenseState(parts.spec.tensors, planDenseBlocks(parts.spec.tensors).blocks, this.denseState);
  }

  /**
   * Starts the worker and gives the job to every shard. The other workers are waited for in {@link begin}.
   * @throws what a shard or the worker failed with.
   */
  static async start(parts: DistributedParts): Promise<DistributedEngine> {
    const host = await WorkerHost.start(parts.spec, 0);
    const engine = new DistributedEngine(parts, host);
    try {
      await engine.guard(() => engine.each((shard) => shard.configure()));
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  get backend(): WorkerHost['backend'] {
    return this.host.backend;
  }

  /** Gives the shards their dense blocks, opens the lines to them and tells the other workers to do the same at this place of the data. */
  begin(position: DataPosition): Promise<void> {
    return this.guard(async () => {
      const { spec, followers, parts } = this;
      await this.each(async (shard) => {
        await shard.writeDense(this.parameters, this.denseState);
        await shard.committed(0);
      });
      for (const line of this.host.lines) this.bridges.push(this.openBridge(line));
      await this.whileSound(Promise.all(this.bridges.map(({ ready }) => ready)));
      if (spec.workers === 1) return;
      await this.whileSound(Promise.race([followers.whenAllHere(parts.barrierTimeoutMs), stopped(parts.signal)]));
      this.begun = new Set(Array.from({ length: spec.workers - 1 }, (_, i) => i + 1));
      const all = new Promise<void>((resolve) => {
        this.allBegun = resolve;
      });
      const begin: BeginOrder = {
        fingerprint: fingerprintOf(spec),
        trainIdentity: parts.identity.train,
        evalIdentity: parts.identity.evaluation,
        position: JSON.stringify(position),
      };
      followers.send({ operation: Operation.begin, begin });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(this.notReady()), parts.startTimeoutMs);
      });
      await this.whileSound(Promise.race([all, late, stopped(parts.signal)])).finally(() => clearTimeout(timer));
    });
  }

  async sizes(): Promise<{ rows: number[]; memoryBytes: number }> {
    const rows = this.spec.tables.map(() => 0);
    let memoryBytes = 0;
    await this.guard(() =>
      this.each(async (shard, index) => {
        const sizes = await shard.sizes();
        if (sizes.stats?.length === SHARD_STATS) this.memory.shardStats[index].set(sizes.stats);
        for (let t = 0; t < rows.length; t++) rows[t] += sizes.rows[t];
        memoryBytes += sizes.memoryBytes;
      }),
    );
    return { rows, memoryBytes };
  }

  dump(table: number, bucketBits: number, bucket: number): Promise<TableRows[]> {
    return this.guard(() => this.each((shard) => shard.dump(table, bucketBits, bucket)));
  }

  async expectRows(table: number, rows: number): Promise<void> {
    const share = shareOfRows(rows, this.spec.ps);
    await this.guard(() => this.each((shard) => shard.expectRows(table, share)));
  }

  async load(table: number, rows: TableRows): Promise<void> {
    await this.guard(() => this.each((shard) => shard.load(table, rows)));
  }

  async fetchDense(): Promise<void> {
    await this.guard(() => this.each((shard) => shard.readDense(this.parameters, this.denseState)));
  }

  async checkpointed(step: number): Promise<void> {
    await this.guard(() => this.each((shard) => shard.committed(step)));
  }

  /** Ends the worker of this process and its lines. Shards and other workers live on: whoever opened those lines ends the job. */
  async close(): Promise<void> {
    await this.host.close();
    for (const bridge of this.bridges) bridge.close();
  }

  protected async send(op: number, slot: number, step: number, examples: number): Promise<void> {
    if (this.spec.workers > 1) this.followers.send({ operation: operationOf(op), slot, step, examples });
    await this.host.send(op, slot, step);
  }

  /** Writes what another worker reports where its thread would have written it. */
  private take(worker: number, { operation, slot = 0, step = 0 }: Command, answer: Answer): void {
    const { memory } = this;
    if (answer.stats !== undefined && answer.stats.length === memory.workerStats[worker].length) {
      memory.workerStats[worker].set(answer.stats);
    }
    switch (operation) {
      case Operation.begin:
        this.begun?.delete(worker);
        if (this.begun?.size === 0) this.allBegun();
        break;
      case Operation.train:
        memory.losses[worker][step % LOSS_HISTORY] = answer.loss ?? 0;
        memory.done[worker].add(1);
        break;
      case Operation.evaluate: {
        const { numExamples } = memory.slots[worker][slot];
        const bytes = answer.logits ?? new Uint8Array(0);
        if ((answer.examples ?? 0) !== numExamples || bytes.byteLength !== numExamples * 4) {
          this.host.fail(
            new MonolithError(
              'DataFormat',
              `worker ${worker} evaluated ${answer.examples ?? 0} examples where the chief has ${numExamples}: the evaluation data differ between hosts`,
              { worker },
            ),
          );
          return;
        }
        const logits = memory.logits[worker][slot];
        new Uint8Array(logits.buffer, logits.byteOffset, bytes.byteLength).set(bytes);
        memory.done[worker].add(1);
        break;
      }
      case Operation.sync:
        memory.synced[worker].add(1);
        break;
      default:
        throw new MonolithError('Internal', `worker ${worker} answered an operation ${operation} that there is none`);
    }
  }

  private openBridge(line: ShardLine): Bridge {
    const bridge = this.parts.openBridge(line);
    bridge.failed.catch((error: unknown) => this.host.fail(MonolithError.from(error)));
    return bridge;
  }

  private notReady(): MonolithError {
    const missing = [...(this.begun ?? [])];
    const { startTimeoutMs } = this.parts;
    return new MonolithError(
      'Unavailable',
      `${missing.map((worker) => `worker ${worker}`).join(', ')}: not ready to train within ${startTimeoutMs} ms of being told to; its output says what it waits for`,
      { workers: missing, timeoutMs: startTimeoutMs },
    );
  }

  /** The same call to every shard at once; in shard order. */
  private each<T>(call: (shard: ShardControl, index: number) => Promise<T>): Promise<T[]> {
    return this.whileSound(Promise.all(this.parts.shards.map(call)));
  }
}

/** Rejects with Cancelled when this process is to stop; never fulfilled. */
export function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new MonolithError('Cancelled', 'this process was told to stop'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
}

/** What two processes must agree on before they train together. The place of a user's model file may differ. */
export function fingerprintOf(spec: RunSpec): string {
  const { model, backend, stepTimeoutMs, shardWork, ...rest } = spec;
  return createHash('sha256').update(canonicalJson(rest)).digest('hex');
}

/** JSON with the members of every object in the order of their names. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

function operationOf(op: number): number {
  switch (op) {
    case WorkerOp.train:
      return Operation.train;
    case WorkerOp.evaluate:
      return Operation.evaluate;
    default:
      return Operation.sync;
  }
}

function parseBadBatch(json: string | null): BadBatch | null {
  if (json === null) return null;
  try {
    const batch = JSON.parse(json) as BadBatch;
    return Number.isInteger(batch.step) && Array.isArray(batch.dense) ? batch : null;
  } catch {
    return null;
  }
}
