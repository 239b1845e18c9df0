import { MonolithError } from '../base/index.js';

/** Types of elements that are written and read: little-endian, as NumPy names them. */
export type NpyType = '<u8' | '<i8' | '<u4' | '<f4' | '<f8';

/** What the head of a .npy file says. */
export type NpyHead = { readonly type: NpyType; readonly shape: readonly number[]; readonly dataAt: number };

const MAGIC = '\u0093NUMPY';
/** Data begin at a multiple of this. */
const ALIGNMENT = 64;
/** Magic, version and length of the header. */
const PREFIX_LENGTH = 10;
/** Longest header that version 1.0 can have. */
export const MAX_NPY_HEAD = PREFIX_LENGTH + 65535;

/** Bytes of an element. */
export function npyItemLength(type: NpyType): number {
  return Number(type[2]);
}

/** Head of a .npy file, version 1.0, C order. */
export function npyHead(type: NpyType, shape: readonly number[]): Uint8Array {
  const shapeText = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shapeText}), }`;
  const length = Math.ceil((PREFIX_LENGTH + dictionary.length + 1) / ALIGNMENT) * ALIGNMENT;
  const text = `${MAGIC}\u0001\u0000\u0000\u0000${`${dictionary.padEnd(length - PREFIX_LENGTH - 1)}\n`}`;
  const head = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  new DataView(head.buffer).setUint16(8, length - PREFIX_LENGTH, true);
  return head;
}

/**
 * Reads the head of a .npy file.
 * @param bytes the first bytes of the file, up to {@link MAX_NPY_HEAD}.
 * @throws DataFormat naming the file and what it has in place of what is read here.
 */
export function readNpyHead(path: string, bytes: Uint8Array): NpyHead {
  const fail = (problem: string): MonolithError => new MonolithError('DataFormat', `${path}: ${problem}`, { path });
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (bytes.length < PREFIX_LENGTH || !text.startsWith(MAGIC)) throw fail('is no .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isLong = bytes[6] > 1;
  const prefix = isLong ? PREFIX_LENGTH + 2 : PREFIX_LENGTH;
  const dataAt = prefix + (isLong && bytes.length >= prefix ? view.getUint32(8, true) : view.getUint16(8, true));
  if (dataAt > bytes.length) throw fail(`its header of ${dataAt} bytes is cut off or too long`);
  const header = text.slice(prefix, dataAt);
  const type = /'descr': '([^']*)'/.exec(header)?.[1] ?? 'a record';
  const shapeText = /'shape': \(([\d, L]*)\)/.exec(header)?.[1];
  if (shapeText === undefined) throw fail(`its header has no shape: ${header.trim()}`);
  const shape = shapeText.split(',').flatMap((part) => (/\d/.test(part) ? [Number.parseInt(part, 10)] : []));
  if (!isNpyType(type)) throw fail(`elements of type ${type}, expected one of ${TYPES.join(', ')}; convert it with array.astype`);
  if (/'fortran_order': True/.test(header) && shape.length > 1) throw fail('is in Fortran order; save numpy.ascontiguousarray(array)');
  return { type, shape, dataAt };
}

const TYPES: readonly NpyType[] = ['<u8', '<i8', '<u4', '<f4', '<f8'];

function isNpyType(type: string): type is NpyType {
  return (TYPES as readonly string[]).includes(type);
}
