// A shuffle window: the examples of consecutive raw blocks that belong to the part, in the order in which they are handed out.
import { type MonolithError, SeededRandom, seedFromNames } from '../base/index.js';
import { badRecordError, readBadRecord, tooManyBadRecords } from './bad-records.js';
import type { PipelineOptions } from './options.js';
import type { ParsedBlock } from './parsed-block.js';
import type { BlockStore, ParsedRaw, ParsedStream } from './parsed-stream.js';
import type { StreamPoint } from './position.js';
import { badListEntries, ExampleFlag } from './program.js';
import type { RecordSelector } from './split.js';

export type Window = {
  readonly epoch: number;
  readonly index: number;
  /** Where its first block begins and where the next window's does. */
  readonly start: StreamPoint;
  readonly next: StreamPoint;
  readonly blocks: readonly ParsedBlock[];
  /** [2 × numExamples] pairs (block, row) in the order of the epoch. */
  readonly picks: Int32Array;
  readonly shapes: Int32Array;
  readonly numExamples: number;
  readonly badRecords: number;
  readonly bytes: number;
  /** The stream ended with it. */
  readonly last: boolean;
};

/** Builds the windows of one epoch in order. */
export class WindowBuilder {
  private point: StreamPoint;
  private badRecords: number;

  constructor(
    private readonly options: PipelineOptions,
    private readonly stream: ParsedStream,
    private readonly store: BlockStore,
    private readonly selector: RecordSelector,
    private readonly epoch: number,
    private index: number,
    start: StreamPoint,
    badRecordsBefore: number,
  ) {
    this.point = start;
    this.badRecords = badRecordsBefore;
  }

  /** The next window; `last` and perhaps empty at the end of the epoch. @throws DataFormat, RecordCorrupt, TooManyBadRecords. */
  async next(): Promise<Window> {
    const start = this.point;
    const badBefore = this.badRecords;
    const wanted = Math.max(1, this.options.shuffle);
    const blocks: ParsedBlock[] = [];
    const picks: number[] = [];
    let bytes = 0;
    let last = false;
    while (picks.length < wanted * 2) {
      const parsed = await this.stream.next();
      if (parsed === null) {
        last = true;
        break;
      }
      bytes += parsed.raw.length;
      this.take(parsed, blocks, picks);
      this.stream.releaseRaw(parsed.raw);
    }
    const order = Int32Array.from(picks);
    if (this.options.shuffle > 0)
      shufflePairs(order, new SeededRandom(seedFromNames(this.options.seed, 'shuffle', this.epoch, this.index)));
    const window = {
      epoch: this.epoch,
      index: this.index,
      start,
      next: this.point,
      blocks,
      picks: order,
      shapes: Int32Array.from(blocks.flatMap((block) => [...block.shape])),
      numExamples: order.length / 2,
      badRecords: this.badRecords - badBefore,
      bytes,
      last,
    };
    this.index++;
    return window;
  }

  /** Adds the selected examples of one raw block and moves the point behind it. */
  private take(parsed: ParsedRaw, blocks: ParsedBlock[], picks: number[]): void {
    const { raw } = parsed;
    const { description } = raw.file;
    const inside = this.point.fileIndex === raw.fileIndex && this.point.byteOffset > 0;
    let record = inside ? this.point.record : 0;
    let line = inside ? this.point.line : description.firstLine;
    for (const part of parsed.parts) {
      const { flags, bad } = part.block;
      const number = blocks.length;
      const before = picks.length;
      let seenBad = 0;
      const count = part.block.numExamples;
      for (let i = 0; i < count; i++) {
        const flag = flags[i];
        const isBad = (flag & ExampleFlag.bad) !== 0;
        const chosen = this.selector.selects(raw.fileIndex, record + i, (flag & ExampleFlag.evaluation) !== 0, isBad);
        if (isBad) {
          const entry = seenBad++;
          if (chosen) {
            this.countBad(() => {
              const base = { record, line, byte: raw.byteOffset + part.start };
              const known = readBadRecord(bad, Math.min(entry, badListEntries - 1), raw.bytes, part.start, base);
              return badRecordError(description, raw.file.program, known);
            });
          }
          if (!chosen || !this.options.keepBadRecords) continue;
        } else if (!chosen) continue;
        picks.push(number, i);
      }
      record += count;
      line += part.lines;
      if (picks.length > before) blocks.push(part.block);
      else this.store.release(part.block);
    }
    this.point = raw.lastOfFile
      ? { fileIndex: raw.fileIndex + 1, byteOffset: 0, record: 0, line: 0 }
      : { fileIndex: raw.fileIndex, byteOffset: raw.byteOffset + raw.length, record, line };
  }

  private countBad(error: () => MonolithError): void {
    this.badRecords++;
    if (this.options.keepBadRecords || this.badRecords <= this.options.maxBadRecords) return;
    if (this.options.maxBadRecords === 0) throw error();
    throw tooManyBadRecords(this.options.maxBadRecords, error());
  }
}

/** Fisher–Yates over pairs. */
function shufflePairs(pairs: Int32Array, random: SeededRandom): void {
  for (let i = pairs.length / 2 - 1; i > 0; i--) {
    const j = random.nextBelow(i + 1);
    const block = pairs[i * 2];
    const row = pairs[i * 2 + 1];
    pairs[i * 2] = pairs[j * 2];
    pairs[i * 2 + 1] = pairs[j * 2 + 1];
    pairs[j * 2] = block;
    pairs[j * 2 + 1] = row;
  }
}
