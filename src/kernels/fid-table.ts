import type { FrozenRows } from './frozen-rows.js';
import type { OptimizerKind } from './optimizer-kind.js';

/**
 * Values of a new row, a function of (seed, fid, position) alone; position = index in the whole row of values (0 … dim−1).
 *   zeros · constant(a) · uniform(a..b) · normal(mean a, standard deviation b; sum of four 16-bit uniforms, see reference/row-initializer)
 */
export const InitializerKind = { zeros: 0, constant: 1, uniform: 2, normal: 3 } as const;
export type InitializerKind = (typeof InitializerKind)[keyof typeof InitializerKind];

/**
 * How the values of rows are stored: float32, bfloat16 or IEEE half. Optimizer state is float32 always. 16-bit values are widened where they
 * are read; updates compute in float32 and round stochastically, by (seed, fid, step, position) alone; new and loaded rows are rounded to
 * nearest. Finite values stop at the largest finite one (65504 in a half). See reference/half.
 */
export const RowFormat = { fp32: 0, bf16: 1, fp16: 2 } as const;
export type RowFormat = (typeof RowFormat)[keyof typeof RowFormat];

/** One slice of a row: its own values, initializer, optimizer and learning rate. */
export type SliceLayout = {
  readonly dim: number;
  readonly initializer: { readonly kind: InitializerKind; readonly a: number; readonly b: number };
  readonly optimizer: { readonly kind: OptimizerKind; readonly hyper: readonly number[] };
};

export type TableOptions = {
  readonly slices: readonly SliceLayout[];
  /** Seed of new rows, already mixed with the table's name. Two unsigned 32-bit halves. */
  readonly seedLow: number;
  readonly seedHigh: number;
  /** Rows that may exist; a create beyond it throws TableFull and changes nothing. */
  readonly maxRows: number;
  /** Rows per memory segment (a power of two). */
  readonly segmentRows: number;
  /** Keep the last use of every row, 4 bytes a row. Default false: dumps give 0, loads forget them. */
  readonly timestamps?: boolean;
  /** How values are stored. Default fp32. */
  readonly format?: RowFormat;
};

/**
 * One shard's part of one embedding table: fid → row of `dim` float32 (all slices, in order) followed by `stateLength` float32 of optimizer
 * state (slice by slice). Collisionless: keys are compared in full. Used by one thread at a time, see {@link FidTable.shareId}. Row numbers are dense 0 … size−1, stable for life.
 */
export interface FidTable {
  readonly dim: number;
  readonly stateLength: number;
  /** Number of rows. */
  size(): number;
  /** Bytes of memory held: index, rows, state. */
  memoryBytes(): number;
  /**
   * Number by which another thread of this process gets the same table: `backend.attachTable(id)`. Whoever uses the table sees to it that nobody
   * else does meanwhile, and that what was written before is seen after (a barrier, a ring). −1: this table can't be shared.
   */
  shareId(): number;
  /**
   * For each i in [start, start + count): the row of fids[i] into rows[i·dim …] and its row number into handles[i]. With `create`, missing rows are
   * made (initial values, initial state); without, missing ones give zeros and handle −1. Returns the number of rows created.
   * `timestamp` is kept as last use of every row touched when `create`, unless the row has a later one (lookups ahead may overtake), in tables
   * that keep timestamps. Fids in one call are distinct.
   * Throws TableFull (nothing created) when maxRows would be exceeded.
   */
  lookup(
    fids: BigInt64Array,
    start: number,
    count: number,
    create: boolean,
    timestamp: number,
    rows: Float32Array,
    handles: Int32Array,
  ): number;
  /**
   * One optimizer step on every row named by any source. Gradients of one row are summed over sources in source order, then each slice's
   * optimizer runs once. Source s is positions starts[s] … starts[s] + counts[s] of handles[s] and
   * of gradients[s] (· dim); handles are distinct within a source; −1 entries are skipped. The number of sources is handles.length.
   * `learningRates[slice]`; `clipRowNorm` > 0 scales the summed gradient of a row (all slices) down to that L2 norm. Marks rows dirty.
   * Tables of 16-bit values also need `fids[s]`, the ids of positions starts[s] …, and `step`, a whole number that differs from step to step:
   * what values are rounded by. Others read neither.
   * Returns the number of distinct rows updated.
   */
  apply(
    handles: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    gradients: readonly Float32Array[],
    learningRates: Float32Array,
    clipRowNorm: number,
    fids?: readonly BigInt64Array[],
    step?: number,
  ): number;
  /**
   * Brings rows that were looked up before an {@link apply} up to date. For every target t and i in [targetStarts[t], + targetCounts[t]): where any
   * source of that apply names targets[t][i], the row's current values go to targetRows[t][i·dim …]; other rows may be rewritten with what they
   * hold. Entries −1 of either are skipped.
   */
  refresh(
    sources: readonly Int32Array[],
    starts: Int32Array,
    counts: Int32Array,
    targets: readonly Int32Array[],
    targetStarts: Int32Array,
    targetCounts: Int32Array,
    targetRows: readonly Float32Array[],
  ): void;
  /** Number of rows whose bucket is `bucket`, where bucket = top `bucketBits` bits of mix64(fid) (see base/fid). bucketBits 0: all rows. */
  countBucket(bucketBits: number, bucket: number): number;
  /**
   * Rows of one bucket in ascending order of unsigned fid: fids, last-use timestamps and whole records (dim + stateLength float32 each).
   * Returns the number written.
   */
  dump(bucketBits: number, bucket: number, fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number;
  /**
   * Makes index and memory ready for this many rows in all. Call it before loading many rows in the order of a dump: those lie close
   * together in hash order, and an index that grows under them would be searched through ever longer runs.
   */
  expectRows(rows: number): void;
  /**
   * Freezes the rows as they are now, for one reader, while the table goes on changing: {@link frozen}, or `backend.openFrozen` in another thread. Costs
   * no copy of rows; those that change before they are read are copied then.
   * @param onlyChanged   only rows created, updated or loaded since the last call with forgetChanges.
   * @param forgetChanges no row counts as changed any more.
   * Throws FailedPrecondition while rows frozen before are still being read.
   */
  freeze(onlyChanged: boolean, forgetChanges: boolean): void;
  /** The rows that {@link freeze} froze, for their one reader. Throws InvalidArgument when there are none. */
  frozen(): FrozenRows;
  /** Rows created, updated or loaded since {@link clearChanged}, or since a freeze that forgot them. */
  countChanged(): number;
  clearChanged(): void;
  /** Inserts or overwrites `count` rows with whole records. */
  load(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array, count: number): void;
  clear(): void;
}
