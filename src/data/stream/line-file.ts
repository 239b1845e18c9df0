import { type FileHandle, open } from 'node:fs/promises';
import { maskedCrc32c } from '../../base/index.js';
import { lineEnds, lineTooLong } from './lines.js';

const FIRST_BYTES = 64 * 1024;
const MOST_BYTES = 256 * 1024;
/** Bytes of a file's beginning by which it is known again under another name, or known to be another one. */
const HEAD_BYTES = 256;

/** What a file begins with: `length` bytes with this crc32c. */
export type Fingerprint = { readonly length: number; readonly crc: number };

export const noFingerprint: Fingerprint = { length: 0, crc: 0 };

export type Lines = { readonly bytes: Uint8Array; readonly ends: Int32Array };

/** A file of lines that may be growing, read by whole lines. */
export class LineFile {
  private buffer = new Uint8Array(FIRST_BYTES);

  private constructor(
    readonly path: string,
    readonly ino: number,
    private readonly handle: FileHandle,
    private readonly maxRecordBytes: number,
  ) {}

  /** @returns null where there is no such file. */
  static async open(path: string, maxRecordBytes: number): Promise<LineFile | null> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (handle === null) return null;
    const { ino } = await handle.stat();
    return new LineFile(path, ino, handle, maxRecordBytes);
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  /** The whole lines from `byte` on, some hundred kilobytes at the most; null where no line end has come. @throws DataFormat */
  async lines(byte: number): Promise<Lines | null> {
    for (;;) {
      const got = await this.fill(byte);
      const end = this.buffer.subarray(0, got).lastIndexOf(10) + 1;
      if (end > 0) {
        const bytes = this.buffer.slice(0, end);
        // Files that are behind are read in larger pieces.
        if (got === this.buffer.length && got < MOST_BYTES) this.buffer = new Uint8Array(MOST_BYTES);
        return { bytes, ends: lineEnds(bytes, end) };
      }
      if (got < this.buffer.length) return null;
      if (got >= this.maxRecordBytes) throw lineTooLong(`${this.path}, byte ${byte}`, got, this.maxRecordBytes);
      this.buffer = new Uint8Array(Math.min(this.maxRecordBytes, this.buffer.length * 4));
    }
  }

  /** What stands from `byte` to the end as a line, though no line end stands there; null where nothing does. */
  async lastLine(byte: number): Promise<(Lines & { readonly next: number }) | null> {
    const got = await this.fill(byte);
    if (got === 0) return null;
    const bytes = new Uint8Array(got + 1);
    bytes.set(this.buffer.subarray(0, got));
    bytes[got] = 10;
    return { bytes, ends: Int32Array.of(got + 1), next: byte + got };
  }

  /** The byte behind the last line end. */
  async endOfLines(): Promise<number> {
    const piece = new Uint8Array(FIRST_BYTES);
    for (let to = await this.size(); to > 0; ) {
      const from = Math.max(0, to - piece.length);
      const { bytesRead } = await this.handle.read(piece, 0, to - from, from);
      const at = piece.subarray(0, bytesRead).lastIndexOf(10);
      if (at >= 0) return from + at + 1;
      to = from;
    }
    return 0;
  }

  /** The fingerprint of what stands before `byte`. */
  async fingerprint(byte: number): Promise<Fingerprint> {
    const head = new Uint8Array(Math.min(HEAD_BYTES, byte));
    const { bytesRead } = await this.handle.read(head, 0, head.length, 0);
    return { length: bytesRead, crc: maskedCrc32c(head.subarray(0, bytesRead)) };
  }

  /** Whether the file begins with what has this fingerprint and reaches to `byte`. */
  async matches({ length, crc }: Fingerprint, byte: number): Promise<boolean> {
    if ((await this.size()) < byte) return false;
    const own = await this.fingerprint(length);
    return own.length === length && (length === 0 || own.crc === crc);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async fill(byte: number): Promise<number> {
    let got = 0;
    while (got < this.buffer.length) {
      const { bytesRead } = await this.handle.read(this.buffer, got, this.buffer.length - got, byte + got);
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return got;
  }
}

const BOM = [0xef, 0xbb, 0xbf];

/**
 * Leaves out what stands before the records of a file: a byte-order mark, and a header where there is one.
 * @returns how many bytes and lines of `lines`, which begin at the file's first byte, are no records.
 */
export function headOf(
  { bytes, ends }: Lines,
  isHeader: (line: Uint8Array) => boolean,
): { readonly bytes: number; readonly lines: number } {
  const start = BOM.every((byte, i) => bytes[i] === byte) ? BOM.length : 0;
  const [firstEnd] = ends;
  return isHeader(bytes.subarray(start, firstEnd)) ? { bytes: firstEnd, lines: 1 } : { bytes: start, lines: 0 };
}
