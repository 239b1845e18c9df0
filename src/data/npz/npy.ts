// The header of an .npy array, and what a row of it is.
import { MonolithError } from '../../base/index.js';

/** How the items of an array are stored. */
export const NpyType = { int: 1, uint: 2, float: 3, bool: 4, bytes: 5, unicode: 6 } as const;

export type NpyArray = {
  readonly name: string;
  /** A value of NpyType. */
  readonly type: number;
  readonly bigEndian: boolean;
  readonly itemBytes: number;
  readonly rows: number;
  /** Items of one row. */
  readonly width: number;
  /** Whether it has two dimensions: a row is a list, be it of one item. */
  readonly isList: boolean;
  /** Bytes before the first item. */
  readonly headerBytes: number;
};

const MAGIC = '\x93NUMPY';
/** Bytes of an array that its header is looked for in. */
export const NPY_HEAD = 65536;

/** @param head the first bytes of the array, {@link NPY_HEAD} of them where it has as many. @throws DataFormat. */
export function parseNpyHeader(head: Uint8Array, name: string, path: string): NpyArray {
  const wrong = (what: string): MonolithError => new MonolithError('DataFormat', `${path}: array ${name}: ${what}`, { path, array: name });
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  if (bytes.toString('latin1', 0, 6) !== MAGIC || bytes.length < 12) throw wrong('is no .npy array');
  const major = bytes[6];
  if (major < 1 || major > 3) throw wrong(`version ${major} of the format; 1 to 3 are read`);
  const from = major === 1 ? 10 : 12;
  const headerBytes = from + (major === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  if (headerBytes > bytes.length) throw wrong('its header is cut off, or longer than 64 KiB');
  const text = bytes.toString(major === 3 ? 'utf8' : 'latin1', from, headerBytes).trim();
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (order === undefined || shape === undefined) throw wrong('its header has no order or shape');
  if (descr === undefined) throw wrong('is of a structured type; save its fields as arrays of their own');
  const dimensions = shape
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(Number);
  if (dimensions.length < 1 || dimensions.length > 2) throw wrong(`has ${dimensions.length} dimensions; arrays of one and two are read`);
  if (order === 'True' && dimensions.length === 2) throw wrong('is in Fortran order; save np.ascontiguousarray(…) of it');
  const [rows, width = 1] = dimensions;
  return { name, ...itemOf(descr, wrong), rows, width, isList: dimensions.length === 2, headerBytes };
}

function itemOf(descr: string, wrong: (what: string) => MonolithError): Pick<NpyArray, 'type' | 'bigEndian' | 'itemBytes'> {
  const match = /^([<>|=])([a-zA-Z])(\d*)$/.exec(descr);
  const size = Number(match?.[3]);
  const bigEndian = match?.[1] === '>';
  const whole = [1, 2, 4, 8].includes(size);
  switch (match?.[2]) {
    case 'i':
      if (whole) return { type: NpyType.int, bigEndian, itemBytes: size };
      break;
    case 'u':
      if (whole) return { type: NpyType.uint, bigEndian, itemBytes: size };
      break;
    case 'f':
      if (whole && size > 1) return { type: NpyType.float, bigEndian, itemBytes: size };
      break;
    case 'b':
      if (size === 1) return { type: NpyType.bool, bigEndian, itemBytes: 1 };
      break;
    case 'S':
      return { type: NpyType.bytes, bigEndian, itemBytes: size };
    case 'U':
      return { type: NpyType.unicode, bigEndian, itemBytes: size * 4 };
    case 'O':
      throw wrong('holds Python objects, which only Python can read; save numbers or texts');
  }
  throw wrong(`is of type ${descr}; integers, floats of 16 to 64 bits, bool, bytes (S) and texts (U) are read`);
}

/** A float of 16 bits. */
export function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
