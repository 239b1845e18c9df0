// How a whole file may be compressed, told by its first bytes and never by its name.
import { constants, inflateSync } from 'node:zlib';
import { maskedCrc32c } from '../../base/index.js';
import { isNpz } from '../npz/rows.js';
import { type SnappyKind, snappyKind } from './snappy.js';

export type Compression = 'none' | 'gzip' | 'zlib' | 'zstd' | 'npz' | SnappyKind;

/** Bytes of a file that {@link detectCompression} looks at. */
export const COMPRESSION_HEAD = 65536;
/** Bytes of a longer file that are inflated to believe a zlib header of two bytes. */
const TRIAL_BYTES = 4096;
/** Text that begins like a zlib header may go on like one for a few bytes, hardly for so many. */
const TRIAL_MADE = 64;
const MOST_TRIED = 1 << 23;
const FRAME_HEADER = 12;

/** @param head the first bytes of the file, {@link COMPRESSION_HEAD} of them where it has as many. */
export function detectCompression(head: Uint8Array): Compression {
  const [a = 0, b = 0, c = 0, d = 0] = head;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  // Its arrays come out as a stream of rows (npz/rows.ts), so it is one more thing to be unpacked.
  if (isNpz(head)) return 'npz';
  // A skippable frame, such as pzstd puts first.
  if (a >> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18) return 'zstd';
  if (isTfrecord(head)) return 'none';
  if (isZlib(head)) return 'zlib';
  return snappyKind(head) ?? 'none';
}

/** Endings that compressors put behind a name. */
export function withoutCompressionEnding(name: string): string {
  return name.replace(/\.(gz|gzip|zlib|zz|zst|zstd|snappy|sz)$/i, '');
}

function isTfrecord(head: Uint8Array): boolean {
  if (head.length < FRAME_HEADER) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return maskedCrc32c(head.subarray(0, 8)) === view.getUint32(8, true);
}

function isZlib(head: Uint8Array): boolean {
  const [a = 0, b = 0] = head;
  // Method deflate, a window of at most 32 KiB, no preset dictionary, and the check of the header.
  if (head.length < 2 || (a & 15) !== 8 || a >> 4 > 7 || (b & 32) !== 0 || (a * 256 + b) % 31 !== 0) return false;
  return inflates(head) || inflates(head.subarray(0, TRIAL_BYTES), TRIAL_MADE);
}

/** Whether it is a whole stream, or (`least` given) the first part of one that makes so many bytes. */
function inflates(bytes: Uint8Array, least?: number): boolean {
  try {
    const options = { maxOutputLength: MOST_TRIED };
    if (least === undefined) return inflateSync(bytes, options) !== null;
    return inflateSync(bytes, { ...options, finishFlush: constants.Z_SYNC_FLUSH }).length >= least;
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
  }
}
