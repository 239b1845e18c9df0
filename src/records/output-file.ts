import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createGzip, type Gzip } from 'node:zlib';
import { fsyncFolder, MonolithError } from '../base/index.js';

/** Bytes that are gathered before they go to the file. */
const BUFFER_BYTES = 1 << 20;

/** A file that is there whole after {@link close}, and not at all before; gzip where its name ends in `.gz`. */
export class OutputFile {
  private readonly pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private finished = false;
  private failure: unknown = null;
  private readonly written: Promise<void> | null;

  private constructor(
    readonly path: string,
    private readonly temporary: string,
    private readonly file: FileHandle,
    private readonly gzip: Gzip | null,
  ) {
    this.written = gzip === null ? null : this.drain(gzip);
    this.written?.catch((error: unknown) => {
      this.failure = error;
      gzip?.destroy();
    });
  }

  /** @throws WriteFailed, DiskFull */
  static async create(path: string): Promise<OutputFile> {
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(temporary, 'w');
      return new OutputFile(path, temporary, file, path.toLowerCase().endsWith('.gz') ? createGzip() : null);
    } catch (error) {
      throw writeError(path, error);
    }
  }

  get compresses(): boolean {
    return this.gzip !== null;
  }

  /** Appends bytes, which must not change afterwards. @throws WriteFailed, DiskFull */
  async write(bytes: Uint8Array | string): Promise<void> {
    const piece = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
    this.pending.push(piece);
    this.pendingBytes += piece.length;
    if (this.pendingBytes >= BUFFER_BYTES) await this.flush();
  }

  /** Writes bytes over those at a place that has been written; not for compressed files. @throws WriteFailed, DiskFull */
  async patch(at: number, bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.file.write(bytes, 0, bytes.length, at).catch((error: unknown) => {
      throw writeError(this.path, error);
    });
  }

  /** Flushes and gives the file its name. @throws WriteFailed, DiskFull; the file is then not there */
  async close(): Promise<void> {
    if (this.finished) return;
    try {
      await this.flush();
      this.gzip?.end();
      await this.written;
      await this.file.sync();
      await this.file.close();
      await rename(this.temporary, this.path);
      this.finished = true;
      await fsyncFolder(dirname(this.path));
    } catch (error) {
      await this.abort();
      throw error instanceof MonolithError ? error : writeError(this.path, error);
    }
  }

  /** Leaves nothing behind. Never throws. */
  async abort(): Promise<void> {
    if (this.finished) return;
    this.finished = true;
    this.gzip?.destroy();
    await this.written?.catch(() => undefined);
    await this.file.close().catch(() => undefined);
    await rm(this.temporary, { force: true }).catch(() => undefined);
  }

  private async flush(): Promise<void> {
    if (this.pendingBytes === 0) return;
    const all = this.pending.length === 1 ? this.pending[0] : Buffer.concat(this.pending);
    this.pending.length = 0;
    this.pendingBytes = 0;
    try {
      if (this.gzip === null) await writeAll(this.file, all);
      else if (!this.gzip.write(all)) await Promise.race([once(this.gzip, 'drain'), this.written]);
      if (this.failure !== null) throw this.failure;
    } catch (error) {
      throw error instanceof MonolithError ? error : writeError(this.path, error);
    }
  }

  private async drain(gzip: Gzip): Promise<void> {
    for await (const chunk of gzip) await writeAll(this.file, chunk as Uint8Array);
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

function writeError(path: string, error: unknown): MonolithError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const hint = full ? 'Free some space, or choose another folder' : 'Check the folder and its permissions';
  return new MonolithError(
    full ? 'DiskFull' : 'WriteFailed',
    `${path}: can't be written (${code || String(error)}). ${hint}`,
    { path },
    { cause: error },
  );
}
