// Snappy files: the framing format, TensorFlow's blocks and Hadoop's. Blocks are decoded strictly: a block that is cut or too long anywhere is an error.
import { crc32c, maskCrc32c } from '../../base/index.js';
import { compressedError } from './compressed-error.js';
import { InputBytes } from './input-bytes.js';

/** The framing format, the blocks of TensorFlow, and those of Hadoop and Spark. */
export type SnappyKind = 'snappy' | 'snappy-tensorflow' | 'snappy-hadoop';

const streamIdentifier = Uint8Array.of(0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59);
/** Most decompressed bytes of a chunk of the framing format. */
const FRAMED_BYTES = 65536;
/** Most decompressed bytes of a block of the others; TensorFlow and Hadoop write 256 KiB. */
const BLOCK_BYTES = 16 << 20;
const mostStored = (bytes: number): number => 32 + bytes + Math.floor(bytes / 6);

/** What a block says of its length: the bytes it decompresses to and where its elements begin; null where that can't be. */
export function snappyLength(block: Uint8Array): { readonly length: number; readonly at: number } | null {
  let length = 0;
  for (let at = 0; at < 5 && at < block.length; at++) {
    const byte = block[at];
    length += (byte & 0x7f) * 2 ** (at * 7);
    if (byte < 0x80) return length < 2 ** 32 ? { length, at: at + 1 } : null;
  }
  return null;
}

/**
 * Decodes the elements of a raw block from `at` on.
 * @param cut whether the block may end anywhere.
 * @returns bytes written; −1 where the block is malformed, or (not cut) fills `out` not exactly.
 */
export function snappyDecode(block: Uint8Array, at: number, out: Uint8Array, cut = false): number {
  let p = at;
  let o = 0;
  const end = block.length;
  while (p < end) {
    const tag = block[p++];
    const extra = (tag & 3) === 0 ? Math.max(0, (tag >> 2) - 59) : (tag & 3) === 3 ? 4 : tag & 3;
    if (end - p < extra) return cut ? o : -1;
    let number = 0;
    for (let i = extra - 1; i >= 0; i--) number = number * 256 + block[p + i];
    p += extra;
    if ((tag & 3) === 0) {
      const length = (extra === 0 ? tag >> 2 : number) + 1;
      if (length > out.length - o) return -1;
      const have = Math.min(length, end - p);
      if (have < length && !cut) return -1;
      out.set(block.subarray(p, p + have), o);
      p += have;
      o += have;
      continue;
    }
    const short = (tag & 3) === 1;
    const length = short ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const offset = short ? (tag >> 5) * 256 + number : number;
    if (offset === 0 || offset > o || length > out.length - o) return -1;
    if (offset >= length) out.copyWithin(o, o - offset, o - offset + length);
    else for (let i = 0; i < length; i++) out[o + i] = out[o + i - offset];
    o += length;
  }
  return cut || o === out.length ? o : -1;
}

/** Which of the three a file is by its first bytes; null for others. */
export function snappyKind(head: Uint8Array): SnappyKind | null {
  if (head.length >= streamIdentifier.length && streamIdentifier.every((byte, i) => head[i] === byte)) return 'snappy';
  if (head.length < 4) return null;
  const first = bigEndian(head, 0);
  if (looksLikeBlock(head.subarray(4), first)) return 'snappy-tensorflow';
  if (head.length < 8) return null;
  const block = head.subarray(8);
  const told = snappyLength(block);
  return told !== null && first <= BLOCK_BYTES && told.length <= first && looksLikeBlock(block, bigEndian(head, 4))
    ? 'snappy-hadoop'
    : null;
}

/** Whether a block of `size` bytes begins here: decoded as far as it is there. */
function looksLikeBlock(bytes: Uint8Array, size: number): boolean {
  const told = snappyLength(bytes);
  if (told === null || told.length === 0 || told.length > BLOCK_BYTES || size <= told.at || size > mostStored(told.length)) return false;
  const cut = bytes.length < size;
  return snappyDecode(bytes.subarray(0, size), told.at, new Uint8Array(told.length), cut) > 0;
}

function bigEndian(bytes: Uint8Array, at: number): number {
  return bytes[at] * 0x1000000 + bytes[at + 1] * 0x10000 + bytes[at + 2] * 256 + bytes[at + 3];
}

/** The decompressed bytes of a snappy file. @throws RecordCorrupt. */
export async function* decodeSnappy(kind: SnappyKind, chunks: AsyncIterator<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  const reader = new SnappyReader(new InputBytes(chunks), path);
  for (;;) {
    const bytes = kind === 'snappy' ? await reader.chunk() : await reader.block(kind === 'snappy-hadoop');
    if (bytes === null) return;
    if (bytes.length > 0) yield bytes;
  }
}

class SnappyReader {
  private position = 0;
  private stored = 0;
  /** Hadoop: bytes still to come of what its block said. */
  private left = 0;

  constructor(
    private readonly input: InputBytes,
    private readonly path: string,
  ) {}

  /** The next chunk of the framing format; null at the end. */
  async chunk(): Promise<Uint8Array | null> {
    this.stored = this.input.position;
    const head = await this.input.take(4);
    if (head.length === 0) return null;
    if (head.length < 4) throw this.wrong('the snappy file is cut off');
    const [type] = head;
    const size = head[1] + head[2] * 256 + head[3] * 65536;
    if (type > 1 && type < 0x80) throw this.wrong(`a snappy chunk of the unknown type ${type}`);
    if (type <= 1 && (size < 4 || size > 4 + mostStored(FRAMED_BYTES))) throw this.wrong(`a snappy chunk of ${size} bytes`);
    const body = await this.input.take(size);
    if (body.length < size) throw this.wrong('the snappy file is cut off');
    if (type === 0xff && !(size === 6 && body.every((byte, i) => byte === streamIdentifier[i + 4])))
      throw this.wrong('a wrong stream identifier of snappy');
    if (type > 1) return new Uint8Array(0);
    const data = body.subarray(4);
    const bytes = type === 0 ? this.decode(data, FRAMED_BYTES) : data;
    if (bytes.length > FRAMED_BYTES) throw this.wrong(`a snappy chunk of ${size} bytes`);
    const checksum = (body[0] + body[1] * 256 + body[2] * 65536 + body[3] * 0x1000000) >>> 0;
    if (maskCrc32c(crc32c(bytes)) !== checksum) throw this.wrong('the checksum of a snappy chunk is wrong');
    this.position += bytes.length;
    return bytes;
  }

  /** The next block of TensorFlow's or Hadoop's form; null at the end. */
  async block(hadoop: boolean): Promise<Uint8Array | null> {
    this.stored = this.input.position;
    if (hadoop && this.left === 0) {
      const total = await this.number();
      if (total === null) return null;
      this.left = total;
      if (total === 0) return new Uint8Array(0);
    }
    const size = await this.number();
    if (size === null && !hadoop) return null;
    if (size === null) throw this.wrong('the snappy file is cut off');
    if (size > mostStored(BLOCK_BYTES)) throw this.wrong(`a snappy block of ${size} bytes`);
    const stored = await this.input.take(size);
    if (stored.length < size) throw this.wrong('the snappy file is cut off');
    const bytes = this.decode(stored, hadoop ? this.left : BLOCK_BYTES);
    this.left -= bytes.length;
    this.position += bytes.length;
    return bytes;
  }

  /** Four bytes, big-endian; null at the end. */
  private async number(): Promise<number | null> {
    const bytes = await this.input.take(4);
    if (bytes.length === 0) return null;
    if (bytes.length < 4) throw this.wrong('the snappy file is cut off');
    return bigEndian(bytes, 0);
  }

  private decode(block: Uint8Array, most: number): Uint8Array {
    const told = snappyLength(block);
    // No element of three bytes makes more than 64.
    if (told === null || told.length > most || told.length > block.length * 64) throw this.wrong('a damaged length of a snappy block');
    const out = new Uint8Array(told.length);
    if (snappyDecode(block, told.at, out) < 0) throw this.wrong('a damaged snappy block');
    return out;
  }

  private wrong(what: string): Error {
    return compressedError(this.path, what, { stored: this.stored, position: this.position }, '');
  }
}
