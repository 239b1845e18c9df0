// Where data caches lie, what they are keyed by, and what is said about them.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MonolithError, removeQuietly } from '../base/index.js';
import { CacheReader, CacheWriter } from './cache-file.js';
import { CACHE_VERSION } from './cache-format.js';
import { standardInput } from './paths.js';
import type { PreparedFile } from './prepared-file.js';

/** Folder of caches beside each data file, for cache 'auto'; hidden, so that no folder or pattern takes it for data. */
export const AUTO_CACHE_FOLDER = '.monolith-cache';

export type CacheSettings = {
  /** A folder, or 'auto': {@link AUTO_CACHE_FOLDER} beside each file. */
  readonly place: string;
  readonly blockBytes: number;
  readonly maxRecordBytes: number;
  /** Common words of all blocks (commonWords). */
  readonly common: Int32Array;
  readonly notify: (message: string) => void;
};

/** Finds and makes the caches of a pipeline's files. */
export class DataCache {
  private readonly said = new Set<string>();
  /** Source files for which no cache can be written in this run. */
  private readonly givenUp = new Set<string>();

  constructor(private readonly settings: CacheSettings) {}

  /** The cache of a file; null where there is none that fits: why is said once. */
  async find(file: PreparedFile): Promise<CacheReader | null> {
    const path = this.pathOf(file);
    const key = path === null ? null : await this.keyOf(file);
    if (path === null || key === null) return null;
    const found = await CacheReader.open(path, key, this.settings.common[1]);
    if (typeof found !== 'string') return found;
    this.say(`data cache ${path} ${found}: it is made anew`);
    return null;
  }

  /** A writer for the cache of a file that is about to be read from its start; null where none can be written. */
  async record(file: PreparedFile): Promise<CacheWriter | null> {
    const path = this.pathOf(file);
    const key = path === null ? null : await this.keyOf(file);
    if (path === null || key === null || this.givenUp.has(path)) return null;
    const fail = (error: unknown): void => {
      this.givenUp.add(path);
      const reason = error instanceof MonolithError ? error.message : String(error);
      this.say(`data cache ${path} is given up, the run goes on without it: ${reason}`);
    };
    try {
      await mkdir(dirname(path), { recursive: true });
      await removeLeftovers(path);
      const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
      const unchanged = async (): Promise<boolean> => (await this.keyOf(file)) === key;
      return await CacheWriter.create(path, temporary, key, this.settings.common[1], fail, unchanged);
    } catch (error) {
      fail(error);
      return null;
    }
  }

  /** A block of a cache turned out damaged: it is thrown away. */
  async damaged(reader: CacheReader): Promise<void> {
    this.say(`data cache ${reader.path} is damaged: its blocks are read from the data again, and it is made anew`);
    await removeQuietly(reader.path);
  }

  private say(message: string): void {
    if (this.said.has(message)) return;
    this.said.add(message);
    this.settings.notify(message);
  }

  private pathOf(file: PreparedFile): string | null {
    const source = file.description.info.path;
    if (source === standardInput) return null;
    const folder = this.settings.place === 'auto' ? join(dirname(source), AUTO_CACHE_FOLDER) : this.settings.place;
    const hash = createHash('sha256')
      .update(JSON.stringify(this.identity(file)))
      .digest('hex');
    return join(folder, `${basename(source)}-${hash.slice(0, 16)}.mlcache`);
  }

  /** Everything that decides what parsing makes of a file, except the file's own bytes. */
  private identity(file: PreparedFile): Record<string, unknown> {
    const { description, program } = file;
    const { words, constants, strings } = program;
    const hash = createHash('sha256');
    for (const part of [words, constants, strings]) {
      hash.update(`${part.byteLength} `);
      hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    }
    return {
      version: CACHE_VERSION,
      path: resolve(description.info.path),
      format: description.format,
      dataStart: description.dataStart,
      firstLine: description.firstLine,
      blockBytes: this.settings.blockBytes,
      maxRecordBytes: this.settings.maxRecordBytes,
      layout: [...this.settings.common],
      program: hash.digest('hex'),
    };
  }

  /** The key of a cache: identity, size and time of change; null where the file can't be looked at. */
  private async keyOf(file: PreparedFile): Promise<string | null> {
    const info = await stat(file.description.info.path, { bigint: true }).catch(() => null);
    if (info === null || !info.isFile()) return null;
    return JSON.stringify({ ...this.identity(file), size: String(info.size), mtimeNs: String(info.mtimeNs) });
  }
}

/** Removes what killed runs left of a cache that was being written. */
async function removeLeftovers(path: string): Promise<void> {
  const start = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const pid = name.startsWith(start) && name.endsWith('.tmp') ? Number.parseInt(name.slice(start.length), 10) : Number.NaN;
    if (Number.isInteger(pid) && pid !== process.pid && !isAlive(pid)) await removeQuietly(join(dirname(path), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
