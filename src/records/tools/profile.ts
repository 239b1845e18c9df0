// What a column of many records is like, in memory that does not grow with them.
import { mix64, type Uint64Halves } from '../../base/index.js';
import type { RecordBatch, RecordColumn, RecordField } from '../record-batch.js';
import { DistinctCounter, FrequentValues, hashBytes, hashText, NumberSample, SeenValues } from './sketches.js';

const TOP_CAPACITY = 512;
const SAMPLE_VALUES = 8192;
const MOST_EXAMPLES = 5;
/** Characters of a value that are kept. */
const KEPT_CHARACTERS = 120;

/** A column's figures, as plain JSON; integers beyond 2⁵³ are texts. */
export type ColumnProfile = {
  readonly name: string;
  readonly kind: RecordField['kind'];
  readonly isList: boolean;
  readonly rows: number;
  readonly missing: number;
  /** Values, which are more or fewer than rows in lists. */
  readonly values: number;
  /** Estimate, to a few per cent. */
  readonly distinct: number;
  readonly min: number | string | null;
  readonly max: number | string | null;
  readonly mean: number | null;
  readonly stddev: number | null;
  readonly zeros: number;
  readonly nan: number;
  /** Of a fair sample: 1, 5, 25, 50, 75, 95, 99 %. */
  readonly quantiles: readonly number[] | null;
  /** Texts and bytes: lengths in characters or bytes. */
  readonly lengths: Spread | null;
  /** Lists: numbers of values. */
  readonly listLengths: Spread | null;
  readonly emptyLists: number;
  readonly examples: readonly string[];
  readonly top: readonly { readonly value: string; readonly count: number; readonly error: number }[];
  /** Whether `top` could keep every value, with exact counts. */
  readonly topIsExact: boolean;
};

export type Spread = { readonly min: number; readonly max: number; readonly mean: number };

/** Gathers one column. */
export class ColumnProfiler {
  readonly frequent: FrequentValues<bigint | number | string>;
  readonly sample = new NumberSample(SAMPLE_VALUES);
  /** Values of another set that are not in `known`. */
  newValues = 0;
  values = 0;
  private readonly distinct = new DistinctCounter();
  private readonly hash: Uint64Halves = { low: 0, high: 0 };
  private rows = 0;
  private missing = 0;
  private emptyLists = 0;
  private zeros = 0;
  private nan = 0;
  private min: bigint | number | null = null;
  private max: bigint | number | null = null;
  /** Welford's running mean and sum of squared differences. */
  private mean = 0;
  private squares = 0;
  private finite = 0;
  private readonly lengths = new SpreadCounter();
  private readonly listLengths = new SpreadCounter();
  private readonly examples: string[] = [];

  /**
   * @param remember where values seen are marked.
   * @param known marks of another set: values that are not there are counted.
   */
  constructor(
    readonly field: RecordField,
    private readonly remember: SeenValues | null,
    private readonly known: SeenValues | null,
  ) {
    this.frequent = new FrequentValues(TOP_CAPACITY, (value) => (typeof value === 'string' ? copy(value) : value));
  }

  add(column: RecordColumn, rows: number): void {
    this.rows += rows;
    const { offsets, missing } = column;
    for (let r = 0; r < rows; r++) {
      if (missing !== null && missing[r] === 1) this.missing++;
      else if (column.isList && offsets !== null) {
        const length = offsets[r + 1] - offsets[r];
        this.listLengths.add(length);
        if (length === 0) this.emptyLists++;
      }
    }
    const { values } = column;
    this.values += values.length;
    if (values instanceof BigInt64Array) this.addIntegers(values);
    else if (values instanceof Float32Array || values instanceof Float64Array) this.addFloats(values);
    else for (const value of values) this.addObject(value);
  }

  profile(): ColumnProfile {
    const { field, finite } = this;
    const isNumber = field.kind === 'int64' || field.kind === 'float32' || field.kind === 'float64';
    const sorted = this.sample.sorted();
    return {
      name: field.name,
      kind: field.kind,
      isList: field.isList,
      rows: this.rows,
      missing: this.missing,
      values: this.values,
      distinct: this.frequent.isExact ? this.frequent.top(TOP_CAPACITY).length : Math.min(this.values, this.distinct.estimate()),
      min: plain(this.min),
      max: plain(this.max),
      mean: isNumber && finite > 0 ? this.mean : null,
      stddev: isNumber && finite > 0 ? Math.sqrt(this.squares / finite) : null,
      zeros: this.zeros,
      nan: this.nan,
      quantiles: isNumber && sorted.length > 0 ? [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99].map((q) => quantile(sorted, q)) : null,
      lengths: isNumber ? null : this.lengths.spread(),
      listLengths: field.isList ? this.listLengths.spread() : null,
      emptyLists: this.emptyLists,
      examples: this.examples,
      top: this.frequent.top(20).map(({ value, count, error }) => ({ value: String(value), count, error })),
      topIsExact: this.frequent.isExact,
    };
  }

  private addIntegers(values: BigInt64Array): void {
    const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      this.mark(halves[2 * i], halves[2 * i + 1]);
      if (this.min === null || value < this.min) this.min = value;
      if (this.max === null || value > this.max) this.max = value;
      this.addNumber(Number(value));
      this.frequent.add(value);
      if (this.examples.length < MOST_EXAMPLES) this.example(String(value));
    }
  }

  private addFloats(values: Float32Array | Float64Array): void {
    const one = new Float64Array(1);
    const halves = new Uint32Array(one.buffer);
    for (const value of values) {
      one[0] = value;
      this.mark(halves[0], halves[1]);
      if (Number.isNaN(value)) this.nan++;
      else {
        if (this.min === null || value < this.min) this.min = value;
        if (this.max === null || value > this.max) this.max = value;
        if (Number.isFinite(value)) this.addNumber(value);
      }
      this.frequent.add(value);
      if (this.examples.length < MOST_EXAMPLES) this.example(String(value));
    }
  }

  private addNumber(value: number): void {
    this.finite++;
    if (value === 0) this.zeros++;
    const before = value - this.mean;
    this.mean += before / this.finite;
    this.squares += before * (value - this.mean);
    this.sample.add(value);
  }

  private addObject(value: string | Uint8Array): void {
    this.lengths.add(value.length);
    if (typeof value === 'string') hashText(value, this.hash);
    else hashBytes(value, this.hash);
    this.note();
    const shown =
      typeof value === 'string' ? value.slice(0, KEPT_CHARACTERS) : Buffer.from(value.subarray(0, KEPT_CHARACTERS / 2)).toString('hex');
    this.frequent.add(shown);
    if (this.examples.length < MOST_EXAMPLES) this.example(shown);
  }

  private mark(low: number, high: number): void {
    mix64(low, high, this.hash);
    this.note();
  }

  private note(): void {
    this.distinct.add(this.hash);
    this.remember?.add(this.hash);
    if (this.known !== null && !this.known.has(this.hash)) this.newValues++;
  }

  private example(text: string): void {
    if (!this.examples.includes(text)) this.examples.push(copy(text));
  }
}

class SpreadCounter {
  private count = 0;
  private sum = 0;
  private min = Number.POSITIVE_INFINITY;
  private max = 0;

  add(length: number): void {
    this.count++;
    this.sum += length;
    if (length < this.min) this.min = length;
    if (length > this.max) this.max = length;
  }

  spread(): Spread | null {
    return this.count === 0 ? null : { min: this.min, max: this.max, mean: this.sum / this.count };
  }
}

/** A piece of a long text keeps all of that in memory; its copy does not. */
function copy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

function plain(value: bigint | number | null): number | string | null {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** The value below which a share `q` of sorted numbers lies. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Bytes of marks for the columns of a set, together. */
const MARK_BYTES = 32 << 20;

/** Gathers all columns of a set. */
export class Profiler {
  readonly columns: readonly ColumnProfiler[];
  readonly marks: readonly SeenValues[] | null;
  rows = 0;

  /**
   * @param remembers whether values are marked, for a later set to be compared.
   * @param known the marks of an earlier set of the same fields.
   */
  constructor(fields: readonly RecordField[], remembers = false, known: readonly SeenValues[] | null = null) {
    const bytes = 2 ** Math.floor(Math.log2(MARK_BYTES / Math.max(1, fields.length)));
    this.marks = remembers ? fields.map(() => new SeenValues(Math.max(1024, Math.min(bytes, 4 << 20)))) : null;
    this.columns = fields.map((field, c) => new ColumnProfiler(field, this.marks?.[c] ?? null, known?.[c] ?? null));
  }

  add(batch: RecordBatch): void {
    this.rows += batch.rows;
    batch.columns.forEach((column, c) => {
      this.columns[c].add(column, batch.rows);
    });
  }

  profiles(): ColumnProfile[] {
    return this.columns.map((column) => column.profile());
  }
}
