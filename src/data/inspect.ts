// What a file is: format, header, columns, where its records begin.
import { MonolithError, maskedCrc32c } from '../base/index.js';
import { AVRO_MAGIC, type AvroHeader, type ColumnarFormat, type ColumnField, columnarFormats, readAvroHeader } from '../columnar/index.js';
import { type FeatureSchema, featureColumns, isSampling } from '../features/index.js';
import { avroRecordBytes } from './columnar/avro-cut.js';
import { type ColumnarPlan, namedColumns, PLAN_START, planColumnar } from './columnar/plan.js';
import { withoutCompressionEnding } from './compression/compression.js';
import { frameLength, lastQuotedRecordEnd } from './cut.js';
import { sniffEncoding } from './encoding.js';
import { type FileInfo, readHead } from './file-source.js';
import { exampleBytes } from './monolith/head.js';
import { type NpzColumns, npzColumns } from './npz/columns.js';
import { parseNpzHead } from './npz/rows.js';
import { monolithFormats, type PipelineOptions, type ResolvedFormat } from './options.js';
import { standardInput } from './paths.js';

/** Bytes of a file that are looked at: holds a header of thousands of columns. */
const HEAD_BYTES = 256 * 1024;
const CRITEO_COLUMNS = 40;
const criteoMagic = 'CRLK0001';

export type FileDescription = {
  readonly info: FileInfo;
  readonly format: ResolvedFormat;
  /** Byte of the first record in the decompressed stream, and its line number (1-based). */
  readonly dataStart: number;
  readonly firstLine: number;
  /** Column names (text formats with columns). */
  readonly columns: readonly string[] | null;
  readonly separator: number;
  readonly labelType: 'int32' | 'float32';
  readonly denseType: 'int32' | 'float32';
  /** Mean record length of the head in bytes. */
  readonly recordBytes: number;
  /** Columns with their kinds, of formats that say them. */
  readonly fields: readonly ColumnField[] | null;
  /** Header of an Avro file. */
  readonly avro: AvroHeader | null;
  /** What was told by looking, not by the options, in words; empty where nothing was. */
  readonly found: string;
  /** Blocks of a file that is read by position. */
  readonly columnar: ColumnarPlan | null;
  /** npz: what its columns are. */
  readonly npz?: NpzColumns;
};

/**
 * Reads a file's head and settles format, header and columns.
 * @throws DataFormat where the format can't be told or the header does not fit.
 */
export async function describeFile(info: FileInfo, options: PipelineOptions): Promise<FileDescription> {
  return describeHead(info, await readHead(info, HEAD_BYTES), options);
}

/** The same by the first bytes alone; none where a stream has not begun. */
export async function describeHead(info: FileInfo, head: Uint8Array, options: PipelineOptions): Promise<FileDescription> {
  const format = options.format === 'auto' ? detectFormat(info, head, options.schema) : options.format;
  if (textFormats.has(format)) refuseUtf16(info.path, head);
  if ((format === 'npz') !== (info.compression === 'npz')) {
    const what = format === 'npz' ? 'is no .npz file' : 'is an .npz file';
    throw new MonolithError('DataFormat', `${info.path}: ${what}, the format is ${format}`, { path: info.path });
  }
  const base = {
    info,
    format,
    dataStart: 0,
    firstLine: 1,
    columns: null,
    separator: -1,
    labelType: options.labelType,
    denseType: options.denseType,
    fields: null,
    avro: null,
    found: '',
    columnar: null,
  };
  switch (format) {
    case 'tfrecord':
      return { ...base, recordBytes: head.length >= 8 ? Math.min(frameLength(view(head), 0) + 16, 1 << 20) : 64 };
    case 'instance':
    case 'example':
    case 'example-batch':
    case 'example-batch-row-major':
      return { ...base, recordBytes: exampleBytes(head, format, options) };
    case 'criteo-bin': {
      const own = startsWith(head, criteoMagic);
      const floats = { labelType: 'float32', denseType: 'float32' } as const;
      return { ...base, ...(own ? floats : {}), dataStart: own ? 64 : options.headerBytes, recordBytes: 160 };
    }
    case 'avro':
      return { ...base, ...describeAvro(info, head) };
    case 'parquet':
    case 'arrow':
      return { ...base, ...(await describeColumnar(info, format, options)) };
    case 'npz': {
      const rows = parseNpzHead(head, info.path);
      const npz = npzColumns(rows);
      return { ...base, npz, columns: npz.names, dataStart: rows.headBytes, recordBytes: Math.max(1, rows.rowBytes) };
    }
    case 'jsonl':
    case 'vw':
    case 'libsvm':
    case 'libffm':
      return { ...base, dataStart: bomLength(head), recordBytes: meanLine(head) };
    case 'csv':
    case 'tsv':
    case 'criteo':
      return describeText(base, head, options);
    default:
      return format satisfies never;
  }
}

function describeAvro(
  info: FileInfo,
  head: Uint8Array,
): Pick<FileDescription, 'dataStart' | 'columns' | 'fields' | 'recordBytes' | 'avro'> {
  const avro = readAvroHeader(info.path, head);
  const { leaves } = avro.schema;
  const columns = leaves.map((leaf) => leaf.name);
  return { dataStart: avro.end, columns, fields: leaves, recordBytes: avroRecordBytes(head, avro.end), avro };
}

const textFormats: ReadonlySet<ResolvedFormat> = new Set(['csv', 'tsv', 'criteo', 'libsvm', 'libffm', 'jsonl', 'vw']);

/** The parsers read ASCII separators and digits as single bytes. @throws DataFormat */
function refuseUtf16(path: string, head: Uint8Array): void {
  const { encoding, reason } = sniffEncoding(head.subarray(0, 4096));
  if (encoding !== 'utf-16le' && encoding !== 'utf-16be') return;
  const beginning = Buffer.from(head.subarray(0, 24)).toString('latin1');
  throw new MonolithError(
    'DataFormat',
    `${path} line 1: ${beginning} is ${encoding.toUpperCase()} (${reason}), no UTF-8 text, and training reads UTF-8. Make it so: monolith-local data convert ${path} --out NEW.csv, or iconv -f ${encoding.toUpperCase()} -t UTF-8`,
    { path, line: 1, encoding },
  );
}

async function describeColumnar(
  info: FileInfo,
  format: ColumnarFormat,
  options: PipelineOptions,
): Promise<Pick<FileDescription, 'dataStart' | 'columns' | 'fields' | 'recordBytes' | 'columnar'>> {
  const { path } = info;
  if (path === standardInput || info.size === null) {
    const instead = path === standardInput ? 'write it to a file' : 'gunzip it; its own compression does as well';
    throw new MonolithError('DataFormat', `${path}: a file of format ${format} is read by position: ${instead}`, { path });
  }
  const wanted = options.schema === null ? new Set<string>() : namedColumns(options.schema, options.split);
  const columnar = await planColumnar(format, path, info.size, wanted, options.blockBytes);
  const { file } = columnar;
  const recordBytes = Math.max(2, info.size / Math.max(1, file.rows));
  const { fields } = file;
  return { dataStart: PLAN_START, columns: fields.map((field) => field.name), fields, recordBytes, columnar };
}

function describeText(base: Omit<FileDescription, 'recordBytes'>, head: Uint8Array, options: PipelineOptions): FileDescription {
  const { format, info } = base;
  const text = options.separator ?? sniffSeparator(format, head, options);
  if (Buffer.byteLength(text) !== 1) {
    throw new MonolithError('InvalidConfig', `separator "${text}": must be one ASCII character`, { separator: text });
  }
  const separator = text.charCodeAt(0);
  const recordBytes = meanLine(head);
  const start = bomLength(head);
  const parts = [options.separator === null && format !== 'criteo' ? `separator ${JSON.stringify(text)}` : ''];
  if (sniffEncoding(head).encoding === 'latin1') parts.push('bytes that are no UTF-8 are taken as they are');
  const words = (...more: string[]): string => [...parts, ...more].filter((part) => part !== '').join(', ');
  if (format === 'criteo' && options.schema === null) {
    return { ...base, separator, recordBytes, dataStart: start, columns: criteoNames(), found: words() };
  }
  const schema = options.schema;
  if (schema === null) {
    throw new MonolithError('InvalidConfig', `${info.path}: format ${format} needs a feature schema (label and features)`, {
      path: info.path,
    });
  }
  const headerEnd = firstRecordEnd(head, start, separator, options.trim, format === 'csv');
  const first = splitFields(Buffer.from(head.subarray(start, headerEnd)).toString('utf8'), text, format === 'csv');
  const hasHeader = options.header === 'auto' ? headerLooksRight(first, schema) : options.header;
  if (!hasHeader) {
    if (schema.columns === undefined) {
      throw new MonolithError('InvalidConfig', `${info.path}: without a header the schema needs \`columns\``, { path: info.path });
    }
    return {
      ...base,
      separator,
      recordBytes,
      dataStart: start,
      columns: schema.columns,
      found: words(options.header === 'auto' ? 'no header' : ''),
    };
  }
  const columns = first.map((name) => plainName(name, schema));
  checkHeader(info.path, columns, first, schema, text, head);
  const firstLine = 1 + head.subarray(0, headerEnd).reduce((lines, byte) => lines + (byte === 10 ? 1 : 0), 0);
  return {
    ...base,
    separator,
    recordBytes,
    dataStart: headerEnd,
    firstLine,
    columns,
    found: words(options.header === 'auto' ? 'a header' : ''),
  };
}

/**
 * The separator of csv where nobody names it: with format auto another usual one than the comma where the first line has names (or, without a
 * header, the number) of the schema's columns between it and not between commas.
 */
function sniffSeparator(format: ResolvedFormat, head: Uint8Array, { format: asked, schema, trim }: PipelineOptions): string {
  if (format !== 'csv') return '\t';
  if (asked !== 'auto' || schema === null) return ',';
  const wanted = schemaColumns(schema);
  for (const separator of [',', ';', '|']) {
    const end = firstRecordEnd(head, bomLength(head), separator.charCodeAt(0), trim, true);
    const fields = splitFields(Buffer.from(head.subarray(bomLength(head), end)).toString('utf8'), separator, true);
    if (fields.some((name) => wanted.has(name)) || (fields.length > 1 && fields.length === schema.columns?.length)) return separator;
  }
  return ',';
}

export function criteoNames(): string[] {
  return ['label', ...Array.from({ length: 13 }, (_, i) => `I${i + 1}`), ...Array.from({ length: 26 }, (_, i) => `C${i + 1}`)];
}

function schemaColumns(schema: FeatureSchema): Set<string> {
  const names = new Set(featureColumns(schema));
  names.add(schema.label.column);
  for (const entry of schema.filters ?? []) if (!isSampling(entry) && entry.column !== undefined) names.add(entry.column);
  if (schema.weight !== undefined) names.add(schema.weight.column);
  return names;
}

/** RecBole writes `name:type`; the name alone may be used. */
function plainName(name: string, schema: FeatureSchema): string {
  const colon = name.indexOf(':');
  if (colon < 0 || schemaColumns(schema).has(name)) return name;
  return name.slice(0, colon);
}

function headerLooksRight(first: readonly string[], schema: FeatureSchema): boolean {
  if (schema.columns === undefined) return true;
  return first.length === schema.columns.length && first.every((name, i) => name === schema.columns?.[i]);
}

function checkHeader(
  path: string,
  columns: readonly string[],
  raw: readonly string[],
  schema: FeatureSchema,
  separator: string,
  head: Uint8Array,
): void {
  const seen = new Set<string>();
  for (const name of columns) {
    if (seen.has(name))
      throw new MonolithError('DataFormat', `${path} line 1: column "${name}" stands twice in the header`, { path, column: name });
    seen.add(name);
  }
  const wanted = [...schemaColumns(schema)];
  if (wanted.some((name) => seen.has(name))) return;
  if (head.length === 0) throw emptyFile(path);
  const names = raw.slice(0, 8).join(', ');
  const cause = head.includes(0)
    ? 'the file is no UTF-8 text; UTF-16 becomes it by `iconv -f UTF-16 -t UTF-8`'
    : (otherSeparator(head, separator) ?? 'does the file have a header? If not, name the columns in the schema');
  throw new MonolithError(
    'DataFormat',
    `${path} line 1: none of the schema's columns (${wanted.slice(0, 5).join(', ')}${wanted.length > 5 ? ', …' : ''}) is in the header, which has ${raw.length}: ${names.slice(0, 200)}. Likely cause: ${cause}`,
    { path, line: 1, columns: [...raw.slice(0, 64)] },
  );
}

/** A hint when the first line holds another common separator far more often than the one in use. */
export function otherSeparator(bytes: Uint8Array, separator: string): string | null {
  const newline = bytes.indexOf(10);
  const line = bytes.subarray(0, newline < 0 ? bytes.length : newline);
  const names: readonly (readonly [string, string])[] = [
    [',', 'commas'],
    ['\t', 'tabs'],
    [';', 'semicolons'],
    ['|', 'bars'],
  ];
  const count = (c: string): number => line.reduce((n, byte) => n + (byte === c.charCodeAt(0) ? 1 : 0), 0);
  const own = count(separator);
  for (const [c, plural] of names) {
    if (c !== separator && count(c) > own)
      return `the separator is ${JSON.stringify(separator)}, the line has ${plural}: set \`separator\``;
  }
  return null;
}

function detectFormat({ path, compression }: FileInfo, head: Uint8Array, schema: FeatureSchema | null): ResolvedFormat {
  if (compression === 'npz') return 'npz';
  if (startsWith(head, criteoMagic)) return 'criteo-bin';
  if (startsWith(head, AVRO_MAGIC)) return 'avro';
  if (startsWith(head, 'PAR1')) return 'parquet';
  if (startsWith(head, 'ARROW1')) return 'arrow';
  if (head.length >= 12 && maskedCrc32c(head.subarray(0, 8)) === view(head).getUint32(8, true)) return 'tfrecord';
  const name = withoutCompressionEnding(path.toLowerCase());
  const extension = name.slice(name.lastIndexOf('.') + 1);
  if (['tfrecord', 'tfrecords', 'tfrec'].includes(extension)) return 'tfrecord';
  if (['libsvm', 'svm', 'svmlight'].includes(extension)) return 'libsvm';
  if (['libffm', 'ffm'].includes(extension)) return 'libffm';
  if (['bin'].includes(extension)) return 'criteo-bin';
  if (extension === 'avro') return 'avro';
  if (['parquet', 'pq'].includes(extension)) return 'parquet';
  if (['arrow', 'arrows', 'feather', 'ipc'].includes(extension)) return 'arrow';
  if (['jsonl', 'ndjson', 'jsonlines'].includes(extension)) return 'jsonl';
  if (extension === 'vw') return 'vw';
  const line = firstDataLine(head);
  const tabs = line.split('\t').length;
  if (schema === null && (tabs === CRITEO_COLUMNS || tabs === CRITEO_COLUMNS - 1) && /^-?\d*$/.test(line.slice(0, line.indexOf('\t'))))
    return 'criteo';
  if (/^\{\s*("|\})/.test(line)) return 'jsonl';
  if (extension === 'csv') return 'csv';
  if (['tsv', 'tab', 'inter', 'item', 'user'].includes(extension)) return 'tsv';
  if (/^\S+(\s+\d+:\d+:\S+)+\s*$/.test(line)) return 'libffm';
  if (/^[^\s:,]+(\s+\d+:[^\s:,]+)+\s*$/.test(line)) return 'libsvm';
  if (/^[-+.\d\seE]*('?\S*)?\|\S* /.test(line) && /^[-+.\d]/.test(line)) return 'vw';
  if (tabs > 1) return 'tsv';
  if (line.includes(',')) return 'csv';
  if (head.length === 0) throw emptyFile(path);
  refuseUtf16(path, head);
  throw new MonolithError(
    'DataFormat',
    `${path}: the format can't be told from its name or its first bytes ${JSON.stringify(line.slice(0, 40))}. Name it with \`format\` (csv, tsv, criteo, criteo-bin, libsvm, libffm, tfrecord, jsonl, vw, npz, avro, ${columnarFormats.join(', ')}, ${monolithFormats.join(', ')})`,
    { path },
  );
}

function emptyFile(path: string): MonolithError {
  return new MonolithError('DataFormat', `${path}: nothing is in it, not even a header`, { path });
}

function firstDataLine(head: Uint8Array): string {
  const text = Buffer.from(head.subarray(bomLength(head), 16384)).toString('latin1');
  return (text.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#')) ?? '').replace(/\r$/, '');
}

function firstRecordEnd(head: Uint8Array, start: number, separator: number, trim: boolean, quotes: boolean): number {
  const rest = head.subarray(start);
  if (!quotes) {
    const newline = rest.indexOf(10);
    return newline < 0 ? head.length : start + newline + 1;
  }
  // The shortest prefix that ends a record.
  for (let newline = rest.indexOf(10); newline >= 0; newline = rest.indexOf(10, newline + 1)) {
    if (lastQuotedRecordEnd(rest, newline + 1, separator, trim) === newline + 1) return start + newline + 1;
  }
  return head.length;
}

/** Header fields: trimmed, unquoted. */
function splitFields(line: string, separator: string, quotes: boolean): string[] {
  const text = line.replace(/\r?\n$/, '');
  if (!quotes || !text.includes('"')) return text.split(separator).map((field) => field.trim());
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') {
        field += '"';
        i++;
      } else quoted = false;
    } else if (c === '"' && field.trim() === '') {
      field = '';
      quoted = true;
    } else if (c === separator) {
      fields.push(field.trim());
      field = '';
    } else field += c;
  }
  fields.push(field.trim());
  return fields;
}

function meanLine(head: Uint8Array): number {
  const lines = head.reduce((n, byte) => n + (byte === 10 ? 1 : 0), 0);
  return Math.max(2, head.length / Math.max(1, lines));
}

function bomLength(head: Uint8Array): number {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
}

function startsWith(head: Uint8Array, text: string): boolean {
  return Buffer.from(head.subarray(0, text.length)).toString('latin1') === text;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
