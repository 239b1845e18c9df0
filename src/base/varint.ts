import { MonolithError } from './errors.js';

/** A place in a byte array that readers move forward. */
export type Cursor = { offset: number };

/** A 64-bit varint takes at most ten bytes. */
const MAX_VARINT_LENGTH = 10;

/** Bytes that {@link writeVarint} takes for a value in [0, 2⁵³). */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/**
 * Writes an unsigned integer in [0, 2⁵³) as a protobuf varint.
 * @returns the offset behind it.
 * @throws InvalidArgument for another value, or if it does not fit in `out`.
 */
export function writeVarint(value: number, out: Uint8Array, offset: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new MonolithError('InvalidArgument', `writeVarint: expected an integer in [0, 2^53), got ${value}`, { value: String(value) });
  }
  checkRoom(offset, varintLength(value), out);
  let rest = value;
  let at = offset;
  while (rest >= 128) {
    out[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  out[at++] = rest;
  return at;
}

/**
 * Writes the low 64 bits of a BigInt (negative ones as two's complement, ten bytes) as a protobuf varint.
 * @returns the offset behind it.
 * @throws InvalidArgument if it does not fit in `out`.
 */
export function writeVarint64(value: bigint, out: Uint8Array, offset: number): number {
  let rest = BigInt.asUintN(64, value);
  let at = offset;
  while (rest >= 128n) {
    checkRoom(at, 1, out);
    out[at++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  checkRoom(at, 1, out);
  out[at++] = Number(rest);
  return at;
}

/**
 * Reads a varint that must be below 2⁵³, and moves the cursor behind it.
 * @param end the bytes from here on belong to something else.
 * @throws RecordCorrupt if it is cut off, longer than ten bytes, or too large; the cursor then stays.
 */
export function readVarint(bytes: Uint8Array, cursor: Cursor, end = bytes.length): number {
  const start = cursor.offset;
  const stop = varintEnd(bytes, start, end);
  let value = 0;
  for (let at = stop - 1; at >= start; at--) value = value * 128 + (bytes[at] & 127);
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new MonolithError('RecordCorrupt', `varint at byte ${start} is ${value}, expected less than 2^53`, { offset: start });
  }
  cursor.offset = stop;
  return value;
}

/**
 * Reads a 64-bit varint as two 32-bit words, without BigInt, and moves the cursor behind it.
 * @param out   out[index] receives the low word, out[index + 1] the high word.
 * @throws RecordCorrupt if it is cut off, longer than ten bytes or wider than 64 bits; the cursor then stays.
 */
export function readVarint64Into(bytes: Uint8Array, cursor: Cursor, end: number, out: Uint32Array, index: number): void {
  const start = cursor.offset;
  const stop = varintEnd(bytes, start, end);
  let low = 0;
  let high = 0;
  for (let at = start, shift = 0; at < stop; at++, shift += 7) {
    const piece = bytes[at] & 127;
    if (shift < 28) {
      low |= piece << shift;
    } else if (shift === 28) {
      low |= piece << 28;
      high |= piece >>> 4;
    } else {
      high |= piece << (shift - 32);
    }
  }
  out[index] = low;
  out[index + 1] = high;
  cursor.offset = stop;
}

/**
 * Reads a 64-bit varint and moves the cursor behind it.
 * @returns in [0, 2⁶⁴); use BigInt.asIntN(64, …) for a signed field.
 * @throws RecordCorrupt as {@link readVarint64Into}.
 */
export function readVarint64(bytes: Uint8Array, cursor: Cursor, end = bytes.length): bigint {
  const words = new Uint32Array(2);
  readVarint64Into(bytes, cursor, end, words, 0);
  return (BigInt(words[1]) << 32n) | BigInt(words[0]);
}

/** Signed to unsigned so that small magnitudes stay small: 0, −1, 1, −2 … become 0, 1, 2, 3 … */
export function zigzagEncode(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

/** The inverse of {@link zigzagEncode}. */
export function zigzagDecode(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}

/** Where the varint that begins at `start` ends. */
function varintEnd(bytes: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + MAX_VARINT_LENGTH);
  for (let at = start; at < limit; at++) {
    if (bytes[at] < 128) {
      if (at - start === MAX_VARINT_LENGTH - 1 && bytes[at] > 1) {
        throw new MonolithError('RecordCorrupt', `varint at byte ${start} is wider than 64 bits`, { offset: start });
      }
      return at + 1;
    }
  }
  const why = limit === end ? `is cut off at byte ${end}` : 'has more than ten bytes';
  throw new MonolithError('RecordCorrupt', `varint at byte ${start} ${why}`, { offset: start, end });
}

function checkRoom(offset: number, length: number, out: Uint8Array): void {
  if (offset + length > out.length) {
    throw new MonolithError(
      'InvalidArgument',
      `varint of ${length} bytes at byte ${offset} does not fit in a buffer of ${out.length} bytes`,
      {
        offset,
        length,
        capacity: out.length,
      },
    );
  }
}
