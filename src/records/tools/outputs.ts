// Files that a tool writes: all of them whole, or none.
import { rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MonolithError } from '../../base/index.js';
import { formatNamed, formatOfName } from '../choose.js';
import type { RecordBatch, RecordField, RecordFormat, RecordOptions, RecordSink } from '../record-batch.js';

export type OutputOptions = {
  /** Name of a format; without it the name of the file tells. */
  readonly to?: string | undefined;
  readonly options?: RecordOptions | undefined;
  /** Whether files that are there are replaced. */
  readonly force?: boolean | undefined;
};

/** @throws InvalidConfig where the name tells no format, or one that is only read */
export function outputFormat(path: string, to: string | undefined): RecordFormat {
  const format = to === undefined ? formatOfName(path) : formatNamed(to);
  if (format === null) throw new MonolithError('InvalidConfig', `${path}: its name tells no format; name one with --to`, { path });
  if (format.create === null) throw new MonolithError('InvalidConfig', `format ${format.name} is only read, not written`);
  return format;
}

/** Name k of n parts of a file: `clicks.csv.gz` → `clicks-00000-of-00004.csv.gz`. */
export function shardPath(path: string, shard: number, shards: number): string {
  const match = /^(.*?)((?:\.[A-Za-z][\w-]*){0,2})$/.exec(path.slice(path.lastIndexOf('/') + 1));
  const [, stem = '', ending = ''] = match ?? [];
  const pad = (value: number): string => String(value).padStart(5, '0');
  return `${path.slice(0, path.lastIndexOf('/') + 1)}${stem}-${pad(shard)}-of-${pad(shards)}${ending}`;
}

/** @throws InvalidConfig where a file is there and may not be replaced, or is read at the same time */
export async function checkOutputs(paths: readonly string[], inputs: readonly string[], force: boolean): Promise<void> {
  const read = new Set(inputs.map((path) => resolve(path)));
  for (const path of paths) {
    if (read.has(resolve(path)))
      throw new MonolithError('InvalidConfig', `${path} is read and would be written: choose another name`, { path });
    if (!force && (await stat(path).catch(() => null)) !== null) {
      throw new MonolithError('InvalidConfig', `${path} is there already; --force replaces it`, { path });
    }
  }
}

/** Several files of one format, written side by side. */
export class OutputSet {
  readonly rows: number[];
  private readonly closedPaths: string[] = [];

  private constructor(
    readonly paths: readonly string[],
    private readonly sinks: readonly RecordSink[],
  ) {
    this.rows = paths.map(() => 0);
  }

  /** @throws InvalidConfig for fields that the format can't hold */
  static async create(
    paths: readonly string[],
    format: RecordFormat,
    fields: readonly RecordField[],
    options: RecordOptions,
  ): Promise<OutputSet> {
    const sinks: RecordSink[] = [];
    try {
      for (const path of paths) if (format.create !== null) sinks.push(await format.create(path, fields, options));
    } catch (error) {
      for (const sink of sinks) await sink.abort();
      throw error;
    }
    return new OutputSet(paths, sinks);
  }

  async write(part: number, batch: RecordBatch): Promise<void> {
    if (batch.rows === 0) return;
    this.rows[part] += batch.rows;
    await this.sinks[part].write(batch);
  }

  /** Gives all files their names; where that fails for one, none is left. */
  async close(): Promise<void> {
    for (const [i, sink] of this.sinks.entries()) {
      await sink.close();
      this.closedPaths.push(this.paths[i]);
    }
  }

  async abort(): Promise<void> {
    for (const sink of this.sinks) await sink.abort();
    for (const path of this.closedPaths) await rm(path, { force: true });
  }
}
