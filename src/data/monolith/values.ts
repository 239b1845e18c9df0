// Values of one column of one example, out of protocol buffer bytes into arrays that are used again.

import { Bad } from '../program.js';
import { FieldReader } from '../twins/field-reader.js';
import { ValueType } from './columns.js';

/** Where the values of a column lie: fields `field` of bytes [from, to), or of the messages that are fields `outer` there. */
export class ColumnPlaces {
  readonly type: Int32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly outer: Int32Array;
  readonly field: Int32Array;

  constructor(columns: number) {
    this.type = new Int32Array(columns);
    this.from = new Int32Array(columns);
    this.to = new Int32Array(columns);
    this.outer = new Int32Array(columns);
    this.field = new Int32Array(columns);
  }

  clear(): void {
    this.type.fill(ValueType.none);
  }

  set(column: number, type: number, from: number, to: number, field: number, outer = 0): void {
    this.type[column] = type;
    this.from[column] = from;
    this.to[column] = to;
    this.field[column] = field;
    this.outer[column] = outer;
  }

  /** Stretches a field that may come in several pieces. */
  extend(column: number, type: number, from: number, to: number, field: number): void {
    if (this.type[column] === ValueType.none) this.set(column, type, from, to, field);
    else this.to[column] = to;
  }

  copyFrom(other: ColumnPlaces): void {
    this.type.set(other.type);
    this.from.set(other.from);
    this.to.set(other.to);
    this.outer.set(other.outer);
    this.field.set(other.field);
  }
}

/** The values that {@link collect} found: `count` of them, the first `capacity` kept. */
export class ValueScratch {
  count = 0;
  /** fids and integers */
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** floats and doubles */
  readonly number: Float64Array;
  /** bytes */
  readonly start: Int32Array;
  readonly end: Int32Array;
  private readonly view: DataView;
  private readonly outerReader: FieldReader;
  private readonly reader: FieldReader;

  constructor(
    bytes: Uint8Array,
    readonly capacity: number,
  ) {
    this.low = new Uint32Array(capacity);
    this.high = new Uint32Array(capacity);
    this.number = new Float64Array(capacity);
    this.start = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.outerReader = new FieldReader(bytes);
    this.reader = new FieldReader(bytes);
  }

  /** Reads a column's values; a code. */
  collect(places: ColumnPlaces, column: number): number {
    this.count = 0;
    const type = places.type[column];
    if (type === ValueType.none) return 0;
    const from = places.from[column];
    const to = places.to[column];
    const outer = places.outer[column];
    if (outer === 0) return this.fields(from, to, places.field[column], type);
    const reader = this.outerReader;
    for (let p = from; p < to; ) {
      p = reader.next(p, to);
      if (p < 0) return Bad.message;
      if (reader.number !== outer) continue;
      if (reader.wire !== 2) return Bad.message;
      const code = this.fields(reader.start, reader.end, places.field[column], type);
      if (code !== 0) return code;
    }
    return 0;
  }

  /** Puts a fid at byte `at` behind the values. */
  addFidAt(at: number): void {
    this.add64(this.view.getUint32(at, true), this.view.getUint32(at + 4, true));
  }

  private fields(from: number, to: number, field: number, type: number): number {
    const { reader, view } = this;
    for (let p = from; p < to; ) {
      p = reader.next(p, to);
      if (p < 0) return Bad.message;
      if (reader.number !== field) continue;
      const { wire, start, end } = reader;
      const length = end - start;
      switch (type) {
        case ValueType.int64:
          if (wire === 0) this.add64(reader.low, reader.high);
          else if (wire !== 2) return Bad.message;
          else {
            for (let q = start; q < end; ) {
              q = reader.varint(q, end);
              if (q < 0) return Bad.message;
              this.add64(reader.low, reader.high);
            }
          }
          break;
        case ValueType.bytes:
          if (wire !== 2) return Bad.message;
          if (this.count < this.capacity) {
            this.start[this.count] = start;
            this.end[this.count] = end;
          }
          this.count++;
          break;
        case ValueType.float:
          if ((wire !== 5 && wire !== 2) || length % 4 !== 0) return Bad.message;
          for (let q = start; q < end; q += 4) this.addNumber(view.getFloat32(q, true));
          break;
        case ValueType.double:
          if ((wire !== 1 && wire !== 2) || length % 8 !== 0) return Bad.message;
          for (let q = start; q < end; q += 8) this.addNumber(view.getFloat64(q, true));
          break;
        default:
          if ((wire !== 1 && wire !== 2) || length % 8 !== 0) return Bad.message;
          for (let q = start; q < end; q += 8) this.addFidAt(q);
      }
    }
    return 0;
  }

  private add64(low: number, high: number): void {
    if (this.count < this.capacity) {
      this.low[this.count] = low;
      this.high[this.count] = high;
    }
    this.count++;
  }

  private addNumber(value: number): void {
    if (this.count < this.capacity) this.number[this.count] = value;
    this.count++;
  }
}

/** Fids of an Instance by slot: a chain of byte positions for each column. */
export class SlotChains {
  /** Column of each v1 slot; −1: not wanted. */
  readonly columnOf = new Int32Array(1024).fill(-1);
  private readonly head: Int32Array;
  private readonly tail: Int32Array;
  private at = new Int32Array(64);
  private next = new Int32Array(64);
  private used = 0;

  constructor(columns: number) {
    this.head = new Int32Array(columns).fill(-1);
    this.tail = new Int32Array(columns).fill(-1);
  }

  clear(): void {
    this.head.fill(-1);
    this.used = 0;
  }

  /** Takes the fid at byte `at`; the column it belongs to, −1: none. */
  take(view: DataView, at: number): number {
    const column = this.columnOf[view.getUint32(at + 4, true) >>> 22];
    if (column < 0) return column;
    if (this.used === this.at.length) this.grow();
    const entry = this.used++;
    this.at[entry] = at;
    this.next[entry] = -1;
    if (this.head[column] < 0) this.head[column] = entry;
    else this.next[this.tail[column]] = entry;
    this.tail[column] = entry;
    return column;
  }

  /** A column's fids into `values`. */
  collect(column: number, values: ValueScratch): void {
    values.count = 0;
    for (let entry = this.head[column]; entry >= 0; entry = this.next[entry]) values.addFidAt(this.at[entry]);
  }

  private grow(): void {
    const at = new Int32Array(this.at.length * 2);
    const next = new Int32Array(this.at.length * 2);
    at.set(this.at);
    next.set(this.next);
    this.at = at;
    this.next = next;
  }
}

/** Numbers of names given as bytes, without making a string. */
export class NameTable {
  private readonly slots: Int32Array;
  private readonly names: Uint8Array[] = [];
  private readonly numbers: number[] = [];

  constructor(
    private readonly bytes: Uint8Array,
    capacity: number,
  ) {
    let size = 16;
    while (size < capacity * 2) size *= 2;
    this.slots = new Int32Array(size).fill(-1);
  }

  add(name: string, number: number): void {
    const bytes = Buffer.from(name, 'utf8');
    let at = hash(bytes, 0, bytes.length) & (this.slots.length - 1);
    while (this.slots[at] >= 0) at = (at + 1) & (this.slots.length - 1);
    this.slots[at] = this.names.push(bytes) - 1;
    this.numbers.push(number);
  }

  /** The number of the name in bytes[start, end); −1: none. */
  find(start: number, end: number): number {
    const mask = this.slots.length - 1;
    for (let at = hash(this.bytes, start, end) & mask; this.slots[at] >= 0; at = (at + 1) & mask) {
      const entry = this.slots[at];
      const name = this.names[entry];
      if (name.length !== end - start) continue;
      let i = 0;
      while (i < name.length && name[i] === this.bytes[start + i]) i++;
      if (i === name.length) return this.numbers[entry];
    }
    return -1;
  }
}

/** FNV-1a. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  return h >>> 0;
}
