import { MonolithError } from '../../base/index.js';
import type { FrozenRows } from '../frozen-rows.js';
import { type FidTable, RowFormat, type TableOptions } from '../kernel-backend.js';
import { checkBucket, checkTableOptions, tableFull } from '../reference/table-options.js';
import type { Addon } from './load.js';
import { createNativeCheckpoint } from './native-checkpoint.js';
import { typedError } from './native-sparse-errors.js';

/** One holding of a table inside the addon, by the thread that made or attached it. */
type TableHandle = { readonly __table: never };

/** The functions of native/addon/table_binding.cc. */
export type TableAddon = {
  tableCreate(
    slices: Float64Array,
    seedLow: number,
    seedHigh: number,
    segmentRows: number,
    maxRows: number,
    timestamps: boolean,
    format: RowFormat,
  ): TableHandle;
  tableAttach(id: number): TableHandle;
  /** Writes id, dim, stateLength, maxRows, rows and bytes held. */
  tableDescribe(table: TableHandle, out: Float64Array): void;
  tableSize(table: TableHandle): number;
  tableReserve(table: TableHandle, rows: number): void;
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
    fids?: readonly BigInt64Array[],
    step?: number,
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
  tableFreeze(table: TableHandle, onlyChanged: boolean, forgetChanges: boolean): void;
  tableCountDirty(table: TableHandle): number;
  tableClearDirty(table: TableHandle): void;
};

/** Doubles that describe one slice to the addon: dim, initializer kind, a, b, optimizer kind, five hyper-parameters. */
const SLICE_WORDS = 10;

function describeSlices(options: TableOptions): Float64Array {
  const words = new Float64Array(options.slices.length * SLICE_WORDS);
  options.slices.forEach(({ dim, initializer, optimizer }, k) => {
    words.set([dim, initializer.kind, initializer.a, initializer.b, optimizer.kind, ...optimizer.hyper], k * SLICE_WORDS);
  });
  return words;
}

function create(addon: TableAddon, options: TableOptions): TableHandle {
  checkTableOptions(options);
  const { seedLow, seedHigh, segmentRows, maxRows, timestamps, format } = options;
  return addon.tableCreate(describeSlices(options), seedLow, seedHigh, segmentRows, maxRows, timestamps ?? false, format ?? RowFormat.fp32);
}

function attach(addon: TableAddon, id: number): TableHandle {
  try {
    return addon.tableAttach(id);
  } catch (error) {
    throw new MonolithError(
      'InvalidArgument',
      `attachTable: ${error instanceof Error ? error.message : String(error)}`,
      { id },
      { cause: error },
    );
  }
}

/**
 * The native table. All its memory is the addon's (native/table/table.h); this object holds it, and so may one in every other thread of the
 * process: they take turns. It is freed when the last holder is collected or its thread ends.
 */
export class NativeTable implements FidTable {
  readonly dim: number;
  readonly stateLength: number;
  readonly #addon: TableAddon;
  readonly #table: TableHandle;
  readonly #id: number;
  readonly #maxRows: number;

  /** @param made options of a new table, or the {@link shareId} of one that another thread holds. Throws InvalidArgument when there is none. */
  constructor(addon: Addon, made: TableOptions | number) {
    this.#addon = addon as unknown as TableAddon;
    this.#table = typeof made === 'number' ? attach(this.#addon, made) : create(this.#addon, made);
    const [id, dim, stateLength, maxRows] = this.#describe();
    this.#id = id;
    this.dim = dim;
    this.stateLength = stateLength;
    this.#maxRows = maxRows;
  }

  size(): number {
    return this.#addon.tableSize(this.#table);
  }

  shareId(): number {
    return this.#id;
  }

  expectRows(rows: number): void {
    this.#addon.tableReserve(this.#table, Math.min(rows, this.#maxRows));
  }

  memoryBytes(): number {
    return this.#describe()[5];
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
      return this.#checked('lookup', this.#addon.tableLookup(this.#table, fids, start, count, create, timestamp, rows, handles));
    } catch (error) {
      throw this.#typed('lookup', error);
    }
  }

  apply(
    handles: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    gradients: readonly Float32Array[],
    learningRates: Float32Array,
    clipRowNorm: number,
    fids?: readonly BigInt64Array[],
    step?: number,
  ): number {
    try {
      return this.#addon.tableApply(this.#table, handles, starts, counts, gradients, learningRates, clipRowNorm, fids, step);
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
      this.#checked('load', this.#addon.tableLoad(this.#table, fids, timestamps, records, count));
    } catch (error) {
      throw this.#typed('load', error);
    }
  }

  clear(): void {
    this.#addon.tableClear(this.#table);
  }

  freeze(onlyChanged: boolean, forgetChanges: boolean): void {
    try {
      this.#addon.tableFreeze(this.#table, onlyChanged, forgetChanges);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_MONOLITH_BUSY') throw typedError('freeze', error);
      throw new MonolithError(
        'FailedPrecondition',
        'freeze: rows frozen before are still being read; release them first',
        {},
        { cause: error },
      );
    }
  }

  frozen(): FrozenRows {
    return createNativeCheckpoint(this.#addon as unknown as Addon).openFrozen([this.#id]);
  }

  countChanged(): number {
    return this.#addon.tableCountDirty(this.#table);
  }

  clearChanged(): void {
    this.#addon.tableClearDirty(this.#table);
  }

  #describe(): Float64Array {
    const words = new Float64Array(6);
    this.#addon.tableDescribe(this.#table, words);
    return words;
  }

  /** Passes on the number of new rows; below zero, that many are missing and maxRows leaves no room. */
  #checked(where: string, created: number): number {
    if (created < 0) throw tableFull(where, this.size(), -created, this.#maxRows);
    return created;
  }

  #typed(where: string, error: unknown): unknown {
    if (error instanceof MonolithError || (error as { code?: unknown }).code !== 'ERR_MONOLITH_MEMORY') return typedError(where, error);
    const size = this.size();
    const text = (error as Error).message;
    return new MonolithError(
      'TableFull',
      `${where}: no memory for new rows on top of ${size} (${text}); nothing was created. Set table.maxRows or use a smaller embedding.dim`,
      { where, size, memoryBytes: this.memoryBytes() },
      { cause: error },
    );
  }
}
