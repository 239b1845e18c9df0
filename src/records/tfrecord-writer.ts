import { once } from 'node:events';
import { basename, dirname, join } from 'node:path';
import { createDeflate, createGzip, type Deflate, type Gzip } from 'node:zlib';
import { DurableWriter, MonolithError, makeFolderDurable, removeQuietly, renameDurable } from '../base/index.js';
import { type ExampleFeatures, encodeExample } from './example-codec.js';
import { tfrecordFrame } from './tfrecord-frame.js';

/** Bytes that are gathered before they go on. */
const BUFFER_BYTES = 1 << 18;

/** `gzip` and `zlib` are of the file as a whole, as TensorFlow's GZIP and ZLIB are. */
export type TfRecordCompression = 'none' | 'gzip' | 'zlib';

/**
 * Writes a TFRecord file: `append` or `appendExample` for every record, then `close`. The file has its name, and is on the device, only after
 * `close`; an older one of the name stays until then. After an error, or to give up, `abort` leaves nothing behind.
 *
 * @example
 * const writer = await TfRecordWriter.open('clicks.tfrecord');
 * await writer.appendExample({ label: { floats: [1] }, user: { ints: [7n] }, tags: { bytes: ['a', 'b'] } });
 * await writer.close();
 */
export class TfRecordWriter {
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private count = 0;
  private state: 'open' | 'closed' | 'aborted' = 'open';
  private failure: unknown = null;
  private readonly drained: Promise<void>;

  private constructor(
    readonly path: string,
    private readonly temporary: string,
    private readonly file: DurableWriter,
    private readonly compressor: Gzip | Deflate | null,
  ) {
    this.drained = compressor === null ? Promise.resolve() : this.drain(compressor);
  }

  /**
   * Makes missing folders and a temporary file beside the later one.
   * @param options.compression by the name unless given: `.gz` is gzip, `.zz` and `.zlib` are zlib, anything else is none.
   * @throws WriteFailed, DiskFull
   */
  static async open(path: string, options: { readonly compression?: TfRecordCompression } = {}): Promise<TfRecordWriter> {
    const compression = options.compression ?? compressionOfName(path);
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    await makeFolderDurable(dirname(path));
    const file = await DurableWriter.create(temporary);
    const compressor = compression === 'gzip' ? createGzip() : compression === 'zlib' ? createDeflate() : null;
    return new TfRecordWriter(path, temporary, file, compressor);
  }

  /** Records appended so far. */
  get records(): number {
    return this.count;
  }

  /** Appends a record with this payload. @throws BrokenPipe after `close` or `abort`; WriteFailed, DiskFull */
  async append(payload: Uint8Array): Promise<void> {
    if (this.state !== 'open') throw new MonolithError('BrokenPipe', `${this.path}: file is closed`, { path: this.path });
    const frame = tfrecordFrame(payload);
    this.pending.push(frame);
    this.pendingBytes += frame.length;
    this.count++;
    if (this.pendingBytes >= BUFFER_BYTES) await this.flush();
  }

  /** Appends a tf.train.Example. @throws InvalidArgument for a value that its list can't hold; else as {@link append} */
  appendExample(features: ExampleFeatures): Promise<void> {
    return this.append(encodeExample(features));
  }

  /** Writes the rest, flushes to the device and gives the file its name. Calling it again does nothing. @throws WriteFailed, DiskFull; nothing is left then */
  async close(): Promise<void> {
    if (this.state === 'closed') return;
    if (this.state === 'aborted') throw new MonolithError('BrokenPipe', `${this.path}: writing was given up`, { path: this.path });
    try {
      await this.flush();
      this.compressor?.end();
      await this.drained;
      if (this.failure !== null) throw this.failure;
      await this.file.close();
      await renameDurable(this.temporary, this.path);
      this.state = 'closed';
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Leaves no file. Never throws. */
  async abort(): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'aborted';
    this.compressor?.destroy();
    await this.drained.catch(() => undefined);
    await this.file.discard();
    await removeQuietly(this.temporary);
  }

  private async flush(): Promise<void> {
    if (this.pendingBytes === 0) return;
    const all = Buffer.concat(this.pending, this.pendingBytes);
    this.pending = [];
    this.pendingBytes = 0;
    if (this.failure !== null) throw this.failure;
    if (this.compressor === null) await this.file.append(all);
    else if (!this.compressor.write(all)) await Promise.race([once(this.compressor, 'drain'), this.drained]);
  }

  private async drain(compressor: Gzip | Deflate): Promise<void> {
    try {
      for await (const chunk of compressor) await this.file.append(chunk as Uint8Array);
    } catch (error) {
      // An aborted one has nothing to report.
      if (this.state === 'open') this.failure = error;
    }
  }
}

function compressionOfName(path: string): TfRecordCompression {
  const name = path.toLowerCase();
  if (name.endsWith('.gz')) return 'gzip';
  return name.endsWith('.zz') || name.endsWith('.zlib') ? 'zlib' : 'none';
}
