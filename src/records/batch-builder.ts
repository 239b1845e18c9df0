import { MonolithError } from '../base/index.js';
import type { RecordBatch, RecordColumn, RecordField, ValueKind } from './record-batch.js';

/** One value of a field: int64 as bigint, floats as numbers, text as string, bytes as Uint8Array. */
export type FieldValue = bigint | number | string | Uint8Array;

const FIRST_CAPACITY = 1024;

/** Makes batches row by row. One row at a time: {@link add} or {@link setPresent} for its fields, then {@link endRow}. */
export class BatchBuilder {
  private readonly columns: ColumnBuilder[];
  private numRows = 0;

  constructor(readonly fields: readonly RecordField[]) {
    this.columns = fields.map((field) => new ColumnBuilder(field));
  }

  get rows(): number {
    return this.numRows;
  }

  /** Appends a value to a field of the row in hand; of the field's kind. */
  add(column: number, value: FieldValue): void {
    this.columns[column].add(value);
  }

  /** The row in hand has the field, be it an empty list. */
  setPresent(column: number): void {
    this.columns[column].present = true;
  }

  endRow(): void {
    for (const column of this.columns) column.endRow();
    this.numRows++;
  }

  /** The rows since the last call. */
  take(): RecordBatch {
    const batch = { rows: this.numRows, columns: this.columns.map((column) => column.take()) };
    this.numRows = 0;
    return batch;
  }
}

type NumberArray = BigInt64Array | Float32Array | Float64Array;

class ColumnBuilder {
  present = false;
  private numbers: NumberArray | null = null;
  private objects: (string | Uint8Array)[] = [];
  private count = 0;
  private rowStart = 0;
  private ends: Uint32Array = new Uint32Array(FIRST_CAPACITY + 1);
  private rows = 0;
  private missingRows: number[] = [];
  private oneEach = true;

  constructor(private readonly field: RecordField) {
    this.reset();
  }

  add(value: FieldValue): void {
    const { numbers } = this;
    if (numbers === null) this.objects.push(value as string | Uint8Array);
    else if (this.count < numbers.length) numbers[this.count] = value as never;
    else {
      const larger = newNumbers(this.field.kind, numbers.length * 2) as NumberArray;
      larger.set(numbers as never);
      larger[this.count] = value as never;
      this.numbers = larger;
    }
    this.count++;
  }

  endRow(): void {
    const values = this.count - this.rowStart;
    if (values === 0 && !this.present) this.missingRows.push(this.rows);
    if (values !== 1) {
      this.oneEach = false;
      if (values > 1 && !this.field.isList)
        throw new MonolithError('Internal', `field "${this.field.name}" is no list and got ${values} values in one record`);
    }
    this.rows++;
    if (this.rows >= this.ends.length) {
      const larger = new Uint32Array(this.ends.length * 2);
      larger.set(this.ends);
      this.ends = larger;
    }
    this.ends[this.rows] = this.count;
    this.rowStart = this.count;
    this.present = false;
  }

  take(): RecordColumn {
    const { field, rows, numbers } = this;
    const offsets = this.oneEach && !field.isList ? null : this.ends.slice(0, rows + 1);
    const missing = this.missingRows.length === 0 ? null : new Uint8Array(rows);
    for (const row of this.missingRows) (missing as Uint8Array)[row] = 1;
    const values = numbers === null ? (this.objects as readonly string[] | readonly Uint8Array[]) : numbers.slice(0, this.count);
    this.reset();
    return { ...field, offsets, missing, values };
  }

  private reset(): void {
    this.numbers = this.numbers ?? newNumbers(this.field.kind, FIRST_CAPACITY);
    this.objects = [];
    this.count = 0;
    this.rowStart = 0;
    this.rows = 0;
    this.missingRows = [];
    this.oneEach = true;
  }
}

/** An array for numbers of a kind; null for texts and bytes. */
function newNumbers(kind: ValueKind, length: number): NumberArray | null {
  switch (kind) {
    case 'int64':
      return new BigInt64Array(length);
    case 'float32':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
    case 'text':
    case 'bytes':
      return null;
    default:
      return kind satisfies never;
  }
}

/** A batch of the rows in `picked`, in that order. */
export function pickRows(batch: RecordBatch, picked: readonly number[]): RecordBatch {
  if (picked.length === batch.rows && picked.every((row, i) => row === i)) return batch;
  const builder = new BatchBuilder(batch.columns);
  for (const row of picked) {
    batch.columns.forEach((column, c) => {
      const from = column.offsets === null ? row : column.offsets[row];
      const to = column.offsets === null ? row + 1 : column.offsets[row + 1];
      for (let i = from; i < to; i++) builder.add(c, column.values[i]);
      if (column.missing === null || column.missing[row] === 0) builder.setPresent(c);
    });
    builder.endRow();
  }
  return builder.take();
}

/** Rows from … to − 1 of a batch. */
export function sliceRows(batch: RecordBatch, from: number, to: number): RecordBatch {
  if (from === 0 && to === batch.rows) return batch;
  const columns = batch.columns.map((column) => {
    const start = column.offsets === null ? from : column.offsets[from];
    const end = column.offsets === null ? to : column.offsets[to];
    return {
      ...column,
      values: column.values.slice(start, end) as RecordColumn['values'],
      offsets: column.offsets === null ? null : column.offsets.slice(from, to + 1).map((offset) => offset - start),
      missing: column.missing === null ? null : column.missing.slice(from, to),
    };
  });
  return { rows: to - from, columns };
}

/** The values of one field in one row: null where it is missing, a list for list fields. */
export function cell(column: RecordColumn, row: number): FieldValue | FieldValue[] | null {
  if (column.missing !== null && column.missing[row] === 1) return null;
  if (column.offsets === null) return column.values[row];
  const values: FieldValue[] = [];
  for (let i = column.offsets[row]; i < column.offsets[row + 1]; i++) values.push(column.values[i]);
  if (column.isList) return values;
  return values[0] ?? null;
}
