// Raw blocks: bytes of whole records of one file, in shared memory, in file order.
import { MonolithError } from '../base/index.js';
import { lastRecordEnd } from './cut.js';
import { type ByteSource, openSource } from './file-source.js';
import type { FileDescription } from './inspect.js';
import type { StreamPoint } from './position.js';
import type { Program } from './program.js';

/** A file that is ready to be parsed. */
export type PreparedFile = { readonly description: FileDescription; readonly program: Program };

export type RawBlock = {
  readonly file: PreparedFile;
  readonly fileIndex: number;
  /** Byte of the block's start in the decompressed stream. */
  readonly byteOffset: number;
  readonly bytes: Uint8Array;
  readonly buffer: SharedArrayBuffer;
  readonly length: number;
  /** First block of its file since the reader was opened there: line numbers start anew unless it began inside the file. */
  readonly firstOfFile: boolean;
  /** Whether its file ends with it. */
  readonly lastOfFile: boolean;
};

/** Reads the files one after another from a point on. One call at a time. */
export class RawReader {
  private source: ByteSource | null = null;
  private file: PreparedFile | null = null;
  private fileIndex: number;
  private offset: number;
  /** Bytes of an incomplete record, carried to the next block. */
  private carry: Uint8Array = new Uint8Array(0);
  private ended = false;
  private first = true;
  private readonly free: SharedArrayBuffer[] = [];
  private closed = false;

  constructor(
    private readonly numFiles: number,
    private readonly prepare: (fileIndex: number) => Promise<PreparedFile>,
    start: StreamPoint,
    private readonly blockBytes: number,
    private readonly maxRecordBytes: number,
  ) {
    this.fileIndex = start.fileIndex;
    this.offset = start.byteOffset;
  }

  /** The next block; null after the last file. @throws DataFormat for a record longer than maxRecordBytes, and what the source throws. */
  async next(): Promise<RawBlock | null> {
    for (;;) {
      if (this.closed || this.fileIndex >= this.numFiles) return null;
      if (this.source === null) await this.openFile();
      const block = await this.fill();
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
    await this.source?.close();
    this.source = null;
  }

  private async openFile(): Promise<void> {
    this.file = await this.prepare(this.fileIndex);
    const { info, dataStart } = this.file.description;
    if (this.offset < dataStart) this.offset = dataStart;
    this.source = await openSource(info, this.offset);
    this.ended = false;
    this.first = true;
  }

  private async endFile(): Promise<void> {
    await this.source?.close();
    this.source = null;
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
      const end = this.ended ? length : lastRecordEnd(file.program, bytes, length);
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
          firstOfFile: this.first,
          lastOfFile: this.ended,
        };
        this.first = false;
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
        : format === 'tfrecord'
          ? 'a damaged length'
          : 'a file that is no text, or one without line ends';
    return new MonolithError(
      'DataFormat',
      `${info.path}: the record that starts at byte ${this.offset} is longer than ${length} bytes (maxRecordBytes). Likely cause: ${cause}`,
      { path: info.path, byte: this.offset, maxRecordBytes: this.maxRecordBytes },
    );
  }
}
