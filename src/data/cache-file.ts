// One data cache file: written beside its name and renamed when whole, or read block by block.
import { type FileHandle, open } from 'node:fs/promises';
import { DurableWriter, MonolithError, renameDurable } from '../base/index.js';
import {
  type CacheEntry,
  decodeHead,
  decodeIndex,
  encodeHead,
  encodeIndex,
  headLength,
  indexStart,
  TRAILER_BYTES,
} from './cache-format.js';

/** Stored bytes of one part on their way into a cache. */
export type CachePart = Omit<CacheEntry, 'storedAt'> & { readonly bytes: Uint8Array };

/** Writes a cache while its source is read for the first time. Nobody sees it before {@link commit}. */
export class CacheWriter {
  private readonly entries: CacheEntry[] = [];
  private failure: unknown = null;

  private constructor(
    private readonly path: string,
    private readonly writer: DurableWriter,
    private readonly numGroups: number,
    private readonly onFailure: (error: unknown) => void,
    /** Whether the source is still what it was when writing began. */
    private readonly unchanged: () => Promise<boolean>,
  ) {}

  /** @throws DiskFull, WriteFailed */
  static async create(
    path: string,
    temporary: string,
    key: string,
    numGroups: number,
    onFailure: (error: unknown) => void,
    unchanged: () => Promise<boolean>,
  ): Promise<CacheWriter> {
    const writer = await DurableWriter.create(temporary);
    const made = new CacheWriter(path, writer, numGroups, onFailure, unchanged);
    await made.attempt(() => writer.append(encodeHead(key)));
    return made;
  }

  /** False once the cache was given up: nothing more needs to be packed for it. */
  get active(): boolean {
    return this.failure === null;
  }

  /** Appends the parts of one raw block; their bytes may change afterwards. A failure gives the cache up and is reported once. */
  async append(parts: readonly CachePart[]): Promise<void> {
    await this.attempt(async () => {
      for (const { bytes, ...entry } of parts) {
        this.entries.push({ ...entry, storedAt: this.writer.bytesWritten });
        await this.writer.append(bytes);
      }
    });
  }

  /** Makes the cache whole, durable and visible. */
  async commit(): Promise<void> {
    await this.attempt(async () => {
      await this.writer.append(encodeIndex(this.entries, this.numGroups, this.writer.bytesWritten));
      await this.writer.close();
      if (!(await this.unchanged())) throw new MonolithError('WriteFailed', 'the data changed while they were read');
      await renameDurable(this.writer.path, this.path);
    });
  }

  /** Gives the cache up without a word: not all of its source was read. */
  async discard(): Promise<void> {
    this.failure ??= 'discarded';
    await this.writer.discard();
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    if (!this.active) return;
    try {
      await work();
    } catch (error) {
      // Given up by discard() in the middle of the work: nobody needs to hear of it.
      if (this.failure !== null) return;
      this.failure = error;
      await this.writer.discard();
      this.onFailure(error);
    }
  }
}

/** The blocks of a whole, checked cache. Its body is checked block by block as it is read. */
export class CacheReader {
  /** Byte of each raw block in the source → position of its first entry. */
  private readonly starts = new Map<number, number>();
  private closed = false;

  private constructor(
    private readonly handle: FileHandle,
    readonly path: string,
    private readonly entries: readonly CacheEntry[],
  ) {
    entries.forEach((entry, i) => {
      if (i === 0 || entries[i - 1].lastOfBlock) this.starts.set(entry.byteOffset, i);
    });
  }

  /**
   * Opens a cache made with `key`; a text that says what is wrong with it otherwise; null where there is none.
   */
  static async open(path: string, key: string, numGroups: number): Promise<CacheReader | string | null> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // ENOTDIR: writing one will fail too, and say so.
      return code === 'ENOENT' || code === 'ENOTDIR' ? null : `can't be opened (${code})`;
    }
    const read = await readEntries(handle, key, numGroups).catch((error: Error) => `can't be read (${error.message})`);
    if (typeof read !== 'string') return new CacheReader(handle, path, read);
    await handle.close();
    return read;
  }

  /** Number of the first entry of the raw block at a byte of the source; −1: none begins there. */
  entryAt(byteOffset: number): number {
    return this.starts.get(byteOffset) ?? -1;
  }

  /** Entries of the raw block that begins at entry `first`; empty behind the last one. */
  block(first: number): readonly CacheEntry[] {
    let end = first;
    while (end < this.entries.length && !this.entries[end].lastOfBlock) end++;
    return this.entries.slice(first, end + 1);
  }

  /** Reads bytes [at, at + length) of the file; fewer where it was cut off meanwhile. */
  async read(into: Uint8Array, at: number, length: number): Promise<number> {
    return readFully(this.handle, into, at, length);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.handle.close();
  }
}

async function readEntries(handle: FileHandle, key: string, numGroups: number): Promise<CacheEntry[] | string> {
  const { size } = await handle.stat();
  const start = await readBytes(handle, 0, Math.min(size, 16));
  const bodyStart = headLength(start);
  if (bodyStart === 0) return 'is no data cache';
  if (bodyStart + TRAILER_BYTES > size) return 'is cut off';
  const found = decodeHead(await readBytes(handle, 0, bodyStart));
  if (found === null) return 'is of another version, or its head is damaged';
  if (found !== key) return 'belongs to other data or options';
  const at = indexStart(await readBytes(handle, size - TRAILER_BYTES, TRAILER_BYTES), size, numGroups);
  if (at === null || at < bodyStart) return 'is cut off or its end is damaged';
  return decodeIndex(await readBytes(handle, at, size - at), numGroups, bodyStart, at) ?? 'has a damaged index';
}

async function readBytes(handle: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const got = await readFully(handle, bytes, at, length);
  return bytes.subarray(0, got);
}

async function readFully(handle: FileHandle, into: Uint8Array, at: number, length: number): Promise<number> {
  let got = 0;
  while (got < length) {
    const { bytesRead } = await handle.read(into, got, length - got, at + got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return got;
}
