import { MonolithError, suggest } from '../../base/index.js';
import { type FileInfo, readHead, sniffEncoding, type TextEncoding, textEncodings } from '../../data/index.js';
import { takeOptions } from '../options.js';
import type { RecordField, RecordOptions, ValueKind } from '../record-batch.js';
import { ColumnGuesses, columnNames, headRecords, separatorName, sniffHeader, sniffSeparator, sniffTrim } from './sniff.js';
import type { SplitRules } from './split-records.js';

/** Files no longer than this as stored are looked at whole before they are read: a value that does not fit its kind can't come up later. */
const WHOLE_FILE_BYTES = 16 << 20;

/** Bytes of the head that separator and header are told by, and the kinds in longer files. */
const HEAD_BYTES = 1 << 20;

const valueKinds: readonly ValueKind[] = ['int64', 'float32', 'float64', 'text', 'bytes'];

/** Everything needed to read a text with separators. */
export type Dialect = {
  readonly encoding: TextEncoding;
  readonly markBytes: number;
  readonly rules: SplitRules;
  readonly header: boolean;
  readonly fields: readonly RecordField[];
  readonly missing: ReadonlySet<string>;
  readonly listSeparator: string | null;
  /** How the kinds were told, for messages. */
  readonly kindsFrom: string;
  /** Whether the kinds are still to be guessed from all of the file. */
  readonly guessFromAll: boolean;
  readonly kinds: ReadonlyMap<string, GivenKind>;
  readonly lists: ReadonlySet<string>;
  readonly findings: readonly string[];
};

export const readOptions = {
  encoding: 'text',
  separator: 'text',
  quotes: 'boolean',
  trim: 'boolean',
  header: 'boolean',
  names: 'words',
  kinds: 'text',
  missing: 'words',
  listSeparator: 'text',
  lists: 'words',
  sample: 'text',
} as const;

export type GivenKind = { readonly kind: ValueKind; readonly isList: boolean };

/**
 * `a=text,b=int64[]` as a map, a list where `[]` follows; names with commas go as a JSON object.
 * @throws InvalidConfig
 */
export function parseKinds(where: string, text: string | undefined): Map<string, GivenKind> {
  const kinds = new Map<string, GivenKind>();
  if (text === undefined || text === '') return kinds;
  const wrong = (what: string): MonolithError =>
    new MonolithError(
      'InvalidConfig',
      `${where}: kinds has ${what}, expected NAME=KIND,… with a kind of ${valueKinds.join(', ')}, [] behind it for lists`,
    );
  let pairs: [string, unknown][];
  if (text.startsWith('{')) {
    try {
      pairs = Object.entries(JSON.parse(text) as Record<string, unknown>);
    } catch {
      throw wrong('no valid JSON');
    }
  } else pairs = text.split(',').map((pair) => [pair.slice(0, pair.lastIndexOf('=')).trim(), pair.slice(pair.lastIndexOf('=') + 1).trim()]);
  for (const [name, value] of pairs) {
    const isList = String(value).endsWith('[]');
    const kind = valueKinds.find((known) => known === (isList ? String(value).slice(0, -2) : value));
    if (name === '' || kind === undefined) throw wrong(`"${name}=${String(value)}"`);
    kinds.set(name, { kind, isList });
  }
  return kinds;
}

/** One character that fields or values are cut at; `\t` and `tab` are the tab. */
export function oneCharacter(format: string, option: string, text: string): string {
  const character = text === '\\t' || text === 'tab' ? '\t' : text;
  if (character.length === 1 && !/[\r\n"]/.test(character)) return character;
  throw new MonolithError('InvalidConfig', `format ${format}: option ${option} is ${JSON.stringify(text)}, expected one character, or tab`);
}

/**
 * Looks at the head of a file and settles what the options leave open.
 * @throws InvalidConfig, DataFormat.
 */
export async function readDialect(format: 'csv' | 'tsv', info: FileInfo, options: RecordOptions): Promise<Dialect> {
  const given = takeOptions(format, options, readOptions);
  const head = await readHead(info, HEAD_BYTES);
  const sniffed = sniffEncoding(head);
  const encoding = given.encoding === undefined ? sniffed.encoding : encodingNamed(format, given.encoding);
  const markBytes = sniffed.encoding === encoding ? sniffed.markBytes : 0;
  const whole = head.length < HEAD_BYTES;
  const text = decodeHead(head.subarray(markBytes), encoding, whole);
  const findings = [
    `encoding ${encoding} (${given.encoding === undefined ? sniffed.reason : 'as told'}${markBytes > 0 && given.encoding !== undefined ? ', behind its mark' : ''})`,
  ];
  if (!text.includes('\n') && /\r./.test(text)) {
    throw new MonolithError(
      'DataFormat',
      `${info.path}: its lines end in carriage returns alone; make them line feeds: tr '\\r' '\\n' < FILE`,
      {
        path: info.path,
      },
    );
  }

  const quotes = given.quotes ?? format === 'csv';
  const found = sniffSeparator(text, whole, quotes, format === 'csv' ? ',' : '\t');
  const separator = given.separator === undefined ? found.separator : oneCharacter(format, 'separator', given.separator);
  findings.push(`separator ${separatorName(separator)} (${given.separator === undefined ? found.reason : 'as told'})`);
  const untrimmed = headRecords(text, whole, { separator, quotes, trim: false });
  const trim = given.trim ?? sniffTrim(untrimmed.slice(0, 200));
  if (given.trim === undefined && trim) findings.push('spaces around fields left out (one follows every separator)');
  const rules = { separator, quotes, trim };
  const records = trim ? headRecords(text, whole, rules) : untrimmed;

  const names = sniffHeader(records.slice(0, 1000));
  const header = given.header ?? (given.names === undefined ? names.header : sameNames(records[0]?.values ?? [], given.names));
  const count = given.names?.length ?? records[0]?.values.length ?? 0;
  if (count === 0) throw new MonolithError('DataFormat', `${info.path}: nothing is in it, not even a header`, { path: info.path });
  findings.push(
    header
      ? `a header of ${count} names${reasonOf(given.header, names.reason)}`
      : `no header, ${count} columns${reasonOf(given.header, names.reason)}`,
  );
  const columns = given.names ?? columnNames(header ? (records[0]?.values ?? null) : null, count);
  checkNames(info.path, columns);

  const missing = new Set(given.missing ?? ['']);
  const listSeparator = given.listSeparator === undefined ? null : oneCharacter(format, 'listSeparator', given.listSeparator);
  const kinds = parseKinds(`format ${format}`, given.kinds);
  const lists = new Set([...(given.lists ?? []), ...[...kinds].filter(([, { isList }]) => isList).map(([name]) => name)]);
  for (const name of [...kinds.keys(), ...lists]) {
    if (!columns.includes(name)) throw unknownColumn(info.path, name, columns);
  }
  if (lists.size > 0 && listSeparator === null)
    throw new MonolithError('InvalidConfig', `format ${format}: lists need the option listSeparator`);
  const guesses = new ColumnGuesses(columns.length, missing, listSeparator);
  for (const record of header ? records.slice(1) : records) guesses.add(record);
  const guessFromAll = !whole && (given.sample === 'all' || (info.storedBytes ?? Number.POSITIVE_INFINITY) <= WHOLE_FILE_BYTES);
  if (given.sample !== undefined && given.sample !== 'all') {
    throw new MonolithError('InvalidConfig', `format ${format}: option sample is "${given.sample}", expected all`);
  }
  const fields = guesses.fields(columns, kinds, lists);
  const kindsFrom = guessFromAll || whole ? 'all records' : `the first ${guesses.records} records`;
  findings.push(`kinds guessed from ${kindsFrom}`);
  return { encoding, markBytes, rules, header, fields, missing, listSeparator, kindsFrom, guessFromAll, kinds, lists, findings };
}

function reasonOf(given: boolean | undefined, reason: string): string {
  return ` (${given === undefined ? reason : 'as told'})`;
}

function sameNames(first: readonly string[], names: readonly string[]): boolean {
  return first.length === names.length && first.every((name, i) => name === names[i]);
}

function encodingNamed(format: string, name: string): TextEncoding {
  const plain = name.toLowerCase().replace(/^utf-8-bom$/, 'utf-8');
  const known = textEncodings.find((encoding) => encoding === plain);
  if (known !== undefined) return known;
  throw new MonolithError('InvalidConfig', `format ${format}: option encoding is "${name}", expected one of ${textEncodings.join(', ')}`);
}

/** The head as text, without a character that is cut off; what is wrong in it is told when it is read. */
function decodeHead(head: Uint8Array, encoding: TextEncoding, whole: boolean): string {
  const bytes = Buffer.from(encoding.startsWith('utf-16') ? head.subarray(0, head.length & ~1) : head);
  switch (encoding) {
    case 'utf-8':
      return bytes.toString('utf8').replace(whole ? '' : /\uFFFD{1,3}$/, '');
    case 'latin1':
      return bytes.toString('latin1');
    case 'utf-16le':
      return bytes.toString('utf16le');
    case 'utf-16be':
      return bytes.swap16().toString('utf16le');
    default:
      return encoding satisfies never;
  }
}

function checkNames(path: string, columns: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of columns) {
    if (seen.has(name)) {
      throw new MonolithError(
        'DataFormat',
        `${path} line 1: column "${name}" stands twice in the header; name the columns with the option names`,
        {
          path,
          column: name,
        },
      );
    }
    seen.add(name);
  }
}

export function unknownColumn(path: string, name: string, columns: readonly string[]): MonolithError {
  const meant = suggest(name, columns);
  const hint = meant === null ? `it has ${columns.slice(0, 12).join(', ')}${columns.length > 12 ? ', …' : ''}` : `did you mean ${meant}?`;
  return new MonolithError('InvalidConfig', `${path} has no column "${name}"; ${hint}`, { path, column: name });
}
