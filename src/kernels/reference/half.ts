/**
 * Values of 16 bits and the rounding of rows that are stored in them. This file is the specification; native/simd/half.h and
 * native/table/rounding_noise.h give the same bits.
 *
 *     nearest      to nearest, ties to even
 *     stochastic   by 16 bits of noise n, even over all of them: for bfloat16 the 16 bits of the float32 that are dropped are exactly the
 *                  chance (of 2^16) of going away from zero; for halves ≥ 2^−14 the 13 dropped bits against n >> 3. Smaller halves are
 *                  multiples of 2^−24: fround(|x| + (n >> 2)·2^−38), cut.
 *
 * A finite value never becomes infinity: it stops at the largest finite one (65504 for halves). Infinities stay; any NaN becomes the positive
 * quiet NaN.
 *
 *     key     = mix64(mix64(seed XOR mix64(fid)) XOR mix64(step XOR 0x726F756E64696E67))
 *     x[q]    = mix64(key + q · 0x9E3779B97F4A7C15)       mod 2^64
 *     n[p]    = bits 16·(p mod 4) … + 15 of x[⌊p/4⌋]      p = position in the whole row of values
 */
import { mix64, type Uint64Halves } from '../../base/index.js';
import { RowFormat } from '../kernel-backend.js';

const value = new Float32Array(1);
const bits = new Uint32Array(value.buffer);
const fround = Math.fround;

const INFINITY_BITS = 0x7f800000;
/** 65504 and 2^−14 as float32. */
const MOST_HALF_BITS = 0x477fe000;
const NORMAL_HALF_BITS = 0x38800000;
/** What the exponents of float32 and of halves differ by, in its place. */
const HALF_EXPONENT = 112 << 23;

function bitsOf(x: number): number {
  value[0] = x;
  return bits[0];
}

function floatOf(pattern: number): number {
  bits[0] = pattern;
  return value[0];
}

/** A stored value as float32. */
export function widen(format: RowFormat, stored: number): number {
  if (format === RowFormat.bf16) return floatOf(stored << 16);
  const sign = (stored & 0x8000) << 16;
  const size = stored & 0x7fff;
  if (size >= 0x7c00) return floatOf(sign | INFINITY_BITS | ((size & 0x3ff) << 13));
  if (size < 0x400) return floatOf(sign | bitsOf(size * 2 ** -24));
  return floatOf(sign | ((size << 13) + HALF_EXPONENT));
}

/** The magnitude of a rounded finite value with the sign of `pattern`; what is not finite has its own. */
function withSign(format: RowFormat, pattern: number, magnitude: number): number {
  const size = pattern & 0x7fffffff;
  if (size > INFINITY_BITS) return format === RowFormat.bf16 ? 0x7fc0 : 0x7e00;
  const infinity = format === RowFormat.bf16 ? 0x7f80 : 0x7c00;
  return (size === INFINITY_BITS ? infinity : magnitude) | ((pattern >>> 16) & 0x8000);
}

/** x (float32) to nearest, as it is stored. */
export function roundToNearest(format: RowFormat, x: number): number {
  const pattern = bitsOf(x);
  const size = pattern & 0x7fffffff;
  if (format === RowFormat.bf16) {
    return withSign(format, pattern, Math.min((size + 0x7fff + ((size >>> 16) & 1)) >>> 16, 0x7f7f));
  }
  const most = Math.min(size, MOST_HALF_BITS);
  // Half an ulp of 0.5 is half of 2^−24.
  if (most < NORMAL_HALF_BITS) return withSign(format, pattern, bitsOf(fround(floatOf(most) + 0.5)) - 0x3f000000);
  return withSign(format, pattern, (most - HALF_EXPONENT + 0xfff + ((most >>> 13) & 1)) >>> 13);
}

/** x (float32) rounded by `noise` (16 bits), as it is stored. */
export function roundStochastically(format: RowFormat, x: number, noise: number): number {
  const pattern = bitsOf(x);
  const size = pattern & 0x7fffffff;
  if (format === RowFormat.bf16) return withSign(format, pattern, Math.min((size + noise) >>> 16, 0x7f7f));
  const moved = size < NORMAL_HALF_BITS ? bitsOf(fround(floatOf(size) + (noise >>> 2) * 2 ** -38)) : size + (noise >>> 3);
  const most = Math.min(moved, MOST_HALF_BITS);
  if (most < NORMAL_HALF_BITS) return withSign(format, pattern, Math.floor(floatOf(most) * 2 ** 24));
  return withSign(format, pattern, (most - HALF_EXPONENT) >>> 13);
}

const key: Uint64Halves = { low: 0, high: 0 };
const x: Uint64Halves = { low: 0, high: 0 };

/** Writes 16 bits of noise for each of noise.length values of a row. seed and fid are unsigned halves; step is a whole number up to 2^53. */
export function roundingNoise(seedLow: number, seedHigh: number, fidLow: number, fidHigh: number, step: number, noise: Uint16Array): void {
  mix64((step ^ 0x64696e67) >>> 0, (Math.floor(step / 2 ** 32) ^ 0x726f756e) >>> 0, x);
  mix64(fidLow, fidHigh, key);
  mix64((key.low ^ seedLow) >>> 0, (key.high ^ seedHigh) >>> 0, key);
  mix64((key.low ^ x.low) >>> 0, (key.high ^ x.high) >>> 0, key);
  for (let p = 0; p < noise.length; p++) {
    if (p % 4 === 0) {
      mix64(key.low, key.high, x);
      const low = key.low + 0x7f4a7c15;
      key.high = (key.high + 0x9e3779b9 + (low > 0xffffffff ? 1 : 0)) >>> 0;
      key.low = low >>> 0;
    }
    noise[p] = (p % 4 < 2 ? x.low : x.high) >>> (16 * (p % 2));
  }
}
