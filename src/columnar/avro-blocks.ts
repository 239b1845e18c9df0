// Going from block to block in the bytes of an Avro file.
import { type AvroCodec, type AvroDecoder, decompressBlock, readBlockHead, type Snappy, SYNC_BYTES } from './avro-block.js';
import type { DecodedColumn } from './columns.js';
import { damaged, guarded } from './problem.js';

/** Whose blocks they are: `byteOffset` is that of the first byte in the file. */
export type AvroSource = {
  readonly path: string;
  readonly byteOffset: number;
  readonly codec: AvroCodec;
  readonly sync: Uint8Array;
};

export type AvroBlock = {
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** By number of the schema's leaves; null where not wanted. */
  readonly columns: readonly (DecodedColumn | null)[];
};

/** The end of the block at `at`; −1 where it lies behind `end`, or its head makes no sense: then whoever reads it says so. */
export function avroBlockEnd(bytes: Uint8Array, at: number, end: number): number {
  try {
    const head = readBlockHead(bytes, at, end);
    if (head === null) return -1;
    const next = head.bodyAt + head.size + SYNC_BYTES;
    return next <= end ? next : -1;
  } catch {
    return -1;
  }
}

/** Blocks one after another; the bytes end with one. @throws RecordCorrupt: file, block's byte and reason. */
export function* avroBlocks(bytes: Uint8Array, source: AvroSource, snappy: Snappy | null, decoder: AvroDecoder): Generator<AvroBlock> {
  const { path, byteOffset, codec, sync } = source;
  for (let start = 0; start < bytes.length; ) {
    const place = { path, part: `block at byte ${byteOffset + start}` };
    const head = guarded(place, 'malformed head', () => readBlockHead(bytes, start, bytes.length));
    if (head === null) throw damaged(place, 'the file ends within its head');
    const bodyEnd = head.bodyAt + head.size;
    const end = bodyEnd + SYNC_BYTES;
    if (end > bytes.length)
      throw damaged(place, `${head.size} bytes and a marker are wanted, ${bytes.length - head.bodyAt} are left in the file`);
    for (let i = 0; i < SYNC_BYTES; i++)
      if (bytes[bodyEnd + i] !== sync[i]) throw damaged(place, 'the marker behind it is not the one of the file');
    // Memory of its own: decompressors want no shared bytes.
    const body = bytes.slice(head.bodyAt, bodyEnd);
    const columns = guarded(place, 'malformed records', () => decoder.decode(decompressBlock(codec, body, snappy), head.count));
    yield { start, end, count: head.count, columns };
    start = end;
  }
}
