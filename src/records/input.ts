// Files of one format, read one after another as if they were one.
import { MonolithError } from '../base/index.js';
import { expandFiles, fileInfo } from '../data/index.js';
import { formatNamed, formatOfFile } from './choose.js';
import type { RecordBatch, RecordField, RecordFormat, RecordOptions, RecordSource } from './record-batch.js';

export type InputOptions = {
  /** `auto` or the name of a format. */
  readonly format?: string | undefined;
  readonly options?: RecordOptions | undefined;
};

/** What is read, and how it was taken. */
export type RecordInput = {
  readonly files: readonly string[];
  readonly format: RecordFormat;
  readonly fields: readonly RecordField[];
  /** What was found out about the first file, one line each. */
  readonly findings: readonly string[];
  /** Options of `data` in a training configuration that the files ask for. */
  readonly trainingOptions: Readonly<Record<string, string | boolean>>;
  /** Bytes of the files as stored; null where one is standard input. */
  readonly storedBytes: number | null;
  /**
   * The batches of all files, in order; every call reads anew.
   * @param onBad takes bad records, which are then left out; without it the first one is an error.
   * @throws DataFormat, RecordCorrupt, and DataFormat where a file's fields are others than the first one's.
   */
  batches(onBad?: (problem: MonolithError) => void): AsyncGenerator<RecordBatch>;
};

/**
 * Opens files for reading.
 *
 * @param patterns paths, globs, folders, comma lists.
 * @throws DataNotFound, DataFormat, InvalidConfig
 */
export async function openRecords(
  patterns: readonly string[],
  { format: name = 'auto', options = {} }: InputOptions = {},
): Promise<RecordInput> {
  const files = await expandFiles(patterns);
  const infos = await Promise.all(files.map(fileInfo));
  const [first] = infos;
  const found = name === 'auto' ? await formatOfFile(first) : { format: formatNamed(name), reason: 'as told' };
  const { format } = found;
  const source = await format.open(first.path, options);
  const { fields } = source;
  await source.close();
  const later = optionsOfLater(format, fields, options);
  const storedBytes = infos.reduce<number | null>(
    (sum, info) => (sum === null || info.storedBytes === null ? null : sum + info.storedBytes),
    0,
  );
  return {
    files,
    format,
    fields,
    storedBytes,
    trainingOptions: source.trainingOptions ?? {},
    findings: [`format ${format.name} (${found.reason})`, ...(source.findings ?? [])],
    async *batches(onBad) {
      for (const [i, path] of files.entries()) {
        const opened = await format.open(path, i === 0 ? options : later);
        try {
          const order = i === 0 ? null : orderOf(files[0], fields, opened);
          if (onBad !== undefined) opened.tolerate?.(onBad);
          for await (const { rows, columns } of opened.batches())
            yield order === null ? { rows, columns } : { rows, columns: order.map((c) => columns[c]) };
        } catch (error) {
          // Where a format can't go on behind a bad record, the rest of the file is lost with it.
          if (onBad === undefined || !(error instanceof MonolithError) || !dataCodes.has(error.code)) throw error;
          onBad(error);
        } finally {
          await opened.close();
        }
      }
    },
  };
}

const dataCodes: ReadonlySet<string> = new Set(['DataFormat', 'RecordCorrupt']);

/** Texts say no kinds: the first file's go for all of them. */
function optionsOfLater(format: RecordFormat, fields: readonly RecordField[], options: RecordOptions): RecordOptions {
  if (format.name !== 'csv' && format.name !== 'tsv') return options;
  return {
    ...options,
    kinds: JSON.stringify(Object.fromEntries(fields.map(({ name, kind, isList }) => [name, isList ? `${kind}[]` : kind]))),
  };
}

/** Where the first file's fields stand in a later one. */
function orderOf(first: string, fields: readonly RecordField[], { path, fields: own }: RecordSource): number[] {
  const odd = own.filter(({ name }) => !fields.some((field) => field.name === name)).map(({ name }) => name);
  const lacking = fields.filter(({ name }) => !own.some((field) => field.name === name)).map(({ name }) => name);
  const others = fields.filter((field) =>
    own.some(({ name, kind, isList }) => name === field.name && (kind !== field.kind || isList !== field.isList)),
  );
  const parts = [
    lacking.length > 0 ? `it lacks ${lacking.slice(0, 5).join(', ')}` : '',
    odd.length > 0 ? `it has ${odd.slice(0, 5).join(', ')} besides` : '',
    others.length > 0
      ? `${others
          .slice(0, 5)
          .map(({ name }) => name)
          .join(', ')} hold other kinds of values`
      : '',
  ].filter((part) => part !== '');
  if (parts.length > 0)
    throw new MonolithError(
      'DataFormat',
      `${path}: its fields are not those of ${first}: ${parts.join('; ')}. Read the files one by one, or look at all records with the option sample=all`,
      { path },
    );
  return fields.map(({ name }) => own.findIndex((field) => field.name === name));
}
