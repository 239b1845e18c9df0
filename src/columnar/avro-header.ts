import { type AvroCodec, AvroReader, avroCodecs, SYNC_BYTES } from './avro-block.js';
import { type AvroSchema, readAvroSchema } from './avro-schema.js';
import { damaged, guarded, unsupported } from './problem.js';

export const AVRO_MAGIC = 'Obj\u0001';

/** What stands before the blocks of an object container file. */
export type AvroHeader = {
  readonly schemaText: string;
  readonly schema: AvroSchema;
  readonly codec: AvroCodec;
  /** [16] what ends every block. */
  readonly sync: Uint8Array;
  /** Byte of the first block. */
  readonly end: number;
};

/** Reads the header in a file's first bytes. @throws RecordCorrupt, DataFormat. */
export function readAvroHeader(path: string, head: Uint8Array): AvroHeader {
  const place = { path, part: 'header' };
  if (Buffer.from(head.subarray(0, 4)).toString('latin1') !== AVRO_MAGIC)
    throw damaged(place, 'the file does not begin as an Avro object container does');
  const { metadata, sync, end } = guarded(place, `the header does not end within ${head.length} bytes, or is malformed`, () => {
    const reader = new AvroReader(head, 4, head.length);
    const entries = new Map<string, string>();
    for (let count = reader.items(); count > 0; count = reader.items()) {
      for (let i = 0; i < count; i++) {
        const key = Buffer.from(reader.part(reader.length())).toString('utf8');
        entries.set(key, Buffer.from(reader.part(reader.length())).toString('utf8'));
      }
    }
    const marker = reader.part(SYNC_BYTES);
    return { metadata: entries, sync: marker.slice(), end: reader.at };
  });
  const schemaText = metadata.get('avro.schema');
  if (schemaText === undefined) throw damaged(place, 'it has no schema (avro.schema)');
  const codec = metadata.get('avro.codec') ?? 'null';
  if (!isCodec(codec)) {
    throw unsupported({ path }, `its blocks are compressed by ${codec}; ${avroCodecs.join(', ')} are read: write it with one of these`);
  }
  return { schemaText, schema: readAvroSchema(path, schemaText), codec, sync, end };
}

function isCodec(codec: string): codec is AvroCodec {
  return (avroCodecs as readonly string[]).includes(codec);
}
