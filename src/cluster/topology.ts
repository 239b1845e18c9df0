import { MonolithError } from '../base/index.js';
import { lineOffset, populateMemory } from '../kernels/index.js';
import type { ExchangeRegion, InPlaceLines } from '../ps/index.js';
import { ExchangeRegion as Region, SHARD_REQUEST_WORDS, SHARD_STATS } from '../ps/index.js';
import {
  AbortWord,
  Arena,
  Barrier,
  Counter,
  MpscRing,
  Ownership,
  Ring,
  SpanLog,
  spinBudget,
  Turn,
} from '../sharedarraybuffer-ring/index.js';
import { exchangeLayout, LOSS_HISTORY, type RunSpec, WORKER_COMMAND_WORDS, WORKER_STATS } from '../steps/index.js';
import { BatchSlot } from '../tensor/index.js';

/** The shared buffers of a run; sent to every thread at its start, by reference. What is carved from each begins at its first cache line. */
export type ClusterBuffers = {
  /** Rings, counters, barriers, figures. */
  readonly control: SharedArrayBuffer;
  /** [worker] batch slots and logits */
  readonly slots: readonly SharedArrayBuffer[];
  /** [worker] exchange regions */
  readonly exchange: readonly SharedArrayBuffer[];
  /** Dense parameters and their optimizer state. */
  readonly dense: SharedArrayBuffer;
};

/** Requests of all workers that fit a shard's ring: every worker may have all its regions looked up and pushed, and control messages come on top. */
const REQUESTS_PER_WORKER = 4;

/**
 * The memory of a run as one thread sees it. Carved in one fixed order from the spec alone, so every thread finds the same things at the same
 * places. Nothing is allocated after this.
 *
 *   part                       written by                       read by
 *   abort                      whoever fails first              everybody
 *   commands[w]                coordinator                      worker w
 *   done[w], synced[w]         worker w                         coordinator
 *   requests[s]                workers, coordinator             shard s
 *   lookups[w][s], applies     shard s                          worker w
 *   shardBarrier               shards (global-norm clipping)    shards
 *   inPlace                    workers                          workers, where they do shards' work in place
 *   tablesMade[s], tableIds    shard s, at its start            workers, likewise
 *   losses[w], workerStats[w]  worker w                         coordinator
 *   shardStats[s]              shard s, or the worker that      coordinator
 *                              does its work
 *   blockNorms                 shard that owns the block        shards
 *   workerSpans[w],            as workerStats, shardStats       coordinator
 *   shardSpans[s]
 *   slots[w][k]                coordinator (fills)              worker w, after the command
 *   logits[w][k]               worker w                         coordinator, after done
 *   parameters, denseState     shards, their blocks             workers between steps; coordinator at sync points
 */
export class ClusterMemory {
  readonly abort: AbortWord;
  readonly commands: readonly Ring[];
  readonly done: readonly Counter[];
  readonly synced: readonly Counter[];
  readonly requests: readonly MpscRing[];
  /** [worker][shard] */
  readonly lookups: readonly (readonly Counter[])[];
  readonly applies: readonly (readonly Counter[])[];
  readonly shardBarrier: Barrier;
  readonly inPlace: InPlaceLines;
  readonly tablesMade: readonly Counter[];
  readonly tableIds: readonly Float64Array[];
  readonly losses: readonly Float64Array[];
  readonly workerStats: readonly Float64Array[];
  readonly shardStats: readonly Float64Array[];
  readonly blockNorms: Float64Array;
  readonly workerSpans: readonly SpanLog[];
  readonly shardSpans: readonly SpanLog[];
  readonly slots: readonly (readonly BatchSlot[])[];
  readonly logits: readonly (readonly Float32Array[])[];
  readonly regions: readonly (readonly ExchangeRegion[])[];
  readonly parameters: Float32Array;
  readonly denseState: Float32Array;

  constructor(
    readonly spec: RunSpec,
    readonly buffers: ClusterBuffers,
    numBlocks: number,
  ) {
    const { workers, ps } = spec;
    const arena = new Arena(buffers.control, lineOffset(buffers.control));
    const each = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
    // Workers and shards take turns: a worker that waits for a shard must leave it a core.
    const spins = spinBudget(spec.shardWork === 'in-place' ? workers : workers + ps + 1);
    this.abort = new AbortWord(buffers.control, arena.allocate(AbortWord.byteLength));
    const counter = (name: string): Counter => new Counter(buffers.control, arena.allocate(Counter.byteLength), this.abort, name, spins);
    const commandSlots = commandRingSlots(spec);
    this.commands = each(
      workers,
      (w) =>
        new Ring(
          buffers.control,
          arena.allocate(Ring.byteLength(commandSlots, WORKER_COMMAND_WORDS)),
          commandSlots,
          WORKER_COMMAND_WORDS,
          this.abort,
          {
            name: `commands of worker ${w}`,
            spins,
          },
        ),
    );
    this.done = each(workers, (w) => counter(`batches done by worker ${w}`));
    this.synced = each(workers, (w) => counter(`sync points of worker ${w}`));
    const requestSlots = requestRingSlots(spec);
    this.requests = each(
      ps,
      (s) =>
        new MpscRing(
          buffers.control,
          arena.allocate(MpscRing.byteLength(requestSlots, SHARD_REQUEST_WORDS)),
          requestSlots,
          SHARD_REQUEST_WORDS,
          this.abort,
          {
            name: `requests of shard ${s}`,
            spins,
          },
        ),
    );
    this.lookups = each(workers, (w) => each(ps, (s) => counter(`lookups of worker ${w} answered by shard ${s}`)));
    this.applies = each(workers, (w) => each(ps, (s) => counter(`pushes of worker ${w} applied by shard ${s}`)));
    this.shardBarrier = new Barrier(buffers.control, arena.allocate(Barrier.byteLength(ps)), ps, this.abort);
    const turns = (): Turn[] => each(ps, () => new Turn(buffers.control, arena.allocate(Turn.byteLength)));
    this.inPlace = {
      owners: each(
        ps,
        (s) => new Ownership(buffers.control, arena.allocate(Ownership.byteLength), this.abort, `shard ${s}, owned by a worker`, spins),
      ),
      pushed: counter('pushes of all workers'),
      sumTurns: turns(),
      summed: counter('shards with summed dense gradients'),
      applyTurns: turns(),
      applied: counter('steps applied on shards'),
    };
    this.tablesMade = each(ps, (s) => counter(`tables of shard ${s}`));
    this.tableIds = each(ps, () => arena.float64(Math.max(1, spec.tables.length)));
    this.losses = each(workers, () => arena.float64(LOSS_HISTORY));
    this.workerStats = each(workers, () => arena.float64(WORKER_STATS));
    this.shardStats = each(ps, () => arena.float64(SHARD_STATS));
    this.blockNorms = arena.float64(Math.max(1, numBlocks));
    this.workerSpans = each(workers, () => new SpanLog(arena.float64(SpanLog.length)));
    this.shardSpans = each(ps, () => new SpanLog(arena.float64(SpanLog.length)));

    const layout = exchangeLayout(spec);
    const slotBytes = BatchSlot.byteLength(spec.batch);
    const logitBytes = align64(spec.batch.maxExamples * 4);
    const slotStarts = buffers.slots.map((buffer) => {
      const first = lineOffset(buffer);
      return each(spec.slotsPerWorker, (k) => first + k * (slotBytes + logitBytes));
    });
    this.slots = buffers.slots.map((buffer, w) => slotStarts[w].map((start) => new BatchSlot(spec.batch, buffer, start)));
    this.logits = buffers.slots.map((buffer, w) =>
      slotStarts[w].map((start) => new Float32Array(buffer, start + slotBytes, spec.batch.maxExamples)),
    );
    const regionBytes = Region.byteLength(layout);
    this.regions = buffers.exchange.map((buffer) => {
      const first = lineOffset(buffer);
      return each(spec.regionsPerWorker, (r) => new Region(layout, buffer, first + r * regionBytes));
    });
    const dense = lineOffset(buffers.dense);
    this.parameters = new Float32Array(buffers.dense, dense, spec.plan.parametersLength);
    this.denseState = new Float32Array(buffers.dense, dense + align64(spec.plan.parametersLength * 4), spec.denseStateLength);
  }

  /**
   * Fresh zeroed buffers for a run.
   * @param here the workers that run in this process; those of others take address space only, until somebody writes to them.
   */
  static allocate(spec: RunSpec, numBlocks: number, here: (worker: number) => boolean = () => true): ClusterBuffers {
    const { workers, ps } = spec;
    const counters = workers * 2 + workers * ps * 2;
    const control =
      AbortWord.byteLength +
      counters * Counter.byteLength +
      workers * align64(Ring.byteLength(commandRingSlots(spec), WORKER_COMMAND_WORDS)) +
      ps * align64(MpscRing.byteLength(requestRingSlots(spec), SHARD_REQUEST_WORDS)) +
      align64(Barrier.byteLength(ps)) +
      3 * Counter.byteLength +
      ps * (Ownership.byteLength + 2 * Turn.byteLength + Counter.byteLength + align64(spec.tables.length * 8 + 8)) +
      8 * (workers * (LOSS_HISTORY + WORKER_STATS) + ps * SHARD_STATS + (workers + ps) * SpanLog.length + Math.max(8, numBlocks + 8)) +
      4096;
    const slotBytes = spec.slotsPerWorker * (BatchSlot.byteLength(spec.batch) + align64(spec.batch.maxExamples * 4));
    const exchangeBytes = spec.regionsPerWorker * Region.byteLength(exchangeLayout(spec));
    const denseBytes = align64(spec.plan.parametersLength * 4) + align64(spec.denseStateLength * 4);
    const buffers = {
      control: new SharedArrayBuffer(control + LINE),
      slots: Array.from({ length: workers }, () => allocateForBatches(slotBytes + LINE, 'batches', spec)),
      exchange: Array.from({ length: workers }, () => allocateForBatches(exchangeBytes + LINE, 'rows of batches', spec)),
      dense: new SharedArrayBuffer(denseBytes + LINE),
    };
    // Formats without a bound on the ids of an example take address space for the worst case: that must stay untouched until it is used.
    const own = [...buffers.slots.filter((_, w) => here(w)), ...buffers.exchange.filter((_, w) => here(w))];
    if (own.reduce((sum, { byteLength }) => sum + byteLength, 0) <= MOST_POPULATED) for (const buffer of own) populateMemory(buffer);
    return buffers;
  }
}

/** Room for everything to begin on a cache line wherever a buffer lies. */
const LINE = 64;

/** Bytes of slots and regions that are made present at the start. */
const MOST_POPULATED = 512 << 20;

/** @throws InvalidConfig where the system or the engine has no such buffer: its size follows from the batch size and the ids of an example. */
function allocateForBatches(bytes: number, what: string, { batch }: RunSpec): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (error) {
    const ids = batch.groups.reduce((sum, group) => sum + group.maxIds, 0);
    throw new MonolithError(
      'InvalidConfig',
      `batchSize ${batch.maxExamples}: the ${what} of one worker need ${bytes} bytes of memory at up to ${Math.ceil(ids / batch.maxExamples)} ids an example (data.maxIdsPerExample, or maxLength in the schema), more than can be had in one piece. Make batchSize or maxIdsPerExample smaller`,
      { batchSize: batch.maxExamples, idsPerExample: Math.ceil(ids / batch.maxExamples), bytes },
      { cause: error },
    );
  }
}

function commandRingSlots(spec: RunSpec): number {
  return powerOfTwo(spec.slotsPerWorker + 4);
}

function requestRingSlots(spec: RunSpec): number {
  return powerOfTwo(spec.workers * spec.regionsPerWorker * REQUESTS_PER_WORKER + 8);
}

function powerOfTwo(atLeast: number): number {
  let value = 8;
  while (value < atLeast) value *= 2;
  return value;
}

function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
