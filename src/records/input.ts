// Files of one format, read one after another as if they were one.
import { MonolithError } from '../base/index.js';
import { expandFiles, fileInfo, standardInput } from '../data/index.js';
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
  /** Bytes of the files as stored. */
  readonly storedBytes: number;
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
  if (files.includes(standardInput)) {
    throw new MonolithError(
      'InvalidConfig',
      'standard input can be read once, and files are looked at before they are read: write it to a file first',
    );
  }
  const infos = await Promise.all(files.map(fileInfo));
  const [first] = infos;
  const found = name === 'auto' ? await formatOfFile(first) : { format: formatNamed(name), reason: 'as told' };
  const { format } = found;
  const source = await format.open(first.path, options);
  await source.close();
  const fields = looseFormats.has(format.name) ? await fieldsOfAll(format, source, files, options) : source.fields;
  const later = optionsOfLater(format, fields, options);
  const storedBytes = infos.reduce((sum, info) => sum + (info.storedBytes ?? 0), 0);
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
          const order = opened.fields === fields ? null : orderOf(files[0], fields, opened, looseFormats.has(format.name));
          if (onBad !== undefined) opened.tolerate?.(onBad);
          for await (const batch of opened.batches()) yield order === null ? batch : arranged(batch, fields, order, path);
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

/** Formats without a schema or a header: each record has what fields it has, so files may differ in them. */
const looseFormats: ReadonlySet<string> = new Set([
  'tfrecord',
  'jsonl',
  'vw',
  'example',
  'instance',
  'example-batch',
  'example-batch-row-major',
]);

/** Files that are looked into before the first record is read, to learn what fields there are. */
const MOST_FILES_LOOKED_INTO = 256;

/** The fields of all files together. Where kinds differ a column of texts gives way: it may be one without any value, whose kind nobody knows. */
async function fieldsOfAll(
  format: RecordFormat,
  first: RecordSource,
  files: readonly string[],
  options: RecordOptions,
): Promise<readonly RecordField[]> {
  const merged = new Map(first.fields.map((field) => [field.name, field]));
  for (const path of files.slice(1, MOST_FILES_LOOKED_INTO)) {
    const source = await format.open(path, options);
    await source.close();
    for (const field of source.fields) {
      const known = merged.get(field.name);
      if (known === undefined || (isWord(known) && !isWord(field))) merged.set(field.name, field);
      else if (field.isList && !known.isList && field.kind === known.kind) merged.set(field.name, field);
    }
  }
  return [...merged.values()];
}

function isWord({ kind }: RecordField): boolean {
  return kind === 'text' || kind === 'bytes';
}

/** Where the fields stand in a file; −1 for one that it has not. @throws DataFormat where that may not be */
function orderOf(first: string, fields: readonly RecordField[], { path, fields: own }: RecordSource, mayLack: boolean): number[] {
  const odd = own.filter(({ name }) => !fields.some((field) => field.name === name)).map(({ name }) => name);
  const lacking = mayLack ? [] : fields.filter(({ name }) => !own.some((field) => field.name === name)).map(({ name }) => name);
  const parts = [
    lacking.length > 0 ? `it lacks ${lacking.slice(0, 5).join(', ')}` : '',
    odd.length > 0 ? `it has ${odd.slice(0, 5).join(', ')} besides` : '',
  ].filter((part) => part !== '');
  if (parts.length > 0) {
    throw new MonolithError('DataFormat', `${path}: its fields are not those of ${first}: ${parts.join('; ')}. Read the files one by one`, {
      path,
    });
  }
  return fields.map(({ name }) => own.findIndex((field) => field.name === name));
}

/** A file's batch with the fields of all. @throws DataFormat where a column holds values of another kind */
function arranged({ rows, columns }: RecordBatch, fields: readonly RecordField[], order: readonly number[], path: string): RecordBatch {
  return {
    rows,
    columns: fields.map((field, c) => {
      const column = columns[order[c]];
      if (column === undefined || column.values.length === 0) {
        const offsets = new Uint32Array(rows + 1);
        return {
          ...field,
          offsets,
          missing: column === undefined ? new Uint8Array(rows).fill(1) : column.missing,
          values: noValues(field.kind),
        };
      }
      if (column.kind === field.kind && column.isList === field.isList) return column;
      // One value a record is a list of one.
      if (column.kind === field.kind && field.isList)
        return { ...column, isList: true, offsets: column.offsets ?? Uint32Array.from({ length: rows + 1 }, (_, r) => r) };
      throw new MonolithError(
        'DataFormat',
        `${path}: field "${field.name}" holds ${column.kind}${column.isList ? ' lists' : ''}, in other files ${field.kind}${field.isList ? ' lists' : ''}. Read the files one by one, or look at all records with the option sample=all`,
        { path, field: field.name },
      );
    }),
  };
}

function noValues(kind: RecordField['kind']): RecordBatch['columns'][number]['values'] {
  switch (kind) {
    case 'int64':
      return new BigInt64Array(0);
    case 'float32':
      return new Float32Array(0);
    case 'float64':
      return new Float64Array(0);
    case 'text':
    case 'bytes':
      return [];
    default:
      return kind satisfies never;
  }
}
