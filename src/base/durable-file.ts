import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { MonolithError } from './errors.js';
import { type CallerAction, failpoint } from './failpoint.js';

// Everything in this package that must survive a power cut is written here and nowhere else. Every operation passes the failpoint
// `durable-file.operation` and one of its own (`durable-file.write`, …), so that tests can make the n-th one fail.
//
// After a failed fsync the kernel may have dropped the dirty pages and report success the next time. So no failed file is ever
// synced again: it is thrown away whole and written anew.

/** Direct writes are of whole such units, which suits every device. */
const DIRECT_UNIT = 4096;

type Operation = 'mkdir' | 'open' | 'write' | 'fsync' | 'close' | 'rename' | 'fsyncFolder';

const verbs: Record<Operation, string> = {
  mkdir: 'create folder',
  open: 'create',
  write: 'write',
  fsync: 'flush',
  close: 'close',
  rename: 'rename',
  fsyncFolder: 'flush folder',
};

/**
 * Appends bytes to a new file, and makes them durable before it says so.
 * After any failed call only {@link DurableWriter.discard} makes sense.
 */
export class DurableWriter {
  readonly path: string;
  readonly #file: FileHandle;
  #bytesWritten = 0;
  #open = true;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /**
   * Creates the file, or empties an existing one. Its name is durable only after {@link fsyncFolder} of its folder.
   * @throws DiskFull, WriteFailed
   */
  static async create(path: string): Promise<DurableWriter> {
    const file = await operate('open', path, 0, () => open(path, 'w'));
    return new DurableWriter(path, file);
  }

  /** Bytes given to the operating system so far. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /**
   * Appends all the bytes; they must not change until it resolves.
   * @throws DiskFull, WriteFailed
   */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#write(this.#file, bytes, false);
  }

  /**
   * As {@link append}, for the first bytes of a file: they go to the device past the page cache where system, file system and address (whole pages, see
   * pageAlignedBuffer) allow it. That takes a tenth of the processors' time, and leaves no heap of dirty pages to be written beside those who compute.
   * @returns how many bytes went that way; the rest was appended in the ordinary one.
   * @throws DiskFull, WriteFailed
   */
  async appendDirect(bytes: Uint8Array): Promise<number> {
    const whole = bytes.length - (bytes.length % DIRECT_UNIT);
    const from = this.#bytesWritten;
    const direct = from > 0 || whole === 0 ? null : await openDirect(this.path);
    try {
      if (direct !== null) await this.#write(direct, bytes.subarray(0, whole), true);
    } finally {
      await direct?.close();
    }
    const written = this.#bytesWritten - from;
    await this.append(bytes.subarray(written));
    return written;
  }

  /** Appends at the end. @param direct where the bytes or the device do not suit such a write it stops, and the rest is the caller's. */
  async #write(file: FileHandle, bytes: Uint8Array, direct: boolean): Promise<void> {
    let offset = 0;
    let full = false;
    while (offset < bytes.length && !(direct && offset % DIRECT_UNIT > 0)) {
      const rest = bytes.length - offset;
      const written = await operate('write', this.path, rest, async (injected) => {
        if (full) throw Object.assign(new Error('ENOSPC: injected after a short write'), { code: 'ENOSPC' });
        full = injected === 'short-write';
        const length = full ? rest >> 1 : rest;
        try {
          return (await file.write(bytes, offset, direct ? length - (length % DIRECT_UNIT) : length, this.#bytesWritten)).bytesWritten;
        } catch (error) {
          if (direct && errorCodeOf(error) === 'EINVAL') return -1;
          throw error;
        }
      });
      if (written < 0) return;
      offset += written;
      this.#bytesWritten += written;
    }
  }

  /**
   * Flushes to the device. @throws DiskFull, WriteFailed
   */
  async sync(): Promise<void> {
    await operate('fsync', this.path, 0, () => this.#file.sync());
  }

  /**
   * Flushes, then closes. Calling it again does nothing.
   * @throws DiskFull, WriteFailed; the file is closed all the same
   */
  async close(): Promise<void> {
    if (!this.#open) return;
    try {
      await this.sync();
      await operate('close', this.path, 0, () => this.#file.close());
      this.#open = false;
    } finally {
      await this.#closeQuietly();
    }
  }

  /** Closes without flushing and deletes the file. For the way out after an error: never throws. */
  async discard(): Promise<void> {
    await this.#closeQuietly();
    await removeQuietly(this.path);
  }

  async #closeQuietly(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#file.close().catch(() => undefined);
  }
}

/** A second handle of a file, for direct writes; null where there are none. */
async function openDirect(path: string): Promise<FileHandle | null> {
  const { O_DIRECT, O_WRONLY } = constants;
  if (O_DIRECT === undefined) return null;
  return await operate('open', path, 0, async () => {
    try {
      return await open(path, O_WRONLY | O_DIRECT);
    } catch (error) {
      if (errorCodeOf(error) === 'EINVAL') return null;
      throw error;
    }
  });
}

/**
 * Writes a whole file in its place and flushes it. Not atomic: use it for names that nobody reads yet.
 * A half-written file is deleted if it fails.
 * @throws DiskFull, WriteFailed
 */
export async function writeFileFlushed(path: string, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const writer = await DurableWriter.create(path);
  try {
    await writer.append(bytes);
    await writer.close();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/**
 * Replaces a file atomically and durably: `path.tmp` is written, flushed and renamed to `path`, then the folder is flushed.
 * Readers, and a restart after a power cut, see the old content or the new one. One writer of a path at a time.
 * @throws DiskFull, WriteFailed; the old content stays unless only the last flush of the folder failed
 */
export async function writeFileDurable(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  await writeFileFlushed(temporary, data);
  try {
    await renameDurable(temporary, path);
  } catch (error) {
    await removeQuietly(temporary);
    throw error;
  }
}

/**
 * Renames, then flushes the folder of the new name (and of the old one if it differs).
 * @throws DiskFull, WriteFailed; if only the flush failed, the new name is already visible
 */
export async function renameDurable(from: string, to: string): Promise<void> {
  await renameFile(from, to);
  await fsyncFolder(dirname(resolve(to)));
  if (dirname(resolve(from)) !== dirname(resolve(to))) await fsyncFolder(dirname(resolve(from)));
}

/** Renames only; durable after {@link fsyncFolder}. @throws DiskFull, WriteFailed */
export async function renameFile(from: string, to: string): Promise<void> {
  await operate('rename', to, 0, () => rename(from, to));
}

/**
 * Flushes a folder, so that names created, renamed or deleted in it survive a power cut.
 * File systems that can't flush a folder (Windows, some network ones) are passed over: there the rename itself is the best there is.
 * @throws DiskFull, WriteFailed
 */
export async function fsyncFolder(path: string): Promise<void> {
  await operate('fsyncFolder', path, 0, async () => {
    try {
      const folder = await open(path, 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    } catch (error) {
      if (!isUnsupportedFolderSync(error)) throw error;
    }
  });
}

/**
 * Creates a folder with its missing parents, and flushes each folder that gained a name.
 * @throws DiskFull, WriteFailed
 */
export async function makeFolderDurable(path: string): Promise<void> {
  const first = await operate('mkdir', path, 0, () => mkdir(path, { recursive: true }));
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    await fsyncFolder(folder);
    if (folder === top || folder === dirname(folder)) return;
  }
}

/** Deletes a file or folder with all it holds; for cleaning up on the way out of an error: never throws. */
export async function removeQuietly(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Free bytes for this user on the file system of a path, or null if unknown. */
export async function freeBytes(path: string): Promise<number | null> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    } catch {
      if (folder === dirname(folder)) return null;
    }
  }
}

function isUnsupportedFolderSync(error: unknown): boolean {
  const code = errorCodeOf(error);
  if (code === 'EINVAL' || code === 'ENOTSUP' || code === 'ENOSYS') return true;
  return process.platform === 'win32' && (code === 'EPERM' || code === 'EISDIR' || code === 'EACCES' || code === 'EBADF');
}

function errorCodeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

async function operate<Result>(
  operation: Operation,
  path: string,
  bytes: number,
  act: (injected: CallerAction | null) => Promise<Result>,
): Promise<Result> {
  try {
    const injected = failpoint('durable-file.operation') ?? failpoint(`durable-file.${operation}`);
    return await act(injected);
  } catch (error) {
    throw await writeError(operation, path, bytes, error);
  }
}

async function writeError(operation: Operation, path: string, bytes: number, cause: unknown): Promise<unknown> {
  const code = errorCodeOf(cause);
  if (cause instanceof MonolithError || code === null) return cause;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const free = await freeBytes(dirname(path));
    const need = bytes > 0 ? `needed ${bytes} more bytes` : 'needed room for one more file';
    const room = free === null ? 'free space unknown' : `${free} bytes free`;
    const quota = code === 'EDQUOT' ? ' (the user quota is used up)' : '';
    return new MonolithError(
      'DiskFull',
      `${path}: disk full${quota}: can't ${verbs[operation]} ${basename(path)}: ${need}, ${room}. Free some space, or choose another folder`,
      { path, operation, neededBytes: bytes, freeBytes: free },
      { cause },
    );
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  const hint = hints.get(code);
  return new MonolithError(
    'WriteFailed',
    `${path}: can't ${verbs[operation]}: ${text}${hint === undefined ? '' : `. ${hint}`}`,
    { path, operation, errno: code },
    { cause },
  );
}

const hints = new Map([
  ['EACCES', 'Check the permissions of the folder'],
  ['EPERM', 'Check the permissions of the folder'],
  ['EROFS', 'The file system is read-only; choose another folder'],
  ['ENOTDIR', 'A part of the path is a file, not a folder'],
  ['EEXIST', 'A file stands where a folder is needed'],
  ['EIO', 'The device reported an error; check it before you trust what it holds'],
  ['EMFILE', 'Too many open files; raise the limit (ulimit -n)'],
  ['EFBIG', 'The file system or a limit (ulimit -f) forbids files of this size'],
]);
