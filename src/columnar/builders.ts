import { type ColumnValues, type DecodedColumn, Texts } from './columns.js';

type Numbers = Int32Array | BigInt64Array | Float32Array | Float64Array | Uint8Array;

/** Collects the values of one column, row after row. */
export class ColumnBuilder {
  private offsets = new Uint32Array(1024);
  private missing: Uint8Array | null = null;
  private row = 0;
  private values: Numbers;
  private words: Uint32Array | null;
  private ends: Uint32Array | null;
  private count = 0;
  private bytesLength = 0;
  private nullElements = 0;
  /** Whether the row under way has the column: a value, or a list. */
  present = false;

  /** @param texts values are texts, and `values` their bytes. */
  constructor(
    private readonly make: (length: number) => Numbers,
    private readonly texts: boolean,
  ) {
    this.values = make(1024);
    this.words = this.wordsOf();
    this.ends = texts ? new Uint32Array(1025) : null;
  }

  number(value: number): void {
    if (this.count === this.values.length) this.grow();
    (this.values as Float64Array)[this.count++] = value;
    this.present = true;
  }

  /** A 64-bit integer by halves. */
  long(low: number, high: number): void {
    if (this.count === this.values.length) this.grow();
    const words = this.words as Uint32Array;
    words[this.count * 2] = low;
    words[this.count * 2 + 1] = high;
    this.count++;
    this.present = true;
  }

  text(bytes: Uint8Array): void {
    const { length } = bytes;
    while (this.bytesLength + length > this.values.length) this.grow();
    (this.values as Uint8Array).set(bytes, this.bytesLength);
    this.bytesLength += length;
    if (this.ends !== null && this.count + 1 >= this.ends.length) this.ends = grown(this.ends, new Uint32Array(this.ends.length * 2));
    (this.ends as Uint32Array)[++this.count] = this.bytesLength;
    this.present = true;
  }

  nullElement(): void {
    this.nullElements++;
  }

  endRow(): void {
    if (this.row + 1 >= this.offsets.length) this.offsets = grown(this.offsets, new Uint32Array(this.offsets.length * 2));
    if (!this.present) {
      this.missing ??= new Uint8Array(this.offsets.length);
      if (this.row >= this.missing.length) this.missing = grown(this.missing, new Uint8Array(this.offsets.length));
      this.missing[this.row] = 1;
    }
    this.offsets[++this.row] = this.count;
    this.present = false;
  }

  /** The rows so far; `dictionary` where the values are its indices. */
  finish(dictionary: Texts | null, isList: boolean): DecodedColumn {
    const { row, missing, nullElements } = this;
    const values: ColumnValues = this.texts
      ? new Texts(this.values.subarray(0, this.bytesLength) as Uint8Array, (this.ends as Uint32Array).subarray(0, this.count + 1))
      : this.values.subarray(0, this.count);
    let absent = missing;
    if (absent !== null) absent = absent.length >= row ? absent.subarray(0, row) : grown(absent, new Uint8Array(row));
    const offsets = isList || absent !== null ? this.offsets.subarray(0, row + 1) : null;
    const made = { rows: row, offsets, missing: absent, nullElements };
    return dictionary === null ? { ...made, indices: null, values } : { ...made, indices: values as Int32Array, values: dictionary };
  }

  private grow(): void {
    this.values = grown(this.values as Float64Array, this.make(this.values.length * 2) as Float64Array);
    this.words = this.wordsOf();
  }

  private wordsOf(): Uint32Array | null {
    const { values } = this;
    return values instanceof BigInt64Array ? new Uint32Array(values.buffer) : null;
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from as never);
  return to;
}
