// How a file that is read by position is cut into blocks: a function of its table of contents and of blockBytes alone.
import { type ColumnarFile, type ColumnarFormat, type FileStamp, openColumnarFile } from '../../columnar/index.js';
import type { FeatureSchema } from '../../features/index.js';
import type { SplitOptions } from '../options.js';

/** Bytes of the magic at a file's start: the place of its first block. */
export const PLAN_START = 4;
/** Decompressed columns are some times larger than the text of a block would be compressed; pages are a megabyte, and want to be used whole. */
const BYTES_PER_BLOCK_BYTE = 8;
const MOST_BLOCK_ROWS = 16384;

/** One block: rows of one group. */
export type PlannedBlock = {
  readonly index: number;
  /** Its place on the scale of the file's bytes: what a position holds. Blocks lie one behind the other, whatever the order of columns. */
  readonly byteOffset: number;
  readonly length: number;
  readonly group: number;
  /** Row of the group and of the file that it begins with. */
  readonly first: number;
  readonly firstRecord: number;
  readonly rows: number;
  readonly lastOfFile: boolean;
};

/** What a parse thread needs to know of a block: JSON behind its length. */
export type BlockTask = {
  readonly format: ColumnarFormat;
  readonly path: string;
  readonly stamp: FileStamp;
  readonly group: number;
  readonly first: number;
  readonly rows: number;
};

export class ColumnarPlan {
  /** Blocks and scale before each group; one entry more at the end. */
  private readonly blocksBefore: number[] = [0];
  private readonly placeBefore: number[] = [PLAN_START];
  private readonly blockRows: number[] = [];

  constructor(
    readonly file: ColumnarFile,
    /** Columns that the schema wants. */
    readonly columns: readonly number[],
    blockBytes: number,
    size: number,
  ) {
    file.groups.forEach(({ rows, bytes }, g) => {
      const width = rows === 0 ? 1 : Math.max(1, file.bytesOf(g, columns) / rows);
      const most = Math.max(1, Math.min(MOST_BLOCK_ROWS, Math.floor((blockBytes * BYTES_PER_BLOCK_BYTE) / width)));
      const blocks = Math.ceil(rows / most);
      // Equal blocks, so that the last one is no crumb.
      this.blockRows.push(blocks === 0 ? 0 : Math.ceil(rows / blocks));
      const made = blocks === 0 ? 0 : Math.ceil(rows / this.blockRows[g]);
      this.blocksBefore.push(this.blocksBefore[g] + made);
      this.placeBefore.push(this.placeBefore[g] + Math.max(bytes, made));
    });
    const last = file.groups.length;
    // The footer belongs to the last block: then a file that is read is read to its last byte.
    this.placeBefore[last] = Math.max(this.placeBefore[last], size);
  }

  get numBlocks(): number {
    return this.blocksBefore[this.file.groups.length];
  }

  block(index: number): PlannedBlock {
    const group = this.groupOf(index);
    const { rows: groupRows, firstRow } = this.file.groups[group];
    const within = index - this.blocksBefore[group];
    const count = this.blocksBefore[group + 1] - this.blocksBefore[group];
    const step = this.blockRows[group];
    const first = within * step;
    const byteOffset = this.place(group, within, count);
    return {
      index,
      byteOffset,
      length: this.place(group, within + 1, count) - byteOffset,
      group,
      first,
      firstRecord: firstRow + first,
      rows: Math.min(step, groupRows - first),
      lastOfFile: index === this.numBlocks - 1,
    };
  }

  /** Number of the block at a place; −1: none begins there. */
  indexAt(byteOffset: number): number {
    let low = 0;
    let high = this.numBlocks;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.block(middle).byteOffset < byteOffset) low = middle + 1;
      else high = middle;
    }
    return low < this.numBlocks && this.block(low).byteOffset === byteOffset ? low : -1;
  }

  /** The block as bytes for a parse thread. */
  taskBytes({ group, first, rows }: PlannedBlock): Uint8Array {
    const { path, format, stamp } = this.file;
    const task: BlockTask = { format, path, stamp, group, first, rows };
    const json = Buffer.from(JSON.stringify(task));
    const bytes = new Uint8Array(4 + json.length);
    new DataView(bytes.buffer).setUint32(0, json.length, true);
    bytes.set(json, 4);
    return bytes;
  }

  /** Mean number of values of a column in the rows of a block's group. */
  valuesPerRow({ group }: PlannedBlock, column: number): number {
    return this.file.valuesOf(group, column) / Math.max(1, this.file.groups[group].rows);
  }

  private place(group: number, within: number, count: number): number {
    const from = this.placeBefore[group];
    const to = this.placeBefore[group + 1];
    return within === count ? to : from + Math.floor(((to - from) * within) / count);
  }

  private groupOf(index: number): number {
    let low = 0;
    let high = this.file.groups.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocksBefore[middle] <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

export function readBlockTask(bytes: Uint8Array): BlockTask {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return JSON.parse(Buffer.from(bytes.slice(4, 4 + length)).toString('utf8')) as BlockTask;
}

/** Names of the columns that a schema and a split read. */
export function namedColumns(schema: FeatureSchema, split: SplitOptions): Set<string> {
  const names = new Set(schema.features.map((feature) => feature.column ?? feature.name));
  names.add(schema.label.column);
  if (schema.label.greaterThan !== undefined) names.add(schema.label.greaterThan.column);
  if (schema.weight !== undefined) names.add(schema.weight.column);
  if (split.by === 'column' && split.column !== undefined) names.add(split.column);
  return names;
}

/** Opens a file and cuts it into blocks. @throws DataNotFound, RecordCorrupt, DataFormat. */
export async function planColumnar(
  format: ColumnarFormat,
  path: string,
  size: number,
  wanted: ReadonlySet<string>,
  blockBytes: number,
): Promise<ColumnarPlan> {
  const file = await openColumnarFile(format, path);
  const columns = file.fields.flatMap(({ name }, i) => (wanted.has(name) ? [i] : []));
  return new ColumnarPlan(file, columns, blockBytes, size);
}
