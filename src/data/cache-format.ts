// Bytes of a data cache file: head · body · index · trailer. docs/formats/data.md describes them.
import { crc32c } from '../base/index.js';

/** Raised whenever what parsers make of the same bytes changes, or this layout does. */
export const CACHE_VERSION = 1;

const MAGIC = 'MLCACHE\n';
const END_MAGIC = 'MLCEND\n\0';
const HEAD_FIXED = 16;
export const TRAILER_BYTES = 32;
const ENTRY_FIXED = 48;

/** One part of one raw block, as the index names it. */
export type CacheEntry = {
  /** Byte of the raw block in the decompressed source, and its length. */
  readonly byteOffset: number;
  readonly rawLength: number;
  /** Byte in the raw block where the part begins; lines and examples of the part. */
  readonly start: number;
  readonly lines: number;
  readonly examples: number;
  /** Whether the bytes are packed examples, or the source's own bytes to be parsed again. */
  readonly packed: boolean;
  readonly lastOfBlock: boolean;
  readonly lastOfFile: boolean;
  /** Where the stored bytes lie in the cache, how many, and their crc32c. */
  readonly storedAt: number;
  readonly storedLength: number;
  readonly checksum: number;
  /** [numGroups] ids of the part in each group. */
  readonly ids: readonly number[];
};

const EntryBit = { packed: 1, lastOfBlock: 2, lastOfFile: 4 } as const;

/** The head: magic, version, key (JSON), checksum, padded to 64 bytes. */
export function encodeHead(key: string): Uint8Array {
  const text = Buffer.from(key, 'utf8');
  const head = new Uint8Array(headBytes(text.length));
  const view = new DataView(head.buffer);
  head.set(Buffer.from(MAGIC, 'latin1'));
  view.setUint32(8, CACHE_VERSION, true);
  view.setUint32(12, text.length, true);
  head.set(text, HEAD_FIXED);
  view.setUint32(HEAD_FIXED + text.length, crc32c(head.subarray(0, HEAD_FIXED + text.length)), true);
  return head;
}

function headBytes(keyLength: number): number {
  return Math.ceil((HEAD_FIXED + keyLength + 4) / 64) * 64;
}

/** Bytes of the whole head, from its first 16; 0 where they are no cache's. */
export function headLength(start: Uint8Array): number {
  if (start.length < HEAD_FIXED || Buffer.from(start.subarray(0, 8)).toString('latin1') !== MAGIC) return 0;
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const keyLength = view.getUint32(12, true);
  return keyLength > 1 << 20 ? 0 : headBytes(keyLength);
}

/** The key of a head; null where version or checksum are wrong. */
export function decodeHead(head: Uint8Array): string | null {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const end = HEAD_FIXED + view.getUint32(12, true);
  if (view.getUint32(8, true) !== CACHE_VERSION || end + 4 > head.length) return null;
  if (crc32c(head.subarray(0, end)) !== view.getUint32(end, true)) return null;
  return Buffer.from(head.subarray(HEAD_FIXED, end)).toString('utf8');
}

/** Index and trailer of entries; `at` is where they will stand in the file. */
export function encodeIndex(entries: readonly CacheEntry[], numGroups: number, at: number): Uint8Array {
  const entryBytes = entryLength(numGroups);
  const bytes = new Uint8Array(entries.length * entryBytes + TRAILER_BYTES);
  const view = new DataView(bytes.buffer);
  entries.forEach((entry, i) => {
    const from = i * entryBytes;
    view.setBigUint64(from, BigInt(entry.byteOffset), true);
    view.setBigUint64(from + 8, BigInt(entry.storedAt), true);
    const bits =
      (entry.packed ? EntryBit.packed : 0) | (entry.lastOfBlock ? EntryBit.lastOfBlock : 0) | (entry.lastOfFile ? EntryBit.lastOfFile : 0);
    [entry.rawLength, entry.start, entry.lines, entry.examples, entry.storedLength, entry.checksum, bits].forEach((word, k) => {
      view.setUint32(from + 16 + k * 4, word, true);
    });
    entry.ids.forEach((ids, g) => {
      view.setUint32(from + ENTRY_FIXED + g * 4, ids, true);
    });
  });
  const trailer = entries.length * entryBytes;
  view.setBigUint64(trailer, BigInt(at), true);
  view.setUint32(trailer + 8, entries.length, true);
  view.setUint32(trailer + 12, entryBytes, true);
  view.setUint32(trailer + 16, crc32c(bytes.subarray(0, trailer + 16)), true);
  bytes.set(Buffer.from(END_MAGIC, 'latin1'), trailer + 24);
  return bytes;
}

function entryLength(numGroups: number): number {
  return Math.ceil((ENTRY_FIXED + numGroups * 4) / 8) * 8;
}

/** Where the index begins, from the trailer of a file of `fileBytes`; null where it is none (a file cut off). */
export function indexStart(trailer: Uint8Array, fileBytes: number, numGroups: number): number | null {
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.length);
  if (Buffer.from(trailer.subarray(24)).toString('latin1') !== END_MAGIC) return null;
  const at = Number(view.getBigUint64(0, true));
  const entryBytes = view.getUint32(12, true);
  const fits = entryBytes === entryLength(numGroups) && at + view.getUint32(8, true) * entryBytes + TRAILER_BYTES === fileBytes;
  return fits ? at : null;
}

/** The entries of index and trailer; null where their checksum is wrong or an entry lies outside the body [bodyStart, at). */
export function decodeIndex(bytes: Uint8Array, numGroups: number, bodyStart: number, at: number): CacheEntry[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const trailer = bytes.length - TRAILER_BYTES;
  if (crc32c(bytes.subarray(0, trailer + 16)) !== view.getUint32(trailer + 16, true)) return null;
  const entryBytes = entryLength(numGroups);
  const entries = Array.from({ length: trailer / entryBytes }, (_, i): CacheEntry => {
    const from = i * entryBytes;
    const word = (k: number): number => view.getUint32(from + 16 + k * 4, true);
    const bits = word(6);
    return {
      byteOffset: Number(view.getBigUint64(from, true)),
      storedAt: Number(view.getBigUint64(from + 8, true)),
      rawLength: word(0),
      start: word(1),
      lines: word(2),
      examples: word(3),
      storedLength: word(4),
      checksum: word(5),
      packed: (bits & EntryBit.packed) !== 0,
      lastOfBlock: (bits & EntryBit.lastOfBlock) !== 0,
      lastOfFile: (bits & EntryBit.lastOfFile) !== 0,
      ids: Array.from({ length: numGroups }, (_unused, g) => view.getUint32(from + ENTRY_FIXED + g * 4, true)),
    };
  });
  const inside = entries.every(({ storedAt, storedLength }) => storedAt >= bodyStart && storedAt + storedLength <= at);
  return inside ? entries : null;
}
