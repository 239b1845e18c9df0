import { cityHash64, cityHash64Into } from './city-hash.js';
import { MonolithError } from './errors.js';

/** Largest slot of layout v2: 15 bits, so that bit 63 stays 0 and a fid is never negative. */
export const MAX_SLOT = 0x7fff;
/** Largest slot of layout v1: ten bits. */
export const MAX_SLOT_V1 = 0x3ff;
const SIGNATURE_V2 = (1n << 48n) - 1n;
const SIGNATURE_V1 = (1n << 54n) - 1n;

/**
 * A fid of layout v2: `slot << 48 | hash & (2⁴⁸ − 1)`. Bit 63 is 0.
 *
 * @param slot   feature field, an integer in [0, 32767].
 * @param hash48 hash of the value; only its 48 low bits are used.
 * @throws InvalidArgument for a slot out of range.
 */
export function makeFid(slot: number, hash48: bigint): bigint {
  checkSlot('makeFid', slot, MAX_SLOT);
  return (BigInt(slot) << 48n) | (hash48 & SIGNATURE_V2);
}

/** Slot of a v2 fid: bits 48..62. */
export function slotOf(fid: bigint): number {
  return Number((fid >> 48n) & 0x7fffn);
}

/** Signature of a v2 fid: its 48 low bits. */
export function signatureOf(fid: bigint): bigint {
  return fid & SIGNATURE_V2;
}

/**
 * Writes the v2 fid of a feature value given as bytes: slot and 48 bits of its CityHash64. No BigInt for values of up to 16 bytes.
 *
 * @param slot       in [0, 32767]; trusted.
 * @param bytes      holds the value at [start, end).
 * @param out        32-bit words of fids, i.e. a view of the same memory as a little-endian BigInt64Array.
 * @param wordIndex  position of the low word in `out`: 2 × the fid's position.
 */
export function writeHashedFid(slot: number, bytes: Uint8Array, start: number, end: number, out: Uint32Array, wordIndex: number): void {
  cityHash64Into(bytes, start, end, out, wordIndex);
  out[wordIndex + 1] = (out[wordIndex + 1] & 0xffff) | (slot << 16);
}

/** Layout v1 (10 bits slot, 54 bits signature) to v2: the 48 low bits stay, the slot moves to bit 48. */
export function fidV1ToV2(fid: bigint): bigint {
  const bits = BigInt.asUintN(64, fid);
  return ((bits >> 54n) << 48n) | (bits & SIGNATURE_V2);
}

/**
 * Layout v2 to v1, as a signed 64-bit integer (slots from 512 on set bit 63).
 * @throws InvalidArgument if the slot does not fit in v1's 10 bits.
 */
export function fidV2ToV1(fid: bigint): bigint {
  const slot = slotOf(fid);
  checkSlot('fidV2ToV1', slot, MAX_SLOT_V1);
  return BigInt.asIntN(64, (BigInt(slot) << 54n) | (signatureOf(fid) & SIGNATURE_V1));
}

/**
 * A fid of layout v1: `slot << 54 | hash & (2⁵⁴ − 1)`, as a signed 64-bit integer (slots from 512 on set bit 63).
 *
 * @param slot   an integer in [0, 1023].
 * @param hash54 hash of the value; only its 54 low bits are used.
 * @throws InvalidArgument for a slot out of range.
 */
export function makeFidV1(slot: number, hash54: bigint): bigint {
  checkSlot('makeFidV1', slot, MAX_SLOT_V1);
  return BigInt.asIntN(64, (BigInt(slot) << 54n) | (hash54 & SIGNATURE_V1));
}

/** Slot of a v1 fid, signed or not: its ten high bits. */
export function slotOfV1(fid: bigint): number {
  return Number(BigInt.asUintN(64, fid) >> 54n);
}

/** Signature of a v1 fid: its 54 low bits. */
export function signatureOfV1(fid: bigint): bigint {
  return fid & SIGNATURE_V1;
}

/**
 * A v2 fid with another slot and the same signature: what lets two features share one table.
 * @throws InvalidArgument for a slot outside [0, 32767].
 */
export function withSlot(fid: bigint, slot: number): bigint {
  return makeFid(slot, fid);
}

/**
 * The v2 fid of a number: slot and 48 bits of the CityHash64 of its eight bytes, little-endian. Monolith masks one bit more, so that its fids
 * have the slot's lowest bit set for half of all numbers; the others are the same.
 * @throws InvalidArgument for a slot outside [0, 32767].
 */
export function extractFid(value: bigint, slot: number): bigint {
  checkSlot('extractFid', slot, MAX_SLOT);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  return makeFid(slot, cityHash64(bytes));
}

/**
 * splitmix64's output function on a BigInt; the twin of `mix64` for tests and cold paths.
 * @returns in [0, 2⁶⁴).
 */
export function mix64BigInt(x: bigint): bigint {
  let z = BigInt.asUintN(64, x + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/**
 * Bucket of a fid among 2^bits: the top bits of its mixed value, so that neighbouring fids spread evenly.
 * @param bits integer in [0, 32].
 */
export function bucketOf(fid: bigint, bits: number): number {
  if (!Number.isInteger(bits) || bits < 0 || bits > 32) {
    throw new MonolithError('InvalidArgument', `bucketOf: bits must be an integer in [0, 32], got ${bits}`, { bits });
  }
  return Number(mix64BigInt(fid) >> BigInt(64 - bits));
}

function checkSlot(where: string, slot: number, max: number): void {
  if (!Number.isInteger(slot) || slot < 0 || slot > max) {
    throw new MonolithError('InvalidArgument', `${where}: slot must be an integer in [0, ${max}], got ${slot}`, { slot, max });
  }
}
