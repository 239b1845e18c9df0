import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createInflate, type Gunzip, type Inflate } from 'node:zlib';
import { MonolithError } from '../base/index.js';
import { COMPRESSION_HEAD, type Compression, detectCompression } from './compression/compression.js';
import { decodeSnappy } from './compression/snappy.js';
import { decodeZstd } from './compression/zstd.js';
import { NpzSource } from './npz/rows.js';
import { standardInput } from './paths.js';

/** Bytes of a decompressed chunk: large, since each one is copied once and costs a turn of the event loop. */
const CHUNK_BYTES = 256 * 1024;

/** The bytes of one file, decompressed, in order. */
export type ByteSource = {
  /** Up to `most` bytes into into[at …]; 0 at the end. */
  read(into: Uint8Array, at: number, most: number): Promise<number>;
  close(): Promise<void>;
};

/** What can be known of a file without reading it. */
export type FileInfo = {
  readonly path: string;
  readonly compression: Compression;
  /** null for compressed files and standard input */
  readonly size: number | null;
  /** Bytes as stored, compressed or not; null for standard input. */
  readonly storedBytes: number | null;
};

/**
 * Looks at a file: how it is compressed (by its first bytes) and how long it is.
 * @throws DataNotFound where it can't be opened.
 */
export async function fileInfo(path: string): Promise<FileInfo> {
  if (path === standardInput) {
    const compression = detectCompression(await peekStandardInput(COMPRESSION_HEAD));
    if (compression !== 'none') {
      throw new MonolithError('DataFormat', `standard input is ${compression}: decompress it on the way in (gzip -dc file | …)`, { path });
    }
    return { path, compression, size: null, storedBytes: null };
  }
  const handle = await openFile(path);
  try {
    const head = new Uint8Array(COMPRESSION_HEAD);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    const compression = detectCompression(head.subarray(0, bytesRead));
    const { size } = await stat(path);
    return { path, compression, size: compression === 'none' ? size : null, storedBytes: size };
  } finally {
    await handle.close();
  }
}

/**
 * Opens a file at a byte of its decompressed stream.
 * @throws DataNotFound, RecordCorrupt (a compressed file that is damaged or cut off, when reading).
 */
export async function openSource(file: FileInfo, offset: number): Promise<ByteSource> {
  if (file.path === standardInput) {
    return skip(new StreamSource(process.stdin, process.stdin, file), offset);
  }
  if (file.compression === 'none') return new PlainSource(await openFile(file.path), offset);
  if (file.compression === 'npz') return NpzSource.open(file.path, offset);
  const stored = createReadStream(file.path, { highWaterMark: CHUNK_BYTES });
  switch (file.compression) {
    case 'gzip':
    case 'zlib': {
      const output = inflated(stored, file);
      return skip(new StreamSource(allOf(output, file), output, file), offset);
    }
    case 'zstd':
      return skip(new StreamSource(decodeZstd(stored[Symbol.asyncIterator](), file.path), stored, file), offset);
    default:
      return skip(new StreamSource(decodeSnappy(file.compression, stored[Symbol.asyncIterator](), file.path), stored, file), offset);
  }
}

/** The first bytes of a file's decompressed stream, at most `bytes`; standard input keeps them for the later reader. */
export async function readHead(file: FileInfo, bytes: number): Promise<Uint8Array> {
  if (file.path === standardInput) return peekStandardInput(bytes);
  const source = await openSource(file, 0);
  try {
    const head = new Uint8Array(bytes);
    let length = 0;
    while (length < bytes) {
      const got = await source.read(head, length, bytes - length).catch((error: unknown) => {
        // A damaged end is reported by the reader, with its place; what came before it is enough here.
        if (length > 0 && error instanceof MonolithError) return 0;
        throw error;
      });
      if (got === 0) break;
      length += got;
    }
    return head.subarray(0, length);
  } finally {
    await source.close();
  }
}

class PlainSource implements ByteSource {
  constructor(
    private readonly handle: FileHandle,
    private position: number,
  ) {}

  async read(into: Uint8Array, at: number, most: number): Promise<number> {
    const { bytesRead } = await this.handle.read(into, at, most, this.position);
    this.position += bytesRead;
    return bytesRead;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

class StreamSource implements ByteSource {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private rest: Uint8Array = new Uint8Array(0);
  private position = 0;

  constructor(
    chunks: AsyncIterable<Uint8Array>,
    private readonly stream: Readable,
    private readonly file: FileInfo,
  ) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array, at: number, most: number): Promise<number> {
    while (this.rest.length === 0) {
      const next = await this.chunks.next().catch((error: unknown) => {
        throw damaged(this.file, this.position, error);
      });
      if (next.done === true) return 0;
      this.rest = next.value;
    }
    const count = Math.min(most, this.rest.length);
    into.set(this.rest.subarray(0, count), at);
    this.rest = this.rest.subarray(count);
    this.position += count;
    return count;
  }

  async close(): Promise<void> {
    // Also standard input: a read that waits for more would otherwise never end.
    this.stream.destroy();
  }
}

async function skip(source: ByteSource, offset: number): Promise<ByteSource> {
  const waste = new Uint8Array(Math.min(offset, CHUNK_BYTES));
  for (let left = offset; left > 0; ) {
    const got = await source.read(waste, 0, Math.min(left, waste.length));
    if (got === 0) break;
    left -= got;
  }
  return source;
}

function inflated(input: Readable, { compression }: FileInfo): Gunzip | Inflate {
  const output = compression === 'gzip' ? createGunzip({ chunkSize: CHUNK_BYTES }) : createInflate({ chunkSize: CHUNK_BYTES });
  // Errors of either stream surface through the output's iterator.
  pipeline(input, output, () => {});
  return output;
}

/** A zlib stream has no second one behind it as gzip has: what follows it would be left out without a word. */
async function* allOf(output: Gunzip | Inflate, { compression, storedBytes }: FileInfo): AsyncGenerator<Uint8Array> {
  yield* output as AsyncIterable<Uint8Array>;
  const used = output.bytesWritten;
  if (compression !== 'zlib' || storedBytes === null || used >= storedBytes) return;
  throw Object.assign(new Error(`they end at byte ${used} of ${storedBytes}, and something else follows`), { code: 'Z_DATA_ERROR' });
}

async function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new MonolithError('DataNotFound', `${path}: can't be opened (${error.code ?? error.message})`, { path }, { cause: error });
  });
}

function damaged({ path, compression }: FileInfo, position: number, error: unknown): MonolithError {
  if (error instanceof MonolithError) return error;
  const code = (error as { code?: string }).code ?? '';
  const what =
    code === 'Z_BUF_ERROR'
      ? `the ${compression} file is cut off`
      : code.startsWith('Z_')
        ? `the ${compression} data are damaged (${(error as Error).message})`
        : `reading failed (${code || (error as Error).message})`;
  return new MonolithError(
    'RecordCorrupt',
    `${path}: ${what} after byte ${position} of the decompressed stream. Fetch the file again${compression === 'gzip' ? ", or check it with 'gzip -t'" : ''}`,
    { path, position },
    { cause: error },
  );
}

/** Reads the first bytes of standard input and puts them back. */
async function peekStandardInput(bytes: number): Promise<Uint8Array> {
  const input = process.stdin;
  const chunks: Buffer[] = [];
  let length = 0;
  let ended = false;
  while (length < bytes && !ended) {
    const chunk = input.read() as Buffer | null;
    if (chunk !== null) {
      chunks.push(chunk);
      length += chunk.length;
    } else if (input.readableEnded) {
      ended = true;
    } else if (length > 0) {
      // What is there is enough to go on: a pipe may pause for long.
      break;
    } else {
      await new Promise<void>((resolve) => {
        const settle = (): void => {
          input.off('readable', settle);
          input.off('end', settle);
          resolve();
        };
        input.once('readable', settle);
        input.once('end', settle);
      });
    }
  }
  const all = Buffer.concat(chunks);
  if (all.length > 0 && !ended) input.unshift(all);
  return all.subarray(0, bytes);
}
