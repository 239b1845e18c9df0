import { MonolithError, seedFromNames } from '../base/index.js';
import { type FidTable, type FrozenRows, type KernelBackend, RowFormat, type TableOptions } from '../kernels/index.js';
import { type NamedSlice, rowLayout, type SliceInfo } from './row-layout.js';

/** What a table is made from: plain data, equal in every thread. */
export type EmbeddingTableSpec = {
  /** Unique in a run; new rows are a function of the run's seed, this name and the fid. */
  readonly name: string;
  readonly slices: readonly NamedSlice[];
  /** Base learning rate of each slice. */
  readonly sliceRates: readonly number[];
  /** Rows that this shard may hold; 0: as many as memory and 31-bit row numbers allow. */
  readonly maxRows: number;
  /** Keep the last use of every row (4 bytes a row). Default false. */
  readonly timestamps?: boolean;
  /** How values of rows are stored: 'fp32' (the default), 'bf16' or 'fp16'. See {@link RowFormat}. */
  readonly storage?: RowStorage;
};

/** Names of {@link RowFormat}. */
export type RowStorage = keyof typeof RowFormat;

/** Row numbers are int32. */
const MOST_ROWS = 0x7fffffff;
/** Bytes of address space of one segment, about; memory comes as rows come. */
const SEGMENT_BYTES = 64 << 20;

/** Rows per segment: a power of two, about {@link SEGMENT_BYTES}, no more than the table may hold. */
function rowsPerSegment(recordBytes: number, maxRows: number): number {
  const fitting = Math.max(1, Math.floor(SEGMENT_BYTES / recordBytes));
  const wanted = 2 ** Math.floor(Math.log2(fitting));
  return Math.min(wanted, 2 ** Math.ceil(Math.log2(maxRows)));
}

/**
 * What one shard owns of one embedding table: rows with their optimizer state. A {@link FidTable} with a name,
 * slices and learning rates; the work is the backend's.
 *
 * Throws InvalidConfig for a spec that no table can have.
 */
export class EmbeddingTable implements FidTable {
  readonly name: string;
  readonly slices: readonly SliceInfo[];
  readonly dim: number;
  readonly stateLength: number;
  /** Rows that may exist here. */
  readonly maxRows: number;
  readonly #rows: FidTable;

  /**
   * @param backend makes the table.
   * @param seed    the run's seed; mixed with the table's name.
   * @param shareId of a table that another thread made from the same spec and seed: this object holds that one. See {@link FidTable.shareId}.
   */
  constructor(backend: Pick<KernelBackend, 'createTable' | 'attachTable'>, spec: EmbeddingTableSpec, seed: number, shareId?: number) {
    const { name, slices, sliceRates, maxRows } = spec;
    this.name = name;
    this.slices = rowLayout(name, slices);
    if (!Number.isInteger(maxRows) || maxRows < 0 || maxRows > MOST_ROWS) {
      throw new MonolithError('InvalidConfig', `table "${name}": maxRows must be a whole number in 0..${MOST_ROWS}, got ${maxRows}`, {
        table: name,
        maxRows,
      });
    }
    if (sliceRates.length !== slices.length || !sliceRates.every((rate) => Number.isFinite(rate) && rate >= 0)) {
      throw new MonolithError(
        'InvalidConfig',
        `table "${name}": expected ${slices.length} learning rates ≥ 0, one a slice, got [${sliceRates.join(', ')}]`,
        { table: name, sliceRates: [...sliceRates] },
      );
    }
    this.maxRows = maxRows === 0 ? MOST_ROWS : maxRows;
    const storage = spec.storage ?? 'fp32';
    const valueBytes = storage === 'fp32' ? 4 : 2;
    const recordBytes = this.slices.reduce((sum, slice) => sum + slice.dim * valueBytes + slice.stateLength * 4, 0);
    const { low, high } = seedFromNames(seed, 'table', name);
    const options: TableOptions = {
      slices,
      seedLow: low,
      seedHigh: high,
      maxRows: this.maxRows,
      segmentRows: rowsPerSegment(recordBytes, this.maxRows),
      timestamps: spec.timestamps ?? false,
      format: RowFormat[storage],
    };
    this.#rows = shareId === undefined ? backend.createTable(options) : backend.attachTable(shareId);
    this.dim = this.#rows.dim;
    this.stateLength = this.#rows.stateLength;
  }

  /** See {@link FidTable.expectRows}. */
  expectRows(rows: number): void {
    this.#rows.expectRows(Math.min(rows, this.maxRows));
  }

  size(): number {
    return this.#rows.size();
  }

  memoryBytes(): number {
    return this.#rows.memoryBytes();
  }

  shareId(): number {
    return this.#rows.shareId();
  }

  /** See {@link FidTable.lookup}. TableFull also names the table. */
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
      return this.#rows.lookup(fids, start, count, create, timestamp, rows, handles);
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** See {@link FidTable.apply}. */
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
    return this.#rows.apply(handles, starts, counts, gradients, learningRates, clipRowNorm, fids, step);
  }

  /** See {@link FidTable.refresh}. */
  refresh(
    sources: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    targets: readonly Int32Array[],
    targetStarts: Int32Array,
    targetCounts: Int32Array,
    targetRows: readonly Float32Array[],
  ): void {
    this.#rows.refresh(sources, starts, counts, targets, targetStarts, targetCounts, targetRows);
  }

  countBucket(bucketBits: number, bucket: number): number {
    return this.#rows.countBucket(bucketBits, bucket);
  }

  dump(bucketBits: number, bucket: number, fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number {
    return this.#rows.dump(bucketBits, bucket, fids, timestamps, records);
  }

  load(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array, count: number): void {
    try {
      this.#rows.load(fids, timestamps, records, count);
    } catch (error) {
      throw this.#named(error);
    }
  }

  clear(): void {
    this.#rows.clear();
  }

  /** See {@link FidTable.freeze}. */
  freeze(onlyChanged: boolean, forgetChanges: boolean): void {
    this.#rows.freeze(onlyChanged, forgetChanges);
  }

  frozen(): FrozenRows {
    return this.#rows.frozen();
  }

  countChanged(): number {
    return this.#rows.countChanged();
  }

  clearChanged(): void {
    this.#rows.clearChanged();
  }

  #named(error: unknown): unknown {
    if (!(error instanceof MonolithError) || error.code !== 'TableFull') return error;
    return new MonolithError(
      'TableFull',
      `table "${this.name}": ${error.message}`,
      { ...error.details, table: this.name },
      { cause: error },
    );
  }
}
