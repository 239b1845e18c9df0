import { MonolithError, maskedCrc32c } from '../base/index.js';
import { type ByteSource, fileInfo, openSource } from '../data/index.js';

const FIRST_BYTES = 256 * 1024;
const HEADER = 12;
const FRAME = 16;
/** Unless told otherwise no record is longer. */
const MOST_BYTES = 256 << 20;

/** A record, where it begins in the decompressed file, and its number from 1. `payload` is a view, good until the next record is read. */
export type TfRecord = { readonly payload: Uint8Array; readonly byte: number; readonly record: number };

export type TfRecordReadOptions = {
  /** A longer record is an error; 256 MiB unless given. */
  readonly maxRecordBytes?: number;
  /**
   * Told of each damaged record, after which reading goes on behind it (where its length is damaged, at the next place whose header has the
   * right checksum); without it the first one is thrown.
   */
  readonly onBad?: (problem: MonolithError) => void;
};

/**
 * Reads the records of a TFRecord file, plain or compressed as a whole (gzip, zlib, zstd, snappy; told by its first bytes). Both checksums of every
 * record are checked. Memory is that of the longest record.
 *
 * @throws DataNotFound; RecordCorrupt naming file, record and byte of what is wrong.
 */
export async function* readTfRecords(path: string, options: TfRecordReadOptions = {}): AsyncGenerator<TfRecord> {
  const window = new Window(await openSource(await fileInfo(path), 0));
  const most = options.maxRecordBytes ?? MOST_BYTES;
  try {
    for (let record = 1; ; record++) {
      const frame = await nextFrame(window, most);
      if (frame === null) return;
      const byte = window.position;
      if (typeof frame === 'object') {
        yield { payload: frame, byte, record };
        window.use(frame.length + FRAME);
        continue;
      }
      const problem = new MonolithError('RecordCorrupt', `${path} record ${record} at byte ${byte}: ${frame}`, { path, record, byte });
      if (options.onBad === undefined) throw problem;
      options.onBad(problem);
      if (!(await skipDamage(window, most))) return;
    }
  } finally {
    await window.close();
  }
}

/** The payload of the record at the window's start, a text that says what is wrong with it, or null at the end. */
async function nextFrame(window: Window, most: number): Promise<Uint8Array | string | null> {
  if (!(await window.need(1))) return null;
  if (!(await window.need(HEADER))) return `the file ends ${window.rest.length} bytes into a record header of ${HEADER} bytes`;
  const length = headerLength(window.rest, 0);
  if (length === null) return 'the checksum of the length is wrong: the file is damaged here, or it is no TFRecord file';
  if (length > most) return `length ${length} exceeds ${most} bytes (maxRecordBytes)`;
  const size = Number(length);
  if (!(await window.need(size + FRAME)))
    return `length ${length} exceeds the ${Math.max(0, window.rest.length - HEADER)} bytes left in the file`;
  const payload = window.rest.subarray(HEADER, HEADER + size);
  return payloadRight(window.rest, size) ? payload : 'the checksum of the data is wrong: the record is damaged';
}

/** Uses up a damaged record; false where none follows. */
async function skipDamage(window: Window, most: number): Promise<boolean> {
  if (!(await window.need(HEADER))) return false;
  const { rest } = window;
  const told = new DataView(rest.buffer, rest.byteOffset, 8).getBigUint64(0, true);
  if (told <= most && (await window.need(Number(told) + FRAME))) {
    const size = Number(told);
    // Either checksum is enough to believe the length.
    if (headerLength(window.rest, 0) !== null || payloadRight(window.rest, size)) {
      window.use(size + FRAME);
      return true;
    }
  }
  window.use(1);
  while (await window.need(HEADER)) {
    const bytes = window.rest;
    for (let at = 0; at + HEADER <= bytes.length; at++) {
      // A believable length has zeros on top: a cheap first look.
      if (bytes[at + 7] !== 0 || bytes[at + 6] !== 0) continue;
      const length = headerLength(bytes, at);
      if (length === null || length > most) continue;
      window.use(at);
      return true;
    }
    window.use(bytes.length - HEADER + 1);
  }
  return false;
}

function headerLength(bytes: Uint8Array, at: number): bigint | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER);
  return maskedCrc32c(bytes.subarray(at, at + 8)) === view.getUint32(8, true) ? view.getBigUint64(0, true) : null;
}

function payloadRight(bytes: Uint8Array, size: number): boolean {
  const checksum = new DataView(bytes.buffer, bytes.byteOffset + HEADER + size, 4).getUint32(0, true);
  return maskedCrc32c(bytes.subarray(HEADER, HEADER + size)) === checksum;
}

/** What has been read and not used; it grows with what is there, not with what a length says. */
class Window {
  private bytes = new Uint8Array(FIRST_BYTES);
  private start = 0;
  private end = 0;
  /** Byte of the first unused one in the decompressed file. */
  position = 0;

  constructor(private readonly source: ByteSource) {}

  get rest(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  use(count: number): void {
    this.start += count;
    this.position += count;
  }

  /** Reads until `count` bytes are there; false where the file ends before. */
  async need(count: number): Promise<boolean> {
    while (this.end - this.start < count) {
      if (this.end === this.bytes.length) {
        const from = this.bytes;
        if (this.end - this.start > from.length / 2) this.bytes = new Uint8Array(from.length * 2);
        this.bytes.set(from.subarray(this.start, this.end));
        this.end -= this.start;
        this.start = 0;
      }
      const got = await this.source.read(this.bytes, this.end, this.bytes.length - this.end);
      if (got === 0) return false;
      this.end += got;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.source.close();
  }
}
