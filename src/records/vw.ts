// Vowpal Wabbit text, read and written.
import { MonolithError } from '../base/index.js';
import { VwLine, VwProblem, vwProblem } from '../data/index.js';
import { cell, type FieldValue } from './batch-builder.js';
import { LineSource } from './line-source.js';
import { float32Text, float64Text } from './number-text.js';
import { takeOptions } from './options.js';
import { OutputFile } from './output-file.js';
import type { RecordBatch, RecordField, RecordFormat, RecordOptions, RecordSink } from './record-batch.js';
import { textLines } from './text-lines.js';

const SCANNED = 10_000;
/** How the namespace without a name is called. */
const UNNAMED = '|';
/** No namespace has a colon in its name. */
const VALUES = ':values';
const HEAD: readonly RecordField[] = [
  { name: 'label', kind: 'float64', isList: false },
  { name: 'importance', kind: 'float64', isList: false },
  { name: 'tag', kind: 'text', isList: false },
];

/**
 * Fields: label, importance, tag, and of each namespace its features (texts) and, where any has one, their values (times the weight of the
 * namespace) as `namespace:values`. A namespace that stands twice in a line is one.
 */
export const vwFormat: RecordFormat = {
  name: 'vw',
  extensions: ['.vw'],
  async open(path, options) {
    const { scan = SCANNED } = takeOptions('vw', options, { scan: 'number' });
    if (!Number.isInteger(scan) || scan < 0)
      throw new MonolithError('InvalidConfig', `format vw: option scan is ${scan}, expected a whole number ≥ 0`);
    const { fields, lines } = await findFields(path, scan === 0 ? Number.POSITIVE_INFINITY : scan);
    const columns = new Map(fields.map(({ name }, i) => [name, i]));
    const findings = [
      `${fields.filter(({ kind, isList }) => isList && kind === 'text').length} namespaces found in the first ${lines} lines`,
    ];
    return new LineSource(path, fields, findings, (text) => valuesOf(text, fields.length, columns, lines));
  },
  create: createVw,
};

type Features = { readonly names: string[]; readonly values: number[] };
type Line = { readonly head: readonly (string | null)[]; readonly namespaces: ReadonlyMap<string, Features> };

/** A line taken apart; null for a blank one. @throws DataFormat. */
function readLine(text: string): Line | null {
  if (text.trim() === '') return null;
  const bytes = Buffer.from(text, 'utf8');
  const line = new VwLine(bytes);
  const namespaces = new Map<string, Features>();
  let open: Features | null = null;
  const problem = line.read(0, bytes.length, {
    namespace(start, end) {
      const name = start === end ? UNNAMED : bytes.toString('utf8', start, end);
      open = namespaces.get(name) ?? null;
      if (open !== null) return;
      open = { names: [], values: [] };
      namespaces.set(name, open);
    },
    feature(start, end, value) {
      open?.names.push(bytes.toString('utf8', start, end));
      open?.values.push(value);
    },
  });
  if (problem !== VwProblem.none) {
    throw new MonolithError(
      'DataFormat',
      vwProblem(problem, JSON.stringify(bytes.toString('utf8', line.tokenStart, Math.min(line.tokenEnd, line.tokenStart + 40)))),
    );
  }
  const word = (start: number, end: number): string | null => (start < 0 ? null : bytes.toString('utf8', start, end));
  return {
    head: [word(line.labelStart, line.labelEnd), word(line.importanceStart, line.importanceEnd), word(line.tagStart, line.tagEnd)],
    namespaces,
  };
}

async function findFields(path: string, most: number): Promise<{ readonly fields: readonly RecordField[]; readonly lines: number }> {
  const seen = [false, false, false];
  const found = new Map<string, boolean>();
  let lines = 0;
  for await (const { text } of textLines(path)) {
    if (lines === most) break;
    lines++;
    const line = lineOrNull(text);
    if (line === null) continue;
    line.head.forEach((word, i) => {
      if (word !== null) seen[i] = true;
    });
    for (const [name, { values }] of line.namespaces) found.set(name, found.get(name) === true || values.some((value) => value !== 1));
  }
  const fields = HEAD.filter((_, i) => i === 0 || seen[i]);
  for (const [name, hasValues] of found) {
    fields.push({ name: fieldName(name), kind: 'text', isList: true });
    if (hasValues) fields.push({ name: fieldName(name) + VALUES, kind: 'float64', isList: true });
  }
  return { fields, lines };
}

/** A namespace with the name of another field is told apart by a bar in front. */
function fieldName(namespace: string): string {
  return HEAD.some(({ name }) => name === namespace) ? `|${namespace}` : namespace;
}

function lineOrNull(text: string): Line | null {
  try {
    return readLine(text);
  } catch {
    return null;
  }
}

function valuesOf(
  text: string,
  count: number,
  columns: ReadonlyMap<string, number>,
  scanned: number,
): (readonly FieldValue[] | null)[] | null {
  const line = readLine(text);
  if (line === null) return null;
  const values = new Array<readonly FieldValue[] | null>(count).fill(null);
  const unlike = (what: string): MonolithError =>
    new MonolithError(
      'DataFormat',
      `${what}, unlike in the first ${scanned} lines, which were looked at to find the fields. Set the option scan=0 to look at all`,
    );
  line.head.forEach((word, i) => {
    if (word === null) return;
    const column = columns.get(HEAD[i].name);
    if (column === undefined) throw unlike(`has ${HEAD[i].name === 'tag' ? 'a tag' : 'an importance'}`);
    values[column] = [HEAD[i].kind === 'text' ? word : Number(word)];
  });
  for (const [namespace, features] of line.namespaces) {
    const name = fieldName(namespace);
    const column = columns.get(name);
    if (column === undefined) throw unlike(`namespace "${namespace}" is new`);
    values[column] = features.names;
    const numbers = columns.get(name + VALUES);
    if (numbers !== undefined) values[numbers] = features.values;
    else if (features.values.some((value) => value !== 1)) throw unlike(`namespace "${namespace}" has values`);
  }
  return values;
}

type Row = readonly (FieldValue | readonly FieldValue[] | null)[];
type Part = { readonly name: string; readonly column: number; readonly values: number };

/**
 * Writes Vowpal Wabbit text: from the fields of such a file, or from a table, where a text column becomes a namespace of its name with the text as
 * feature, and a numeric column a namespace of its name with one feature of that name and the number as value.
 */
async function createVw(path: string, fields: readonly RecordField[], options: RecordOptions): Promise<RecordSink> {
  const given = takeOptions('vw', options, { label: 'text', importance: 'text', tag: 'text' });
  const columnOf = (name: string): number => fields.findIndex((field) => field.name === name);
  const head = [given.label ?? 'label', given.importance ?? 'importance', given.tag ?? 'tag'].map(columnOf);
  if (head[0] < 0) {
    throw new MonolithError(
      'InvalidConfig',
      `format vw needs a label; there is no column "${given.label ?? 'label'}" among ${fields.slice(0, 10).map(({ name }) => name).join(', ')}: name it with the option label=NAME`,
      { fields: [] },
    );
  }
  const bytes = fields.filter(({ kind }) => kind === 'bytes').map(({ name }) => name);
  if (bytes.length > 0)
    throw new MonolithError('InvalidConfig', `format vw holds texts and numbers, no bytes: ${bytes.join(', ')}`, { fields: bytes });
  const parts: Part[] = [];
  fields.forEach(({ name, kind }, column) => {
    const isValues =
      name.endsWith(VALUES) && kind !== 'text' && fields.some((field) => field.name + VALUES === name && field.kind === 'text');
    if (head.includes(column) || isValues) return;
    const bare = name.length > 1 && name.startsWith('|') ? name.slice(1) : name;
    if (bare !== UNNAMED && /[\s:|]/.test(bare)) {
      throw new MonolithError('InvalidConfig', `format vw: "${name}" can't be a namespace: no spaces, colons and bars`, { fields: [name] });
    }
    parts.push({ name: bare === UNNAMED ? '' : bare, column, values: kind === 'text' ? columnOf(name + VALUES) : -1 });
  });
  const file = await OutputFile.create(path);
  let record = 0;
  return {
    async write(batch) {
      const lines: string[] = [];
      for (let row = 0; row < batch.rows; row++) {
        record++;
        try {
          lines.push(
            `${lineOf(
              batch,
              batch.columns.map((column) => cell(column, row)),
              head,
              parts,
            )}\n`,
          );
        } catch (error) {
          if (!(error instanceof MonolithError)) throw error;
          throw new MonolithError(error.code, `${path}: record ${record}: ${error.message}`, { ...error.details, record });
        }
      }
      await file.write(lines.join(''));
    },
    close: () => file.close(),
    abort: () => file.abort(),
  };
}

function lineOf(batch: RecordBatch, row: Row, [label, importance, tag]: readonly number[], parts: readonly Part[]): string {
  const word = (column: number): string | null => {
    const value = column < 0 ? null : (row[column] as FieldValue | null);
    return value === null ? null : typeof value === 'string' ? value : numberText(batch.columns[column], value);
  };
  const words: string[] = [];
  const labelText = word(label);
  if (labelText !== null) words.push(labelText);
  const importanceText = word(importance);
  if (importanceText !== null) {
    if (labelText === null) throw new MonolithError('InvalidConfig', 'it has an importance and no label, which vw can not write');
    words.push(importanceText);
  }
  const tagText = word(tag);
  let line = words.map((one) => `${one} `).join('');
  if (tagText !== null) line += `'${plain(tagText, 'tag')}`;
  const sections = parts.flatMap(({ name, column, values }) => {
    const value = row[column];
    if (value === null) return [];
    const list = (Array.isArray(value) ? value : [value]) as readonly FieldValue[];
    const numbers = values < 0 ? null : (row[values] as readonly FieldValue[] | null);
    if (numbers !== null && numbers.length !== list.length) {
      throw new MonolithError('InvalidConfig', `"${name}" has ${list.length} features and ${numbers.length} values`, { field: name });
    }
    const features = list.map((one, i) => {
      if (typeof one !== 'string') return `${name}:${numberText(batch.columns[column], one)}`;
      const number = numbers === null ? 1 : (numbers[i] as number);
      return number === 1 ? plain(one, name) : `${plain(one, name)}:${numberText(batch.columns[values], number)}`;
    });
    return [`|${[name, ...features].join(' ')}`];
  });
  return line + (sections.length === 0 ? '|' : sections.join(' '));
}

function plain(text: string, field: string): string {
  if (text !== '' && !/[\s:|]/.test(text)) return text;
  throw new MonolithError(
    'InvalidConfig',
    `${JSON.stringify(text.slice(0, 40))} of "${field}" can't be written in vw, where no text is empty or holds spaces, colons or bars`,
    {
      field,
    },
  );
}

function numberText(field: RecordField, value: FieldValue): string {
  if (typeof value === 'bigint') return String(value);
  const text = field.kind === 'float32' ? float32Text(value as number) : float64Text(value as number);
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}
