import { dirname } from 'node:path';
import { DurableWriter, MonolithError, makeFolderDurable } from '../base/index.js';
import { entryDump } from './entry-dump.js';
import { tfrecordFrame } from './tfrecord-frame.js';

/**
 * A file that is written from its start, in the order of the calls; an existing one is emptied, missing folders are made. What was appended is on
 * the device after {@link close}. One that is never closed is closed, without a flush, when the garbage collector finds it (Node warns of it).
 */
export class WritableFile {
  private closing: Promise<void> | null = null;
  private last: Promise<void> = Promise.resolve();

  private constructor(
    readonly path: string,
    private readonly writer: DurableWriter,
  ) {}

  /** @throws WriteFailed, DiskFull */
  static async open(path: string): Promise<WritableFile> {
    await makeFolderDurable(dirname(path));
    return new WritableFile(path, await DurableWriter.create(path));
  }

  /** Appends bytes, which must not change until it resolves. @throws BrokenPipe after {@link close}; WriteFailed, DiskFull */
  append(bytes: Uint8Array): Promise<void> {
    if (this.closing !== null) return Promise.reject(new MonolithError('BrokenPipe', `${this.path}: file is closed`, { path: this.path }));
    const appended = this.last.then(() => this.writer.append(bytes));
    this.last = appended.catch(() => undefined);
    return appended;
  }

  /**
   * Appends one TFRecord an item, an EntryDump of its id and of the numbers [bias, embedding row].
   *
   * @param itemIds   [n] ids, n > 0.
   * @param bias      [n].
   * @param embedding [n × dim] row by row.
   * @throws InvalidInput where the lengths do not fit, and then nothing is written; else as {@link append}.
   */
  async appendEntryDump(itemIds: BigInt64Array | readonly bigint[], bias: ArrayLike<number>, embedding: ArrayLike<number>): Promise<void> {
    const wrong = (message: string): MonolithError =>
      new MonolithError('InvalidInput', `${this.path}: ${message}`, {
        items: itemIds.length,
        bias: bias.length,
        embedding: embedding.length,
      });
    const count = itemIds.length;
    if (count === 0) throw wrong('item_id must be non-empty');
    if (bias.length !== count) throw wrong(`bias must have the same length as item_id (${bias.length} against ${count})`);
    if (embedding.length % count !== 0) throw wrong(`embedding length must be divisible by batch size (${embedding.length} by ${count})`);
    const dim = embedding.length / count;
    const records: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const numbers = new Float32Array(dim + 1);
      numbers[0] = bias[i];
      for (let d = 0; d < dim; d++) numbers[d + 1] = embedding[i * dim + d];
      records.push(tfrecordFrame(entryDump(itemIds[i], numbers)));
    }
    await this.append(Buffer.concat(records));
  }

  /** Writes what is left, flushes and closes. Calling it again waits for the first call. @throws WriteFailed, DiskFull */
  close(): Promise<void> {
    this.closing ??= this.last.then(() => this.writer.close());
    return this.closing;
  }
}
