// Columns out of the buffers of a record batch.
import type { DataType } from 'apache-arrow';
import { type ArrowLeaf, type ArrowStep, T } from './arrow-layout.js';
import { type ColumnValues, type DecodedColumn, Texts, takeValues } from './columns.js';
import { decimalText, halfFloat } from './parquet-values.js';

/** Elements of one column in a slice of rows beyond this are refused. */
const MOST_ELEMENTS = 1 << 26;

/** The buffers of one batch, decompressed. */
export type BatchBuffers = {
  /** Elements of a node, and how many of them are null. */
  readonly node: (i: number) => { readonly length: number; readonly nullCount: number };
  readonly buffer: (i: number) => Uint8Array;
  /** Entries of a dictionary by its number. */
  readonly dictionary: (id: number, type: DataType) => ArrowValues;
};

/** All elements of a leaf: their values, and which are there (null: all). */
export type ArrowValues = { readonly values: ColumnValues; readonly valid: Uint8Array | null };

/** Elements under way from the rows to a leaf: the row and the place of each. */
type Elements = { rows: Int32Array; places: Int32Array; count: number };

/** Rows [first, first + rows) of a leaf. */
export function decodeArrowColumn(leaf: ArrowLeaf, buffers: BatchBuffers, first: number, rows: number): DecodedColumn {
  const missing = new Uint8Array(rows);
  let anyMissing = false;
  let nullElements = 0;
  let lists = 0;
  let elements: Elements = {
    rows: Int32Array.from({ length: rows }, (_, r) => r),
    places: Int32Array.from({ length: rows }, (_, r) => first + r),
    count: rows,
  };
  const drop = (isThere: (place: number) => boolean): void => {
    let kept = 0;
    for (let i = 0; i < elements.count; i++) {
      if (isThere(elements.places[i])) {
        elements.rows[kept] = elements.rows[i];
        elements.places[kept++] = elements.places[i];
      } else if (lists === 0) {
        missing[elements.rows[i]] = 1;
        anyMissing = true;
      } else nullElements++;
    }
    elements.count = kept;
  };
  let found: ArrowValues | null = null;
  for (const step of leaf.steps) {
    const { length, nullCount } = buffers.node(step.node);
    checkPlaces(elements, length);
    if (nullCount > 0 && hasValidity(step.type)) {
      const bits = buffers.buffer(step.buffer);
      if (bits.length * 8 < length) throw new Error(`validity of ${bits.length * 8} elements, the column has ${length}`);
      drop((place) => ((bits[place >> 3] >> (place & 7)) & 1) === 1);
    }
    const id = step.type.typeId as number;
    if (id === T.null) drop(() => false);
    if (id === T.struct) continue;
    if (id === T.list || id === T.largeList || id === T.map || id === T.fixedList) {
      elements = expand(step, buffers, elements, length);
      lists++;
      continue;
    }
    found = leafValues(step, buffers, length);
    const { valid } = found;
    if (valid !== null) drop((place) => valid[place] === 1);
  }
  if (found === null) throw new Error('the column has no leaf');
  const { places, count } = elements;
  const places32 = places.subarray(0, count);
  const offsets = lists > 0 || anyMissing ? offsetsOf(elements, rows) : null;
  const made = { rows, offsets, missing: anyMissing ? missing : null, nullElements };
  if (found instanceof Indexed) {
    const indices = takeValues(found.indices, places32) as Int32Array;
    if (indices.some((index) => index < 0)) throw new Error(`an index outside the ${found.values.length} entries of its dictionary`);
    return { ...made, indices, values: found.values };
  }
  return {
    ...made,
    indices: null,
    values: lists === 0 && count === rows ? sliceOf(found.values, first, rows) : takeValues(found.values, places32),
  };
}

/** Values behind indices. */
class Indexed implements ArrowValues {
  constructor(
    readonly values: ColumnValues,
    readonly valid: Uint8Array | null,
    readonly indices: Int32Array,
  ) {}
}

function sliceOf(values: ColumnValues, first: number, rows: number): ColumnValues {
  if (values instanceof Texts) return new Texts(values.bytes, values.ends.subarray(first, first + rows + 1));
  return values.slice(first, first + rows);
}

function offsetsOf({ rows, count }: Elements, numRows: number): Uint32Array {
  const offsets = new Uint32Array(numRows + 1);
  for (let i = 0; i < count; i++) offsets[rows[i] + 1]++;
  for (let r = 0; r < numRows; r++) offsets[r + 1] += offsets[r];
  return offsets;
}

function checkPlaces({ places, count }: Elements, length: number): void {
  for (let i = 0; i < count; i++) if (places[i] >= length) throw new Error(`element ${places[i]} of ${length}`);
}

function hasValidity(type: DataType): boolean {
  const id = type.typeId as number;
  return id !== T.null && id !== T.union;
}

/** The children of list elements. */
function expand({ type, buffer }: ArrowStep, buffers: BatchBuffers, elements: Elements, length: number): Elements {
  const from = new Float64Array(elements.count);
  const to = new Float64Array(elements.count);
  let total = 0;
  const size = (type.typeId as number) === T.fixedList ? (type as unknown as { readonly listSize: number }).listSize : -1;
  const ends = size >= 0 ? null : listOffsets((type.typeId as number) === T.largeList, buffers.buffer(buffer + 1), length);
  for (let i = 0; i < elements.count; i++) {
    const place = elements.places[i];
    from[i] = ends === null ? place * size : ends[place];
    to[i] = ends === null ? (place + 1) * size : ends[place + 1];
    if (to[i] < from[i]) throw new Error('a list ends before it begins');
    total += to[i] - from[i];
  }
  if (total > MOST_ELEMENTS) throw new Error(`${total} elements of lists, at most ${MOST_ELEMENTS} are read`);
  const made = { rows: new Int32Array(total), places: new Int32Array(total), count: total };
  let at = 0;
  for (let i = 0; i < elements.count; i++) {
    for (let place = from[i]; place < to[i]; place++) {
      made.rows[at] = elements.rows[i];
      made.places[at++] = place;
    }
  }
  return made;
}

/** [length + 1] offsets, each within 31 bits and none below 0. */
function listOffsets(large: boolean, bytes: Uint8Array, length: number): Uint32Array {
  // A batch of no rows may leave them out.
  if (length === 0 && bytes.length === 0) return new Uint32Array(1);
  need(bytes, (length + 1) * (large ? 8 : 4));
  if (!large) {
    const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset, length + 1);
    for (const offset of offsets) if (offset > 0x7fffffff) throw new Error('an offset below 0');
    return offsets;
  }
  return Uint32Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, length + 1), (offset) => {
    if (offset < 0n || offset > 0x7fffffffn) throw new Error(`an offset of ${offset}`);
    return Number(offset);
  });
}

function need(bytes: Uint8Array, size: number): void {
  if (bytes.length < size) throw new Error(`a buffer of ${bytes.length} bytes, ${size} are needed`);
}

/** All `length` elements of a leaf. */
export function leafValues({ type, buffer }: ArrowStep, buffers: BatchBuffers, length: number): ArrowValues {
  const shape = type as unknown as {
    readonly bitWidth: number;
    readonly isSigned: boolean;
    readonly precision: number;
    readonly scale: number;
    readonly byteWidth: number;
    readonly unit: number;
    readonly indices: DataType;
    readonly dictionary: DataType;
    readonly id: number;
  };
  const whole = (bits: number, signed: boolean): ColumnValues => wholeNumbers(buffers.buffer(buffer + 1), bits, signed, length);
  switch (type.typeId as number) {
    case T.null:
      return plain(Texts.of([]));
    case T.bool: {
      const bits = buffers.buffer(buffer + 1);
      need(bits, Math.ceil(length / 8));
      return plain(Uint8Array.from({ length }, (_, i) => (bits[i >> 3] >> (i & 7)) & 1));
    }
    case T.int:
      return plain(whole(shape.bitWidth, shape.isSigned));
    case T.date:
      return plain(whole(shape.unit === 0 ? 32 : 64, true));
    case T.time:
      return plain(whole(shape.bitWidth, true));
    case T.timestamp:
    case T.duration:
      return plain(whole(64, true));
    case T.float: {
      const bytes = buffers.buffer(buffer + 1);
      need(bytes, length * 2 ** (shape.precision + 1));
      if (shape.precision === 2) return plain(new Float64Array(bytes.buffer, bytes.byteOffset, length));
      if (shape.precision === 1) return plain(new Float32Array(bytes.buffer, bytes.byteOffset, length));
      return plain(Float32Array.from({ length }, (_, i) => halfFloat(bytes.subarray(i * 2))));
    }
    case T.utf8:
    case T.binary:
    case T.largeUtf8:
    case T.largeBinary: {
      const large = (type.typeId as number) >= T.largeBinary;
      const ends = listOffsets(large, buffers.buffer(buffer + 1), length);
      const bytes = buffers.buffer(buffer + 2);
      for (let i = 0; i < length; i++) if (ends[i + 1] < ends[i]) throw new Error('a text ends before it begins');
      need(bytes, ends[length]);
      return plain(new Texts(bytes, ends));
    }
    case T.fixedBinary:
      return plain(fixedTexts(buffers.buffer(buffer + 1), shape.byteWidth, length, (part) => part));
    case T.decimal: {
      const text = (part: Uint8Array): Uint8Array => Buffer.from(decimalText(littleEndian(part), shape.scale));
      if (!(shape.scale >= 0 && shape.scale <= 100)) throw new Error(`a decimal of scale ${shape.scale}`);
      return plain(fixedTexts(buffers.buffer(buffer + 1), shape.bitWidth / 8, length, text));
    }
    case T.dictionary: {
      const { bitWidth, isSigned } = shape.indices as unknown as { readonly bitWidth: number; readonly isSigned: boolean };
      const raw = whole(bitWidth, isSigned) as Int32Array;
      const { values, valid } = buffers.dictionary(shape.id, shape.dictionary);
      return indexed(raw, values, valid, length);
    }
    default:
      throw new Error(`type ${type} is not read`);
  }
}

function plain(values: ColumnValues): ArrowValues {
  return { values, valid: null };
}

/** Indices of null elements may be anything: they are dropped before, or here. */
function indexed(raw: Int32Array | BigInt64Array, values: ColumnValues, valid: Uint8Array | null, length: number): Indexed {
  const indices = new Int32Array(length);
  const there = new Uint8Array(length);
  let all = true;
  for (let i = 0; i < length; i++) {
    const index = Number(raw[i]);
    const known = index >= 0 && index < values.length;
    indices[i] = known ? index : -1;
    there[i] = known && valid !== null && valid[index] === 0 ? 0 : 1;
    if (there[i] === 0) all = false;
  }
  return new Indexed(values, all ? null : there, indices);
}

function wholeNumbers(bytes: Uint8Array, bits: number, signed: boolean, length: number): ColumnValues {
  need(bytes, (length * bits) / 8);
  const { buffer, byteOffset } = bytes;
  switch (bits) {
    case 8:
      return signed ? Int32Array.from(new Int8Array(buffer, byteOffset, length)) : Uint32Array.from(bytes.subarray(0, length));
    case 16:
      return signed
        ? Int32Array.from(new Int16Array(buffer, byteOffset, length))
        : Uint32Array.from(new Uint16Array(buffer, byteOffset, length));
    case 32:
      return signed ? new Int32Array(buffer, byteOffset, length) : new Uint32Array(buffer, byteOffset, length);
    case 64:
      return signed ? new BigInt64Array(buffer, byteOffset, length) : new BigUint64Array(buffer, byteOffset, length);
    default:
      throw new Error(`whole numbers of ${bits} bits`);
  }
}

function fixedTexts(bytes: Uint8Array, width: number, length: number, make: (part: Uint8Array) => Uint8Array): Texts {
  if (!(width >= 0 && width <= 1 << 24)) throw new Error(`values of ${width} bytes`);
  need(bytes, width * length);
  return Texts.of(Array.from({ length }, (_, i) => make(bytes.subarray(i * width, (i + 1) * width))));
}

function littleEndian(part: Uint8Array): bigint {
  const hex = Buffer.from(part).reverse().toString('hex');
  return BigInt.asIntN(part.length * 8, BigInt(`0x${hex}`));
}
