// Values of a Parquet page: bounds first, then the library's decoders.
import type { PageHeader, ParquetType, SchemaElement } from 'hyparquet';
import { type ColumnValues, Texts } from './columns.js';

/** Bytes of decompressed pages, and of values made out of one page, are refused beyond this. */
export const MOST_PAGE_BYTES = 256 << 20;

/** The parts of the library that decode pages. */
export type PageDecoders = {
  readonly parquetHeader: (reader: { view: DataView; offset: number }) => PageHeader;
  readonly readPlain: (reader: { view: DataView; offset: number }, type: ParquetType, count: number, length: number | undefined) => unknown;
  readonly deltaBinaryUnpack: (reader: { view: DataView; offset: number }, count: number, out: Int32Array | BigInt64Array) => void;
  readonly byteStreamSplit: (
    reader: { view: DataView; offset: number },
    count: number,
    type: ParquetType,
    length: number | undefined,
  ) => unknown;
  readonly decompress: (codec: string, bytes: Uint8Array, length: number) => Uint8Array;
};

let loaded: Promise<PageDecoders> | null = null;

/** Loads the library's decoders, once a thread. */
export function loadPageDecoders(): Promise<PageDecoders> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<PageDecoders> {
  const [column, plain, delta, encoding, compression, zlib] = await Promise.all([
    import('hyparquet/src/column.js'),
    import('hyparquet/src/plain.js'),
    import('hyparquet/src/delta.js'),
    import('hyparquet/src/encoding.js'),
    import('hyparquet-compressors'),
    import('node:zlib'),
  ]);
  const { compressors } = compression;
  return {
    parquetHeader: column.parquetHeader,
    readPlain: plain.readPlain,
    deltaBinaryUnpack: delta.deltaBinaryUnpack,
    byteStreamSplit: encoding.byteStreamSplit,
    decompress: (codec, bytes, length) => {
      switch (codec) {
        case 'UNCOMPRESSED':
          return bytes;
        // Node's own are native, and stop at the length.
        case 'GZIP':
          return zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, length) });
        case 'BROTLI':
          return zlib.brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, length) });
        case 'ZSTD':
          return compression.decompressZstd(bytes, new Uint8Array(length));
        default: {
          const decompressor = compressors[codec as keyof typeof compressors];
          if (decompressor === undefined) throw new Error(`compression ${codec} is not read`);
          return decompressor(bytes, length);
        }
      }
    },
  };
}

/** Bytes of one value of a fixed-width type; 0: of any length. */
function widthOf(type: ParquetType, { type_length: length }: SchemaElement): number {
  switch (type) {
    case 'INT32':
    case 'FLOAT':
      return 4;
    case 'INT64':
    case 'DOUBLE':
      return 8;
    case 'INT96':
      return 12;
    case 'FIXED_LEN_BYTE_ARRAY':
      return length ?? 0;
    default:
      return 0;
  }
}

/**
 * Decodes `count` values of a page that is no dictionary page's.
 * @throws Error for bytes that can't hold them.
 */
export function decodeValues(
  decoders: PageDecoders,
  element: SchemaElement,
  encoding: string,
  bytes: Uint8Array,
  count: number,
): ColumnValues {
  if (count === 0) return new Uint8Array(0);
  const type = element.type as ParquetType;
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const width = widthOf(type, element);
  const fits = (needed: number): void => {
    if (needed > bytes.length) throw new Error(`${count} values need ${needed} bytes, the page has ${bytes.length}`);
  };
  switch (encoding) {
    case 'PLAIN': {
      fits(type === 'BOOLEAN' ? Math.ceil(count / 8) : count * (width || 4));
      if (type === 'BYTE_ARRAY') return convert(element, plainTexts(bytes, count));
      const values = decoders.readPlain(reader, type, count, element.type_length);
      return convert(element, values as unknown[]);
    }
    case 'BYTE_STREAM_SPLIT':
      fits(count * width);
      return convert(element, decoders.byteStreamSplit(reader, count, type, element.type_length) as unknown[]);
    case 'DELTA_BINARY_PACKED':
      return convert(element, deltas(decoders, reader, count, type === 'INT32'));
    case 'DELTA_LENGTH_BYTE_ARRAY': {
      const lengths = deltas(decoders, reader, count, true) as Int32Array;
      return convert(element, textsOf(bytes, reader.offset, lengths));
    }
    case 'DELTA_BYTE_ARRAY': {
      const prefixes = deltas(decoders, reader, count, true) as Int32Array;
      const suffixes = deltas(decoders, reader, count, true) as Int32Array;
      return convert(element, frontCoded(bytes, reader.offset, prefixes, suffixes));
    }
    default:
      throw new Error(`encoding ${encoding} of ${type} is not read`);
  }
}

function plainTexts(bytes: Uint8Array, count: number): Texts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ends = new Uint32Array(count + 1);
  const packed = new Uint8Array(bytes.length - count * 4);
  let at = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw new Error('a length is cut off');
    const length = view.getUint32(at, true);
    at += 4;
    if (length > bytes.length - at) throw new Error(`a value of ${length} bytes where ${bytes.length - at} are left`);
    if (length < 32) for (let k = 0; k < length; k++) packed[end + k] = bytes[at + k];
    else packed.set(bytes.subarray(at, at + length), end);
    at += length;
    end += length;
    ends[i + 1] = end;
  }
  return new Texts(packed, ends);
}

/** Delta-coded whole numbers; what the library makes room for is checked first. */
function deltas(
  decoders: PageDecoders,
  reader: { view: DataView; offset: number },
  count: number,
  narrow: boolean,
): Int32Array | BigInt64Array {
  const out = narrow ? new Int32Array(count) : new BigInt64Array(count);
  const bytes = new Uint8Array(reader.view.buffer, reader.view.byteOffset, reader.view.byteLength);
  const head = { at: reader.offset };
  const blockSize = varint(bytes, head);
  const miniblocks = varint(bytes, head);
  const total = varint(bytes, head);
  if (miniblocks < 1 || miniblocks > 4096 || blockSize > 1 << 24 || blockSize % (miniblocks * 8) !== 0) {
    throw new Error(`delta blocks of ${blockSize} values in ${miniblocks} miniblocks`);
  }
  if (total !== count) throw new Error(`${total} delta-coded values where ${count} are expected`);
  if (count === 0) {
    // The first value stands there even so.
    varint(bytes, head, 10);
    reader.offset = head.at;
    return out;
  }
  decoders.deltaBinaryUnpack(reader, count, out);
  if (reader.offset > bytes.length) throw new Error('delta-coded values are cut off');
  return out;
}

function varint(bytes: Uint8Array, head: { at: number }, most = 5): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < most; i++) {
    if (head.at >= bytes.length) throw new Error('a number is cut off');
    const byte = bytes[head.at++];
    value += (byte & 127) * scale;
    if (byte < 128) return value;
    scale *= 128;
  }
  throw new Error(`a number of more than ${most} bytes`);
}

function textsOf(bytes: Uint8Array, start: number, lengths: Int32Array): Texts {
  const ends = new Uint32Array(lengths.length + 1);
  let end = 0;
  for (let i = 0; i < lengths.length; i++) {
    if (lengths[i] < 0 || lengths[i] > bytes.length - start - end) throw new Error(`a value of ${lengths[i]} bytes where fewer are left`);
    end += lengths[i];
    ends[i + 1] = end;
  }
  return new Texts(bytes.slice(start, start + end), ends);
}

/** Texts that begin with a part of the one before. */
function frontCoded(bytes: Uint8Array, start: number, prefixes: Int32Array, suffixes: Int32Array): Texts {
  const count = prefixes.length;
  const ends = new Uint32Array(count + 1);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const before = i === 0 ? 0 : ends[i] - ends[i - 1];
    if (prefixes[i] < 0 || prefixes[i] > before || suffixes[i] < 0) throw new Error(`a prefix of ${prefixes[i]} of ${before} bytes`);
    end += prefixes[i] + suffixes[i];
    if (end > MOST_PAGE_BYTES) throw new Error(`values of more than ${MOST_PAGE_BYTES} bytes in one page`);
    ends[i + 1] = end;
  }
  const out = new Uint8Array(end);
  let at = start;
  for (let i = 0; i < count; i++) {
    if (suffixes[i] > bytes.length - at) throw new Error('a suffix is cut off');
    out.copyWithin(ends[i], ends[i - 1] ?? 0, (ends[i - 1] ?? 0) + prefixes[i]);
    out.set(bytes.subarray(at, at + suffixes[i]), ends[i] + prefixes[i]);
    at += suffixes[i];
  }
  return new Texts(out, ends);
}

/** What a physical value means: decimals and UUIDs as text, half floats as floats, INT96 as nanoseconds since 1970, unsigned as such. */
function convert(element: SchemaElement, values: ColumnValues | readonly unknown[]): ColumnValues {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') {
    const scale = element.scale ?? (logical?.type === 'DECIMAL' ? logical.scale : 0) ?? 0;
    if (!(scale >= 0 && scale <= 100)) throw new Error(`a decimal of scale ${scale}`);
    return Texts.of(Array.from({ length: values.length }, (_, i) => Buffer.from(decimalText(unscaled(values, i), scale))));
  }
  const unsigned = converted?.startsWith('UINT_') === true || (logical?.type === 'INTEGER' && !logical.isSigned);
  switch (type) {
    case 'BOOLEAN':
      return Uint8Array.from(values as boolean[], Number);
    case 'INT32': {
      const whole = values as Int32Array;
      return unsigned ? new Uint32Array(whole.buffer, whole.byteOffset, whole.length) : whole;
    }
    case 'INT64': {
      const whole = values as BigInt64Array;
      return unsigned ? new BigUint64Array(whole.buffer, whole.byteOffset, whole.length) : whole;
    }
    case 'INT96':
      return BigInt64Array.from(values as bigint[], nanoseconds);
    case 'FLOAT':
    case 'DOUBLE':
      return values as Float32Array | Float64Array;
    default: {
      if (logical?.type === 'FLOAT16') return Float32Array.from({ length: values.length }, (_, i) => halfFloat(bytesAt(values, i)));
      if (logical?.type === 'UUID')
        return Texts.of(Array.from({ length: values.length }, (_, i) => Buffer.from(uuidText(bytesAt(values, i)))));
      return values instanceof Texts ? values : Texts.of(values as Uint8Array[]);
    }
  }
}

function bytesAt(values: ColumnValues | readonly unknown[], i: number): Uint8Array {
  return values instanceof Texts ? values.at(i) : (values[i] as Uint8Array);
}

function unscaled(values: ColumnValues | readonly unknown[], i: number): bigint {
  const value = values instanceof Texts ? values.at(i) : values[i];
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint);
  if (value.length === 0) return 0n;
  return BigInt.asIntN(value.length * 8, BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

/** -1234 with scale 2 as -12.34. */
export function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${value < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(digits.length - scale)}` : ''}`;
}

const JULIAN_1970 = 2440588n;

/** Impala's timestamps: nanoseconds of the day in the low 64 bits, the Julian day in the high 32. */
function nanoseconds(value: bigint): bigint {
  const ofDay = BigInt.asIntN(64, value);
  const day = BigInt.asIntN(32, value >> 64n);
  return BigInt.asIntN(64, (day - JULIAN_1970) * 86_400_000_000_000n + ofDay);
}

export function halfFloat(bytes: Uint8Array): number {
  const bits = bytes[0] | (bytes[1] << 8);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
