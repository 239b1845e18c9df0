// JSON lines, read and written.
import { MonolithError } from '../base/index.js';
import { cell, type FieldValue } from './batch-builder.js';
import { JsonNumber, type JsonValue, jsonText, parseJsonText } from './json-text.js';
import { LineSource } from './line-source.js';
import { float32Text, float64Text } from './number-text.js';
import { takeOptions } from './options.js';
import { OutputFile } from './output-file.js';
import type { RecordField, RecordFormat, RecordOptions, RecordSink } from './record-batch.js';
import { textLines } from './text-lines.js';

/** Lines that are looked at to find the fields, unless told otherwise. */
const SCANNED = 10_000;
const INTEGER = /^-?\d+$/;
const MOST = 2n ** 63n - 1n;
const LEAST = -(2n ** 63n);

/** What a field of kind int64 or text is in JSON, where the kind alone would lose that. */
const As = { bool: 'bool', number: 'json-number', json: 'json' } as const;

export const jsonlFormat: RecordFormat = {
  name: 'jsonl',
  extensions: ['.jsonl', '.ndjson', '.jsonlines'],
  async open(path, options) {
    const { scan = SCANNED } = takeOptions('jsonl', options, { scan: 'number' });
    if (!Number.isInteger(scan) || scan < 0)
      throw new MonolithError('InvalidConfig', `format jsonl: option scan is ${scan}, expected a whole number ≥ 0`);
    const { fields, lines } = await findFields(path, scan === 0 ? Number.POSITIVE_INFINITY : scan);
    const columns = new Map(fields.map(({ name }, i) => [name, i]));
    const findings = [`${fields.length} fields found in the first ${lines} lines`];
    for (const { name, as } of fields)
      if (as === As.json) findings.push(`${name} is kept as JSON: its values are of several kinds, or lists of objects`);
    return new LineSource(path, fields, findings, (text) => valuesOf(text, fields, columns, lines));
  },
  create: createJsonl,
};

/** Kinds of values that a field has had. */
type Seen = { bool: boolean; int: boolean; unsafe: boolean; beyond: boolean; float: boolean; text: boolean; list: boolean; other: boolean };

async function findFields(path: string, most: number): Promise<{ readonly fields: readonly RecordField[]; readonly lines: number }> {
  const seen = new Map<string, Seen>();
  let lines = 0;
  for await (const { text } of textLines(path)) {
    if (lines === most) break;
    lines++;
    const object = objectOrNull(text);
    if (object !== null) for (const [name, value] of leaves(object, '')) learn(seen, name, value);
  }
  return { fields: [...seen].map(([name, kinds]) => fieldOf(name, kinds)), lines };
}

/** Bad lines are reported by the reading, which comes to them again. */
function objectOrNull(text: string): ReadonlyMap<string, JsonValue> | null {
  try {
    const value = text.trim() === '' ? null : parseJsonText(text);
    return value instanceof Map ? value : null;
  } catch {
    return null;
  }
}

/** Values with their dotted names; objects in lists are values. */
function* leaves(object: ReadonlyMap<string, JsonValue>, before: string): Generator<[string, JsonValue]> {
  for (const [key, value] of object) {
    if (value instanceof Map) yield* leaves(value, `${before}${key}.`);
    else yield [before + key, value];
  }
}

function learn(all: Map<string, Seen>, name: string, value: JsonValue): void {
  let seen = all.get(name);
  if (seen === undefined) {
    seen = { bool: false, int: false, unsafe: false, beyond: false, float: false, text: false, list: false, other: false };
    all.set(name, seen);
  }
  if (value === null) return;
  if (Array.isArray(value)) seen.list = true;
  for (const one of (Array.isArray(value) ? value : [value]) as readonly JsonValue[]) {
    if (typeof one === 'string') seen.text = true;
    else if (typeof one === 'boolean') seen.bool = true;
    else if (!(one instanceof JsonNumber)) seen.other = true;
    else if (!INTEGER.test(one.text) || one.text === '-0') seen.float = true;
    else if (fits(BigInt(one.text))) {
      seen.int = true;
      seen.unsafe ||= !Number.isSafeInteger(Number(one.text));
    } else seen.beyond = true;
  }
}

function fits(value: bigint): boolean {
  return value >= LEAST && value <= MOST;
}

function fieldOf(name: string, seen: Seen): RecordField {
  const { bool, int, unsafe, beyond, float, text, list: isList, other } = seen;
  const number = int || beyond || float;
  if (other || Number(bool) + Number(number) + Number(text) > 1) return { name, kind: 'text', isList: false, as: As.json };
  if (bool) return { name, kind: 'int64', isList, as: As.bool };
  if (!number) return { name, kind: 'text', isList };
  // An integer beyond 2⁵³ beside floats, or beyond 64 bits, would be changed by either kind of number.
  if (beyond || (unsafe && float)) return { name, kind: 'text', isList, as: As.number };
  return { name, kind: float ? 'float64' : 'int64', isList };
}

function valuesOf(
  text: string,
  fields: readonly RecordField[],
  columns: ReadonlyMap<string, number>,
  scanned: number,
): (readonly FieldValue[] | null)[] | null {
  if (text.trim() === '') return null;
  const object = parseJsonText(text);
  if (!(object instanceof Map))
    throw new MonolithError(
      'DataFormat',
      `is no JSON object but ${JSON.stringify(text.slice(0, 40))}. JSON lines have one object {…} a line`,
    );
  const values = new Array<readonly FieldValue[] | null>(fields.length).fill(null);
  const unlike = (name: string, what: string): MonolithError =>
    new MonolithError(
      'DataFormat',
      `field "${name}" ${what}, unlike in the first ${scanned} lines, which were looked at to find the fields. Set the option scan=0 to look at all`,
      { field: name },
    );
  for (const [name, value] of leaves(object, '')) {
    const column = columns.get(name);
    if (column === undefined) throw unlike(name, 'is new');
    if (value === null) continue;
    const field = fields[column];
    if (values[column] !== null)
      throw new MonolithError('DataFormat', `field "${name}" stands twice, as a nested object and as a name with dots`, { field: name });
    if (field.as === As.json) {
      values[column] = [jsonText(value)];
      continue;
    }
    if (Array.isArray(value) && !field.isList) throw unlike(name, 'is a list');
    values[column] = ((Array.isArray(value) ? value : [value]) as readonly JsonValue[]).map((one) => {
      const converted = scalarOf(field, one);
      if (converted === null) throw unlike(name, `holds ${jsonText(one).slice(0, 40)}, no ${field.as ?? field.kind}`);
      return converted;
    });
  }
  return values;
}

function scalarOf({ kind, as }: RecordField, value: JsonValue): FieldValue | null {
  if (as === As.bool) return typeof value === 'boolean' ? BigInt(value) : null;
  if (as === As.number) return value instanceof JsonNumber ? value.text : null;
  if (kind === 'text') return typeof value === 'string' ? value : null;
  if (!(value instanceof JsonNumber)) return null;
  if (kind === 'float64') {
    // Number reads all of JSON's numbers, and NaN and Infinity as they are written here.
    return INTEGER.test(value.text) && !Number.isSafeInteger(Number(value.text)) ? null : Number(value.text);
  }
  if (!INTEGER.test(value.text) || value.text === '-0') return null;
  const integer = BigInt(value.text);
  return fits(integer) ? integer : null;
}

/** A place in the objects that are written. */
type Node = { readonly key: string; readonly column: number; readonly children: Node[] };

/**
 * Writes one object a line. Names with dots become nested objects, but for those where that can't be since another field has the name in front of
 * the dot; what is missing is left out. NaN and infinities are written as Python does. Option `base64`: bytes as texts in base64.
 */
async function createJsonl(path: string, fields: readonly RecordField[], options: RecordOptions): Promise<RecordSink> {
  const { base64 = false, nested = true } = takeOptions('jsonl', options, { base64: 'boolean', nested: 'boolean' });
  const bytes = fields.filter(({ kind }) => kind === 'bytes').map(({ name }) => name);
  if (bytes.length > 0 && !base64) {
    throw new MonolithError(
      'InvalidConfig',
      `format jsonl holds no bytes: ${bytes.slice(0, 10).join(', ')}. Set the option base64=true, or leave the fields out`,
      {
        fields: bytes,
      },
    );
  }
  const root = nodesOf(fields, nested);
  const file = await OutputFile.create(path);
  return {
    async write(batch) {
      const lines: string[] = [];
      for (let row = 0; row < batch.rows; row++) {
        const values = batch.columns.map((column) => jsonOf(column, cell(column, row)));
        lines.push(`${objectText(root, values) ?? '{}'}\n`);
      }
      await file.write(lines.join(''));
    },
    close: () => file.close(),
    abort: () => file.abort(),
  };
}

function nodesOf(fields: readonly RecordField[], nested: boolean): Node[] {
  const names = new Set(fields.map(({ name }) => name));
  const root: Node[] = [];
  fields.forEach(({ name }, column) => {
    const parts = name.split('.');
    const taken = parts.some((_, i) => i > 0 && names.has(parts.slice(0, i).join('.')));
    if (!nested || taken || parts.includes('')) {
      root.push({ key: JSON.stringify(name), column, children: [] });
      return;
    }
    let nodes = root;
    for (const part of parts.slice(0, -1)) {
      const key = JSON.stringify(part);
      let node = nodes.find((one) => one.key === key && one.column < 0);
      if (node === undefined) {
        node = { key, column: -1, children: [] };
        nodes.push(node);
      }
      nodes = node.children;
    }
    nodes.push({ key: JSON.stringify(parts.at(-1)), column, children: [] });
  });
  return root;
}

function objectText(nodes: readonly Node[], values: readonly (string | null)[]): string | null {
  const parts: string[] = [];
  for (const { key, column, children } of nodes) {
    const text = column < 0 ? objectText(children, values) : values[column];
    if (text !== null) parts.push(`${key}:${text}`);
  }
  return parts.length === 0 ? null : `{${parts.join(',')}}`;
}

function jsonOf(field: RecordField, value: FieldValue | readonly FieldValue[] | null): string | null {
  if (value === null) return null;
  if (!field.isList) return scalarText(field, value as FieldValue);
  return `[${(value as readonly FieldValue[]).map((one) => scalarText(field, one)).join(',')}]`;
}

function scalarText({ kind, as }: RecordField, value: FieldValue): string {
  if (typeof value === 'bigint') return as === As.bool ? String(value !== 0n) : String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
    return kind === 'float32' ? float32Text(value) : float64Text(value);
  }
  if (typeof value === 'string') return as === As.json || as === As.number ? value : JSON.stringify(value);
  return JSON.stringify(Buffer.from(value).toString('base64'));
}
