// Raw blocks: bytes of whole records of one file, in shared memory, in file order.
import { MonolithError } from '../base/index.js';
import type { DataCache } from './cache.js';
import type { CacheReader, CacheWriter } from './cache-file.js';
import type { CacheEntry } from './cache-format.js';
import type { ColumnarPlan, PlannedBlock } from './columnar/plan.js';
import type { BlockFilter } from './columnar/skip.js';
import { type ByteSource, openSource } from './file-source.js';
import type { Parsers } from './native-parsers.js';
import { isMonolithFormat } from './options.js';
import type { StreamPoint } from './position.js';
import type { PreparedFile } from './prepared-file.js';

export type RawBlock = {
  readonly file: PreparedFile;
  readonly fileIndex: number;
  /** Byte of the block's start in the decompressed stream. */
  readonly byteOffset: number;
  readonly bytes: Uint8Array;
  readonly buffer: SharedArrayBuffer;
  readonly length: number;
  /** Bytes of `bytes` that are its own: those of the source, or for a planned block what a parse thread needs to know of it. */
  readonly stored: number;
  /** What parse calls count in: the bytes, or the rows of a planned block. */
  readonly extent: number;
  /** The block of a file that is read by position; null: the next bytes of a stream. */
  readonly planned: PlannedBlock | null;
  /** Whether its file ends with it. */
  readonly lastOfFile: boolean;
  /** The cache that its file is written to; null: none. */
  readonly recorder: CacheWriter | null;
  /** Where it comes out of a cache: `bytes` then hold what is stored there, which may be packed; `length` is that of the source all the same. */
  readonly cached: { readonly reader: CacheReader; readonly entries: readonly CacheEntry[] } | null;
};

/** Reads one raw block from its file again, for a cache that turned out damaged. */
export async function readAgain({ file, fileIndex, byteOffset, length, lastOfFile, planned }: RawBlock): Promise<RawBlock> {
  if (planned !== null) return plannedBlock(file, fileIndex, planned, null, null);
  const source = await openSource(file.description.info, byteOffset);
  try {
    const buffer = new SharedArrayBuffer(length);
    const bytes = new Uint8Array(buffer);
    for (let got = 0; got < length; ) {
      const more = await source.read(bytes, got, length - got);
      if (more === 0) throw new MonolithError('DataFormat', `${file.description.info.path}: became shorter while it was read`);
      got += more;
    }
    const extents = { length, stored: length, extent: length };
    return { file, fileIndex, byteOffset, bytes, buffer, ...extents, planned: null, lastOfFile, recorder: null, cached: null };
  } finally {
    await source.close();
  }
}

/** A block of a file that is read by position: whoever parses it reads the file. */
function plannedBlock(
  file: PreparedFile,
  fileIndex: number,
  planned: PlannedBlock,
  recorder: CacheWriter | null,
  memory: SharedArrayBuffer | null,
): RawBlock {
  const task = file.description.columnar?.taskBytes(planned) ?? new Uint8Array(0);
  const buffer = memory !== null && memory.byteLength >= task.length ? memory : new SharedArrayBuffer(task.length);
  const bytes = new Uint8Array(buffer);
  bytes.set(task);
  const { byteOffset, length, lastOfFile, rows } = planned;
  const extents = { length, stored: task.length, extent: rows };
  return { file, fileIndex, byteOffset, bytes, buffer, ...extents, planned, lastOfFile, recorder, cached: null };
}

/** Reads the files one after another from a point on. One call at a time. */
export class RawReader {
  private source: ByteSource | null = null;
  private file: PreparedFile | null = null;
  private fileIndex: number;
  private offset: number;
  /** Bytes of an incomplete record, carried to the next block. */
  private carry: Uint8Array = new Uint8Array(0);
  private ended = false;
  private recorder: CacheWriter | null = null;
  /** Whether a block took the recorder along; otherwise nobody else would end it. */
  private recorded = false;
  private cache: { readonly reader: CacheReader; next: number } | null = null;
  /** Blocks of a file that is read by position, and the next one's number. */
  private plan: { readonly blocks: ColumnarPlan; next: number } | null = null;
  private readonly free: SharedArrayBuffer[] = [];
  private closed = false;

  constructor(
    private readonly numFiles: number,
    private readonly prepare: (fileIndex: number) => Promise<PreparedFile>,
    start: StreamPoint,
    private readonly blockBytes: number,
    private readonly maxRecordBytes: number,
    private readonly caches: DataCache | null,
    private readonly parsers: Parsers,
    /** Blocks of files read by position that it turns down are passed over; caches hold all blocks, so that there are none to pass over then. */
    private readonly wanted: BlockFilter,
  ) {
    this.fileIndex = start.fileIndex;
    this.offset = start.byteOffset;
  }

  /** The next block; null after the last file. @throws DataFormat for a record longer than maxRecordBytes, and what the source throws. */
  async next(): Promise<RawBlock | null> {
    for (;;) {
      if (this.closed || this.fileIndex >= this.numFiles) return null;
      if (this.source === null && this.cache === null && this.plan === null) await this.openFile();
      const block =
        this.cache !== null ? await this.fillFromCache(this.cache) : this.plan !== null ? this.nextPlanned(this.plan) : await this.fill();
      if (block !== null) return block;
      await this.endFile();
    }
  }

  /** Gives a block's memory back. */
  release(block: RawBlock): void {
    if (block.buffer.byteLength === this.blockBytes) this.free.push(block.buffer);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.closeFile();
  }

  private async closeFile(): Promise<void> {
    const { source, cache, recorder, recorded } = this;
    this.source = null;
    this.cache = null;
    this.plan = null;
    this.recorder = null;
    if (!recorded) await recorder?.discard();
    await source?.close();
    await cache?.reader.close();
  }

  private async openFile(): Promise<void> {
    this.file = await this.prepare(this.fileIndex);
    const { info, dataStart, columnar } = this.file.description;
    if (this.offset < dataStart) this.offset = dataStart;
    this.recorded = false;
    if (this.caches !== null && (await this.openCache(this.caches, this.file, this.offset === dataStart))) return;
    if (columnar !== null) {
      this.plan = { blocks: columnar, next: this.offset === dataStart ? 0 : columnar.indexAt(this.offset) };
      if (this.plan.next < 0) throw noBlock(info.path, this.offset);
      return;
    }
    const source = await openSource(info, this.offset);
    // Closed meanwhile: nobody else would close it.
    if (this.closed) await source.close();
    else this.source = source;
    this.ended = false;
  }

  /** Goes on from the file's cache where it has one; else begins one where the file is read from its start. */
  private async openCache(caches: DataCache, file: PreparedFile, fromStart: boolean): Promise<boolean> {
    const reader = await caches.find(file);
    const next = reader?.entryAt(this.offset) ?? -1;
    if (reader !== null && next >= 0 && !this.closed) {
      this.cache = { reader, next };
      return true;
    }
    await reader?.close();
    if (fromStart && reader === null && !this.closed) this.recorder = await caches.record(file);
    return false;
  }

  private async fillFromCache(cache: { readonly reader: CacheReader; next: number }): Promise<RawBlock | null> {
    const { file } = this;
    const { reader } = cache;
    const entries = reader.block(cache.next);
    if (file === null || entries.length === 0) return null;
    cache.next += entries.length;
    const [{ byteOffset, rawLength, storedAt, lastOfFile }] = entries;
    const stored = entries.reduce((sum, entry) => sum + entry.storedLength, 0);
    const usual = stored <= this.blockBytes ? this.free.pop() : undefined;
    const buffer = usual ?? new SharedArrayBuffer(Math.max(stored, this.blockBytes));
    const bytes = new Uint8Array(buffer);
    // What is missing fails the checksum, and is then read from the file.
    await reader.read(bytes, storedAt, stored).catch(() => 0);
    this.offset = byteOffset + rawLength;
    const cached = { reader, entries };
    const { columnar } = file.description;
    const planned = columnar?.block(columnar.indexAt(byteOffset)) ?? null;
    const extents = { length: rawLength, stored, extent: planned?.rows ?? rawLength };
    return { file, fileIndex: this.fileIndex, byteOffset, bytes, buffer, ...extents, planned, lastOfFile, recorder: null, cached };
  }

  private nextPlanned(plan: { readonly blocks: ColumnarPlan; next: number }): RawBlock | null {
    const { file } = this;
    const { blocks } = plan;
    if (this.caches === null) while (plan.next < blocks.numBlocks && !this.wanted(blocks, blocks.block(plan.next))) plan.next++;
    if (file === null || plan.next >= blocks.numBlocks) return null;
    const planned = blocks.block(plan.next++);
    this.offset = planned.byteOffset + planned.length;
    this.recorded = true;
    return plannedBlock(file, this.fileIndex, planned, this.recorder, this.free.pop() ?? null);
  }

  private async endFile(): Promise<void> {
    await this.closeFile();
    this.fileIndex++;
    this.offset = 0;
  }

  private async fill(): Promise<RawBlock | null> {
    const { file, source } = this;
    if (file === null || source === null || this.ended) return null;
    let buffer = this.free.pop() ?? new SharedArrayBuffer(this.blockBytes);
    // A record carried over may be longer than a block.
    while (buffer.byteLength <= this.carry.length) buffer = new SharedArrayBuffer(buffer.byteLength * 2);
    let bytes = new Uint8Array(buffer);
    bytes.set(this.carry);
    let length = this.carry.length;
    this.carry = new Uint8Array(0);
    for (;;) {
      while (length < bytes.length && !this.ended) {
        const got = await source.read(bytes, length, bytes.length - length);
        if (got === 0) this.ended = true;
        length += got;
      }
      const end = this.ended ? length : this.parsers.lastRecordEnd(file.program, bytes, length);
      if (end > 0 || this.ended) {
        if (end === 0) return null;
        this.carry = bytes.slice(end, length);
        const block = {
          file,
          fileIndex: this.fileIndex,
          byteOffset: this.offset,
          bytes,
          buffer,
          length: end,
          stored: end,
          extent: end,
          planned: null,
          lastOfFile: this.ended,
          recorder: this.recorder,
          cached: null,
        };
        this.recorded = true;
        this.offset += end;
        return block;
      }
      if (bytes.length >= this.maxRecordBytes) throw this.tooLong(file, length);
      const larger = new SharedArrayBuffer(Math.min(bytes.length * 2, this.maxRecordBytes));
      const grown = new Uint8Array(larger);
      grown.set(bytes);
      buffer = larger;
      bytes = grown;
    }
  }

  private tooLong(file: PreparedFile, length: number): MonolithError {
    const { info, format } = file.description;
    const cause =
      format === 'csv'
        ? 'a quote that is never closed, or a file that is no text'
        : format === 'tfrecord' || format === 'avro' || isMonolithFormat(format)
          ? 'a damaged length'
          : 'a file that is no text, or one without line ends';
    return new MonolithError(
      'DataFormat',
      `${info.path}: the record that starts at byte ${this.offset} is longer than ${length} bytes (maxRecordBytes). Likely cause: ${cause}`,
      { path: info.path, byte: this.offset, maxRecordBytes: this.maxRecordBytes },
    );
  }
}

function noBlock(path: string, byteOffset: number): MonolithError {
  return new MonolithError(
    'InvalidArgument',
    `${path}: no block begins at ${byteOffset}, where the data position stands: the files, the schema or blockBytes have changed`,
    { path, byteOffset },
  );
}
