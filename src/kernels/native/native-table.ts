import { MonolithError } from '../../base/index.js';
import type { FidTable, TableOptions } from '../kernel-backend.js';
import { checkBucket, checkTableOptions, recordLayout, tableFull } from '../reference/table-options.js';
import type { Addon } from './load.js';
import { typedError } from './native-sparse-errors.js';

/** A table inside the addon; only the thread that made it can use it. */
type TableHandle = { readonly __table: never };

/** The functions of native/addon/table_binding.cc. */
export type TableAddon = {
  tableCreate(slices: Float64Array, seedLow: number, seedHigh: number, segmentRows: number, maxRows: number): TableHandle;
  tableSegmentBytes(table: TableHandle): number;
  tableAddSegment(table: TableHandle, memory: Uint8Array): void;
  tableReserve(table: TableHandle, rows: number): void;
  tableCountMissing(table: TableHandle, fids: BigInt64Array, start: number, count: number): number;
  tableLookup(
    table: TableHandle,
    fids: BigInt64Array,
    start: number,
    count: number,
    create: boolean,
    timestamp: number,
    rows: Float32Array,
    handles: Int32Array,
  ): number;
  tableApply(
    table: TableHandle,
    handles: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    gradients: readonly Float32Array[],
    learningRates: Float32Array,
    clipRowNorm: number,
  ): number;
  tableRefresh(
    table: TableHandle,
    sources: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    targets: readonly Int32Array[],
    targetStarts: Int32Array,
    targetCounts: Int32Array,
    targetRows: readonly Float32Array[],
  ): void;
  tableCountBucket(table: TableHandle, bucketBits: number, bucket: number): number;
  tableDump(
    table: TableHandle,
    bucketBits: number,
    bucket: number,
    fids: BigInt64Array,
    timestamps: Uint32Array,
    records: Float32Array,
  ): number;
  tableLoad(table: TableHandle, fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array, count: number): number;
  tableClear(table: TableHandle): void;
  tableCountDirty(table: TableHandle): number;
  tableClearDirty(table: TableHandle): void;
  tableOwnBytes(table: TableHandle): number;
};

/** Doubles that describe one slice to the addon: dim, initializer kind, a, b, optimizer kind, five hyper-parameters. */
const SLICE_WORDS = 10;
/** Room for the first row to start on a cache line wherever the segment lies. */
const ALIGNMENT_SLACK = 64;

function describeSlices(options: TableOptions): Float64Array {
  const words = new Float64Array(options.slices.length * SLICE_WORDS);
  options.slices.forEach(({ dim, initializer, optimizer }, k) => {
    words.set([dim, initializer.kind, initializer.a, initializer.b, optimizer.kind, ...optimizer.hyper], k * SLICE_WORDS);
  });
  return words;
}

/**
 * The native table. Rows live in SharedArrayBuffers that this object allocates, one segment at a time, and keeps; the addon computes on
 * them. Rows never move: growing adds a segment, or makes a larger index (16 bytes an entry, at most 80 % full) from the old one.
 */
export class NativeTable implements FidTable {
  readonly dim: number;
  readonly stateLength: number;
  readonly #addon: TableAddon;
  readonly #table: TableHandle;
  readonly #segmentBytes: number;
  readonly #segmentRows: number;
  readonly #maxRows: number;
  /** Kept so that no segment is freed while the addon points into it. */
  readonly #segments: Uint8Array[] = [];
  #size = 0;

  constructor(addon: Addon, options: TableOptions) {
    checkTableOptions(options);
    const layout = recordLayout(options.slices);
    this.dim = layout.dim;
    this.stateLength = layout.stateLength;
    this.#addon = addon as unknown as TableAddon;
    this.#maxRows = options.maxRows;
    this.#segmentRows = options.segmentRows;
    this.#table = this.#addon.tableCreate(describeSlices(options), options.seedLow, options.seedHigh, options.segmentRows, options.maxRows);
    this.#segmentBytes = this.#addon.tableSegmentBytes(this.#table);
  }

  size(): number {
    return this.#size;
  }

  expectRows(rows: number): void {
    this.#addon.tableReserve(this.#table, Math.min(rows, this.#maxRows));
  }

  memoryBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.byteLength, 0) + this.#addon.tableOwnBytes(this.#table);
  }

  lookup(
    fids: BigInt64Array,
    start: number,
    count: number,
    create: boolean,
    timestamp: number,
    rows: Float32Array,
    handles: Int32Array,
  ): number {
    try {
      let created = this.#addon.tableLookup(this.#table, fids, start, count, create, timestamp, rows, handles);
      if (created < 0) {
        // That many rows are missing and have no room; none was created.
        this.#makeRoom('lookup', -created);
        created = this.#addon.tableLookup(this.#table, fids, start, count, create, timestamp, rows, handles);
      }
      this.#size += created;
      return created;
    } catch (error) {
      throw typedError('lookup', error);
    }
  }

  apply(
    handles: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    gradients: readonly Float32Array[],
    learningRates: Float32Array,
    clipRowNorm: number,
  ): number {
    try {
      return this.#addon.tableApply(this.#table, handles, starts, counts, gradients, learningRates, clipRowNorm);
    } catch (error) {
      throw typedError('apply', error);
    }
  }

  refresh(
    sources: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    targets: readonly Int32Array[],
    targetStarts: Int32Array,
    targetCounts: Int32Array,
    targetRows: readonly Float32Array[],
  ): void {
    try {
      this.#addon.tableRefresh(this.#table, sources, starts, counts, targets, targetStarts, targetCounts, targetRows);
    } catch (error) {
      throw typedError('refresh', error);
    }
  }

  countBucket(bucketBits: number, bucket: number): number {
    checkBucket('countBucket', bucketBits, bucket);
    return this.#addon.tableCountBucket(this.#table, bucketBits, bucket);
  }

  dump(bucketBits: number, bucket: number, fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number {
    checkBucket('dump', bucketBits, bucket);
    try {
      return this.#addon.tableDump(this.#table, bucketBits, bucket, fids, timestamps, records);
    } catch (error) {
      throw typedError('dump', error);
    }
  }

  load(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array, count: number): void {
    try {
      this.#makeRoom('load', this.#addon.tableCountMissing(this.#table, fids, 0, count));
      this.#size += this.#addon.tableLoad(this.#table, fids, timestamps, records, count);
    } catch (error) {
      throw typedError('load', error);
    }
  }

  clear(): void {
    this.#addon.tableClear(this.#table);
    this.#size = 0;
  }

  /** Rows created or updated since {@link clearDirty}. */
  countDirty(): number {
    return this.#addon.tableCountDirty(this.#table);
  }

  clearDirty(): void {
    this.#addon.tableClearDirty(this.#table);
  }

  /** Makes room for `missing` more rows, or throws TableFull. */
  #makeRoom(where: string, missing: number): void {
    const wanted = this.#size + missing;
    if (wanted > this.#maxRows) throw tableFull(where, this.#size, missing, this.#maxRows);
    try {
      while (this.#segments.length * this.#segmentRows < wanted) {
        const segment = new Uint8Array(new SharedArrayBuffer(this.#segmentBytes + ALIGNMENT_SLACK));
        this.#addon.tableAddSegment(this.#table, segment);
        this.#segments.push(segment);
      }
      this.#addon.tableReserve(this.#table, wanted);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new MonolithError(
        'TableFull',
        `${where}: no memory for ${missing} new rows on top of ${this.#size} (${text}); nothing was created. Set table.maxRows or use a smaller embedding.dim`,
        { where, size: this.#size, missing, segmentBytes: this.#segmentBytes },
        { cause: error },
      );
    }
  }
}
