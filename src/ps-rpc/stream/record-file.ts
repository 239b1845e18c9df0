import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32c, MonolithError } from '../../base/index.js';

// Records of a shard's journal and snapshots, little-endian (docs/formats/shard-stream.md):
//   u32 length of the payload · u32 crc32c of the payload · payload
// What is written has left the process when `append` returns: it survives the death of the process, and that of the machine where the writer
// flushes. A record that was cut short, or whose checksum is wrong, ends the file.
const HEAD_BYTES = 8;

/** Appends records to one file. */
export class RecordWriter {
  private readonly head = Buffer.alloc(HEAD_BYTES);
  private at: number;

  /** @param length bytes of the file that are good: what is behind them is overwritten. */
  constructor(
    readonly path: string,
    private readonly file: number,
    length: number,
    private readonly flush: boolean,
  ) {
    this.at = length;
  }

  /**
   * Opens a file, new or to go on behind its first `length` bytes.
   * @param flush whether `append` waits until the disk has the record.
   * @throws WriteFailed, DiskFull
   */
  static open(path: string, length: number, flush: boolean): RecordWriter {
    return guarded(path, () => {
      const file = openSync(path, length === 0 ? 'w' : 'r+');
      ftruncateSync(file, length);
      return new RecordWriter(path, file, length, flush);
    });
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.at;
  }

  /**
   * One record out of several pieces.
   * @throws DiskFull, WriteFailed; the file then ends with what was whole before.
   */
  append(pieces: readonly Uint8Array[]): void {
    const { head, file } = this;
    sealRecord(head, pieces);
    guarded(this.path, () => {
      let at = this.at;
      for (const piece of [head, ...pieces]) {
        for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done, piece.length - done, at + done);
        at += piece.length;
      }
      if (this.flush) fdatasyncSync(file);
      this.at = at;
    });
  }

  close(): void {
    closeSync(this.file);
  }
}

/** Length and checksum of the pieces into the eight bytes of `head`. */
export function sealRecord(head: Buffer, pieces: readonly Uint8Array[]): void {
  let length = 0;
  let crc = 0;
  for (const piece of pieces) {
    length += piece.length;
    crc = crc32c(piece, crc);
  }
  head.writeUInt32LE(length, 0);
  head.writeUInt32LE(crc, 4);
}

/**
 * Gives each whole record of a file to `take`, in memory of its own that begins on a multiple of 8.
 * @returns bytes up to the end of the last good record.
 */
export function readRecords(path: string, take: (payload: Buffer) => void): { good: number; bytes: number } {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(HEAD_BYTES);
    let at = 0;
    while (at + HEAD_BYTES <= size && readFully(file, head, at)) {
      const length = head.readUInt32LE(0);
      if (length === 0 || at + HEAD_BYTES + length > size) break;
      const payload = Buffer.allocUnsafeSlow(length);
      if (!readFully(file, payload, at + HEAD_BYTES) || crc32c(payload) !== head.readUInt32LE(4)) break;
      take(payload);
      at += HEAD_BYTES + length;
    }
    return { good: at, bytes: size };
  } finally {
    closeSync(file);
  }
}

function readFully(file: number, into: Buffer, at: number): boolean {
  let done = 0;
  while (done < into.length) {
    const read = readSync(file, into, done, into.length - done, at + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}

function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === '') throw error;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    throw new MonolithError(
      full ? 'DiskFull' : 'WriteFailed',
      `${path}: ${full ? 'disk full' : `can't write (${code})`}: updates of this shard can't be kept safe. ${full ? 'Free some space' : 'Check the folder'}, then resume from the last checkpoint`,
      { path, errno: code },
      { cause: error },
    );
  }
}
