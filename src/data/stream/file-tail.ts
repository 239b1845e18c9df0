// A file that grows, followed over rotation: renamed and made anew, or copied and cut to nothing.
import type { FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MonolithError } from '../../base/index.js';
import { type Fingerprint, headOf, LineFile, type Lines, noFingerprint } from './line-file.js';
import type { StreamHost, StreamOffset, StreamPartition, StreamRecords, StreamSource } from './source.js';
import { Wake } from './wake.js';
import { LOOK_EVERY_MS, watchFolder } from './watch-folder.js';

/** Where reading stands: in which file, known by its number and how it begins, at which byte, and how many files came before it. */
type TailOffset = { readonly file: number; readonly ino: number; readonly byte: number; readonly head: number; readonly crc: number };

export type TailOptions = {
  /** latest: only lines that are written from now on. */
  readonly start: 'earliest' | 'latest';
  /** What to do where lines are gone that were not read. */
  readonly lost: 'fail' | 'skip';
  readonly maxRecordBytes: number;
  /** Whether a file's first line names columns and is no record. */
  readonly isHeader: (line: Uint8Array) => boolean;
};

/** Files under this name that are not read: what rotation has compressed. */
const COMPRESSED = /\.(gz|zst|bz2|xz|lz4)$/;

/** Follows one file of lines. One partition, without end. */
export class FileTail implements StreamSource, StreamPartition {
  readonly replays = true;
  readonly name: string;
  private readonly wake = new Wake();
  private host: StreamHost | null = null;
  private watcher: FSWatcher | null = null;
  private closed = false;
  private current: LineFile | null = null;
  /** Number of the file that was read to its end last. */
  private left: number | null = null;
  private byte = 0;
  private number = 0;
  private head: Fingerprint = noFingerprint;
  /** The file is no longer the one at the path, and was seen to have no more whole lines since. */
  private rotatedAndRead = false;

  constructor(
    private readonly path: string,
    private readonly options: TailOptions,
  ) {
    this.name = `tail:${path}`;
  }

  compare(a: StreamOffset, b: StreamOffset): number {
    const [x, y] = [a as TailOffset, b as TailOffset];
    return x.file - y.file || x.byte - y.byte;
  }

  async open(host: StreamHost): Promise<void> {
    this.host = host;
    const folder = dirname(this.path);
    if ((await stat(folder).catch(() => null))?.isDirectory() !== true) {
      throw new MonolithError('DataNotFound', `${this.name}: there is no folder ${folder} in which the file could come`, {
        path: this.path,
      });
    }
    const own = basename(this.path);
    this.watcher = watchFolder(
      folder,
      (name) => name.startsWith(own),
      () => this.wake.ring(),
    );
    const before = host.position(this.name) as TailOffset | undefined;
    try {
      await (before === undefined ? this.beginAnew() : this.goOn(before));
    } catch (error) {
      await this.close();
      throw error;
    }
    host.add(this);
  }

  async read(): Promise<StreamRecords | null> {
    while (!this.closed) {
      if (this.current === null && !(await this.openNext())) {
        await this.wake.wait(LOOK_EVERY_MS);
        continue;
      }
      const records = await this.readOn();
      if (records !== null) return records;
    }
    return null;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.watcher?.close();
    this.wake.ring();
    const { current } = this;
    this.current = null;
    await current?.close();
  }

  /** The next lines of the file in hand; null where there are none yet, or where another file is next. */
  private async readOn(): Promise<StreamRecords | null> {
    const file = this.current;
    if (file === null) return null;
    const lines = await file.lines(this.byte).catch((error: unknown) => this.unlessClosed(error));
    if (this.closed) return null;
    // Looked at after reading: had the file been cut and written anew before, this would show it.
    if (!(await file.matches(this.head, this.byte))) return this.afterCut(file);
    if (lines !== null) {
      this.rotatedAndRead = false;
      return this.recordsOf(file, lines);
    }
    if (!(await this.isRotated(file))) {
      await this.wake.wait(LOOK_EVERY_MS);
      return null;
    }
    // Whoever wrote to it may have done so once more before the new file was there.
    if (!this.rotatedAndRead) {
      this.rotatedAndRead = true;
      return null;
    }
    const last = await file.lastLine(this.byte);
    if (last !== null) {
      const records = await this.recordsOf(file, last, last.next);
      if (records !== null) return records;
    }
    await this.leave(file, true);
    return null;
  }

  private unlessClosed(error: unknown): null {
    if (this.closed) return null;
    throw error;
  }

  /** @param next byte behind the lines, where it is not their length that says so. */
  private async recordsOf(file: LineFile, lines: Lines, next = this.byte + lines.bytes.length): Promise<StreamRecords | null> {
    const start = this.byte;
    const skip = start === 0 ? headOf(lines, this.options.isHeader) : { bytes: 0, lines: 0 };
    this.byte = next;
    if (this.head.length < start + lines.bytes.length) this.head = await file.fingerprint(next);
    const bytes = lines.bytes.subarray(skip.bytes);
    const ends = lines.ends.subarray(skip.lines).map((end) => end - skip.bytes);
    if (ends.length === 0) return null;
    const { number, head } = this;
    const timeMs = Date.now();
    const from = start + skip.bytes;
    return {
      bytes,
      ends,
      count: ends.length,
      timeOf: () => timeMs,
      offsetAfter: (i) => ({
        file: number,
        ino: file.ino,
        byte: i === ends.length - 1 ? next : from + ends[i],
        head: head.length,
        crc: head.crc,
      }),
      placeOf: (i) => `${file.path}, byte ${from + (i === 0 ? 0 : ends[i - 1])}`,
    };
  }

  /** Whether the path now leads to another file than the one in hand. */
  private async isRotated(file: LineFile): Promise<boolean> {
    if (file.path !== this.path) return true;
    const info = await stat(this.path).catch(() => null);
    return info !== null && info.ino !== file.ino;
  }

  /** The file in hand was cut: the rest of what it held may stand in a copy. */
  private async afterCut(file: LineFile): Promise<null> {
    const { byte, head, number } = this;
    const copy = byte === 0 ? null : await this.find({ file: number, ino: file.ino, byte, head: head.length, crc: head.crc });
    await this.leave(file, copy === null);
    if (copy !== null && (await this.enter(copy, byte, head))) return null;
    if (byte > 0) this.host?.notify(`${this.name}: was cut and begins anew; what was written behind byte ${byte} just before is gone`);
    return null;
  }

  /** @param counts whether another file follows, not a copy of this one. */
  private async leave(file: LineFile, counts: boolean): Promise<void> {
    this.current = null;
    this.left = file.ino;
    this.rotatedAndRead = false;
    if (counts) this.number++;
    await file.close();
  }

  private async enter(path: string, byte: number, head: Fingerprint): Promise<boolean> {
    const file = await LineFile.open(path, this.options.maxRecordBytes);
    if (file === null) return false;
    if (this.closed) {
      await file.close();
      return false;
    }
    this.current = file;
    this.byte = byte;
    this.head = head;
    return true;
  }

  /** Opens the file that came after the one that was read last: when rotation was fast, that is not yet the one at the path. */
  private async openNext(): Promise<boolean> {
    let next = this.path;
    if (this.left !== null) {
      const rotated = await this.rotated();
      const inos = await Promise.all(rotated.map(async (path) => (await stat(path).catch(() => null))?.ino));
      const at = inos.indexOf(this.left);
      if (at >= 0 && at + 1 < rotated.length) next = rotated[at + 1];
    }
    return this.enter(next, 0, noFingerprint);
  }

  private async beginAnew(): Promise<void> {
    if (!(await this.openNext())) {
      this.host?.notify(`${this.name}: there is no such file yet; waiting for it`);
      return;
    }
    const file = this.current;
    if (this.options.start !== 'latest' || file === null) return;
    this.byte = await file.endOfLines();
    this.head = await file.fingerprint(this.byte);
  }

  /** Finds the file of a checkpoint's offset, which may have another name by now. */
  private async goOn(before: TailOffset): Promise<void> {
    this.number = before.file;
    const found = await this.find(before);
    if (found !== null && (await this.enter(found, before.byte, { length: before.head, crc: before.crc }))) return;
    if (before.byte === 0) return;
    const message = `${this.name}: the checkpoint stands at byte ${before.byte} of a file that is gone: no file ${this.path}* begins as it did and is that long. It was rotated away, compressed or cut; what followed in it is lost`;
    if (this.options.lost === 'fail') {
      throw new MonolithError(
        'DataNotFound',
        `${message}. Put it back, or go on at the beginning of the present file with --stream-lost skip`,
        { path: this.path, byte: before.byte },
      );
    }
    this.host?.notify(`${message}; going on at the beginning of the present file`);
    this.number++;
  }

  /** The path at which the file of an offset, or a copy of it, now lies; null where there is none. */
  private async find(offset: TailOffset): Promise<string | null> {
    let copy: string | null = null;
    for (const path of [this.path, ...(await this.rotated())]) {
      const file = await LineFile.open(path, this.options.maxRecordBytes).catch(() => null);
      if (file === null) continue;
      const isSame = file.ino === offset.ino;
      const fits = (isSame || offset.head > 0) && (await file.matches({ length: offset.head, crc: offset.crc }, offset.byte));
      await file.close();
      if (fits && isSame) return path;
      if (fits) copy ??= path;
    }
    return copy;
  }

  /** Files that were at the path before, by their names, oldest first. */
  private async rotated(): Promise<string[]> {
    const folder = dirname(this.path);
    const own = basename(this.path);
    const names = (await readdir(folder)).filter((name) => name.startsWith(own) && name !== own && !COMPRESSED.test(name));
    return names.sort(byAge).map((name) => join(folder, name));
  }
}

/** Oldest first: of names that end in numbers the larger one is older, of others (dates) the smaller. */
function byAge(a: string, b: string): number {
  const numbers = [a, b].map((name) => /\.(\d{1,4})$/.exec(name)?.[1]);
  if (numbers.every((number) => number !== undefined)) return Number(numbers[1]) - Number(numbers[0]);
  return a < b ? -1 : a > b ? 1 : 0;
}
