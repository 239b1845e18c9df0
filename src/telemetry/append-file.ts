import { type FileHandle, open } from 'node:fs/promises';
import { freeBytes, MonolithError } from '../base/index.js';

/**
 * A log file: pieces are appended in order, in the background, each in one write. What a killed process leaves is a whole number of pieces, or
 * one torn at its end.
 */
export class AppendFile {
  private pending: Uint8Array[] = [];
  private writing: Promise<void> | null = null;
  private failure: MonolithError | null = null;
  private closed = false;

  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /**
   * Opens a file to append to.
   * @param exclusive refuse a file that is there already; the promise then rejects with Node's EEXIST.
   * @throws DiskFull, WriteFailed
   */
  static async open(path: string, exclusive = false): Promise<AppendFile> {
    try {
      return new AppendFile(path, await open(path, exclusive ? 'ax' : 'a'));
    } catch (error) {
      if (exclusive && (error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
      throw await writeError(path, 0, error);
    }
  }

  /** Queues a piece; never blocks and never throws. After a failed write further pieces are dropped: {@link flush} tells. */
  append(piece: string | Uint8Array): void {
    if (this.closed || this.failure !== null) return;
    this.pending.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
    this.writing ??= this.drain();
  }

  private async drain(): Promise<void> {
    // Pieces of the same turn of the event loop go out together.
    await Promise.resolve();
    while (this.pending.length > 0) {
      const bytes = Buffer.concat(this.pending);
      this.pending = [];
      try {
        await this.file.appendFile(bytes);
      } catch (error) {
        this.failure = await writeError(this.path, bytes.length, error);
        this.pending = [];
      }
    }
    this.writing = null;
  }

  /** Waits until everything queued is with the operating system. @throws DiskFull, WriteFailed: the first failure since the file was opened. */
  async flush(): Promise<void> {
    while (this.writing !== null) await this.writing;
    if (this.failure !== null) throw this.failure;
  }

  /** Flushes and closes; closing twice is fine. @throws DiskFull, WriteFailed */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }
}

async function writeError(path: string, bytes: number, cause: unknown): Promise<MonolithError> {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const free = await freeBytes(path);
    const text = `${path}: no space left to append ${bytes} bytes (${free ?? 'unknown'} free); free some and run the same command again`;
    return new MonolithError('DiskFull', text, { path, needed: bytes, free }, { cause });
  }
  return new MonolithError('WriteFailed', `${path}: cannot append: ${message}`, { path, code: code ?? null }, { cause });
}
