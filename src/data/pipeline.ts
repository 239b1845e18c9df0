import { basename } from 'node:path';
import { MonolithError } from '../base/index.js';
import { type BatchLayout, BatchSlot } from '../tensor/index.js';
import { DataCache } from './cache.js';
import { blockFilter } from './columnar/skip.js';
import type { CompiledGroup } from './compile.js';
import { batchLayout, compileGroups, type DataInputs, type DataPlan, parsedLayout, planData, plannedLayout } from './inputs.js';
import type { Parsers } from './native-parsers.js';
import { isColumnarFormat, isMonolithFormat, type PipelineOptions } from './options.js';
import { ParsePool } from './parse-pool.js';
import { commonWords, shapeWords } from './parsed-block.js';
import { BlockStore, ParsedStream } from './parsed-stream.js';
import { chooseParsers } from './parsers.js';
import { standardInput } from './paths.js';
import { checkPosition, type DataPosition, startPosition, streamStart } from './position.js';
import { prepareFile } from './prepare.js';
import type { PreparedFile } from './prepared-file.js';
import { type RawBlock, RawReader } from './raw-reader.js';
import { recordSelector } from './split.js';
import type { DataStats } from './stats.js';
import { type Window, WindowBuilder } from './window.js';

type Epoch = { readonly stream: ParsedStream; readonly builder: WindowBuilder; readonly number: number };

/**
 * Turns files into batches: reads, parses on threads, shuffles in windows and fills batch slots. The sequence of examples is a function of
 * files and options alone: thread count, timing and backend change nothing. Call {@link nextStep} until it returns 0, then {@link close}.
 */
export class BatchPipeline {
  private readonly store = new BlockStore();
  private readonly prepared: (Promise<PreparedFile> | undefined)[] = [];
  private readonly common: Int32Array;
  private readonly slotShape: Int32Array;
  private readonly caches: DataCache | null;
  private readonly slotBytes = new WeakMap<BatchSlot, Uint8Array>();
  private current: Window | null = null;
  private cursor = 0;
  private epoch: Epoch | null = null;
  private upcoming: Promise<Window | null> | null = null;
  private closed = false;
  /** Counters at the start of `current` (or of the next window when there is none). */
  private counters = startPosition;
  private examples = 0;
  /** Examples of the first window after a seek that are skipped. */
  private pendingCursor = 0;
  /** Where reading begins with the next step: nothing is read before it, so that a seek costs nothing. */
  private waiting: DataPosition | null = null;

  private constructor(
    private readonly plan: DataPlan,
    private readonly groups: readonly CompiledGroup[],
    private readonly parsers: Parsers,
    private readonly pool: ParsePool,
    /** Layout of the slots that {@link nextStep} fills. */
    readonly layout: BatchLayout,
  ) {
    this.common = commonWords(layout);
    this.slotShape = shapeWords(layout);
    const { cache: place, notify, blockBytes, maxRecordBytes } = plan.options;
    const warn = (message: string): void => process.emitWarning(message, 'DataCache');
    const settings = { blockBytes, maxRecordBytes, common: this.common, notify: notify ?? warn };
    this.caches = place === null ? null : new DataCache({ ...settings, place });
  }

  /**
   * Opens the files and starts the parse threads.
   * @throws DataNotFound, DataFormat, InvalidConfig, InvalidArgument, BackendUnavailable.
   */
  static async open(options: Partial<PipelineOptions>): Promise<BatchPipeline> {
    const plan = await planData(options);
    if (plan.options.epochs > 1 && plan.files.some((file) => file.path === standardInput)) {
      throw new MonolithError('InvalidArgument', `standard input can be read once, epochs is ${plan.options.epochs}`);
    }
    const groups = compileGroups(plan);
    const parsers = chooseParsers(plan.options.backend);
    const pool = new ParsePool(parsers, plan.options.parseThreads);
    const pipeline = new BatchPipeline(plan, groups, parsers, pool, batchLayout(plan, groups));
    try {
      // The first file's problems belong to opening, not to the first step.
      await pipeline.prepare(0);
      pipeline.begin(startPosition);
      return pipeline;
    } catch (error) {
      await pipeline.close();
      throw error;
    }
  }

  /** Paths of the files, globs resolved, in the order in which they are read. */
  get files(): readonly string[] {
    return this.plan.files.map((file) => file.path);
  }

  /** What tells these data from others wherever they lie: names and sizes of the files. */
  get identity(): string {
    return this.plan.files.map((file) => `${basename(file.path)}:${file.storedBytes ?? '?'}`).join(',');
  }

  /** Goes back to the first step. */
  rewind(): Promise<void> {
    return this.seek(startPosition);
  }

  /** Names of the features, for the model. */
  get inputs(): DataInputs {
    return this.plan.inputs;
  }

  /**
   * Fills slots[w] for one step: worker w gets examples [w · batchSize, (w + 1) · batchSize) of the step. The last step of an epoch may be short:
   * then the last slots get fewer or none.
   *
   * @param slots one a worker, of {@link layout}; header (numExamples, globalExamples, ids) and columns are written. With `fillWorker` that
   * is so for its slot alone, the others get globalExamples and no examples.
   * @returns examples of the step over all slots; 0 at the end.
   * @throws DataFormat, RecordCorrupt, TooManyBadRecords, DataNotFound (a part without examples).
   */
  async nextStep(slots: readonly BatchSlot[]): Promise<number> {
    for (const slot of slots) slot.header.fill(0);
    for (const slot of slots) for (const group of slot.groups) group.offsets[0] = 0;
    const { batchSize, fillWorker } = this.plan.options;
    let total = 0;
    while (total < slots.length * batchSize) {
      const window = await this.windowFor(total > 0);
      if (window === null) break;
      const worker = Math.floor(total / batchSize);
      const room = batchSize - (total % batchSize);
      const count = Math.min(room, window.numExamples - this.cursor);
      const { blockBytes, shapes } = window;
      if (fillWorker === null || fillWorker === worker) {
        const bytes = this.bytesOf(slots[worker] as BatchSlot);
        this.parsers.gatherExamples(this.common, blockBytes, shapes, window.picks, this.cursor, count, this.slotShape, bytes);
      }
      this.cursor += count;
      this.examples += count;
      total += count;
    }
    for (const slot of slots) slot.header[1] = total;
    return total;
  }

  /** Where the next step starts. */
  get position(): DataPosition {
    const { current } = this;
    if (current === null) return { ...this.counters, cursor: this.pendingCursor, examples: this.examples };
    if (this.cursor < current.numExamples) return { ...this.counters, cursor: this.cursor, examples: this.examples };
    return this.after(current);
  }

  /**
   * Goes to a position: the steps that follow are those that would have followed it. Reads again only its window.
   * @throws InvalidArgument where it is no position of these files.
   */
  async seek(position: DataPosition): Promise<void> {
    checkPosition(position, this.plan.files.length);
    if (this.epoch !== null && this.plan.files.some((file) => file.path === standardInput)) {
      throw new MonolithError('InvalidArgument', 'standard input can be read once: a seek must come before the first step');
    }
    await this.stop();
    this.begin(position);
  }

  /**
   * Finds out whether the epoch has anything left: where it has not, {@link position} is the start of the next one. May wait for data.
   * @throws what the next step would throw.
   */
  async settle(): Promise<void> {
    const { current } = this;
    const known = current === null ? this.waiting === null && this.upcoming === null : current.last || this.cursor < current.numExamples;
    if (!known) await this.windowFor(true);
  }

  stats(): DataStats {
    const { counters, current } = this;
    const share = current === null || current.numExamples === 0 ? 0 : this.cursor / current.numExamples;
    const sizes = this.plan.files.map((file) => file.size);
    const totalBytes = sizes.reduce<number | null>((sum, size) => (sum === null || size === null ? null : sum + size), 0);
    const bytes = counters.bytes + Math.floor((current?.bytes ?? 0) * share);
    const { epochs } = this.plan.options;
    const whole = totalBytes === null ? 0 : totalBytes * epochs;
    // Bytes before the first record belong to no window: at the end they would be missing.
    const ended = epochs > 0 && this.position.epoch >= epochs;
    return {
      examples: this.examples,
      badRecords: counters.badRecords + (current?.badRecords ?? 0),
      leftOutRecords: (counters.leftOutRecords ?? 0) + (current?.leftOut ?? 0),
      bytes,
      epoch: counters.epoch,
      totalBytes,
      progress: whole > 0 ? (ended ? 1 : Math.min(1, bytes / whole)) : null,
      format: this.plan.format,
      found: this.plan.first.found,
      // Monolith's formats and columnar ones have no native parser.
      backend:
        isMonolithFormat(this.plan.format) || isColumnarFormat(this.plan.format) || this.plan.format === 'avro'
          ? 'reference'
          : this.parsers.name,
    };
  }

  /** Ends the parse threads and closes the files. Twice is fine. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.stop();
    await this.pool.close();
  }

  private begin(position: DataPosition): void {
    this.counters = { ...position, cursor: 0 };
    this.examples = position.examples;
    this.current = null;
    this.cursor = 0;
    const { epochs } = this.plan.options;
    this.pendingCursor = position.cursor;
    this.waiting = epochs > 0 && position.epoch >= epochs ? null : position;
    this.upcoming = null;
  }

  /** The window to take from; null at the end, or at an epoch's end when `sameEpoch`. */
  private async windowFor(sameEpoch: boolean): Promise<Window | null> {
    for (;;) {
      const { current } = this;
      if (current !== null && this.cursor < current.numExamples) return current;
      if (current?.last && sameEpoch) return null;
      if (current !== null) {
        this.counters = this.after(current);
        for (const block of current.blocks) this.store.release(block);
        this.store.releasePicks(current.picks);
        this.current = null;
      }
      if (this.waiting !== null) {
        this.upcoming = this.schedule(this.buildFrom(this.waiting));
        this.waiting = null;
      }
      if (this.upcoming === null) return null;
      const next = await this.upcoming;
      if (next === null) {
        this.upcoming = null;
        return null;
      }
      const skipped = this.pendingCursor;
      this.pendingCursor = 0;
      if (skipped > next.numExamples) {
        throw new MonolithError(
          'InvalidArgument',
          `the data position is ${skipped} examples into a window of ${next.numExamples}: the files or options have changed`,
        );
      }
      this.current = next;
      this.cursor = skipped;
      this.upcoming = next.last && this.lastEpoch(next.epoch) ? null : this.schedule(this.buildAfter(next));
      if (next.last && this.counters.epochExamples + next.numExamples === 0 && !this.plan.options.allowEmpty)
        throw this.noExamples(next.badRecords + this.counters.epochBadRecords);
      // An epoch's last window may be empty: a step already begun must still end here.
      if (next.numExamples === 0 && next.last && sameEpoch) return null;
    }
  }

  private lastEpoch(epoch: number): boolean {
    return this.plan.options.epochs > 0 && epoch + 1 >= this.plan.options.epochs;
  }

  /** The position behind a window that has been handed out. */
  private after(window: Window): DataPosition {
    const bytes = this.counters.bytes + window.bytes;
    const badRecords = this.counters.badRecords + window.badRecords;
    const out = (this.counters.leftOutRecords ?? 0) + window.leftOut;
    const leftOut = out > 0 ? { leftOutRecords: out } : {};
    if (window.last) return { ...startPosition, epoch: window.epoch + 1, examples: this.examples, bytes, badRecords, ...leftOut };
    return {
      epoch: window.epoch,
      window: window.index + 1,
      start: window.next,
      cursor: 0,
      examples: this.examples,
      bytes,
      badRecords,
      epochBadRecords: this.counters.epochBadRecords + window.badRecords,
      epochExamples: this.counters.epochExamples + window.numExamples,
      ...leftOut,
    };
  }

  private schedule(window: Promise<Window | null>): Promise<Window | null> {
    window.catch(() => {});
    return window;
  }

  private async buildFrom(position: DataPosition): Promise<Window> {
    this.epoch = this.openEpoch(position);
    return this.epoch.builder.next();
  }

  private async buildAfter(window: Window): Promise<Window> {
    if (!window.last && this.epoch !== null) return this.epoch.builder.next();
    await this.epoch?.stream.close();
    this.epoch = this.openEpoch({ ...startPosition, epoch: window.epoch + 1, start: streamStart });
    return this.epoch.builder.next();
  }

  private openEpoch(position: DataPosition): Epoch {
    const { options, files } = this.plan;
    const prepare = (fileIndex: number): Promise<PreparedFile> => this.prepare(fileIndex);
    const reader = new RawReader(
      files.length,
      prepare,
      position.start,
      options.blockBytes,
      options.maxRecordBytes,
      this.caches,
      this.parsers,
      blockFilter(options.split),
    );
    const layoutFor = ({ file, planned }: RawBlock): BatchLayout => {
      const { columnar, recordBytes } = file.description;
      if (planned !== null && columnar !== null) return plannedLayout(this.plan, this.groups, columnar, planned);
      return parsedLayout(this.plan, this.groups, options.blockBytes, recordBytes);
    };
    const stream = new ParsedStream(reader, this.pool, this.store, layoutFor, this.caches);
    const selector = recordSelector(options);
    const { epoch, window, start, epochBadRecords } = position;
    const builder = new WindowBuilder(this.parsers, options, stream, this.store, selector, epoch, window, start, epochBadRecords);
    return { stream, builder, number: epoch };
  }

  private prepare(fileIndex: number): Promise<PreparedFile> {
    this.prepared[fileIndex] ??= prepareFile(this.plan, this.groups, fileIndex);
    return this.prepared[fileIndex] as Promise<PreparedFile>;
  }

  private noExamples(bad: number): MonolithError {
    const filtered = this.plan.schema?.filters === undefined ? '' : `, ${this.stats().leftOutRecords} left out by the schema's filters`;
    const { split, files } = this.plan.options;
    const part = split.by === 'none' ? '' : ` in part '${split.part}' (split by '${split.by}')`;
    return new MonolithError('DataNotFound', `${files.join(', ')}: no examples${part}, ${bad} bad records${filtered}`, {
      part: split.part,
    });
  }

  private bytesOf(slot: BatchSlot): Uint8Array {
    let bytes = this.slotBytes.get(slot);
    if (bytes === undefined) {
      bytes = new Uint8Array(slot.buffer, slot.header.byteOffset, BatchSlot.byteLength(slot.layout));
      this.slotBytes.set(slot, bytes);
    }
    return bytes;
  }

  private async stop(): Promise<void> {
    const { upcoming } = this;
    this.upcoming = null;
    // A window under way may be waiting for input: closing its stream ends it.
    const closing = this.epoch?.stream.close();
    await upcoming?.catch(() => null);
    await closing;
    await this.epoch?.stream.close();
    this.epoch = null;
    this.current = null;
  }
}
