// Records of a stream, parsed: examples with the records they come from.
import type { MonolithError } from '../../base/index.js';
import { badRecordError, readBadRecord } from '../bad-records.js';
import type { CompiledGroup } from '../compile.js';
import { type DataPlan, parsedLayout } from '../inputs.js';
import type { ParsePool } from '../parse-pool.js';
import type { ParsedBlock } from '../parsed-block.js';
import type { BlockStore } from '../parsed-stream.js';
import { BadWord, BadWords, badListEntries, ExampleFlag, type Program, R } from '../program.js';
import type { EventTime } from './event-time.js';
import type { Run } from './merger.js';

/** Records of some runs, one behind the other, parsed. */
export type StreamChunk = {
  readonly runs: readonly Run[];
  readonly numRecords: number;
  /** [numRecords] the byte behind each, in all of them. */
  readonly ends: Int32Array;
  readonly blocks: readonly ParsedBlock[];
  readonly blockBytes: readonly Uint8Array[];
  readonly shapes: Int32Array;
  /** [2 × numExamples, or longer] pairs (block, row) in the order of records. */
  readonly picks: Int32Array;
  readonly numExamples: number;
  /** [numExamples] which record an example is. */
  readonly recordOf: Int32Array;
  /** [numExamples] when; null where nobody asks. */
  readonly times: Float64Array | null;
  /** Numbers of records that can't be read, ascending, and what is wrong with the last of them. */
  readonly bad: readonly number[];
  readonly problem: MonolithError | null;
};

/** Smallest room for records in a parsed block: blocks of one size are used again. */
const LEAST_RECORDS = 256;

type Part = { readonly block: ParsedBlock; readonly start: number; readonly firstRecord: number };

/** Parses runs of records. */
export class ChunkParser {
  constructor(
    private readonly plan: DataPlan,
    private readonly program: Program,
    private readonly groups: readonly CompiledGroup[],
    private readonly pool: ParsePool,
    private readonly store: BlockStore,
    private readonly eventTime: EventTime | null,
    private readonly timed: boolean,
  ) {}

  async parse(runs: readonly Run[]): Promise<StreamChunk> {
    const numRecords = runs.reduce((sum, run) => sum + run.count, 0);
    const { raw, ends } = gatherBytes(runs, numRecords);
    const length = numRecords === 0 ? 0 : ends[numRecords - 1];
    let parts = await this.parseBytes(raw, 0, length, numRecords, 0);
    const found = parts.reduce((sum, { block }) => sum + block.numExamples, 0);
    if (found !== numRecords) {
      // A record that is none or more than one, such as an empty line: one by one their places are known.
      for (const { block } of parts) this.store.release(block);
      parts = [];
      for (let i = 0; i < numRecords; i++) {
        const start = i === 0 ? 0 : ends[i - 1];
        parts.push(...(await this.parseBytes(raw, start, ends[i] - start, 1, i)));
      }
    }
    return this.chunkOf(runs, numRecords, raw, ends, parts, found === numRecords);
  }

  /** @param consecutive whether example i of the bytes is record i of them; else all are of the first record. */
  private chunkOf(
    runs: readonly Run[],
    numRecords: number,
    raw: SharedArrayBuffer,
    ends: Int32Array,
    parts: readonly Part[],
    consecutive: boolean,
  ): StreamChunk {
    const examples = parts.reduce((sum, { block }) => sum + block.numExamples, 0);
    const picks = this.store.acquirePicks(examples);
    const recordOf = new Int32Array(examples);
    const bad: number[] = [];
    let problem: MonolithError | null = null;
    let picked = 0;
    parts.forEach(({ block, start, firstRecord }, number) => {
      let badHere = 0;
      for (let row = 0; row < block.numExamples; row++) {
        const record = consecutive ? firstRecord + row : firstRecord;
        if ((block.flags[row] & ExampleFlag.bad) !== 0) {
          bad.push(record);
          problem = this.problemOf(runs, record, new Uint8Array(raw), start, block, Math.min(badHere++, badListEntries - 1));
          continue;
        }
        picks[picked * 2] = number;
        picks[picked * 2 + 1] = row;
        recordOf[picked++] = record;
      }
    });
    const blocks = parts.map(({ block }) => block);
    return {
      runs,
      numRecords,
      ends,
      blocks,
      blockBytes: blocks.map((block) => block.bytes),
      shapes: Int32Array.from(blocks.flatMap((block) => [...block.shape])),
      picks,
      numExamples: picked,
      recordOf,
      times: this.timed ? this.timesOf(runs, new Uint8Array(raw), ends, recordOf, picked) : null,
      bad,
      problem,
    };
  }

  private timesOf(runs: readonly Run[], bytes: Uint8Array, ends: Int32Array, recordOf: Int32Array, examples: number): Float64Array {
    const times = new Float64Array(examples);
    let run = 0;
    let before = 0;
    for (let i = 0; i < examples; i++) {
      const record = recordOf[i];
      while (record >= before + runs[run].count) before += runs[run++].count;
      const { records, first } = runs[run];
      times[i] =
        this.eventTime === null
          ? records.timeOf(first + record - before)
          : this.eventTime(bytes, record === 0 ? 0 : ends[record - 1], ends[record]);
    }
    return times;
  }

  private problemOf(
    runs: readonly Run[],
    record: number,
    raw: Uint8Array,
    start: number,
    block: ParsedBlock,
    entry: number,
  ): MonolithError {
    let run = 0;
    let before = 0;
    while (record >= before + runs[run].count) before += runs[run++].count;
    const place = runs[run].records.placeOf(runs[run].first + record - before);
    const found = readBadRecord(block.bad, entry, raw, start, { record, line: 1, byte: 0 });
    return badRecordError(this.plan.first, this.program, { ...found, code: block.bad[entry * BadWords + BadWord.code] }, null, place);
  }

  private async parseBytes(raw: SharedArrayBuffer, from: number, length: number, records: number, firstRecord: number): Promise<Part[]> {
    const parts: Part[] = [];
    const most = Math.max(LEAST_RECORDS, 2 ** Math.ceil(Math.log2(Math.max(1, records))));
    const recordBytes = Math.max(2, length / Math.max(1, records));
    let layout = parsedLayout(this.plan, this.groups, most * recordBytes, recordBytes);
    let start = from;
    let record = firstRecord;
    while (start < from + length) {
      const block = this.store.acquire(layout);
      const { common, shape, buffer } = block;
      const place = { path: this.plan.first.info.path, byteOffset: 0 };
      const task = { program: this.program, raw, start, length: from + length - start, common, shape, block: buffer, place };
      const { words } = await this.pool.parse(task);
      const consumed = words[R.consumed];
      if (consumed === 0 && words[R.full] === 1) {
        this.store.release(block);
        layout = { ...layout, maxExamples: layout.maxExamples * 2, groups: layout.groups.map((g) => ({ ...g, maxIds: g.maxIds * 4 })) };
        continue;
      }
      parts.push({ block, start, firstRecord: record });
      record += block.numExamples;
      start += consumed;
    }
    return parts;
  }
}

/** The bytes of all records in one piece of shared memory, and the byte behind each. */
function gatherBytes(runs: readonly Run[], numRecords: number): { readonly raw: SharedArrayBuffer; readonly ends: Int32Array } {
  const startOf = ({ records, first }: Run): number => (first === 0 ? 0 : records.ends[first - 1]);
  const length = runs.reduce((sum, run) => sum + run.records.ends[run.first + run.count - 1] - startOf(run), 0);
  const raw = new SharedArrayBuffer(Math.max(1, length));
  const bytes = new Uint8Array(raw);
  const ends = new Int32Array(numRecords);
  let at = 0;
  let record = 0;
  for (const run of runs) {
    const start = startOf(run);
    const { records, first, count } = run;
    bytes.set(records.bytes.subarray(start, records.ends[first + count - 1]), at);
    for (let i = 0; i < count; i++) ends[record++] = at + records.ends[first + i] - start;
    at += records.ends[first + count - 1] - start;
  }
  return { raw, ends };
}
