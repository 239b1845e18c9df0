/**
 * A 64-bit unsigned integer as two 32-bit halves, both in [0, 2³²). The form of hashes and seeds where BigInt would allocate.
 */
export type Uint64Halves = { low: number; high: number };

/**
 * High 32 bits of the 64-bit product of two 32-bit unsigned integers.
 * `Math.imul` gives the low ones. Works in 16-bit pieces, so that every partial sum stays below 2³².
 */
export function multiplyHigh32(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const cross = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + (middle >>> 16) + (cross >>> 16)) >>> 0;
}

/** The halves as one BigInt in [0, 2⁶⁴). Allocates; not for the hot path. */
export function halvesToBigInt(halves: Uint64Halves): bigint {
  return (BigInt(halves.high >>> 0) << 32n) | BigInt(halves.low >>> 0);
}

/** The low 64 bits of a BigInt (negative ones as two's complement) as halves. Allocates; not for the hot path. */
export function bigIntToHalves(value: bigint): Uint64Halves {
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffffffffn), high: Number(bits >> 32n) };
}
