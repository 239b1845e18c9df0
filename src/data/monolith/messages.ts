// Monolith's messages as plain objects, for programs that make or look at such data. Training does not come by here.
import { MonolithError, writeVarint64 } from '../../base/index.js';
import { FieldReader } from '../twins/field-reader.js';

type Scalar = 'fixed64' | 'int64' | 'int32' | 'uint32' | 'bool' | 'float' | 'double' | 'bytes' | 'string';
type Field = { readonly name: string; readonly type: string; readonly repeated: boolean; readonly packed: boolean };

/** `number name type`, `type*`: repeated (packed where it is a number), `type**`: repeated, never packed. */
const tables = {
  LineId:
    '2 uid fixed64, 3 req_time int64, 4 item_id fixed64, 6 actions int32*, 19 chnid int64, 23 pre_actions int32*, 27 sample_rate float, 39 special_strategies int32**, 41 device_type string, 48 cid string, 49 user_id string, 87 is_draw bool, 145 rank int32, 235 data_source_name string',
  FidList: '1 value fixed64*',
  FloatList: '1 value float*',
  DoubleList: '1 value double*',
  Int64List: '1 value int64*',
  BytesList: '1 value bytes*',
  FidLists: '1 list FidList*',
  FloatLists: '1 list FloatList*',
  DoubleLists: '1 list DoubleList*',
  Int64Lists: '1 list Int64List*',
  BytesLists: '1 list BytesList*',
  InstanceFeature:
    '1 name string, 2 fid fixed64*, 3 float_value float*, 4 int64_value int64*, 5 bytes_value bytes*, 6 fid_list FidList*, 7 float_list FloatList*, 8 int64_list Int64List*, 9 bytes_list BytesList*',
  LabelTag: '1 key int32, 2 val float',
  Instance:
    '1 fid fixed64*, 2 value float*, 3 label float*, 4 instance_weight float, 5 line_id LineId, 6 dense float*, 7 label_tag LabelTag*, 8 next_fid fixed64*, 9 feature InstanceFeature*, 100 data_source_key uint32',
  Feature:
    '1 fid_v1_list FidList, 2 fid_v2_list FidList, 3 float_list FloatList, 4 double_list DoubleList, 5 int64_list Int64List, 6 bytes_list BytesList, 7 fid_v2_lists FidLists, 8 float_lists FloatLists, 9 double_lists DoubleLists, 10 int64_lists Int64Lists, 11 bytes_lists BytesLists, 12 int64_value int64, 13 float_value float, 14 double_value double, 15 bytes_value bytes, 16 fid_v1_lists FidLists',
  RawFeature: '1 feature Feature*',
  NamedFeature: '1 name string, 2 feature Feature, 3 id int32, 6 sorted_id int32',
  NamedRawFeature: '1 name string, 2 raw_feature RawFeature, 3 id int32',
  Example:
    '1 named_feature NamedFeature*, 2 named_raw_feature NamedRawFeature*, 100 line_id LineId, 101 label float*, 102 instance_weight float, 103 data_source_key uint32',
  NamedFeatureList: '1 name string, 2 feature Feature*, 3 type int32, 4 id int32',
  NamedRawFeatureList: '1 name string, 2 raw_feature RawFeature*, 3 type int32, 4 id int32',
  ExampleBatch:
    '1 named_feature_list NamedFeatureList*, 2 named_raw_feature_list NamedRawFeatureList*, 3 batch_size int32, 100 data_source_key uint32',
  ExampleBatchRowMajor: '1 shared_feature NamedFeature*, 2 shared_raw_feature NamedRawFeature*, 3 example Example*',
} as const;

/** Messages that {@link encodeMessage} and {@link decodeMessage} know; fields as protos/monolith_*.proto name them. */
export type MonolithMessageName = keyof typeof tables;

/** fixed64 and int64 are bigints, the other numbers numbers, bytes Uint8Array. */
export type MonolithValue = bigint | number | boolean | string | Uint8Array | MonolithMessage | readonly MonolithValue[];

/** A message: what is set, by name. `unknownFields`: bytes of fields that are not known, written again behind the others. */
export type MonolithMessage = { readonly [field: string]: MonolithValue | undefined };

const wireTypes: Readonly<Record<Scalar, number>> = {
  fixed64: 1,
  int64: 0,
  int32: 0,
  uint32: 0,
  bool: 0,
  float: 5,
  double: 1,
  bytes: 2,
  string: 2,
};
function isScalar(type: string): type is Scalar {
  return Object.hasOwn(wireTypes, type);
}

const messages = new Map<string, ReadonlyMap<number, Field>>(
  Object.entries(tables).map(([message, text]) => [
    message,
    new Map(
      text.split(', ').map((line) => {
        const [number, name, kind] = line.split(' ');
        const type = kind.replaceAll('*', '');
        const packed = /[^*]\*$/.test(kind) && isScalar(type) && wireTypes[type] !== 2;
        return [Number(number), { name, type, repeated: kind.endsWith('*'), packed }] as const;
      }),
    ),
  ]),
);

/** Fields of each message in the order of their numbers, with the bytes of their tags; and the names that a message may have. */
const layouts = new Map(
  [...messages].map(([message, fields]) => {
    const ordered = [...fields].sort(([a], [b]) => a - b).map(([number, field]) => ({ field, tag: tag(number, wireOf(field)) }));
    return [message, { ordered, known: new Set(['unknownFields', ...ordered.map(({ field }) => field.name)]) }] as const;
  }),
);

/**
 * A message's bytes: fields in the order of their numbers, numbers of lists packed; a value that is set is written, be it the default.
 * @throws InvalidArgument for a field or value that the message can't have.
 */
export function encodeMessage(name: MonolithMessageName, message: MonolithMessage): Buffer {
  const { ordered, known } = layouts.get(name) as NonNullable<ReturnType<typeof layouts.get>>;
  const odd = Object.keys(message).find((key) => !known.has(key));
  if (odd !== undefined) throw wrongValue(name, odd, 'there is no such field');
  const parts: Uint8Array[] = [];
  for (const { field, tag } of ordered) {
    const value = message[field.name];
    if (value === undefined) continue;
    if (field.repeated !== Array.isArray(value)) throw wrongValue(name, field.name, field.repeated ? 'expected a list' : 'a list');
    const values = (field.repeated ? value : [value]) as readonly MonolithValue[];
    const encoded = values.map((one) => encodeValue(name, field, one));
    if (field.packed) {
      if (encoded.length > 0) parts.push(tag, lengthDelimited(Buffer.concat(encoded)));
      continue;
    }
    const isBytes = wireOf(field) === 2;
    for (const one of encoded) parts.push(tag, isBytes ? lengthDelimited(one) : one);
  }
  if (message.unknownFields instanceof Uint8Array) parts.push(message.unknownFields);
  return Buffer.concat(parts);
}

/**
 * A message of such bytes. Nothing is lost: {@link encodeMessage} gives equal content, and the same bytes where they are in the usual order.
 * @throws RecordCorrupt naming the byte where the bytes are no such message.
 */
export function decodeMessage(name: MonolithMessageName, bytes: Uint8Array): MonolithMessage {
  return decodeRange(name, bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
}

function decodeRange(name: string, bytes: Uint8Array, view: DataView, start: number, end: number): MonolithMessage {
  const fields = messages.get(name) as ReadonlyMap<number, Field>;
  const reader = new FieldReader(bytes);
  const message: Record<string, MonolithValue> = {};
  const unknown: Uint8Array[] = [];
  const corrupt = (at: number, what: string): MonolithError =>
    new MonolithError('RecordCorrupt', `${name} at byte ${at}: ${what}`, { message: name, byte: at });
  for (let p = start; p < end; ) {
    const at = p;
    p = reader.next(p, end);
    if (p < 0) throw corrupt(at, 'malformed field, or it is cut off');
    const field = fields.get(reader.number);
    if (field === undefined) {
      unknown.push(bytes.slice(at, p));
      continue;
    }
    const { type } = field;
    const list = (message[field.name] ?? []) as MonolithValue[];
    const put = (value: MonolithValue): void => {
      if (field.repeated) list.push(value);
      else message[field.name] = value;
    };
    if (field.repeated) message[field.name] = list;
    const { wire, start: from, end: to } = reader;
    const wanted = isScalar(type) ? wireTypes[type] : 2;
    if (wire === wanted) {
      if (isScalar(type)) put(scalar(type, reader, bytes, view, from, to, corrupt));
      else put(decodeRange(type, bytes, view, from, to));
    } else if (wire === 2 && field.repeated && isScalar(type)) {
      const size = wanted === 0 ? 1 : wanted === 1 ? 8 : 4;
      if ((to - from) % size !== 0) throw corrupt(at, `${to - from} bytes of ${field.name}`);
      for (let q = from; q < to; ) {
        const next = wanted === 0 ? reader.varint(q, to) : q + size;
        if (next < 0) throw corrupt(q, `malformed number of ${field.name}`);
        put(scalar(type, reader, bytes, view, q, next, corrupt));
        q = next;
      }
    } else throw corrupt(at, `${field.name} has wire type ${wire}, expected ${wanted}`);
  }
  if (unknown.length > 0) message.unknownFields = Buffer.concat(unknown);
  return message;
}

function scalar(
  type: Scalar,
  reader: FieldReader,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  corrupt: (at: number, what: string) => MonolithError,
): MonolithValue {
  switch (type) {
    case 'fixed64':
      return view.getBigUint64(start, true);
    case 'float':
      return view.getFloat32(start, true);
    case 'double':
      return view.getFloat64(start, true);
    case 'bytes':
      return bytes.slice(start, end);
    case 'string':
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.slice(start, end));
      } catch {
        throw corrupt(start, 'a text that is no UTF-8');
      }
    case 'int64':
      return BigInt.asIntN(64, (BigInt(reader.high) << 32n) | BigInt(reader.low));
    case 'bool':
      return reader.low !== 0 || reader.high !== 0;
    default:
      return type === 'uint32' ? reader.low : reader.low | 0;
  }
}

function encodeValue(name: string, field: Field, value: MonolithValue): Uint8Array {
  const { type } = field;
  const number = Buffer.alloc(10);
  if (type === 'bytes' && value instanceof Uint8Array) return value;
  if (type === 'string' && typeof value === 'string') return Buffer.from(value, 'utf8');
  if (typeof value === 'bigint' && (type === 'fixed64' || type === 'int64')) {
    if (BigInt.asUintN(64, value) !== value && BigInt.asIntN(64, value) !== value)
      throw wrongValue(name, field.name, `${value} is beyond 64 bits`);
    if (type === 'int64') return number.subarray(0, writeVarint64(BigInt.asUintN(64, value), number, 0));
    number.writeBigUInt64LE(BigInt.asUintN(64, value));
    return number.subarray(0, 8);
  }
  if (typeof value === 'boolean' && type === 'bool') return Buffer.from([value ? 1 : 0]);
  if (typeof value === 'number' && type === 'float') return number.subarray(0, number.writeFloatLE(value));
  if (typeof value === 'number' && type === 'double') return number.subarray(0, number.writeDoubleLE(value));
  if (typeof value === 'number' && (type === 'uint32' ? value >>> 0 : value | 0) === value && (type === 'int32' || type === 'uint32')) {
    return number.subarray(0, writeVarint64(BigInt.asUintN(64, BigInt(value)), number, 0));
  }
  if (!isScalar(type) && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    return encodeMessage(type as MonolithMessageName, value as MonolithMessage);
  }
  throw wrongValue(name, field.name, `expected ${type}, got ${typeof value} ${String(value).slice(0, 40)}`);
}

function wrongValue(message: string, field: string, what: string): MonolithError {
  return new MonolithError('InvalidArgument', `${message}.${field}: ${what}`, { message, field });
}

function varint(value: number): Uint8Array {
  if (value < 0x80) return Buffer.from([value]);
  const bytes = Buffer.alloc(10);
  return bytes.subarray(0, writeVarint64(BigInt(value), bytes, 0));
}

/** The wire type of a field: packed numbers are bytes. */
function wireOf({ type, packed }: Field): number {
  return packed || !isScalar(type) ? 2 : wireTypes[type];
}

function tag(number: number, wire: number): Uint8Array {
  return varint(number * 8 + wire);
}

function lengthDelimited(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(bytes.length), bytes]);
}
