// Files that come one after another in a folder, each read to its end before the next.
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { MonolithError } from '../../base/index.js';
import { expandFiles } from '../paths.js';
import type { TailOptions } from './file-tail.js';
import { headOf, LineFile, type Lines } from './line-file.js';
import type { StreamHost, StreamOffset, StreamPartition, StreamRecords, StreamSource } from './source.js';
import { Wake } from './wake.js';
import { LOOK_EVERY_MS, watchFolder } from './watch-folder.js';

type SeriesOffset = { readonly name: string; readonly byte: number };

/**
 * The files that match a pattern, or lie in a folder, in the order of their names; new ones come behind them. A file is left for the next one when
 * that is there and nothing more stands in it. One partition, without end.
 */
export class FileSeries implements StreamSource, StreamPartition {
  readonly replays = true;
  readonly name: string;
  private readonly wake = new Wake();
  private watcher: FSWatcher | null = null;
  private host: StreamHost | null = null;
  private closed = false;
  private current: LineFile | null = null;
  /** The file in hand, or the one that was left last; '': none. */
  private file = '';
  private byte = 0;
  private readToEnd = false;
  private readonly toldOf = new Set<string>();

  constructor(
    private readonly pattern: string,
    private readonly options: TailOptions,
  ) {
    this.name = `tail:${pattern}`;
  }

  compare(a: StreamOffset, b: StreamOffset): number {
    const [x, y] = [a as SeriesOffset, b as SeriesOffset];
    return x.name < y.name ? -1 : x.name > y.name ? 1 : x.byte - y.byte;
  }

  async open(host: StreamHost): Promise<void> {
    this.host = host;
    const folder = await this.folder();
    this.watcher = watchFolder(
      folder,
      () => true,
      () => this.wake.ring(),
    );
    try {
      await this.find(host.position(this.name) as SeriesOffset | undefined);
    } catch (error) {
      await this.close();
      throw error;
    }
    host.add(this);
  }

  private async find(before: SeriesOffset | undefined): Promise<void> {
    const files = await this.files();
    if (before !== undefined) await this.goOn(before, files);
    else if (this.options.start === 'latest') await this.goToEnd(files);
    if (files.length === 0) this.host?.notify(`${this.name}: no file matches yet; waiting for one`);
  }

  async read(): Promise<StreamRecords | null> {
    while (!this.closed) {
      const file = this.current;
      const lines = file === null ? null : await file.lines(this.byte).catch((error: unknown) => this.unlessClosed(error));
      if (this.closed) return null;
      if (file !== null && lines !== null) {
        this.readToEnd = false;
        const records = this.recordsOf(file, lines, this.byte + lines.bytes.length);
        if (records !== null) return records;
        continue;
      }
      const next = await this.nextFile();
      if (next === null) await this.wake.wait(LOOK_EVERY_MS);
      // What was written before the next file came may have been read too early.
      else if (file !== null && !this.readToEnd) this.readToEnd = true;
      else {
        const last = file === null ? null : await file.lastLine(this.byte);
        const records = file === null || last === null ? null : this.recordsOf(file, last, last.next);
        if (records !== null) return records;
        await this.enter(next, 0);
      }
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

  private unlessClosed(error: unknown): null {
    if (this.closed) return null;
    throw error;
  }

  private recordsOf(file: LineFile, lines: Lines, next: number): StreamRecords | null {
    const start = this.byte;
    const skip = start === 0 ? headOf(lines, this.options.isHeader) : { bytes: 0, lines: 0 };
    this.byte = next;
    const ends = lines.ends.subarray(skip.lines).map((end) => end - skip.bytes);
    if (ends.length === 0) return null;
    const name = this.file;
    const from = start + skip.bytes;
    const timeMs = Date.now();
    return {
      bytes: lines.bytes.subarray(skip.bytes),
      ends,
      count: ends.length,
      timeOf: () => timeMs,
      offsetAfter: (i) => ({ name, byte: i === ends.length - 1 ? next : from + ends[i] }),
      placeOf: (i) => `${file.path}, byte ${from + (i === 0 ? 0 : ends[i - 1])}`,
    };
  }

  private async enter(path: string, byte: number): Promise<void> {
    const { current } = this;
    this.current = null;
    await current?.close();
    const file = await LineFile.open(path, this.options.maxRecordBytes);
    if (this.closed) {
      await file?.close();
      return;
    }
    this.current = file;
    this.file = this.nameOf(path);
    this.toldOf.add(this.file);
    this.byte = byte;
    this.readToEnd = false;
  }

  /** The file behind the one in hand; null while there is none. */
  private async nextFile(): Promise<string | null> {
    const files = await this.files();
    for (const path of files) {
      const name = this.nameOf(path);
      if (name > this.file) return path;
      if (this.toldOf.has(name)) continue;
      this.toldOf.add(name);
      if (name < this.file)
        this.host?.notify(`${path}: came behind files of later names, and is not read; files must come in the order of their names`);
    }
    return null;
  }

  private async goOn(before: SeriesOffset, files: readonly string[]): Promise<void> {
    for (const path of files) if (this.nameOf(path) <= before.name) this.toldOf.add(this.nameOf(path));
    this.file = before.name;
    const path = files.find((file) => this.nameOf(file) === before.name);
    const file = path === undefined ? null : await LineFile.open(path, this.options.maxRecordBytes);
    const size = file === null ? 0 : await file.size();
    if (file !== null && size >= before.byte) {
      this.current = file;
      this.byte = before.byte;
      return;
    }
    await file?.close();
    const what = file === null ? 'is gone' : `has only ${size} bytes`;
    const message = `${this.name}: the checkpoint stands at byte ${before.byte} of ${before.name}, which ${what}; what followed in it is lost`;
    if (this.options.lost === 'fail') {
      throw new MonolithError('DataNotFound', `${message}. Put it back, or go on with the file behind it with --stream-lost skip`, {
        file: before.name,
        byte: before.byte,
      });
    }
    this.host?.notify(`${message}; going on with the file behind it`);
  }

  private async goToEnd(files: readonly string[]): Promise<void> {
    for (const path of files) this.toldOf.add(this.nameOf(path));
    const last = files.at(-1);
    if (last === undefined) return;
    await this.enter(last, 0);
    this.byte = (await this.current?.endOfLines()) ?? 0;
  }

  private async files(): Promise<string[]> {
    const found = await expandFiles([this.pattern]).catch((error: unknown) => {
      if (error instanceof MonolithError && error.code === 'DataNotFound') return [];
      throw error;
    });
    const compressed = found.find((path) => /\.(gz|zst|bz2|xz|lz4)$/.test(path));
    if (compressed !== undefined) {
      throw new MonolithError('DataFormat', `${compressed}: compressed files are not read as a stream; train on them without --stream`, {
        path: compressed,
      });
    }
    return found.sort((a, b) => (this.nameOf(a) < this.nameOf(b) ? -1 : 1));
  }

  /** What an offset calls a file: its name, with folders where the pattern has some that vary. */
  private nameOf(path: string): string {
    return /[*?[{]/.test(dirname(this.pattern)) ? path : basename(path);
  }

  /** The folder to watch. */
  private async folder(): Promise<string> {
    if ((await stat(this.pattern).catch(() => null))?.isDirectory()) return this.pattern;
    let folder = dirname(this.pattern);
    while (/[*?[{]/.test(folder)) folder = dirname(folder);
    if ((await stat(folder).catch(() => null))?.isDirectory()) return folder;
    throw new MonolithError('DataNotFound', `${this.name}: there is no folder ${folder} in which files could come`, {
      pattern: this.pattern,
    });
  }
}
