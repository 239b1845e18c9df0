// tf.train.Example and SequenceExample as values. Training does not go this way: data/twins/example.ts and native/parsers/example.cc.
import { MonolithError } from '../base/index.js';
import { ProtoReader, ProtoWriter } from '../proto/index.js';

/** The values of one feature: texts (as UTF-8) and bytes, floats of 32 bits, integers of 64 bits; null where it has none of the three lists. */
export type ExampleFeature =
  | { readonly bytes: readonly (string | Uint8Array)[] }
  | { readonly floats: ArrayLike<number> }
  | { readonly ints: BigInt64Array | readonly bigint[] }
  | null;

/** Features by name, written in this order; an object puts names that are whole numbers first, a map does not. */
export type ExampleFeatures = Readonly<Record<string, ExampleFeature>> | ReadonlyMap<string, ExampleFeature>;

/** A feature as it was read. Bytes and numbers are views of the record where they can be. */
export type DecodedFeature =
  | { readonly kind: 'bytes'; readonly values: readonly Uint8Array[] }
  | { readonly kind: 'floats'; readonly values: Float32Array }
  | { readonly kind: 'ints'; readonly values: BigInt64Array }
  | { readonly kind: 'none'; readonly values: readonly never[] };

/** `lists`: the feature lists of a SequenceExample, one feature a step; empty for an Example. */
export type DecodedExample = {
  readonly features: ReadonlyMap<string, DecodedFeature>;
  readonly lists: ReadonlyMap<string, readonly DecodedFeature[]>;
};

const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;

/** The bytes of a tf.train.Example, features in the order of `features`. @throws InvalidArgument for an integer beyond 64 bits. */
export function encodeExample(features: ExampleFeatures): Buffer {
  const entries = new ProtoWriter(1024);
  for (const [name, feature] of features instanceof Map ? features : Object.entries(features)) {
    const entry = new ProtoWriter().optionalString(1, name).bytes(2, encodeFeature(name, feature)).finish();
    entries.bytes(1, entry);
  }
  return new ProtoWriter(1024).bytes(1, entries.finish()).finish();
}

function encodeFeature(name: string, feature: ExampleFeature): Uint8Array {
  const writer = new ProtoWriter();
  if (feature === null) return writer.finish();
  const list = new ProtoWriter();
  if ('bytes' in feature) {
    for (const value of feature.bytes) {
      if (typeof value === 'string') list.optionalString(1, value);
      else list.bytes(1, value);
    }
    return writer.bytes(1, list.finish()).finish();
  }
  if ('floats' in feature) return writer.bytes(2, list.packedFloat(1, Float32Array.from(feature.floats)).finish()).finish();
  const { ints } = feature;
  if (!(ints instanceof BigInt64Array)) {
    const beyond = ints.find((value) => value < LEAST || value > MOST);
    if (beyond !== undefined)
      throw new MonolithError('InvalidArgument', `feature "${name}": ${beyond} is no integer of 64 bits`, { feature: name });
  }
  return writer.bytes(3, list.packedInt64(1, BigInt64Array.from(ints)).finish()).finish();
}

/**
 * Reads a tf.train.Example or SequenceExample; of a name that stands twice the last counts.
 * @throws RecordCorrupt where the bytes are no such message.
 */
export function decodeExample(payload: Uint8Array): DecodedExample {
  const features = new Map<string, DecodedFeature>();
  const lists = new Map<string, readonly DecodedFeature[]>();
  const reader = new ProtoReader(payload);
  while (reader.next()) {
    if (reader.field === 1) for (const [name, value] of entries(reader.bytes())) features.set(name, decodeFeature(value));
    else if (reader.field === 2) for (const [name, value] of entries(reader.bytes())) lists.set(name, decodeSteps(value));
    else reader.skip();
  }
  return { features, lists };
}

function* entries(map: Uint8Array): Generator<[string, Uint8Array]> {
  const reader = new ProtoReader(map);
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const entry = new ProtoReader(reader.bytes());
    let name = '';
    let value: Uint8Array = new Uint8Array(0);
    while (entry.next()) {
      if (entry.field === 1) name = entry.string();
      else if (entry.field === 2) value = entry.bytes();
      else entry.skip();
    }
    yield [name, value];
  }
}

function decodeSteps(list: Uint8Array): DecodedFeature[] {
  const steps: DecodedFeature[] = [];
  const reader = new ProtoReader(list);
  while (reader.next()) {
    if (reader.field === 1) steps.push(decodeFeature(reader.bytes()));
    else reader.skip();
  }
  return steps;
}

function decodeFeature(bytes: Uint8Array): DecodedFeature {
  let feature: DecodedFeature = { kind: 'none', values: [] };
  const reader = new ProtoReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) feature = { kind: 'bytes', values: decodeBytes(reader.bytes()) };
    else if (reader.field === 2) feature = { kind: 'floats', values: decodeFloats(reader.bytes()) };
    else if (reader.field === 3) feature = { kind: 'ints', values: decodeInts(reader.bytes()) };
    else reader.skip();
  }
  return feature;
}

function decodeBytes(list: Uint8Array): Uint8Array[] {
  const values: Uint8Array[] = [];
  const reader = new ProtoReader(list);
  while (reader.next()) {
    if (reader.field === 1) values.push(reader.bytes());
    else reader.skip();
  }
  return values;
}

function decodeFloats(list: Uint8Array): Float32Array {
  let values: Float32Array = new Float32Array(0);
  const reader = new ProtoReader(list);
  while (reader.next()) {
    if (reader.field === 1) values = reader.repeatedFloat(values);
    else reader.skip();
  }
  return values;
}

function decodeInts(list: Uint8Array): BigInt64Array {
  let values: BigInt64Array = new BigInt64Array(0);
  const reader = new ProtoReader(list);
  while (reader.next()) {
    if (reader.field === 1) values = reader.repeatedInt64(values);
    else reader.skip();
  }
  return values;
}
