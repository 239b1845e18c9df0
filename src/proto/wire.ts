import {
  type Cursor,
  MonolithError,
  readVarint,
  readVarint64,
  readVarint64Into,
  varintLength,
  writeVarint,
  writeVarint64,
} from '../base/index.js';

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Bytes of a 64-bit varint given as two words. */
function varint64Length(low: number, high: number): number {
  if (high === 0) return low < 0x80 ? 1 : low < 0x4000 ? 2 : low < 0x200000 ? 3 : low < 0x10000000 ? 4 : 5;
  return high < 0x8 ? 5 : high < 0x400 ? 6 : high < 0x20000 ? 7 : high < 0x1000000 ? 8 : high < 0x80000000 ? 9 : 10;
}

/** Bytes that the values take as varints, without tags. */
export function varints64Length(values: BigInt64Array): number {
  const words = wordsOf(values);
  let length = 0;
  for (let i = 0; i < words.length; i += 2) length += varint64Length(words[i], words[i + 1]);
  return length;
}

function wordsOf(values: BigInt64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

function putVarint64(low: number, high: number, out: Uint8Array, offset: number): number {
  let lo = low;
  let hi = high;
  let at = offset;
  while (hi !== 0) {
    out[at++] = (lo & 0x7f) | 0x80;
    lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    hi >>>= 7;
  }
  while (lo > 0x7f) {
    out[at++] = (lo & 0x7f) | 0x80;
    lo >>>= 7;
  }
  out[at++] = lo;
  return at;
}

/**
 * Writes protobuf fields into one buffer that grows. Scalars that equal the proto3 default (0, false, '') and empty repeated fields are left out,
 * as proto3 wants; the `optional…` methods write them, as proto2 does for a field that is set.
 */
export class ProtoWriter {
  #bytes: Buffer;
  #at = 0;

  /** @param capacity bytes to begin with; a good guess saves copies. */
  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  string(field: number, value: string): this {
    return value === '' ? this : this.optionalString(field, value);
  }

  optionalString(field: number, value: string): this {
    const length = Buffer.byteLength(value);
    this.#tag(field, WireType.bytes, length);
    this.#at += this.#bytes.write(value, this.#at, length, 'utf8');
    return this;
  }

  /** int32, int64, enum: negative ones take ten bytes. */
  int(field: number, value: number): this {
    return value === 0 ? this : this.optionalInt(field, value);
  }

  optionalInt(field: number, value: number): this {
    this.#ensure(20);
    this.#at = writeVarint(field * 8 + WireType.varint, this.#bytes, this.#at);
    this.#at = value < 0 ? writeVarint64(BigInt(value), this.#bytes, this.#at) : writeVarint(value, this.#bytes, this.#at);
    return this;
  }

  bool(field: number, value: boolean): this {
    return this.int(field, value ? 1 : 0);
  }

  float(field: number, value: number): this {
    if (value === 0 && !Object.is(value, -0)) return this;
    this.#ensure(15);
    this.#at = writeVarint(field * 8 + WireType.fixed32, this.#bytes, this.#at);
    this.#at = this.#bytes.writeFloatLE(value, this.#at);
    return this;
  }

  packedInt64(field: number, values: BigInt64Array): this {
    if (values.length === 0) return this;
    this.#tag(field, WireType.bytes, varints64Length(values));
    const words = wordsOf(values);
    let at = this.#at;
    for (let i = 0; i < words.length; i += 2) at = putVarint64(words[i], words[i + 1], this.#bytes, at);
    this.#at = at;
    return this;
  }

  packedFloat(field: number, values: Float32Array): this {
    if (values.length === 0) return this;
    this.#tag(field, WireType.bytes, values.byteLength);
    this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), this.#at);
    this.#at += values.byteLength;
    return this;
  }

  /** Values 0 or 1. */
  packedBool(field: number, values: Uint8Array): this {
    if (values.length === 0) return this;
    this.#tag(field, WireType.bytes, values.length);
    this.#bytes.set(values, this.#at);
    this.#at += values.length;
    return this;
  }

  /** Each value with a tag of its own: proto2's default form. Fields 1–15. */
  unpackedInt64(field: number, values: BigInt64Array): this {
    this.#ensure(values.length + varints64Length(values));
    const words = wordsOf(values);
    let at = this.#at;
    for (let i = 0; i < words.length; i += 2) {
      this.#bytes[at++] = field * 8 + WireType.varint;
      at = putVarint64(words[i], words[i + 1], this.#bytes, at);
    }
    this.#at = at;
    return this;
  }

  /** As {@link unpackedInt64}, for floats. */
  unpackedFloat(field: number, values: Float32Array): this {
    this.#ensure(values.length * 5);
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    let at = this.#at;
    for (let i = 0; i < raw.length; i += 4) {
      this.#bytes[at] = field * 8 + WireType.fixed32;
      this.#bytes[at + 1] = raw[i];
      this.#bytes[at + 2] = raw[i + 1];
      this.#bytes[at + 3] = raw[i + 2];
      this.#bytes[at + 4] = raw[i + 3];
      at += 5;
    }
    this.#at = at;
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, WireType.bytes, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** Tag and length of a field, with room for its content. */
  #tag(field: number, type: number, length: number): void {
    this.#ensure(length + 20);
    this.#at = writeVarint(field * 8 + type, this.#bytes, this.#at);
    this.#at = writeVarint(length, this.#bytes, this.#at);
  }

  #ensure(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#at + length, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Bytes that tag and length of a field take before `length` bytes of content. */
export function fieldOverhead(field: number, length: number): number {
  return varintLength(field * 8) + varintLength(length);
}

/** Walks over the fields of one message. Throws RecordCorrupt where the bytes are no protobuf message. */
export class ProtoReader {
  field = 0;
  wireType = 0;
  readonly #bytes: Buffer;
  readonly #cursor: Cursor = { offset: 0 };

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves to the next field; false at the end. Each field must then be read or {@link skip}ped. */
  next(): boolean {
    if (this.#cursor.offset >= this.#bytes.length) return false;
    const tag = readVarint(this.#bytes, this.#cursor);
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.field < 1) throw this.#corrupt('field number 0');
    return true;
  }

  skip(): void {
    switch (this.wireType) {
      case WireType.varint:
        readVarint64(this.#bytes, this.#cursor);
        return;
      case WireType.fixed64:
        this.#take(8);
        return;
      case WireType.bytes:
        this.bytes();
        return;
      case WireType.fixed32:
        this.#take(4);
        return;
      default:
        throw this.#corrupt(`wire type ${this.wireType}`);
    }
  }

  string(): string {
    return this.bytes().toString('utf8');
  }

  /** The content of a length-delimited field: a view. */
  bytes(): Buffer {
    this.#expect(WireType.bytes);
    const length = readVarint(this.#bytes, this.#cursor);
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** int32 or enum. */
  int32(): number {
    this.#expect(WireType.varint);
    return Number(BigInt.asIntN(32, readVarint64(this.#bytes, this.#cursor)));
  }

  /** int64 as a number; beyond ±2⁵³ the nearest one. */
  int64(): number {
    this.#expect(WireType.varint);
    return Number(BigInt.asIntN(64, readVarint64(this.#bytes, this.#cursor)));
  }

  bool(): boolean {
    this.#expect(WireType.varint);
    return readVarint64(this.#bytes, this.#cursor) !== 0n;
  }

  float(): number {
    this.#expect(WireType.fixed32);
    return this.#bytes.readFloatLE(this.#take(4));
  }

  /** One occurrence of a repeated int64, packed or not, put behind what is there already. */
  repeatedInt64(before: BigInt64Array): BigInt64Array {
    if (this.wireType !== WireType.bytes) {
      this.#expect(WireType.varint);
      const one = grow(before, 1, BigInt64Array);
      readVarint64Into(this.#bytes, this.#cursor, this.#bytes.length, wordsOf(one), (one.length - 1) * 2);
      return one;
    }
    const packed = this.bytes();
    let count = 0;
    for (let i = 0; i < packed.length; i++) if (packed[i] < 128) count++;
    const all = grow(before, count, BigInt64Array);
    const words = wordsOf(all);
    const cursor = { offset: 0 };
    for (let at = before.length * 2; cursor.offset < packed.length; at += 2) readVarint64Into(packed, cursor, packed.length, words, at);
    return all;
  }

  /** One occurrence of a repeated float, packed or not, put behind what is there already. */
  repeatedFloat(before: Float32Array): Float32Array {
    if (this.wireType !== WireType.bytes) {
      const one = grow(before, 1, Float32Array);
      one[one.length - 1] = this.float();
      return one;
    }
    const packed = this.bytes();
    if (packed.length % 4 !== 0) throw this.#corrupt(`${packed.length} bytes of packed floats`);
    if (before.length === 0 && packed.byteOffset % 4 === 0) return new Float32Array(packed.buffer, packed.byteOffset, packed.length / 4);
    const all = grow(before, packed.length / 4, Float32Array);
    new Uint8Array(all.buffer, before.length * 4).set(packed);
    return all;
  }

  /** One occurrence of a repeated bool, packed or not: 0 or 1 each. */
  repeatedBool(before: Uint8Array): Uint8Array {
    if (this.wireType !== WireType.bytes) {
      const one = grow(before, 1, Uint8Array);
      one[one.length - 1] = this.bool() ? 1 : 0;
      return one;
    }
    const packed = this.bytes();
    for (let i = 0; i < packed.length; i++) if (packed[i] > 1) throw this.#corrupt('a packed bool that is neither 0 nor 1');
    if (before.length === 0) return packed;
    const all = grow(before, packed.length, Uint8Array);
    all.set(packed, before.length);
    return all;
  }

  #expect(type: number): void {
    if (this.wireType !== type) throw this.#corrupt(`wire type ${this.wireType}, expected ${type}`);
  }

  #take(length: number): number {
    const start = this.#cursor.offset;
    if (length > this.#bytes.length - start) {
      throw this.#corrupt(`${length} bytes, but ${this.#bytes.length - start} are left`);
    }
    this.#cursor.offset = start + length;
    return start;
  }

  #corrupt(what: string): MonolithError {
    const offset = this.#cursor.offset;
    return new MonolithError('RecordCorrupt', `message at byte ${offset}, field ${this.field}: ${what}`, { offset, field: this.field });
  }
}

type Growable = BigInt64Array | Float32Array | Uint8Array;

/**
 * `before` with room for `more` behind it. Its memory doubles, so that values that come one by one (proto2's form) cost no copy each; all views
 * of one growing list share that memory and differ in length alone.
 */
function grow<T extends Growable>(
  before: T,
  more: number,
  make: { new (buffer: ArrayBuffer, offset: number, length: number): T; BYTES_PER_ELEMENT: number },
): T {
  const length = before.length + more;
  const bytes = length * make.BYTES_PER_ELEMENT;
  if (before.length > 0 && before.byteOffset === 0 && before.buffer.byteLength >= bytes)
    return new make(before.buffer as ArrayBuffer, 0, length);
  const larger = new ArrayBuffer(
    before.length === 0 ? (more === 1 ? 16 * make.BYTES_PER_ELEMENT : bytes) : Math.max(bytes, 2 * before.byteLength),
  );
  const all = new make(larger, 0, length);
  if (before.length > 0) new make(larger, 0, before.length).set(before as never);
  return all;
}
