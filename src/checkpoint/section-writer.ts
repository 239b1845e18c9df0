import { join } from 'node:path';
import { type Crc32c, crc32cJoiner, DurableWriter, failpoint, MonolithError } from '../base/index.js';
import { BLOCK_LENGTH, encodeFooter, numBlocks, type SectionInfo } from './format.js';

/** Bytes gathered before one write; two such buffers a section, so that checksums are computed while the last one is being written. */
const STAGING_LENGTH = 16 * BLOCK_LENGTH;

/** What {@link SectionWriter.close} tells: the manifest's entry and the checksum of every block of 64 KiB. */
export type ClosedSection = SectionInfo & { readonly blockChecksums: readonly number[] };

const joinBlock = crc32cJoiner(BLOCK_LENGTH);

/**
 * Streams one section into its file. Bytes are copied before they are checked and written, so a caller may reuse its buffer (also one
 * in shared memory) as soon as `append` has returned. Memory: 2 MiB, whatever the length. One call at a time.
 */
export class SectionWriter {
  readonly name: string;
  readonly #file: DurableWriter;
  readonly #crc32c: Crc32c;
  readonly #onFailure: (error: unknown) => Promise<void>;
  readonly #blockChecksums: number[] = [];
  #staging = new Uint8Array(STAGING_LENGTH);
  #spare = new Uint8Array(STAGING_LENGTH);
  #used = 0;
  #bytes = 0;
  #checksum = 0;
  /** It got its bytes by {@link appendWhole}: blocks would no longer follow each other. */
  #whole = false;
  /** The write of the spare buffer, if one is under way. Never rejects: it yields its error. */
  #pending: Promise<unknown> = Promise.resolve(null);
  #state: 'open' | 'busy' | 'closed' | 'failed' = 'open';

  private constructor(name: string, file: DurableWriter, crc32c: Crc32c, onFailure: (error: unknown) => Promise<void>) {
    this.name = name;
    this.#file = file;
    this.#crc32c = crc32c;
    this.#onFailure = onFailure;
  }

  /**
   * @param folder    existing folder of the save.
   * @param crc32c    the checksum function, e.g. a native one.
   * @param onFailure told an error of this section before the failing call throws it; must not throw.
   * @throws DiskFull, WriteFailed
   */
  static async create(folder: string, name: string, crc32c: Crc32c, onFailure: (error: unknown) => Promise<void>): Promise<SectionWriter> {
    const file = await DurableWriter.create(join(folder, name));
    return new SectionWriter(name, file, crc32c, onFailure);
  }

  /**
   * Appends bytes of any number, also none.
   * @throws DiskFull, WriteFailed; then the whole save is given up
   */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#run('append', async () => {
      if (this.#whole) throw new MonolithError('InvalidArgument', `checkpoint section ${this.name}: it is whole`, { section: this.name });
      let offset = 0;
      while (offset < bytes.length) {
        const count = Math.min(bytes.length - offset, STAGING_LENGTH - this.#used);
        this.#staging.set(bytes.subarray(offset, offset + count), this.#used);
        this.#used += count;
        offset += count;
        if (this.#used === STAGING_LENGTH) await this.#writeStaging();
      }
      return 'open';
    });
  }

  /**
   * Writes the rest and the footer, flushes the file to the device and closes it.
   * @throws DiskFull, WriteFailed; then the whole save is given up
   */
  async close(): Promise<ClosedSection> {
    await this.#run('close', async () => {
      if (this.#used > 0) await this.#writeStaging();
      await this.#settle();
      return this.#finish();
    });
    return { ...this.#info(), blockChecksums: this.#blockChecksums };
  }

  /**
   * Appends all of the section at once, and without a copy: for a section that has no bytes yet and gets no others. They must stay as they are until it
   * resolves; then the operating system has them, or the device already where they begin on a page (base/page-aligned).
   * @throws InvalidArgument, DiskFull, WriteFailed; then the whole save is given up
   */
  async appendWhole(bytes: Uint8Array): Promise<void> {
    await this.#run('append', async () => {
      if (this.#bytes + this.#used > 0) {
        throw new MonolithError('InvalidArgument', `checkpoint section ${this.name}: appendWhole: it has bytes already`, {
          section: this.name,
        });
      }
      this.#check(bytes);
      if (bytes.length > 0) {
        failpoint('checkpoint.beforeSectionWrite');
        await this.#file.appendDirect(bytes);
      }
      this.#whole = true;
      return 'open';
    });
  }

  /** The manifest's entry once {@link close} has succeeded, else null. */
  get result(): SectionInfo | null {
    return this.#state === 'closed' ? this.#info() : null;
  }

  /** Gives the section up and deletes its file. Never throws. */
  async discard(): Promise<void> {
    if (this.#state !== 'closed') this.#state = 'failed';
    await this.#pending;
    await this.#file.discard();
  }

  #info(): SectionInfo {
    return { name: this.name, bytes: this.#bytes, crc32c: this.#checksum };
  }

  async #run(call: string, act: () => Promise<'open' | 'closed'>): Promise<void> {
    if (this.#state !== 'open') {
      const why = this.#state === 'busy' ? 'the call before it has not returned' : `it is ${this.#state}`;
      throw new MonolithError('InvalidArgument', `checkpoint section ${this.name}: can't ${call}: ${why}`, { section: this.name });
    }
    this.#state = 'busy';
    try {
      this.#state = await act();
    } catch (error) {
      this.#state = 'failed';
      await this.#onFailure(error);
      throw error;
    }
  }

  /** Footer, flush, end. */
  async #finish(): Promise<'closed'> {
    await this.#file.append(encodeFooter(this.#info(), this.#blockChecksums, this.#crc32c));
    failpoint('checkpoint.beforeSectionSync');
    await this.#file.close();
    failpoint('checkpoint.afterSectionSync');
    return 'closed';
  }

  /** Checksums of bytes that come next. */
  #check(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += BLOCK_LENGTH) {
      const block = bytes.subarray(start, start + BLOCK_LENGTH);
      const checksum = this.#crc32c(block);
      this.#blockChecksums.push(checksum);
      this.#checksum = joinChecksum(this.#checksum, checksum, block.length);
    }
    this.#bytes += bytes.length;
  }

  async #writeStaging(): Promise<void> {
    const full = this.#staging.subarray(0, this.#used);
    this.#check(full);
    await this.#settle();
    failpoint('checkpoint.beforeSectionWrite');
    this.#pending = this.#file.append(full).then(
      () => null,
      (error: unknown) => error ?? new Error('unknown'),
    );
    [this.#staging, this.#spare] = [this.#spare, this.#staging];
    this.#used = 0;
  }

  async #settle(): Promise<void> {
    const error = await this.#pending;
    if (error !== null) throw error;
  }
}

/** The checksum of data followed by one block, from both checksums. */
function joinChecksum(before: number, block: number, blockLength: number): number {
  return (blockLength === BLOCK_LENGTH ? joinBlock : crc32cJoiner(blockLength))(before, block);
}

/** The checksum of a whole section from those of its blocks. */
export function joinBlockChecksums(blockChecksums: ArrayLike<number>, bytes: number): number {
  let checksum = 0;
  const last = numBlocks(bytes) - 1;
  for (let block = 0; block <= last; block++) {
    checksum = joinChecksum(checksum, blockChecksums[block], block < last ? BLOCK_LENGTH : bytes - last * BLOCK_LENGTH);
  }
  return checksum;
}
