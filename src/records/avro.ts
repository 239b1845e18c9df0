import { open } from 'node:fs/promises';
import { MonolithError } from '../base/index.js';
import {
  AvroDecoder,
  type AvroHeader,
  avroBlockEnd,
  avroBlocks,
  avroCodecs,
  createColumnarFile,
  loadSnappy,
  numValues,
  readAvroHeader,
  type Snappy,
} from '../columnar/index.js';
import { ColumnarSink, kindOfRecords, recordColumn, takeOptions } from './columnar.js';
import type { RecordBatch, RecordField, RecordFormat, RecordSource } from './record-batch.js';

const HEAD_BYTES = 1 << 20;
const CHUNK_BYTES = 1 << 20;
/** A block that says it is longer is damaged. */
const MOST_BLOCK_BYTES = 256 << 20;

/** Avro object container files. Reading: `flatten`. Writing: `codec` (deflate, snappy, null). */
export const avroFormat: RecordFormat = {
  name: 'avro',
  extensions: ['.avro'],
  open: async (path, options) => {
    const { flatten } = takeOptions('avro', options, { flatten: false });
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      throw new MonolithError('DataNotFound', `${path}: can't be opened (${error.code ?? error.message})`, { path }, { cause: error });
    });
    try {
      const head = new Uint8Array(HEAD_BYTES);
      const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
      const header = readAvroHeader(path, head.subarray(0, bytesRead));
      refuseWhatRecordsCannotHold(path, header, flatten);
      return new AvroRecords(path, header, flatten, header.codec === 'snappy' ? await loadSnappy() : null);
    } finally {
      await handle.close();
    }
  },
  create: async (path, fields, given) => {
    const { codec } = takeOptions('avro', given, { codec: 'deflate' });
    const known = avroCodecs.find((name) => name === codec);
    if (known === undefined) {
      throw new MonolithError('InvalidConfig', `format avro: codec ${codec} is none of ${avroCodecs.join(', ')}`, { option: 'codec' });
    }
    return new ColumnarSink(await createColumnarFile({ format: 'avro', codec: known }, path, fields), fields);
  },
};

function refuseWhatRecordsCannotHold(path: string, { schema }: AvroHeader, flatten: boolean): void {
  if (schema.passedOver.length > 0)
    throw new MonolithError('DataFormat', `${path}: ${schema.passedOver[0]}, which records can't hold`, { path });
  const nested = schema.leaves.find(({ listDepth }) => listDepth > 1);
  if (nested === undefined || flatten) return;
  const message = `${path}, column "${nested.name}": it holds lists of lists, and records lists of values; flatten makes one list of them`;
  throw new MonolithError('DataFormat', message, { path, column: nested.name });
}

class AvroRecords implements RecordSource {
  readonly fields: readonly RecordField[];

  constructor(
    readonly path: string,
    private readonly header: AvroHeader,
    private readonly flatten: boolean,
    private readonly snappy: Snappy | null,
  ) {
    this.fields = header.schema.leaves.map(({ name, kind, listDepth }) => ({ name, kind: kindOfRecords(kind), isList: listDepth > 0 }));
  }

  async *batches(): AsyncIterable<RecordBatch> {
    const { header, path, snappy } = this;
    const { schema, codec, sync } = header;
    const decoder = new AvroDecoder(schema, new Set(schema.leaves.keys()));
    for await (const { bytes, byteOffset } of this.chunks()) {
      for (const { start, count, columns } of avroBlocks(bytes, { path, byteOffset, codec, sync }, snappy, decoder)) {
        const at = `block at byte ${byteOffset + start}`;
        yield { rows: count, columns: columns.flatMap((column, i) => (column === null ? [] : [this.column(i, column, at)])) };
      }
    }
  }

  async close(): Promise<void> {}

  private column(i: number, column: NonNullable<Parameters<typeof recordColumn>[2]>, at: string): ReturnType<typeof recordColumn> {
    const place = `${this.path} ${at}, column "${this.fields[i].name}"`;
    if (column.nullElements > 0 && !this.flatten) {
      const message = `${place}: ${column.nullElements} of ${column.nullElements + numValues(column)} elements of its lists are null, which records can't hold; flatten leaves them out`;
      throw new MonolithError('DataFormat', message, { path: this.path, column: this.fields[i].name });
    }
    return recordColumn(this.fields[i], this.header.schema.leaves[i], column, place);
  }

  /** Pieces of the file that end with a block; the last one with the file, whatever stands there. */
  private async *chunks(): AsyncIterable<{ bytes: Uint8Array; byteOffset: number }> {
    const handle = await open(this.path, 'r');
    try {
      let at = this.header.end;
      for (let wanted = CHUNK_BYTES; ; ) {
        const bytes = new Uint8Array(wanted);
        let length = 0;
        for (let got = -1; got !== 0 && length < wanted; length += got)
          got = (await handle.read(bytes, length, wanted - length, at + length)).bytesRead;
        if (length === 0) return;
        let end = 0;
        for (let next = avroBlockEnd(bytes, 0, length); next >= 0; next = avroBlockEnd(bytes, end, length)) end = next;
        if (length < wanted || (end === 0 && wanted >= MOST_BLOCK_BYTES)) end = length;
        if (end === 0) {
          wanted *= 4;
          continue;
        }
        yield { bytes: bytes.subarray(0, end), byteOffset: at };
        at += end;
        wanted = CHUNK_BYTES;
      }
    } finally {
      await handle.close();
    }
  }
}
