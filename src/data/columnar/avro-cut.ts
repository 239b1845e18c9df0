import { type AvroHeader, avroBlockEnd, readBlockHead } from '../../columnar/index.js';

/** The end of the last whole block in bytes[0, length). */
export function lastAvroEnd(bytes: Uint8Array, length: number): number {
  let end = 0;
  for (;;) {
    const next = avroBlockEnd(bytes, end, length);
    if (next < 0) return end;
    end = next;
  }
}

/** Stored bytes of a record in the first block, about. */
export function avroRecordBytes(head: Uint8Array, start: number): number {
  const unknown = 64;
  try {
    const block = readBlockHead(head, start, head.length);
    return block === null || block.count === 0 ? unknown : Math.max(1, Math.min(block.size / block.count, 1 << 20));
  } catch {
    return unknown;
  }
}

/** What a program holds of an Avro header: texts behind its other strings. */
export function avroStrings({ schemaText, codec, sync }: AvroHeader): Uint8Array[] {
  return [Buffer.from(schemaText), Buffer.from(codec), sync];
}
