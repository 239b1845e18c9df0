import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Crc32c, type ErrorDetails, MonolithError } from '../base/index.js';
import { BLOCK_LENGTH, hex32, numBlocks, SECTION_MAGIC, type SectionInfo, sectionFileLength, TRAILER_LENGTH } from './format.js';
import { joinBlockChecksums } from './section-writer.js';

/** Bytes read at once; a whole number of blocks. */
const CHUNK_LENGTH = 16 * BLOCK_LENGTH;

/**
 * One section of a checkpoint. Every byte is checked before it is handed out. Each call opens the file and closes it again.
 */
export class SectionReader {
  readonly info: SectionInfo;
  /** `checkpoint-1200/table-0`, as errors name it. */
  readonly label: string;
  readonly #path: string;
  readonly #crc32c: Crc32c;

  /**
   * @param modelDir holds the folder.
   * @param folder   the manifest's folder of sections.
   */
  constructor(modelDir: string, folder: string, info: SectionInfo, crc32c: Crc32c) {
    this.info = info;
    this.label = `${folder}/${info.name}`;
    this.#path = join(modelDir, folder, info.name);
    this.#crc32c = crc32c;
  }

  /** Data bytes. */
  get bytes(): number {
    return this.info.bytes;
  }

  /** Blocks of 64 KiB, the last one shorter. */
  get numBlocks(): number {
    return numBlocks(this.info.bytes);
  }

  /**
   * Checks length and footer against the manifest, without reading the data: finds files that are cut off or belong to another checkpoint.
   * @throws CheckpointCorrupt
   */
  async checkStructure(): Promise<void> {
    await this.#withFile((file) => this.#readFooter(file));
  }

  /**
   * The data in order, in pieces of up to 1 MiB that are whole blocks. A piece is valid until the next one is asked for.
   * @throws CheckpointCorrupt before a damaged piece is handed out
   */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    const file = await this.#open();
    try {
      const checksums = await this.#readFooter(file);
      const length = Math.min(CHUNK_LENGTH, this.bytes);
      const buffers = [new Uint8Array(length), new Uint8Array(length)] as const;
      // The next piece is read while the caller works on this one. The promise yields its error, so that it never rejects unseen.
      const read = (start: number) => {
        const target = buffers[(start / CHUNK_LENGTH) % 2 === 0 ? 0 : 1].subarray(0, Math.min(length, this.bytes - start));
        return settle(this.#fill(file, start, target));
      };
      let next = read(0);
      for (let start = 0; start < this.bytes; start += CHUNK_LENGTH) {
        const piece = await next;
        if (piece instanceof Error) throw piece;
        if (start + CHUNK_LENGTH < this.bytes) next = read(start + CHUNK_LENGTH);
        this.#checkBlocks(piece, start, checksums);
        yield piece;
      }
    } finally {
      await file.close();
    }
  }

  /**
   * Reads and checks the whole section.
   *
   * @param into receives it, e.g. a view of shared memory of exactly {@link bytes} bytes; default a new array.
   * @returns `into`.
   * @throws CheckpointCorrupt (`into` may then hold damaged bytes), ShapeMismatch
   */
  async readAll(into?: Uint8Array): Promise<Uint8Array> {
    if (into !== undefined && into.length !== this.bytes) {
      throw new MonolithError('ShapeMismatch', `${this.label}: section has ${this.bytes} bytes, the buffer for it ${into.length}`, {
        expected: this.bytes,
        actual: into.length,
      });
    }
    return await this.#withFile(async (file) => {
      const checksums = await this.#readFooter(file);
      const target = into ?? new Uint8Array(this.bytes);
      for (let start = 0; start < this.bytes; start += CHUNK_LENGTH) {
        const end = Math.min(start + CHUNK_LENGTH, this.bytes);
        this.#checkBlocks(await this.#fill(file, start, target.subarray(start, end)), start, checksums);
      }
      return target;
    });
  }

  /** Reads everything and hands out nothing. @throws CheckpointCorrupt */
  async verify(): Promise<void> {
    for await (const _ of this.pieces());
  }

  #checkBlocks(piece: Uint8Array, start: number, checksums: Uint32Array): void {
    for (let at = 0; at < piece.length; at += BLOCK_LENGTH) {
      const block = (start + at) / BLOCK_LENGTH;
      const bytes = piece.subarray(at, at + BLOCK_LENGTH);
      const actual = this.#crc32c(bytes);
      if (actual === checksums[block]) continue;
      const first = start + at;
      const last = first + bytes.length - 1;
      throw this.#corrupt(`block ${block} (bytes ${first}–${last}): crc32c ${hex32(actual)}, footer says ${hex32(checksums[block])}`, {
        block,
        firstByte: first,
        lastByte: last,
        actual: hex32(actual),
        expected: hex32(checksums[block]),
      });
    }
  }

  /** Checks length and footer; returns the checksums of the blocks, which the manifest's checksum of the section confirms. */
  async #readFooter(file: FileHandle): Promise<Uint32Array> {
    const { bytes } = this.info;
    const { size } = await this.#reading(() => file.stat());
    const expectedSize = sectionFileLength(bytes);
    if (size !== expectedSize) {
      const block = Math.min(Math.floor(Math.min(size, bytes) / BLOCK_LENGTH), Math.max(0, this.numBlocks - 1));
      const problem = size < expectedSize ? `is cut off in or after block ${block}` : 'is too long';
      throw this.#corrupt(`${problem}: ${size} bytes, expected ${expectedSize} (${bytes} of data and the footer)`, {
        block,
        actual: size,
        expected: expectedSize,
      });
    }
    const footer = await this.#fill(file, bytes, new Uint8Array(4 * this.numBlocks + TRAILER_LENGTH));
    const view = new DataView(footer.buffer);
    const at = footer.length - TRAILER_LENGTH;
    const expected = view.getUint32(at + 28, true);
    const actual = this.#crc32c(footer.subarray(0, at + 28));
    const checksums = Uint32Array.from({ length: this.numBlocks }, (_, block) => view.getUint32(4 * block, true));
    const describes =
      new TextDecoder('latin1').decode(footer.subarray(at, at + 8)) === SECTION_MAGIC &&
      view.getBigUint64(at + 8, true) === BigInt(bytes) &&
      view.getUint32(at + 16, true) === BLOCK_LENGTH &&
      view.getUint32(at + 24, true) === 0;
    if (actual !== expected || !describes) {
      throw this.#corrupt(`footer (bytes ${bytes}–${size - 1}): crc32c ${hex32(actual)}, its end says ${hex32(expected)}`, {
        block: -1,
        firstByte: bytes,
        lastByte: size - 1,
        actual: hex32(actual),
        expected: hex32(expected),
      });
    }
    const whole = joinBlockChecksums(checksums, bytes);
    if (whole !== this.info.crc32c || view.getUint32(at + 20, true) !== whole) {
      throw this.#corrupt(
        `belongs to another checkpoint (bytes 0–${Math.max(0, bytes - 1)}): crc32c ${hex32(whole)}, manifest says ${hex32(this.info.crc32c)}`,
        { block: -1, firstByte: 0, lastByte: Math.max(0, bytes - 1), actual: hex32(whole), expected: hex32(this.info.crc32c) },
      );
    }
    return checksums;
  }

  /** Fills `target` from the file at `position`. */
  async #fill(file: FileHandle, position: number, target: Uint8Array): Promise<Uint8Array> {
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await this.#reading(() => file.read(target, done, target.length - done, position + done));
      if (bytesRead === 0) throw this.#corrupt(`ends at byte ${position + done} while being read; is something else writing it?`, {});
      done += bytesRead;
    }
    return target;
  }

  async #withFile<Result>(use: (file: FileHandle) => Promise<Result>): Promise<Result> {
    const file = await this.#open();
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  async #open(): Promise<FileHandle> {
    try {
      return await open(this.#path, 'r');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') throw this.#corrupt('is missing', {}, cause);
      throw this.#unreadable(cause);
    }
  }

  async #reading<Result>(act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (cause) {
      throw this.#unreadable(cause);
    }
  }

  #unreadable(cause: unknown): MonolithError {
    return this.#corrupt(`can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, {}, cause);
  }

  #corrupt(problem: string, details: ErrorDetails, cause?: unknown): MonolithError {
    return new MonolithError('CheckpointCorrupt', `${this.label} ${problem}`, { file: this.label, ...details }, { cause });
  }
}

function settle(piece: Promise<Uint8Array>): Promise<Uint8Array | Error> {
  return piece.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
}
