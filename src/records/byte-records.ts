import { MonolithError } from '../base/index.js';
import { type ByteSource, type FileInfo, openSource } from '../data/index.js';

const FIRST_BYTES = 256 * 1024;

/** The bytes of a file with a window that grows where a record needs it. Views of it are good until the next {@link more}. */
export class ByteWindow {
  private bytes = new Uint8Array(FIRST_BYTES);
  private length = 0;
  private start = 0;
  /** Byte of the window's first unused byte in the decompressed file. */
  position = 0;

  private constructor(
    private readonly path: string,
    private readonly source: ByteSource,
    private readonly mostBytes: number,
  ) {}

  static async open(info: FileInfo, mostBytes = 64 << 20): Promise<ByteWindow> {
    return new ByteWindow(info.path, await openSource(info, 0), mostBytes);
  }

  /** What is there and not used yet. */
  get rest(): Uint8Array {
    return this.bytes.subarray(this.start, this.length);
  }

  use(count: number): void {
    this.start += count;
    this.position += count;
  }

  /** Reads on; false at the end of the file. @throws RecordCorrupt */
  async more(): Promise<boolean> {
    if (this.start > 0) {
      this.bytes.copyWithin(0, this.start, this.length);
      this.length -= this.start;
      this.start = 0;
    }
    if (this.length === this.bytes.length) {
      if (this.length >= this.mostBytes) {
        throw new MonolithError(
          'RecordCorrupt',
          `${this.path}: the record at byte ${this.position} is longer than ${this.mostBytes} bytes`,
          {
            path: this.path,
            byte: this.position,
          },
        );
      }
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    const got = await this.source.read(this.bytes, this.length, this.bytes.length - this.length);
    this.length += got;
    return got > 0;
  }

  async close(): Promise<void> {
    await this.source.close();
  }
}
