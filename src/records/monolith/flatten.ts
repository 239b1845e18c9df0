// Monolith's messages as rows of named fields, and back.
import { isUtf8 } from 'node:buffer';
import { MonolithError } from '../../base/index.js';
import type { MonolithMessage, MonolithMessageName, MonolithValue } from '../../data/index.js';
import type { FieldValue } from '../batch-builder.js';
import type { RecordField, ValueKind } from '../record-batch.js';

/** A field as it stands in one message. Texts and bytes are not told apart yet: all are bytes. */
export type FlatField = {
  readonly kind: Exclude<ValueKind, 'text'> | 'string' | /** no values, and nothing says of what kind they would be */ null;
  readonly values: readonly FieldValue[];
  /** Whether the message itself says that it is one value or a list; null where it has lists alone. */
  readonly isList: boolean | null;
  readonly as: string | undefined;
};

export type FlatRow = ReadonlyMap<string, FlatField>;

/** Fields of Feature: name, kind, whether a list, layout of fids. Lists of lists are not among them. */
const featureFields: readonly (readonly [string, FlatField['kind'], boolean, string | undefined])[] = [
  ['fid_v1_list', 'int64', true, 'fid_v1'],
  ['fid_v2_list', 'int64', true, 'fid_v2'],
  ['float_list', 'float32', true, undefined],
  ['double_list', 'float64', true, undefined],
  ['int64_list', 'int64', true, undefined],
  ['bytes_list', 'bytes', true, undefined],
  ['int64_value', 'int64', false, undefined],
  ['float_value', 'float32', false, undefined],
  ['double_value', 'float64', false, undefined],
  ['bytes_value', 'bytes', false, undefined],
];

const instanceFields: readonly (readonly [string, FlatField['kind'], string | undefined])[] = [
  ['fid', 'int64', 'fid_v2'],
  ['float_value', 'float32', undefined],
  ['int64_value', 'int64', undefined],
  ['bytes_value', 'bytes', undefined],
];

/** Fields of LineId, by kind. */
const lineIdKinds: Readonly<Record<string, FlatField['kind']>> = {
  uid: 'int64',
  req_time: 'int64',
  item_id: 'int64',
  actions: 'int64',
  chnid: 'int64',
  pre_actions: 'int64',
  sample_rate: 'float32',
  special_strategies: 'int64',
  device_type: 'string',
  cid: 'string',
  user_id: 'string',
  is_draw: 'int64',
  rank: 'int64',
  data_source_name: 'string',
};
const lineIdLists = new Set(['actions', 'pre_actions', 'special_strategies']);
const lineIdNumbers = new Set(['actions', 'pre_actions', 'special_strategies', 'rank']);
const lineIdUnsigned = new Set(['uid', 'item_id']);

function signed(value: MonolithValue): FieldValue {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return value as FieldValue;
}

/** Whole numbers of 32 bits are int64 here. */
function valuesOf(kind: FlatField['kind'], value: MonolithValue | undefined): FieldValue[] {
  const list = (value === undefined ? [] : Array.isArray(value) ? value : [value]) as readonly MonolithValue[];
  return list.map((one) => (kind === 'int64' && typeof one === 'number' ? BigInt(one) : signed(one)));
}

export type Flattening = {
  /** Parts that rows have no place for are left out; else they are an error. */
  readonly dropExtras: boolean;
};

function extras(what: string): MonolithError {
  return new MonolithError('DataFormat', `${what} has no place in a row of fields; leave such parts out with the option extras=drop`);
}

function refuseExtras(message: MonolithMessage, known: readonly string[], where: string, { dropExtras }: Flattening): void {
  if (dropExtras) return;
  const odd = Object.keys(message).find((name) => !known.includes(name) && !(Array.isArray(message[name]) && message[name].length === 0));
  if (odd !== undefined) throw extras(`${where}: ${odd}`);
}

function flattenFeature(name: string, message: MonolithMessage, flattening: Flattening): FlatField | null {
  for (const [field, kind, isList, as] of featureFields) {
    const value = message[field];
    if (value === undefined) continue;
    return { kind, isList, as, values: valuesOf(kind, isList ? (value as MonolithMessage).value : value) };
  }
  const nested = Object.keys(message)[0];
  if (nested !== undefined && !flattening.dropExtras) throw extras(`feature "${name}": ${nested}`);
  return null;
}

class RowMaker {
  readonly row = new Map<string, FlatField>();

  put(name: string, field: FlatField | null): void {
    if (field === null) return;
    if (this.row.has(name)) throw new MonolithError('DataFormat', `"${name}" stands twice in one record`);
    this.row.set(name, field);
  }

  list(name: string, kind: FlatField['kind'], value: MonolithValue | undefined, as?: string): void {
    const values = valuesOf(kind, value);
    if (values.length > 0) this.put(name, { kind, values, isList: null, as });
  }

  one(name: string, kind: FlatField['kind'], value: MonolithValue | undefined): void {
    if (value !== undefined) this.put(name, { kind, values: valuesOf(kind, value), isList: false, as: undefined });
  }

  lineId(message: MonolithValue | undefined): void {
    for (const [field, value] of Object.entries((message ?? {}) as MonolithMessage)) {
      const kind = lineIdKinds[field];
      if (kind === undefined || value === undefined) continue;
      if (lineIdLists.has(field)) this.list(`line_id.${field}`, kind, value);
      else this.one(`line_id.${field}`, kind, value);
    }
  }
}

function flattenExample(message: MonolithMessage, shared: MonolithMessage | null, flattening: Flattening): FlatRow {
  refuseExtras(message, ['named_feature', 'line_id', 'label', 'instance_weight', 'data_source_key'], 'Example', flattening);
  const maker = new RowMaker();
  for (const named of (message.named_feature ?? []) as readonly MonolithMessage[]) {
    const name = String(named.name ?? '');
    maker.put(name, flattenFeature(name, (named.feature ?? {}) as MonolithMessage, flattening));
  }
  for (const named of (shared?.shared_feature ?? []) as readonly MonolithMessage[]) {
    const name = String(named.name ?? '');
    if (!maker.row.has(name)) maker.put(name, flattenFeature(name, (named.feature ?? {}) as MonolithMessage, flattening));
  }
  maker.list('label', 'float32', message.label);
  maker.one('instance_weight', 'float32', message.instance_weight);
  maker.one('data_source_key', 'int64', message.data_source_key);
  maker.lineId(message.line_id);
  return maker.row;
}

/** The rows of one message. @throws DataFormat for parts that a row has no place for */
export function flattenMessage(name: MonolithMessageName, message: MonolithMessage, flattening: Flattening): FlatRow[] {
  switch (name) {
    case 'Example':
      return [flattenExample(message, null, flattening)];
    case 'ExampleBatchRowMajor':
      refuseExtras(message, ['shared_feature', 'example'], name, flattening);
      return ((message.example ?? []) as readonly MonolithMessage[]).map((example) => flattenExample(example, message, flattening));
    case 'ExampleBatch': {
      refuseExtras(message, ['named_feature_list', 'batch_size', 'data_source_key'], name, flattening);
      const rows = Array.from({ length: Number(message.batch_size ?? 0) }, () => new RowMaker());
      for (const list of (message.named_feature_list ?? []) as readonly MonolithMessage[]) {
        const feature = String(list.name ?? '');
        const features = (list.feature ?? []) as readonly MonolithMessage[];
        const isShared = list.type === 1;
        if (!isShared && features.length !== rows.length) {
          throw new MonolithError('DataFormat', `feature "${feature}" has ${features.length} values, the batch ${rows.length} examples`);
        }
        rows.forEach((maker, r) => {
          const one = features[isShared ? 0 : r];
          if (one !== undefined) maker.put(feature, flattenFeature(feature, one, flattening));
        });
      }
      for (const maker of rows) maker.one('data_source_key', 'int64', message.data_source_key);
      return rows.map((maker) => maker.row);
    }
    case 'Instance': {
      refuseExtras(
        message,
        ['fid', 'value', 'label', 'instance_weight', 'line_id', 'dense', 'next_fid', 'feature', 'data_source_key'],
        name,
        flattening,
      );
      const maker = new RowMaker();
      maker.list('fid', 'int64', message.fid, 'fid_v1');
      maker.list('value', 'float32', message.value);
      maker.list('dense', 'float32', message.dense);
      maker.list('next_fid', 'int64', message.next_fid, 'fid_v1');
      maker.list('label', 'float32', message.label);
      for (const feature of (message.feature ?? []) as readonly MonolithMessage[]) {
        const featureName = String(feature.name ?? '');
        const lists = instanceFields.filter(([field]) => feature[field] !== undefined);
        const nested = Object.keys(feature).find((key) => key.endsWith('_list'));
        if (!flattening.dropExtras && (lists.length > 1 || nested !== undefined))
          throw extras(`feature "${featureName}": values of several kinds, or lists of lists`);
        if (lists.length > 0) maker.list(featureName, lists[0][1], feature[lists[0][0]], lists[0][2]);
        else maker.put(featureName, { kind: null, values: [], isList: true, as: undefined });
      }
      maker.one('instance_weight', 'float32', message.instance_weight);
      maker.one('data_source_key', 'int64', message.data_source_key);
      maker.lineId(message.line_id);
      return [maker.row];
    }
    default:
      throw new MonolithError('Internal', `no rows in ${name}`);
  }
}

/** What the rows seen so far say of the fields. */
export class FlatGuess {
  private readonly fields = new Map<
    string,
    { kind: FlatField['kind']; isList: boolean; as: string | undefined; text: boolean; said: boolean }
  >();
  rows = 0;

  add(row: FlatRow): void {
    this.rows++;
    for (const [name, { kind, values, isList, as }] of row) {
      let known = this.fields.get(name);
      if (known === undefined) {
        known = { kind, isList: false, as, text: true, said: isList !== null };
        this.fields.set(name, known);
      }
      if (known.kind === null) {
        known.kind = kind;
        known.as = as;
      }
      if (kind !== null && known.kind !== kind)
        throw new MonolithError('DataFormat', `"${name}" is ${kind}, in an earlier record it was ${known.kind}`);
      if (isList === true || (isList === null && values.length !== 1)) known.isList = true;
      if (kind === 'bytes' && known.text) known.text = values.every((value) => isUtf8(value as Uint8Array));
    }
  }

  /** The fields in the order in which they were met. */
  recordFields(): RecordField[] {
    return [...this.fields].map(([name, { kind, isList, as, text }]) => ({
      name,
      kind: kind === null || kind === 'string' || (kind === 'bytes' && text) ? 'text' : kind,
      isList,
      ...(as === undefined ? {} : { as }),
    }));
  }
}

/** Names that are no features; kinds of values that they take. */
const ownNumbers = new Set(['label', 'instance_weight', 'data_source_key', 'value', 'dense', 'fid', 'next_fid']);

/** Fields that a message can't hold, each with the reason. */
export function unfitFields(name: MonolithMessageName, fields: readonly RecordField[]): { name: string; why: string }[] {
  const unfit: { name: string; why: string }[] = [];
  for (const field of fields) {
    const isText = field.kind === 'text' || field.kind === 'bytes';
    if (field.name.startsWith('line_id.') && name !== 'ExampleBatch') {
      const kind = lineIdKinds[field.name.slice(8)];
      if (kind === undefined) unfit.push({ name: field.name, why: 'LineId has no such field' });
      else if ((kind === 'string') !== (field.kind === 'text'))
        unfit.push({ name: field.name, why: `it is ${kind === 'string' ? 'text' : kind} there (--kinds)` });
    } else if (isOwn(name, field.name)) {
      if (isText) unfit.push({ name: field.name, why: 'it holds numbers there (--kinds, or another name by --rename)' });
    } else if (name === 'Instance' && field.kind === 'float64')
      unfit.push({ name: field.name, why: `it has no float64 (--kinds ${field.name}=float32)` });
  }
  return unfit;
}

function isOwn(message: MonolithMessageName, name: string): boolean {
  if (message === 'ExampleBatch') return name === 'data_source_key';
  return message === 'Instance' ? ownNumbers.has(name) : ['label', 'instance_weight', 'data_source_key'].includes(name);
}

/** A number as a float32. @throws InvalidConfig where that would change it */
function asFloat(name: string, value: FieldValue): number {
  const number = Number(value);
  if (Object.is(Math.fround(number), number) || Number.isNaN(number)) return number;
  throw new MonolithError('InvalidConfig', `field "${name}": ${value} is no float32; round it with --kinds ${name}=float32`);
}

function featureMessage(field: RecordField, values: readonly FieldValue[]): MonolithMessage {
  const list = (name: string): MonolithMessage => ({ [name]: { value: values } });
  const raw = values.map((value) => (typeof value === 'string' ? Buffer.from(value, 'utf8') : value));
  switch (field.kind) {
    case 'int64':
      if (field.as === 'fid_v1' || field.as === 'fid_v2')
        return { [`${field.as}_list`]: { value: values.map((value) => BigInt.asUintN(64, value as bigint)) } };
      return field.isList ? list('int64_list') : { int64_value: values[0] };
    case 'float32':
      return field.isList ? list('float_list') : { float_value: values[0] };
    case 'float64':
      return field.isList ? list('double_list') : { double_value: values[0] };
    case 'text':
    case 'bytes':
      return field.isList ? { bytes_list: { value: raw } } : { bytes_value: raw[0] };
    default:
      return field.kind satisfies never;
  }
}

/** A row's field for {@link buildMessage}. */
export type GivenField = { readonly field: RecordField; readonly values: readonly FieldValue[] };

/** The message of one row: Example or Instance. */
export function buildMessage(name: 'Example' | 'Instance', row: readonly GivenField[]): MonolithMessage {
  const message: Record<string, MonolithValue> = {};
  const lineId: Record<string, MonolithValue> = {};
  const features: MonolithMessage[] = [];
  for (const { field, values } of row) {
    if (field.name.startsWith('line_id.')) {
      const part = field.name.slice(8);
      const converted = values.map((value) => lineIdValue(part, value));
      lineId[part] = lineIdLists.has(part) ? converted : converted[0];
    } else if (isOwn(name, field.name)) {
      if (field.name === 'instance_weight') message.instance_weight = asFloat(field.name, values[0]);
      else if (field.name === 'data_source_key') message.data_source_key = Number(values[0]);
      else if (field.name === 'fid' || field.name === 'next_fid')
        message[field.name] = values.map((value) => BigInt.asUintN(64, BigInt(value as bigint)));
      else message[field.name] = values.map((value) => asFloat(field.name, value));
    } else if (name === 'Example') features.push({ name: field.name, feature: featureMessage(field, values) });
    else features.push(instanceFeature(field, values));
  }
  if (Object.keys(lineId).length > 0) message.line_id = lineId;
  message[name === 'Example' ? 'named_feature' : 'feature'] = features;
  return message;
}

function instanceFeature(field: RecordField, values: readonly FieldValue[]): MonolithMessage {
  switch (field.kind) {
    case 'int64':
      if (field.as !== undefined) return { name: field.name, fid: values.map((value) => BigInt.asUintN(64, value as bigint)) };
      return { name: field.name, int64_value: values };
    case 'float32':
    case 'float64':
      return { name: field.name, float_value: values };
    case 'text':
    case 'bytes':
      return { name: field.name, bytes_value: values.map((value) => (typeof value === 'string' ? Buffer.from(value, 'utf8') : value)) };
    default:
      return field.kind satisfies never;
  }
}

function lineIdValue(part: string, value: FieldValue): MonolithValue {
  if (part === 'is_draw') return value !== 0n;
  if (lineIdNumbers.has(part)) return Number(value);
  if (lineIdUnsigned.has(part)) return BigInt.asUintN(64, value as bigint);
  return value;
}

/** One ExampleBatch of rows; a field that a row lacks is an empty feature there. */
export function buildBatch(fields: readonly RecordField[], rows: readonly (readonly (readonly FieldValue[] | null)[])[]): MonolithMessage {
  const lists = fields
    .map((field, c) => ({ field, c }))
    .filter(({ field }) => field.name !== 'data_source_key')
    .map(({ field, c }) => ({
      name: field.name,
      feature: rows.map((row) => {
        const values = row[c];
        return values === null ? {} : featureMessage(field, values);
      }),
    }));
  const key = fields.findIndex(({ name }) => name === 'data_source_key');
  const value = key < 0 ? null : (rows[0]?.[key] ?? null);
  return { named_feature_list: lists, batch_size: rows.length, ...(value === null ? {} : { data_source_key: Number(value[0]) }) };
}
