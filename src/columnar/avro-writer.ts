import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import avro from 'avsc';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import { MonolithError } from '../base/index.js';
import { type AvroCodec, SYNC_BYTES } from './avro-block.js';
import { AVRO_MAGIC } from './avro-header.js';
import {
  type ColumnarWriter,
  checkFields,
  type RowValue,
  rowValueOf,
  TemporaryFile,
  type WriteColumn,
  type WriteField,
} from './columnar-writer.js';
import { crc32 } from './crc32.js';

/** A block ends when it has this many bytes. */
const BLOCK_BYTES = 64 << 10;

export type AvroWriterOptions = { readonly codec: AvroCodec };

const types = { int64: 'long', float32: 'float', float64: 'double', text: 'string', bytes: 'bytes' } as const;

/** Longs as bigints: all 64 bits of them. */
const long = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (one: bigint, other: bigint) => (one < other ? -1 : one > other ? 1 : 0),
});

class AvroFileWriter implements ColumnarWriter {
  private readonly sync = randomBytes(SYNC_BYTES);
  private readonly type: avro.Type;
  private readonly schema: string;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private begun = false;

  constructor(
    private readonly file: TemporaryFile,
    private readonly fields: readonly WriteField[],
    private readonly codec: AvroCodec,
  ) {
    const schema = {
      type: 'record',
      name: 'Row',
      fields: fields.map(({ name, kind, isList }) => {
        const value = isList ? { type: 'array', items: types[kind] } : types[kind];
        return { name, type: ['null', value], default: null };
      }),
    };
    this.schema = JSON.stringify(schema);
    this.type = avro.Type.forSchema(schema as avro.Schema, { registry: { long }, wrapUnions: true });
  }

  async write(rows: number, columns: readonly WriteColumn[]): Promise<void> {
    for (let row = 0; row < rows; row++) {
      const record: Record<string, unknown> = {};
      this.fields.forEach((field, i) => {
        record[field.name] = wrapped(field, rowValueOf(field, columns[i], row));
      });
      const bytes = this.type.toBuffer(record);
      this.pending.push(bytes);
      this.pendingBytes += bytes.length;
      if (this.pendingBytes >= BLOCK_BYTES) await this.flush();
    }
  }

  async close(): Promise<void> {
    await this.flush();
    await this.begin();
    await this.file.close();
  }

  abort(): Promise<void> {
    return this.file.discard();
  }

  private async begin(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    const text = (value: string): Buffer => Buffer.concat([avroLong(Buffer.byteLength(value)), Buffer.from(value)]);
    const metadata = [text('avro.schema'), text(this.schema), text('avro.codec'), text(this.codec)];
    await this.file.append(Buffer.concat([Buffer.from(AVRO_MAGIC, 'latin1'), avroLong(2), ...metadata, avroLong(0), this.sync]));
  }

  private async flush(): Promise<void> {
    if (this.pending.length === 0) return;
    await this.begin();
    const body = compress(this.codec, Buffer.concat(this.pending));
    await this.file.append(Buffer.concat([avroLong(this.pending.length), avroLong(body.length), body, this.sync]));
    this.pending = [];
    this.pendingBytes = 0;
  }
}

/** A union's value with its branch. */
function wrapped({ kind, isList }: WriteField, value: RowValue): unknown {
  if (value === null) return null;
  const bare = (item: unknown): unknown => (item instanceof Uint8Array ? Buffer.from(item.buffer, item.byteOffset, item.length) : item);
  return isList ? { array: (value as readonly unknown[]).map(bare) } : { [types[kind]]: bare(value) };
}

function compress(codec: AvroCodec, bytes: Buffer): Uint8Array {
  switch (codec) {
    case 'null':
      return bytes;
    case 'deflate':
      return deflateRawSync(bytes);
    case 'snappy': {
      const sum = Buffer.alloc(4);
      sum.writeUInt32BE(crc32(bytes));
      return Buffer.concat([snappyCompress(bytes), sum]);
    }
    default:
      return codec satisfies never;
  }
}

/** A length as Avro writes it. */
function avroLong(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** @throws InvalidConfig for a name that Avro does not allow; DiskFull, WriteFailed. */
export async function createAvro(path: string, fields: readonly WriteField[], { codec }: AvroWriterOptions): Promise<ColumnarWriter> {
  checkFields(path, fields);
  const wrong = fields.find(({ name }) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined) {
    const message = `${path}: Avro allows no column "${wrong.name}": names are letters, digits and _, and begin with no digit`;
    throw new MonolithError('InvalidConfig', message, { path, column: wrong.name });
  }
  return new AvroFileWriter(await TemporaryFile.create(path), fields, codec);
}
