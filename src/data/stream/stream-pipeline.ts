import { MonolithError } from '../../base/index.js';
import { type BatchLayout, BatchSlot } from '../../tensor/index.js';
import { tooManyBadRecords } from '../bad-records.js';
import { batchLayout, compileGroups, type DataInputs } from '../inputs.js';
import type { Parsers } from '../native-parsers.js';
import { isMonolithFormat, type PipelineOptions, type ResolvedFormat } from '../options.js';
import { ParsePool } from '../parse-pool.js';
import { commonWords, shapeWords } from '../parsed-block.js';
import { BlockStore } from '../parsed-stream.js';
import { chooseParsers } from '../parsers.js';
import { checkPosition, type DataPosition, startPosition } from '../position.js';
import type { DataStats } from '../stats.js';
import type { StreamFacts, TrainData } from '../train-data.js';
import { eventTimeOf } from './event-time.js';
import { type Run, StreamMerger } from './merger.js';
import type { StreamOffset, StreamSource } from './source.js';
import { ChunkParser, type StreamChunk } from './stream-chunk.js';
import { type StreamOptions, streamDefaults } from './stream-options.js';
import { compileStream, headerTest, planStream, type StreamPlan } from './stream-plan.js';
import { sourceOf } from './stream-spec.js';

/** Most records and bytes that are parsed in one go. */
const CHUNK_RECORDS = 8192;
const CHUNK_BYTES = 1 << 20;

/** What a wait for records ended with. */
type Outcome = StreamChunk | 'late' | 'silent' | null;

/** Makes the sources of a stream; tests make their own. */
export type MakeSources = (plan: StreamPlan, options: StreamOptions) => Promise<readonly StreamSource[]>;

/**
 * Batches of records as they come. Steps are cut by count in the order in which records are taken, and a position says for each partition which
 * record is next: a run that goes on from there trains each record once. Nothing is opened before the first step.
 */
export class StreamPipeline implements TrainData {
  private readonly store = new BlockStore();
  private readonly common: Int32Array;
  private readonly slotShape: Int32Array;
  private readonly parser: ChunkParser;
  private readonly slotBytes = new WeakMap<BatchSlot, Uint8Array>();
  /** Where each partition goes on behind what was handed out to steps. */
  private offsets = new Map<string, StreamOffset>();
  private turn: string | null = null;
  private merger: StreamMerger | null = null;
  private opening: Promise<void> | null = null;
  private sources: readonly StreamSource[] = [];
  private upcoming: Promise<StreamChunk | null> | null = null;
  private chunk: StreamChunk | null = null;
  /** Examples and records of the chunk that were handed out, bad ones before them included. */
  private cursor = 0;
  private passed = 0;
  /** The run that the next record is in, and the records of runs before it. */
  private run = 0;
  private beforeRun = 0;
  private counts = startPosition;
  private ended = false;
  private closed = false;
  private lastCame = 0;
  readonly stream: StreamFacts;

  private constructor(
    private readonly plan: StreamPlan,
    private readonly settings: StreamOptions,
    private readonly makeSources: MakeSources,
    private readonly parsers: Parsers,
    private readonly pool: ParsePool,
  ) {
    const { options } = plan.data;
    const groups = compileGroups(plan.data);
    this.layout = batchLayout(plan.data, groups);
    this.common = commonWords(this.layout);
    this.slotShape = shapeWords(this.layout);
    const timed = settings.timed || settings.eventTime !== null;
    const eventTime = settings.eventTime === null ? null : eventTimeOf(settings.eventTime, plan.data.first);
    this.parser = new ChunkParser(plan.data, compileStream(plan, groups), groups, pool, this.store, eventTime, timed);
    const eventTimes = new Float64Array(timed ? options.workers * options.batchSize : 0);
    this.stream = { eventTimes, durable: (position) => this.durable(position) };
  }

  readonly layout: BatchLayout;

  /**
   * Settles format and columns; what is wrong with sources shows at the first step.
   * @param format of the files that were read before.
   * @throws InvalidConfig, DataFormat, BackendUnavailable
   */
  static async open(
    given: Partial<PipelineOptions>,
    settings: Partial<StreamOptions> = {},
    format?: ResolvedFormat,
    makeSources: MakeSources = sourcesOf,
  ): Promise<StreamPipeline> {
    const plan = await planStream(given, given.files ?? [], format);
    const { backend, parseThreads } = plan.data.options;
    const parsers = chooseParsers(backend);
    return new StreamPipeline(plan, { ...streamDefaults, ...settings }, makeSources, parsers, new ParsePool(parsers, parseThreads));
  }

  /** The texts that name the sources. */
  get files(): readonly string[] {
    return this.plan.specs;
  }

  /** Offsets say themselves which partition they are of: no stream is another one. */
  get identity(): string {
    return 'stream';
  }

  get inputs(): DataInputs {
    return this.plan.data.inputs;
  }

  /** As of a {@link BatchPipeline}; waits for records. 0: the stream has ended, or was silent for too long. */
  async nextStep(slots: readonly BatchSlot[]): Promise<number> {
    for (const slot of slots) slot.header.fill(0);
    for (const slot of slots) for (const group of slot.groups) group.offsets[0] = 0;
    const { batchSize } = this.plan.data.options;
    const { eventTimes } = this.stream;
    let total = 0;
    let began = 0;
    while (total < slots.length * batchSize) {
      const chunk = await this.chunkFor(total > 0 && this.settings.flushMs > 0 ? began + this.settings.flushMs : null);
      if (chunk === null) break;
      if (total === 0) began = performance.now();
      const worker = Math.floor(total / batchSize);
      const count = Math.min(batchSize - (total % batchSize), chunk.numExamples - this.cursor);
      const bytes = this.bytesOf(slots[worker] as BatchSlot);
      this.parsers.gatherExamples(this.common, chunk.blockBytes, chunk.shapes, chunk.picks, this.cursor, count, this.slotShape, bytes);
      if (chunk.times !== null) eventTimes.set(chunk.times.subarray(this.cursor, this.cursor + count), total);
      this.pass(chunk, this.cursor + count);
      total += count;
    }
    for (const slot of slots) slot.header[1] = total;
    this.counts = { ...this.counts, examples: this.counts.examples + total, epochExamples: this.counts.epochExamples + total };
    return total;
  }

  get position(): DataPosition {
    return { ...this.counts, stream: { partitions: Object.fromEntries(this.offsets), turn: this.turn } };
  }

  /** Goes on behind a position; one of files alone means the beginning of the stream. @throws InvalidArgument */
  async seek(position: DataPosition): Promise<void> {
    checkPosition({ ...position, start: startPosition.start }, 1);
    if (this.opening !== null && this.sources.some((source) => !source.replays)) {
      throw new MonolithError(
        'InvalidArgument',
        `${this.files.join(', ')}: what came cannot be asked for again: a seek must come before the first step`,
      );
    }
    await this.stop();
    this.counts = { ...position };
    this.offsets = new Map(Object.entries(position.stream?.partitions ?? {}));
    this.turn = position.stream?.turn ?? null;
    this.ended = false;
  }

  rewind(): Promise<void> {
    return this.seek(startPosition);
  }

  /** A stream has no epochs. */
  async settle(): Promise<void> {}

  stats(): DataStats {
    const { examples, badRecords, bytes, epoch } = this.counts;
    const { format } = this.plan.data;
    const backend = isMonolithFormat(format) ? 'reference' : this.parsers.name;
    return {
      examples,
      badRecords,
      leftOutRecords: 0,
      bytes,
      epoch,
      totalBytes: null,
      progress: null,
      format,
      found: this.plan.data.first.found,
      backend,
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.stop();
    await this.pool.close();
  }

  /** Moves behind the examples before `cursor` and the records that go with them. */
  private pass(chunk: StreamChunk, cursor: number): void {
    this.cursor = cursor;
    const record = cursor < chunk.numExamples ? chunk.recordOf[cursor] : chunk.numRecords;
    const { runs, bad } = chunk;
    let badPassed = 0;
    for (const number of bad) if (number >= this.passed && number < record) badPassed++;
    const bytesBefore = this.passed === 0 ? 0 : chunk.ends[this.passed - 1];
    const bytes = (record === 0 ? 0 : chunk.ends[record - 1]) - bytesBefore;
    this.passed = record;
    while (this.run < runs.length) {
      const { partition, records, first, count, turn } = runs[this.run];
      const within = Math.min(record - this.beforeRun, count);
      if (within > 0) this.offsets.set(partition, records.offsetAfter(first + within - 1));
      if (within < count) break;
      if (this.settings.order === 'round-robin') this.turn = turn;
      this.beforeRun += count;
      this.run++;
    }
    const { counts } = this;
    this.counts = { ...counts, badRecords: counts.badRecords + badPassed, bytes: counts.bytes + bytes };
  }

  /** The chunk to take from. @param deadline when to give up, by performance.now(). null: given up, silent or ended. */
  private async chunkFor(deadline: number | null): Promise<StreamChunk | null> {
    for (;;) {
      const { chunk } = this;
      if (chunk !== null && this.cursor < chunk.numExamples) return chunk;
      if (chunk !== null) this.release(chunk);
      if (this.ended || this.closed) return null;
      this.opening ??= this.openSources();
      await this.opening;
      if (this.closed) return null;
      this.upcoming ??= this.build();
      const next = await this.within(this.upcoming, deadline);
      if (next === 'late') return null;
      if (next === 'silent' || next === null) {
        this.ended = true;
        return null;
      }
      this.lastCame = performance.now();
      this.take(next);
    }
  }

  private take(chunk: StreamChunk): void {
    this.chunk = chunk;
    this.run = this.beforeRun = this.passed = 0;
    this.upcoming = this.build();
    const { maxBadRecords } = this.plan.data.options;
    if (chunk.problem !== null && this.counts.badRecords + chunk.bad.length > maxBadRecords) {
      throw maxBadRecords === 0 ? chunk.problem : tooManyBadRecords(maxBadRecords, chunk.problem);
    }
    this.pass(chunk, 0);
  }

  private release(chunk: StreamChunk): void {
    this.pass(chunk, chunk.numExamples);
    for (const block of chunk.blocks) this.store.release(block);
    this.store.releasePicks(chunk.picks);
    this.chunk = null;
    this.cursor = 0;
  }

  /** What comes next, or what time is up first. */
  private within(next: Promise<StreamChunk | null>, deadline: number | null): Promise<Outcome> {
    const now = performance.now();
    const idleMs = this.settings.idleSeconds * 1000;
    const silentIn = idleMs === 0 ? Number.POSITIVE_INFINITY : Math.max(0, this.lastCame + idleMs - now);
    const lateIn = deadline === null ? Number.POSITIVE_INFINITY : Math.max(0, deadline - now);
    const ms = Math.min(silentIn, lateIn);
    if (ms === Number.POSITIVE_INFINITY) return next;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(silentIn <= lateIn ? 'silent' : 'late'), ms);
      next.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  private async openSources(): Promise<void> {
    const { settings, plan } = this;
    const sources = await this.makeSources(plan, settings);
    if (this.closed) return;
    this.sources = sources;
    const { notify } = plan.data.options;
    const warn = (message: string): void => process.emitWarning(message, 'Stream');
    // The merger reads ahead of the steps: positions of its own.
    this.merger = new StreamMerger(sources, settings.order, new Map(this.offsets), this.turn, notify ?? warn);
    await this.merger.open();
    this.lastCame = performance.now();
  }

  private build(): Promise<StreamChunk | null> {
    const building = this.buildChunk();
    building.catch(() => {});
    return building;
  }

  /** Waits for a record, takes what there is besides and parses it. */
  private async buildChunk(): Promise<StreamChunk | null> {
    const { merger } = this;
    if (merger === null) return null;
    const runs: Run[] = [];
    let records = 0;
    let bytes = 0;
    let run = await merger.next(CHUNK_RECORDS);
    while (run !== null) {
      runs.push(run);
      records += run.count;
      const { ends } = run.records;
      bytes += ends[run.first + run.count - 1] - (run.first === 0 ? 0 : ends[run.first - 1]);
      if (records >= CHUNK_RECORDS || bytes >= CHUNK_BYTES) break;
      run = merger.tryNext(CHUNK_RECORDS - records);
    }
    return runs.length === 0 ? null : this.parser.parse(runs);
  }

  private async durable(position: DataPosition): Promise<void> {
    const partitions = position.stream?.partitions;
    if (partitions === undefined) return;
    const offsets = new Map(Object.entries(partitions));
    await Promise.all(this.sources.map((source) => source.durable?.(offsets)));
  }

  private async stop(): Promise<void> {
    const { merger, upcoming, chunk } = this;
    this.merger = this.opening = this.upcoming = this.chunk = null;
    this.cursor = 0;
    await merger?.close();
    await upcoming?.catch(() => {});
    if (chunk !== null) for (const block of chunk.blocks) this.store.release(block);
  }

  private bytesOf(slot: BatchSlot): Uint8Array {
    let bytes = this.slotBytes.get(slot);
    if (bytes === undefined) {
      bytes = new Uint8Array(slot.buffer, slot.header.byteOffset, BatchSlot.byteLength(slot.layout));
      this.slotBytes.set(slot, bytes);
    }
    return bytes;
  }
}

async function sourcesOf(plan: StreamPlan, options: StreamOptions): Promise<readonly StreamSource[]> {
  const context = { options, maxRecordBytes: plan.data.options.maxRecordBytes, isHeader: headerTest(plan), form: plan.form };
  const sources: StreamSource[] = [];
  for (const spec of plan.specs) sources.push(await sourceOf(spec, context));
  return sources;
}
