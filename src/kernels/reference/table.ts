import { MonolithError, mix64, shapeMismatch, type Uint64Halves } from '../../base/index.js';
import { type FidTable, type FrozenRows, RowFormat, type TableOptions } from '../kernel-backend.js';
import { ReferenceFrozenRows } from './checkpoint.js';
import { roundingNoise, roundStochastically, roundToNearest, widen } from './half.js';
import { initialState, sumSquaresInLanes, updateSlice } from './optimizers.js';
import { initializeRow } from './row-initializer.js';
import { checkBucket, checkTableOptions, type RecordLayout, recordLayout, tableFull } from './table-options.js';

const fround = Math.fround;

function need(where: string, what: string, view: { readonly length: number }, expected: number): void {
  if (view.length < expected) throw shapeMismatch(where, what, expected, view.length);
}

/** What 16-bit values are rounded by: ids beside the handles, and a step. */
function checkRounding(fids: readonly BigInt64Array[] | undefined, starts: Int32Array, counts: Int32Array, step: number | undefined): void {
  need('apply', 'fids', fids ?? [], starts.length);
  fids?.forEach((ids, s) => {
    need('apply', `fids[${s}]`, ids, starts[s] + counts[s]);
  });
  if (step === undefined || !Number.isInteger(step) || step < 0 || step > 2 ** 53) {
    throw shapeMismatch('apply', 'step', 1, step === undefined ? 0 : step);
  }
}

function unsignedHalves(fid: bigint): Uint64Halves {
  return { low: Number(BigInt.asUintN(32, fid)), high: Number(BigInt.asUintN(32, fid >> 32n)) };
}

/**
 * The plain twin of the native table: a Map from fid to row number over one growing array of records. Values of 16-bit formats are kept widened:
 * every value is one that the format has, and memoryBytes counts them as if stored in it.
 */
export class ReferenceTable implements FidTable {
  readonly dim: number;
  readonly stateLength: number;
  readonly #options: TableOptions;
  readonly #layout: RecordLayout;
  readonly #record: number;
  readonly #format: RowFormat;
  readonly #rowOf = new Map<bigint, number>();
  readonly #fids: bigint[] = [];
  readonly #timestamps: number[] = [];
  readonly #dirty = new Set<number>();
  #records: Float32Array;
  #frozen: ReferenceFrozenRows | null = null;
  #opened = false;

  constructor(options: TableOptions) {
    checkTableOptions(options);
    this.#options = options;
    this.#layout = recordLayout(options.slices);
    this.dim = this.#layout.dim;
    this.stateLength = this.#layout.stateLength;
    this.#record = this.dim + this.stateLength;
    this.#format = options.format ?? RowFormat.fp32;
    this.#records = new Float32Array(this.#record * Math.min(options.maxRows, 64));
  }

  size(): number {
    return this.#fids.length;
  }

  /** A Map belongs to its thread. */
  shareId(): number {
    return -1;
  }

  memoryBytes(): number {
    // Map entry, boxed fid and timestamp: an estimate.
    const record = this.dim * (this.#format === RowFormat.fp32 ? 4 : 2) + this.stateLength * 4;
    return (this.#records.length / this.#record) * record + this.#fids.length * 64;
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
    need('lookup', 'fids', fids, start + count);
    need('lookup', 'rows', rows, (start + count) * this.dim);
    need('lookup', 'handles', handles, start + count);
    const before = this.size();
    if (create) this.#checkRoom('lookup', fids, start, count);
    for (let i = start; i < start + count; i++) {
      let row = this.#rowOf.get(fids[i]);
      if (row === undefined && create) row = this.#createRow(fids[i]);
      handles[i] = row ?? -1;
      if (row === undefined) {
        rows.fill(0, i * this.dim, (i + 1) * this.dim);
        continue;
      }
      if (create && this.#options.timestamps) this.#timestamps[row] = Math.max(timestamp, this.#timestamps[row]);
      const record = row * this.#record;
      rows.set(this.#records.subarray(record, record + this.dim), i * this.dim);
    }
    return this.size() - before;
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
    if (gradients.length !== handles.length) throw shapeMismatch('apply', 'gradients', handles.length, gradients.length);
    need('apply', 'learningRates', learningRates, this.#options.slices.length);
    if (!(clipRowNorm >= 0)) throw new MonolithError('InvalidArgument', `apply: clipRowNorm is ${clipRowNorm}, expected a number >= 0`);
    this.#checkHandles('apply', 'handles', handles, starts, counts);
    for (let s = 0; s < handles.length; s++) need('apply', `gradients[${s}]`, gradients[s], (starts[s] + counts[s]) * this.dim);
    const sums = new Map<number, Float32Array>();
    for (let s = 0; s < handles.length; s++) {
      for (let i = starts[s]; i < starts[s] + counts[s]; i++) {
        const row = handles[s][i];
        if (row < 0) continue;
        const gradient = gradients[s].subarray(i * this.dim, (i + 1) * this.dim);
        const sum = sums.get(row);
        if (sum === undefined) sums.set(row, gradient.slice());
        else for (let d = 0; d < this.dim; d++) sum[d] += gradient[d];
      }
    }
    if (this.#format !== RowFormat.fp32) checkRounding(fids, starts, counts, step);
    for (const [row, gradient] of sums) this.#updateRow(row, gradient, learningRates, fround(clipRowNorm), step);
    return sums.size;
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
    const named = new Set<number>();
    this.#checkHandles('refresh', 'sources', sources, starts, counts);
    sources.forEach((handles, s) => {
      for (const handle of handles.subarray(starts[s], starts[s] + counts[s])) named.add(handle);
    });
    this.#checkHandles('refresh', 'targets', targets, targetStarts, targetCounts);
    if (targetRows.length !== targets.length) throw shapeMismatch('refresh', 'targetRows', targets.length, targetRows.length);
    targets.forEach((handles, t) => {
      const end = targetStarts[t] + targetCounts[t];
      need('refresh', `targetRows[${t}]`, targetRows[t], end * this.dim);
      for (let i = targetStarts[t]; i < end; i++) {
        if (handles[i] < 0 || !named.has(handles[i])) continue;
        const record = handles[i] * this.#record;
        targetRows[t].set(this.#records.subarray(record, record + this.dim), i * this.dim);
      }
    });
  }

  /** Nothing to prepare: a Map does not search. */
  expectRows(): void {}

  countBucket(bucketBits: number, bucket: number): number {
    return this.#rowsOf('countBucket', bucketBits, bucket).length;
  }

  dump(bucketBits: number, bucket: number, fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array): number {
    const rows = this.#rowsOf('dump', bucketBits, bucket);
    need('dump', 'fids', fids, rows.length);
    need('dump', 'timestamps', timestamps, rows.length);
    need('dump', 'records', records, rows.length * this.#record);
    const unsigned = (row: number): bigint => BigInt.asUintN(64, this.#fids[row]);
    rows.sort((a, b) => (unsigned(a) < unsigned(b) ? -1 : 1));
    rows.forEach((row, i) => {
      fids[i] = this.#fids[row];
      timestamps[i] = this.#timestamps[row];
      records.set(this.#records.subarray(row * this.#record, (row + 1) * this.#record), i * this.#record);
    });
    return rows.length;
  }

  load(fids: BigInt64Array, timestamps: Uint32Array, records: Float32Array, count: number): void {
    need('load', 'fids', fids, count);
    need('load', 'timestamps', timestamps, count);
    need('load', 'records', records, count * this.#record);
    this.#checkRoom('load', fids, 0, count);
    for (let i = 0; i < count; i++) {
      const row = this.#rowOf.get(fids[i]) ?? this.#addRow(fids[i]);
      if (this.#options.timestamps) this.#timestamps[row] = timestamps[i];
      this.#records.set(records.subarray(i * this.#record, (i + 1) * this.#record), row * this.#record);
      this.#nearest(row);
      this.#dirty.add(row);
    }
  }

  clear(): void {
    this.#rowOf.clear();
    this.#fids.length = 0;
    this.#timestamps.length = 0;
    this.#dirty.clear();
  }

  freeze(onlyChanged: boolean, forgetChanges: boolean): void {
    if (this.#frozen !== null && this.#opened && !this.#frozen.ended)
      throw new MonolithError('FailedPrecondition', 'freeze: rows frozen before are still being read; release them first');
    const rows = [...this.#rowOf.values()].filter((row) => !onlyChanged || this.#dirty.has(row));
    const frozen = rows.map((row) => {
      const hash = unsignedHalves(this.#fids[row]);
      mix64(hash.low, hash.high, hash);
      const record = this.#records.slice(row * this.#record, (row + 1) * this.#record);
      return { fid: this.#fids[row], hash: hash.high, timestamp: this.#timestamps[row], record };
    });
    this.#frozen = new ReferenceFrozenRows(this.dim, this.stateLength, this.size(), frozen);
    this.#opened = false;
    if (forgetChanges) this.#dirty.clear();
  }

  frozen(): FrozenRows {
    if (this.#frozen === null || this.#frozen.ended) throw new MonolithError('InvalidArgument', 'frozen: no rows are frozen; call freeze');
    this.#opened = true;
    return this.#frozen;
  }

  countChanged(): number {
    return this.#dirty.size;
  }

  clearChanged(): void {
    this.#dirty.clear();
  }

  #checkRoom(where: string, fids: BigInt64Array, start: number, count: number): void {
    if (this.size() + count <= this.#options.maxRows) return;
    let missing = 0;
    for (let i = start; i < start + count; i++) missing += this.#rowOf.has(fids[i]) ? 0 : 1;
    if (this.size() + missing > this.#options.maxRows) throw tableFull(where, this.size(), missing, this.#options.maxRows);
  }

  /** Ranges that lie inside their arrays, of handles that are −1 or a row. */
  #checkHandles(where: string, what: string, handles: readonly Int32Array[], starts: Int32Array, counts: Int32Array): void {
    need(where, 'starts', starts, handles.length);
    need(where, 'counts', counts, handles.length);
    for (let s = 0; s < handles.length; s++) {
      const end = starts[s] + counts[s];
      if (starts[s] < 0 || counts[s] < 0) throw shapeMismatch(where, `starts[${s}] or counts[${s}]`, 0, Math.min(starts[s], counts[s]));
      need(where, `${what}[${s}]`, handles[s], end);
      for (let i = starts[s]; i < end; i++) {
        if (handles[s][i] < -1 || handles[s][i] >= this.size())
          throw shapeMismatch(where, `${what}[${s}][${i}]`, this.size(), handles[s][i]);
      }
    }
  }

  #addRow(fid: bigint): number {
    const row = this.#fids.length;
    if ((row + 1) * this.#record > this.#records.length) {
      const grown = new Float32Array(Math.min(this.#options.maxRows, row * 2) * this.#record);
      grown.set(this.#records);
      this.#records = grown;
    }
    this.#rowOf.set(fid, row);
    this.#fids.push(fid);
    this.#timestamps.push(0);
    return row;
  }

  #createRow(fid: bigint): number {
    const row = this.#addRow(fid);
    const { slices, seedLow, seedHigh } = this.#options;
    const { low, high } = unsignedHalves(fid);
    const start = row * this.#record;
    initializeRow(slices, seedLow, seedHigh, low, high, this.#records, start);
    this.#nearest(row);
    slices.forEach(({ dim, optimizer }, k) => {
      initialState(optimizer.kind, dim, optimizer.hyper, this.#records, start + this.#layout.stateOffsets[k]);
    });
    this.#dirty.add(row);
    return row;
  }

  #updateRow(row: number, gradient: Float32Array, learningRates: Float32Array, clip: number, step = 0): void {
    if (clip > 0) {
      const norm = Math.sqrt(sumSquaresInLanes(gradient, 0, this.dim));
      if (norm > clip) {
        const factor = fround(clip / norm);
        for (let d = 0; d < this.dim; d++) gradient[d] *= factor;
      }
    }
    const start = row * this.#record;
    const { offsets, stateOffsets } = this.#layout;
    this.#options.slices.forEach(({ dim, optimizer }, k) => {
      updateSlice(
        optimizer.kind,
        dim,
        this.#records,
        start + offsets[k],
        gradient,
        offsets[k],
        this.#records,
        start + stateOffsets[k],
        learningRates[k],
        optimizer.hyper,
      );
    });
    if (this.#format !== RowFormat.fp32) this.#roundRow(row, step);
    this.#dirty.add(row);
  }

  #roundRow(row: number, step: number): void {
    const { seedLow, seedHigh } = this.#options;
    const { low, high } = unsignedHalves(this.#fids[row]);
    const noise = new Uint16Array(this.dim);
    roundingNoise(seedLow, seedHigh, low, high, step, noise);
    const start = row * this.#record;
    for (let d = 0; d < this.dim; d++) {
      this.#records[start + d] = widen(this.#format, roundStochastically(this.#format, this.#records[start + d], noise[d]));
    }
  }

  #nearest(row: number): void {
    if (this.#format === RowFormat.fp32) return;
    const start = row * this.#record;
    for (let d = 0; d < this.dim; d++) {
      this.#records[start + d] = widen(this.#format, roundToNearest(this.#format, this.#records[start + d]));
    }
  }

  #rowsOf(where: string, bucketBits: number, bucket: number): number[] {
    checkBucket(where, bucketBits, bucket);
    const rows: number[] = [];
    for (const [fid, row] of this.#rowOf) {
      const hash = unsignedHalves(fid);
      mix64(hash.low, hash.high, hash);
      if (bucketBits === 0 || hash.high >>> (32 - bucketBits) === bucket) rows.push(row);
    }
    return rows;
  }
}
