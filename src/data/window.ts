// A shuffle window: the examples of consecutive raw blocks that belong to the part, in the order in which they are handed out.
import { type MonolithError, seedFromNames } from '../base/index.js';
import { badRecordError, readBadRecord, tooManyBadRecords } from './bad-records.js';
import type { Parsers } from './native-parsers.js';
import type { PipelineOptions } from './options.js';
import type { ParsedBlock } from './parsed-block.js';
import type { BlockStore, ParsedPart, ParsedRaw, ParsedStream } from './parsed-stream.js';
import type { StreamPoint } from './position.js';
import { Bad, BadWord, BadWords, badListEntries, ExampleFlag } from './program.js';
import type { RawBlock } from './raw-reader.js';
import { passes, selects } from './split.js';

export type Window = {
  readonly epoch: number;
  readonly index: number;
  /** Where its first block begins and where the next window's does. */
  readonly start: StreamPoint;
  readonly next: StreamPoint;
  readonly blocks: readonly ParsedBlock[];
  /** Memory of the blocks, for the native calls. */
  readonly blockBytes: readonly Uint8Array[];
  /** [2 × numExamples, or longer] pairs (block, row) in the order of the epoch. */
  readonly picks: Int32Array;
  readonly shapes: Int32Array;
  readonly numExamples: number;
  readonly badRecords: number;
  /** Records of the part that filters or sampling leave out. */
  readonly leftOut: number;
  readonly bytes: number;
  /** The stream ended with it. */
  readonly last: boolean;
};

/** A window ends with the raw block that fills it: this many examples more, as a rule, fit without a larger buffer. */
const SPARE_PICKS = 16384;

/** Builds the windows of one epoch in order. */
export class WindowBuilder {
  private point: StreamPoint;
  private badRecords: number;
  private leftOut = 0;
  private readonly hasFilters: boolean;
  /** Pairs (block, row) of the window that is being built, and how many. */
  private picks: Int32Array = new Int32Array(0);
  private picked = 0;

  constructor(
    private readonly parsers: Parsers,
    private readonly options: PipelineOptions,
    private readonly stream: ParsedStream,
    private readonly store: BlockStore,
    private readonly selector: Float64Array,
    private readonly epoch: number,
    private index: number,
    start: StreamPoint,
    badRecordsBefore: number,
  ) {
    this.hasFilters = (options.schema?.filters ?? []).length > 0;
    this.point = start;
    this.badRecords = badRecordsBefore;
  }

  /** The next window; `last` and perhaps empty at the end of the epoch. @throws DataFormat, RecordCorrupt, TooManyBadRecords. */
  async next(): Promise<Window> {
    const start = this.point;
    const badBefore = this.badRecords;
    const wanted = Math.max(1, this.options.shuffle);
    const blocks: ParsedBlock[] = [];
    this.picks = this.store.acquirePicks(wanted + SPARE_PICKS);
    this.picked = 0;
    this.leftOut = 0;
    let bytes = 0;
    let last = false;
    while (this.picked < wanted) {
      const parsed = await this.stream.next();
      if (parsed === null) {
        last = true;
        break;
      }
      bytes += parsed.raw.length;
      this.take(parsed, blocks);
      this.stream.releaseRaw(parsed.raw);
    }
    if (this.options.shuffle > 0) {
      const seed = seedFromNames(this.options.seed, 'shuffle', this.epoch, this.index);
      this.parsers.shufflePicks(this.picks, this.picked, seed.low, seed.high);
    }
    const window = {
      epoch: this.epoch,
      index: this.index,
      start,
      next: this.point,
      blocks,
      blockBytes: blocks.map((block) => block.bytes),
      picks: this.picks,
      shapes: Int32Array.from(blocks.flatMap((block) => [...block.shape])),
      numExamples: this.picked,
      badRecords: this.badRecords - badBefore,
      leftOut: this.leftOut,
      bytes,
      last,
    };
    this.index++;
    return window;
  }

  /** Adds the selected examples of one raw block and moves the point behind it. */
  private take(parsed: ParsedRaw, blocks: ParsedBlock[]): void {
    const { raw } = parsed;
    const { description } = raw.file;
    const inside = this.point.fileIndex === raw.fileIndex && this.point.byteOffset > 0;
    let record = raw.planned?.firstRecord ?? (inside ? this.point.record : 0);
    let line = inside ? this.point.line : description.firstLine;
    for (const part of parsed.parts) {
      const { block } = part;
      const count = block.numExamples;
      const before = this.picked;
      this.makeRoom(count);
      if (part.bad === 0) {
        const { selector, picks } = this;
        this.picked = this.parsers.selectExamples(selector, block.flags, count, blocks.length, raw.fileIndex, record, picks, before);
      } else this.takeWithBad(raw, part, blocks.length, record, line);
      if (this.hasFilters) this.countLeftOut(block, raw.fileIndex, record);
      record += count;
      line += part.lines;
      if (this.picked > before) blocks.push(block);
      else this.store.release(block);
    }
    this.point = raw.lastOfFile
      ? { fileIndex: raw.fileIndex + 1, byteOffset: 0, record: 0, line: 0 }
      : { fileIndex: raw.fileIndex, byteOffset: raw.byteOffset + raw.length, record, line };
  }

  private countLeftOut({ flags, numExamples }: ParsedBlock, fileIndex: number, record: number): void {
    for (let i = 0; i < numExamples; i++) {
      if (passes(this.selector, fileIndex, record + i, flags[i])) continue;
      const evaluation = (flags[i] & ExampleFlag.evaluation) !== 0;
      if (selects(this.selector, fileIndex, record + i, evaluation, false)) this.leftOut++;
    }
  }

  /** The same for a part that has bad records: they are counted, and left out unless they are to be kept. */
  private takeWithBad(raw: RawBlock, part: ParsedPart, number: number, record: number, line: number): void {
    const { flags, bad, numExamples } = part.block;
    let seenBad = 0;
    for (let i = 0; i < numExamples; i++) {
      const flag = flags[i];
      const isBad = (flag & ExampleFlag.bad) !== 0;
      const chosen = selects(this.selector, raw.fileIndex, record + i, (flag & ExampleFlag.evaluation) !== 0, isBad);
      if (isBad) {
        const entry = seenBad++;
        const known = Math.min(entry, badListEntries - 1);
        const ends = bad[known * BadWords + BadWord.code] === Bad.frame;
        if (chosen || ends) {
          this.countBad(ends, () => {
            const base = { record, line, byte: raw.byteOffset + part.start };
            const found = readBadRecord(bad, known, raw.bytes, part.start, base);
            const quote = part.quotes?.[known];
            const shown = quote === undefined ? found : { ...found, token: Buffer.from(quote) };
            return badRecordError(raw.file.description, raw.file.program, shown, raw.planned);
          });
        }
        if (!this.options.keepBadRecords) continue;
      }
      if (!chosen || !passes(this.selector, raw.fileIndex, record + i, flag)) continue;
      this.picks[this.picked * 2] = number;
      this.picks[this.picked * 2 + 1] = i;
      this.picked++;
    }
  }

  /** Room for `count` more picks. */
  private makeRoom(count: number): void {
    const needed = (this.picked + count) * 2;
    if (this.picks.length >= needed) return;
    const larger = new Int32Array(Math.max(needed, this.picks.length + (this.picks.length >> 1)));
    larger.set(this.picks.subarray(0, this.picked * 2));
    this.picks = larger;
  }

  /** @param ends nothing behind the record can be read: no number of bad records allows for that. */
  private countBad(ends: boolean, error: () => MonolithError): void {
    if (ends) throw error();
    this.badRecords++;
    if (this.options.keepBadRecords || this.badRecords <= this.options.maxBadRecords) {
      this.options.onBadRecord?.(error());
      return;
    }
    if (this.options.maxBadRecords === 0) throw error();
    throw tooManyBadRecords(this.options.maxBadRecords, error());
  }
}
