import {
  Binary,
  type DataType,
  Field,
  Float32,
  Float64,
  Int64,
  List,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Utf8,
} from 'apache-arrow';
import {
  type ColumnarWriter,
  checkFields,
  type RowValue,
  rowValueOf,
  TemporaryFile,
  type WriteColumn,
  type WriteField,
} from './columnar-writer.js';

export type ArrowWriterOptions = {
  /** The stream form instead of the file form (Feather 2). */
  readonly stream: boolean;
  readonly batchRows: number;
};

const types: Readonly<Record<WriteField['kind'], () => DataType>> = {
  int64: () => new Int64(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  text: () => new Utf8(),
  bytes: () => new Binary(),
};

/** Rows kept in memory until a record batch is full. */
class ArrowFileWriter implements ColumnarWriter {
  private readonly schema: Schema;
  private readonly pending: RowValue[][];
  private readonly writer: RecordBatchFileWriter | RecordBatchStreamWriter;
  private readonly drained: Promise<unknown>;
  private batches = 0;

  constructor(
    private readonly file: TemporaryFile,
    private readonly fields: readonly WriteField[],
    private readonly options: ArrowWriterOptions,
  ) {
    this.pending = fields.map(() => []);
    this.schema = new Schema(fields.map((field) => new Field(field.name, typeOf(field), true)));
    this.writer = options.stream ? new RecordBatchStreamWriter() : new RecordBatchFileWriter();
    // The first failure is told by close(); until then nothing waits for it.
    this.drained = this.drain().catch((error: unknown) => error);
  }

  async write(rows: number, columns: readonly WriteColumn[]): Promise<void> {
    for (let row = 0; row < rows; row++) {
      this.fields.forEach((field, i) => {
        this.pending[i].push(rowValueOf(field, columns[i], row));
      });
      if (this.pending[0].length >= this.options.batchRows) this.flush();
    }
  }

  async close(): Promise<void> {
    if (this.pending[0].length > 0 || this.batches === 0) this.flush();
    this.writer.close();
    const failed = await this.drained;
    if (failed !== undefined) throw failed;
    await this.file.close();
  }

  async abort(): Promise<void> {
    this.writer.abort();
    await this.drained;
    await this.file.discard();
  }

  private flush(): void {
    const length = this.pending[0].length;
    const children = this.fields.map((field, i) => dataOf(field, this.pending[i]));
    const data = makeData({ type: new Struct(this.schema.fields), length, nullCount: 0, children });
    this.writer.write(new RecordBatch(this.schema, data));
    for (const column of this.pending) column.length = 0;
    this.batches++;
  }

  private async drain(): Promise<void> {
    for await (const chunk of this.writer as AsyncIterable<Uint8Array>) await this.file.append(chunk);
  }
}

function typeOf({ kind, isList }: WriteField): DataType {
  const type = types[kind]();
  return isList ? new List(new Field('item', type, false)) : type;
}

function dataOf({ kind, isList }: WriteField, rows: readonly RowValue[]) {
  const length = rows.length;
  const nullBitmap = new Uint8Array(Math.ceil(length / 8));
  let nullCount = 0;
  rows.forEach((row, r) => {
    if (row === null) nullCount++;
    else nullBitmap[r >> 3] |= 1 << (r & 7);
  });
  const validity = { length, nullCount, nullBitmap: nullCount === 0 ? new Uint8Array(0) : nullBitmap };
  if (!isList) return leafData(kind, rows, validity);
  const valueOffsets = new Int32Array(length + 1);
  const items: RowValue[] = [];
  rows.forEach((row, r) => {
    for (const item of (row ?? []) as readonly RowValue[]) items.push(item);
    valueOffsets[r + 1] = items.length;
  });
  const child = leafData(kind, items, { length: items.length, nullCount: 0, nullBitmap: new Uint8Array(0) });
  return makeData({ type: new List(new Field('item', types[kind](), false)), ...validity, valueOffsets, child });
}

function leafData(
  kind: WriteField['kind'],
  rows: readonly RowValue[],
  validity: { readonly length: number; readonly nullCount: number; readonly nullBitmap: Uint8Array },
) {
  switch (kind) {
    case 'int64':
      return makeData({ type: new Int64(), ...validity, data: BigInt64Array.from(rows, (row) => (row ?? 0n) as bigint) });
    case 'float32':
      return makeData({ type: new Float32(), ...validity, data: Float32Array.from(rows, (row) => (row ?? 0) as number) });
    case 'float64':
      return makeData({ type: new Float64(), ...validity, data: Float64Array.from(rows, (row) => (row ?? 0) as number) });
    case 'text':
    case 'bytes': {
      const parts = rows.map((row) =>
        row === null ? new Uint8Array(0) : typeof row === 'string' ? Buffer.from(row) : (row as Uint8Array),
      );
      const valueOffsets = new Int32Array(parts.length + 1);
      parts.forEach((part, i) => {
        valueOffsets[i + 1] = valueOffsets[i] + part.length;
      });
      const data = new Uint8Array(valueOffsets[parts.length]);
      parts.forEach((part, i) => {
        data.set(part, valueOffsets[i]);
      });
      return kind === 'text'
        ? makeData({ type: new Utf8(), ...validity, valueOffsets, data })
        : makeData({ type: new Binary(), ...validity, valueOffsets, data });
    }
    default:
      return kind satisfies never;
  }
}

/** @throws InvalidConfig, DiskFull, WriteFailed. */
export async function createArrow(path: string, fields: readonly WriteField[], options: ArrowWriterOptions): Promise<ColumnarWriter> {
  checkFields(path, fields);
  return new ArrowFileWriter(await TemporaryFile.create(path), fields, options);
}
