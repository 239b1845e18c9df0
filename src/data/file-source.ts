import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MonolithError } from '../base/index.js';
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
  readonly gzip: boolean /** null for gzip and standard input */;
  readonly size: number | null;
  /** Bytes as stored, compressed or not; null for standard input. */
  readonly storedBytes: number | null;
};

/**
 * Looks at a file: whether it is gzip (by its first bytes) and how long it is.
 * @throws DataNotFound where it can't be opened.
 */
export async function fileInfo(path: string): Promise<FileInfo> {
  if (path === standardInput) {
    const head = await peekStandardInput(2);
    if (isGzip(head)) {
      throw new MonolithError('DataFormat', 'standard input is gzip: decompress it on the way in (gzip -dc file | …)', { path });
    }
    return { path, gzip: false, size: null, storedBytes: null };
  }
  const handle = await openFile(path);
  try {
    const head = new Uint8Array(2);
    const { bytesRead } = await handle.read(head, 0, 2, 0);
    const gzip = bytesRead === 2 && isGzip(head);
    const { size } = await stat(path);
    return { path, gzip, size: gzip ? null : size, storedBytes: size };
  } finally {
    await handle.close();
  }
}

/**
 * Opens a file at a byte of its decompressed stream.
 * @throws DataNotFound, RecordCorrupt (damaged or truncated gzip, when reading).
 */
export async function openSource(file: FileInfo, offset: number): Promise<ByteSource> {
  if (file.path === standardInput) {
    return skip(new StreamSource(process.stdin, file.path), offset);
  }
  if (file.gzip) {
    return skip(new StreamSource(gunzip(createReadStream(file.path, { highWaterMark: CHUNK_BYTES })), file.path), offset);
  }
  return new PlainSource(await openFile(file.path), offset);
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
    private readonly stream: Readable,
    private readonly path: string,
  ) {
    this.chunks = stream[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array, at: number, most: number): Promise<number> {
    while (this.rest.length === 0) {
      const next = await this.chunks.next().catch((error: unknown) => {
        throw damaged(this.path, this.position, error);
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

function gunzip(input: Readable): Readable {
  const output = createGunzip({ chunkSize: CHUNK_BYTES });
  // Errors of either stream surface through the output's iterator.
  pipeline(input, output, () => {});
  return output;
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

async function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new MonolithError('DataNotFound', `${path}: can't be opened (${error.code ?? error.message})`, { path }, { cause: error });
  });
}

function damaged(path: string, position: number, error: unknown): MonolithError {
  const code = (error as { code?: string }).code ?? '';
  const what =
    code === 'Z_BUF_ERROR'
      ? 'the gzip file is cut off'
      : code.startsWith('Z_')
        ? `the gzip data are damaged (${(error as Error).message})`
        : `reading failed (${code || (error as Error).message})`;
  return new MonolithError(
    'RecordCorrupt',
    `${path}: ${what} after byte ${position} of the decompressed stream. Fetch the file again, or check it with 'gzip -t'`,
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
