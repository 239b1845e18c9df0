// Zstandard files. The frames and blocks are walked here, so that a cut, a wrong length and a wrong checksum are known with their place; what is
// in a block is fzstd's.
import { compressedError } from './compressed-error.js';
import { InputBytes } from './input-bytes.js';
import { XxHash64 } from './xxhash64.js';

/** The largest window that is kept, as in the zstd command without --long. */
const MOST_WINDOW = 2 ** 27;
const MOST_BLOCK = 128 * 1024;
const CHECK = ", or check it with 'zstd -t'";
const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

type FrameHeader = { readonly bytes: Uint8Array; readonly size: number | null; readonly checksum: boolean };
type Decompressor = { push(chunk: Uint8Array, final?: boolean): void };

/** The decompressed bytes of a zstd file of any number of frames. @throws RecordCorrupt, DataFormat (dictionary, window above 128 MiB). */
export async function* decodeZstd(chunks: AsyncIterator<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  const reader = new ZstdReader(new InputBytes(chunks), path);
  for (;;) {
    const header = await reader.header();
    if (header === null) return;
    const made: Uint8Array[] = [];
    const decompressor: Decompressor = new Decompress((bytes) => {
      if (bytes.length > 0) made.push(bytes);
    });
    reader.begin();
    let first: Uint8Array | null = header.bytes;
    for (let last = false; !last; ) {
      const block = await reader.block(header.checksum);
      last = block.last;
      reader.decompress(decompressor, first === null ? block.bytes : Buffer.concat([first, block.bytes]), last);
      first = null;
      for (const bytes of made) reader.count(bytes);
      if (last) reader.end(header, block.checksum);
      yield* made.splice(0);
    }
  }
}

class ZstdReader {
  private position = 0;
  private stored = 0;
  private made = 0;
  private hash = new XxHash64();

  constructor(
    private readonly input: InputBytes,
    private readonly path: string,
  ) {}

  /** The header of the next frame; null at the end. */
  async header(): Promise<FrameHeader | null> {
    for (;;) {
      this.stored = this.input.position;
      const start = await this.input.take(4);
      if (start.length === 0) return null;
      if (start.length < 4) throw this.wrong('the zstd file is cut off');
      const magic = littleEndian(start, 0, 4);
      if (magic === MAGIC) return this.frame(start);
      if (magic - (magic % 16) !== SKIPPABLE) throw this.wrong('neither a frame of zstd nor the end of the file');
      const size = await this.whole(4);
      for (let left = littleEndian(size, 0, 4); left > 0; ) left -= (await this.whole(Math.min(left, MOST_BLOCK))).length;
    }
  }

  begin(): void {
    this.made = 0;
    this.hash = new XxHash64();
  }

  /** The next block with its header; with the last one, what follows it. */
  async block(checksum: boolean): Promise<{ readonly bytes: Uint8Array; readonly last: boolean; readonly checksum: number }> {
    this.stored = this.input.position;
    const head = Buffer.from(await this.whole(3));
    const last = (head[0] & 1) === 1;
    const type = (head[0] >> 1) & 3;
    const size = littleEndian(head, 0, 3) >> 3;
    if (type === 3 || size > MOST_BLOCK) throw this.wrong('a damaged header of a zstd block');
    const body = Buffer.from(await this.whole(type === 1 ? 1 : size));
    const tail = last && checksum ? Buffer.from(await this.whole(4)) : new Uint8Array(0);
    return { bytes: Buffer.concat([head, body, tail]), last, checksum: tail.length === 0 ? 0 : littleEndian(tail, 0, 4) };
  }

  decompress(decompressor: Decompressor, block: Uint8Array, last: boolean): void {
    try {
      decompressor.push(block, last);
    } catch (error) {
      throw this.wrong('a damaged zstd block', error);
    }
  }

  count(bytes: Uint8Array): void {
    this.hash.update(bytes);
    this.made += bytes.length;
    this.position += bytes.length;
  }

  end({ size, checksum }: FrameHeader, expected: number): void {
    if (size !== null && size !== this.made) throw this.wrong(`a zstd frame of ${this.made} bytes that should have ${size}`);
    if (checksum && this.hash.low32() !== expected) throw this.wrong('the checksum of a zstd frame is wrong');
  }

  private async frame(start: Uint8Array): Promise<FrameHeader> {
    const magic = Buffer.from(start);
    const descriptor = Buffer.from(await this.whole(1));
    const [flags] = descriptor;
    const single = (flags & 32) !== 0;
    const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6];
    const dictionaryBytes = [0, 1, 2, 4][flags & 3];
    if ((flags & 8) !== 0) throw this.wrong('a damaged header of a zstd frame');
    const rest = Buffer.from(await this.whole((single ? 0 : 1) + dictionaryBytes + sizeBytes));
    const base = single ? 0 : 2 ** (10 + (rest[0] >> 3));
    const dictionary = littleEndian(rest, single ? 0 : 1, dictionaryBytes);
    if (dictionary !== 0) throw this.wrong(`a zstd frame that needs dictionary ${dictionary}; decompress the file first`);
    const size = sizeBytes === 0 ? null : littleEndian(rest, rest.length - sizeBytes, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
    const window = single ? (size ?? 0) : base + (base / 8) * (rest[0] & 7);
    if (window > MOST_WINDOW) {
      throw this.wrong(
        `a zstd frame that needs a window of ${window} bytes, at most ${MOST_WINDOW} are kept (was it made with --long or --ultra?)`,
      );
    }
    return { bytes: Buffer.concat([magic, descriptor, rest]), size, checksum: (flags & 4) !== 0 };
  }

  private async whole(count: number): Promise<Uint8Array> {
    const bytes = await this.input.take(count);
    if (bytes.length < count) throw this.wrong('the zstd file is cut off');
    return bytes;
  }

  private wrong(what: string, cause?: unknown): Error {
    return compressedError(this.path, what, { stored: this.stored, position: this.position }, CHECK, cause);
  }
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}
