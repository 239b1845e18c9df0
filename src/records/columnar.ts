// Parquet and Arrow files as records.
import { MonolithError } from '../base/index.js';
import {
  type ColumnarFile,
  type ColumnarFormat,
  type ColumnarWriter,
  type ColumnField,
  type ColumnKind,
  type ColumnValues,
  type DecodedColumn,
  openColumnarFile,
  Texts,
  withoutDictionary,
} from '../columnar/index.js';
import type { RecordBatch, RecordColumn, RecordField, RecordOptions, RecordSink, RecordSource, ValueKind } from './record-batch.js';

/** Rows of one batch. */
const BATCH_ROWS = 8192;
const kinds: Readonly<Record<ColumnKind, ValueKind>> = {
  integer: 'int64',
  float32: 'float32',
  float64: 'float64',
  text: 'text',
  bytes: 'bytes',
};

export function kindOfRecords(kind: ColumnKind): ValueKind {
  return kinds[kind];
}

/** What an option may be: its default tells the type. */
export function takeOptions<T extends Record<string, string | number | boolean>>(format: string, given: RecordOptions, known: T): T {
  for (const [name, value] of Object.entries(given)) {
    const wanted = Object.hasOwn(known, name) ? typeof known[name] : null;
    const names = Object.keys(known).join(', ');
    if (wanted === null) {
      throw new MonolithError('InvalidConfig', `format ${format} has no option ${name}; it has ${names === '' ? 'none' : names}`, {
        option: name,
      });
    }
    if (typeof value !== wanted) {
      throw new MonolithError('InvalidConfig', `format ${format}: ${name} is ${JSON.stringify(value)}, expected a ${wanted}`, {
        option: name,
      });
    }
  }
  return { ...known, ...given } as T;
}

/** @throws DataNotFound, DataFormat, RecordCorrupt. */
export async function openRecords(format: ColumnarFormat, path: string, options: RecordOptions): Promise<RecordSource> {
  const { flatten } = takeOptions(format, options, { flatten: false });
  const file = await openColumnarFile(format, path);
  if (file.passedOver.length > 0)
    throw new MonolithError('DataFormat', `${path}: ${file.passedOver[0]}, which records can't hold`, { path });
  if (!flatten) {
    const nested = file.fields.find(({ listDepth }) => listDepth > 1);
    if (nested !== undefined) {
      const message = `${path}, column "${nested.name}": it holds lists of lists, and records lists of values; flatten makes one list of them`;
      throw new MonolithError('DataFormat', message, { path, column: nested.name });
    }
  }
  return new ColumnarRecords(file, flatten);
}

class ColumnarRecords implements RecordSource {
  readonly fields: readonly RecordField[];

  constructor(
    private readonly file: ColumnarFile,
    private readonly flatten: boolean,
  ) {
    this.fields = file.fields.map(({ name, kind, listDepth }) => ({ name, kind: kindOfRecords(kind), isList: listDepth > 0 }));
  }

  get path(): string {
    return this.file.path;
  }

  async *batches(): AsyncIterable<RecordBatch> {
    const { file } = this;
    const all = file.fields.map((_, i) => i);
    for (let group = 0; group < file.groups.length; group++) {
      const { rows } = file.groups[group];
      for (let first = 0; first < rows; first += BATCH_ROWS) {
        const count = Math.min(BATCH_ROWS, rows - first);
        const decoded = file.read(group, first, count, all);
        yield { rows: count, columns: decoded.map((column, i) => this.column(i, column, group)) };
      }
    }
  }

  async close(): Promise<void> {}

  private column(i: number, column: DecodedColumn, group: number): RecordColumn {
    const place = `${this.file.path} ${this.file.groupName} ${group}, column "${this.fields[i].name}"`;
    if (column.nullElements > 0 && !this.flatten) {
      const message = `${place}: ${column.nullElements} elements of its lists are null, which records can't hold; flatten leaves them out`;
      throw new MonolithError('DataFormat', message, { path: this.file.path, column: this.fields[i].name });
    }
    return recordColumn(this.fields[i], this.file.fields[i], column, place);
  }
}

/** A decoded column as one of records. @throws DataFormat for a whole number beyond 64 bits with sign. */
export function recordColumn(field: RecordField, { kind }: ColumnField, column: DecodedColumn, place: string): RecordColumn {
  const { offsets, missing } = column;
  const values = withoutDictionary(column);
  return { ...field, offsets, missing, values: recordValues(kind, values, place) };
}

function recordValues(kind: ColumnKind, values: ColumnValues, place: string): RecordColumn['values'] {
  switch (kind) {
    case 'integer':
      return wholeNumbers(values, place);
    case 'float32':
      return values instanceof Float32Array ? values : new Float32Array(0);
    case 'float64':
      return values instanceof Float64Array ? values : new Float64Array(0);
    case 'text':
    case 'bytes': {
      const texts = values instanceof Texts ? values : Texts.of([]);
      const parts = Array.from({ length: texts.length }, (_, i) => texts.at(i));
      return kind === 'bytes' ? parts : parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.length).toString('utf8'));
    }
    default:
      return kind satisfies never;
  }
}

function wholeNumbers(values: ColumnValues, place: string): BigInt64Array {
  if (values instanceof BigInt64Array) return values;
  if (values instanceof BigUint64Array) {
    const large = values.find((value) => value >= 2n ** 63n);
    if (large === undefined) return new BigInt64Array(values.buffer, values.byteOffset, values.length);
    throw new MonolithError('DataFormat', `${place}: ${large} is beyond the 64-bit integers with sign, which records hold`);
  }
  if (values instanceof Texts) return new BigInt64Array(0);
  return BigInt64Array.from(values as Int32Array, BigInt);
}

/** Makes a sink of a writer whose fields are in order. */
export class ColumnarSink implements RecordSink {
  constructor(
    private readonly writer: ColumnarWriter,
    private readonly fields: readonly RecordField[],
  ) {}

  async write({ rows, columns }: RecordBatch): Promise<void> {
    const ordered = this.fields.map((field) => {
      const found = columns.find(({ name }) => name === field.name);
      if (found === undefined) throw new MonolithError('InvalidArgument', `a batch has no column "${field.name}"`, { column: field.name });
      return found;
    });
    await this.writer.write(rows, ordered);
  }

  close(): Promise<void> {
    return this.writer.close();
  }

  abort(): Promise<void> {
    return this.writer.abort();
  }
}
