import { multiplyHigh32 } from './uint64.js';

// CityHash64, version 1.1, as published by Google (Pike & Alakuijala): the hash that the original uses for feature strings.
// Up to 16 bytes, the common case, everything is done on 32-bit halves; longer values use BigInt.

const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const K0_LOW = 0x97cb3127;
const K0_HIGH = 0xc3a5c85c;
const K2_LOW = 0x2f90404f;
const K2_HIGH = 0x9ae16a3b;

/**
 * CityHash64 v1.1 of bytes[start, end).
 *
 * @returns the hash in [0, 2⁶⁴).
 */
export function cityHash64(bytes: Uint8Array, start = 0, end = bytes.length): bigint {
  const length = end - start;
  if (length > 16) return hashLong(bytes, start, length);
  const words = new Uint32Array(2);
  hashShort(bytes, start, length, words, 0);
  return (BigInt(words[1]) << 32n) | BigInt(words[0]);
}

/**
 * CityHash64 v1.1 of bytes[start, end), written as two 32-bit words. Allocates nothing for up to 16 bytes.
 *
 * @param out   out[index] receives the low half, out[index + 1] the high half.
 */
export function cityHash64Into(bytes: Uint8Array, start: number, end: number, out: Uint32Array, index: number): void {
  const length = end - start;
  if (length <= 16) {
    hashShort(bytes, start, length, out, index);
  } else {
    const hash = hashLong(bytes, start, length);
    out[index] = Number(hash & 0xffffffffn);
    out[index + 1] = Number(hash >> 32n);
  }
}

function load32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** High half of a 64-bit product; the low half is Math.imul(aLow, bLow). */
function productHigh(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  return (multiplyHigh32(aLow, bLow) + Math.imul(aLow, bHigh) + Math.imul(aHigh, bLow)) >>> 0;
}

function hashShort(bytes: Uint8Array, start: number, length: number, out: Uint32Array, index: number): void {
  if (length >= 8) {
    const mulLow = (K2_LOW + length * 2) >>> 0; // no carry: K2_LOW + 32 < 2^32
    const first = load32(bytes, start) + K2_LOW;
    const aLow = first >>> 0;
    const aHigh = (load32(bytes, start + 4) + K2_HIGH + (first > 0xffffffff ? 1 : 0)) >>> 0;
    const bLow = load32(bytes, start + length - 8);
    const bHigh = load32(bytes, start + length - 4);
    // c = rotate(b, 37) · mul + a: a right rotation by 37 swaps the halves and rotates by 5.
    const b37Low = ((bHigh >>> 5) | (bLow << 27)) >>> 0;
    const b37High = ((bLow >>> 5) | (bHigh << 27)) >>> 0;
    const cSum = (Math.imul(b37Low, mulLow) >>> 0) + aLow;
    const cHigh = (productHigh(b37Low, b37High, mulLow, K2_HIGH) + aHigh + (cSum > 0xffffffff ? 1 : 0)) >>> 0;
    // d = (rotate(a, 25) + b) · mul
    const dSum = (((aLow >>> 25) | (aHigh << 7)) >>> 0) + bLow;
    const dInHigh = (((aHigh >>> 25) | (aLow << 7)) + bHigh + (dSum > 0xffffffff ? 1 : 0)) >>> 0;
    const dInLow = dSum >>> 0;
    const dLow = Math.imul(dInLow, mulLow) >>> 0;
    const dHigh = productHigh(dInLow, dInHigh, mulLow, K2_HIGH);
    mixPair(cSum >>> 0, cHigh, dLow, dHigh, mulLow, out, index);
  } else if (length >= 4) {
    const mulLow = (K2_LOW + length * 2) >>> 0;
    const a = load32(bytes, start);
    const sum = ((a << 3) >>> 0) + length;
    mixPair(sum >>> 0, (a >>> 29) + (sum > 0xffffffff ? 1 : 0), load32(bytes, start + length - 4), 0, mulLow, out, index);
  } else if (length > 0) {
    const y = bytes[start] + (bytes[start + (length >> 1)] << 8);
    const z = length + (bytes[start + length - 1] << 2);
    const low = (Math.imul(y, K2_LOW) ^ Math.imul(z, K0_LOW)) >>> 0;
    const high = (productHigh(y, 0, K2_LOW, K2_HIGH) ^ productHigh(z, 0, K0_LOW, K0_HIGH)) >>> 0;
    const mixedLow = (low ^ (high >>> 15)) >>> 0; // x ^ x >> 47 touches the low half only
    out[index] = Math.imul(mixedLow, K2_LOW);
    out[index + 1] = productHigh(mixedLow, high, K2_LOW, K2_HIGH);
  } else {
    out[index] = K2_LOW;
    out[index + 1] = K2_HIGH;
  }
}

/** The closing mix of two 64-bit values with a multiplier whose high half is K2's. */
function mixPair(uLow: number, uHigh: number, vLow: number, vHigh: number, mulLow: number, out: Uint32Array, index: number): void {
  let inLow = (uLow ^ vLow) >>> 0;
  let inHigh = (uHigh ^ vHigh) >>> 0;
  const aHigh = productHigh(inLow, inHigh, mulLow, K2_HIGH);
  const aLow = (Math.imul(inLow, mulLow) ^ (aHigh >>> 15)) >>> 0;
  inLow = (vLow ^ aLow) >>> 0;
  inHigh = (vHigh ^ aHigh) >>> 0;
  const bHigh = productHigh(inLow, inHigh, mulLow, K2_HIGH);
  const bLow = (Math.imul(inLow, mulLow) ^ (bHigh >>> 15)) >>> 0;
  out[index] = Math.imul(bLow, mulLow);
  out[index + 1] = productHigh(bLow, bHigh, mulLow, K2_HIGH);
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotate(value: bigint, shift: bigint): bigint {
  return wrap((value >> shift) | (value << (64n - shift)));
}

function mixTwo(u: bigint, v: bigint, multiplier: bigint): bigint {
  let a = wrap((u ^ v) * multiplier);
  a ^= a >> 47n;
  let b = wrap((v ^ a) * multiplier);
  b ^= b >> 47n;
  return wrap(b * multiplier);
}

function swapBytes(value: bigint): bigint {
  let rest = value;
  let swapped = 0n;
  for (let i = 0; i < 8; i++) {
    swapped = (swapped << 8n) | (rest & 0xffn);
    rest >>= 8n;
  }
  return swapped;
}

function hashLong(bytes: Uint8Array, start: number, length: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  const load = (at: number): bigint => view.getBigUint64(at, true);
  if (length <= 32) return hash17To32(load, length);
  if (length <= 64) return hash33To64(load, length);
  return hashOver64(load, length);
}

type Load = (at: number) => bigint;

function hash17To32(load: Load, length: number): bigint {
  const multiplier = K2 + BigInt(length * 2);
  const a = wrap(load(0) * K1);
  const b = load(8);
  const c = wrap(load(length - 8) * multiplier);
  const d = wrap(load(length - 16) * K2);
  return mixTwo(wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d), wrap(a + rotate(wrap(b + K2), 18n) + c), multiplier);
}

function hash33To64(load: Load, length: number): bigint {
  const multiplier = K2 + BigInt(length * 2);
  const a = wrap(load(0) * K2);
  const b = load(8);
  const c = load(length - 24);
  const d = load(length - 32);
  const e = wrap(load(16) * K2);
  const f = wrap(load(24) * 9n);
  const g = load(length - 8);
  const h = wrap(load(length - 16) * multiplier);
  const u = wrap(rotate(wrap(a + g), 43n) + (rotate(b, 30n) + c) * 9n);
  const v = wrap((wrap(a + g) ^ d) + f + 1n);
  const w = wrap(swapBytes(wrap((u + v) * multiplier)) + h);
  const x = wrap(rotate(wrap(e + f), 42n) + c);
  const y = wrap((swapBytes(wrap((v + w) * multiplier)) + g) * multiplier);
  const z = wrap(e + f + c);
  const last = wrap(swapBytes(wrap((x + z) * multiplier + y)) + b);
  let mixed = wrap((z + last) * multiplier + d + h);
  mixed ^= mixed >> 47n;
  return wrap(mixed * multiplier + x);
}

/** Two running sums of one 32-byte piece: [first, second]. */
function pieceSums(load: Load, at: number, seedA: bigint, seedB: bigint): [bigint, bigint] {
  const w = load(at);
  const z = load(at + 24);
  const start = wrap(seedA + w);
  const b = rotate(wrap(seedB + start + z), 21n);
  const a = wrap(start + load(at + 8) + load(at + 16));
  return [wrap(a + z), wrap(b + rotate(a, 44n) + start)];
}

/** Multiplier of the two-argument closing mix. */
const PAIR_MULTIPLIER = 0x9ddfea08eb382d69n;

function hashOver64(load: Load, length: number): bigint {
  let x = load(length - 40);
  let y = wrap(load(length - 16) + load(length - 56));
  let z = mixTwo(wrap(load(length - 48) + BigInt(length)), load(length - 24), PAIR_MULTIPLIER);
  let v = pieceSums(load, length - 64, BigInt(length), z);
  let w = pieceSums(load, length - 32, wrap(y + K1), x);
  x = wrap(x * K1 + load(0));
  const wholePieces = (length - 1) & ~63;
  for (let at = 0; at < wholePieces; at += 64) {
    x = wrap(rotate(wrap(x + y + v[0] + load(at + 8)), 37n) * K1);
    y = wrap(rotate(wrap(y + v[1] + load(at + 48)), 42n) * K1);
    x ^= w[1];
    y = wrap(y + v[0] + load(at + 40));
    z = wrap(rotate(wrap(z + w[0]), 33n) * K1);
    v = pieceSums(load, at, wrap(v[1] * K1), wrap(x + w[0]));
    w = pieceSums(load, at + 32, wrap(z + w[1]), wrap(y + load(at + 16)));
    [z, x] = [x, z];
  }
  const mixedY = y ^ (y >> 47n);
  return mixTwo(
    wrap(mixTwo(v[0], w[0], PAIR_MULTIPLIER) + mixedY * K1 + z),
    wrap(mixTwo(v[1], w[1], PAIR_MULTIPLIER) + x),
    PAIR_MULTIPLIER,
  );
}
