/**
 * Values of a new row: a function of (seed, fid, position) and nothing else. This file is the specification; native/table/row_initializer.isa.cc
 * gives the same bits.
 *
 *     key     = mix64(seed XOR mix64(fid))
 *     x[p]    = mix64(key + p · 0x9E3779B97F4A7C15)           mod 2^64; p = position in the whole row of values
 *     uniform = fround(a + (b − a) · (x >> 40) / 2^24)        top 24 bits; double arithmetic, rounded to float32 once
 *     normal  = fround(a + b · ((s − 131070) · (√3 / 65535))) s = sum of the four 16-bit fields of x; double, rounded once.
 *               Mean 0 and variance 1 before a and b; |z| ≤ 2√3. √3 is the double 1.7320508075688772.
 *
 * mix64 is the splitmix64 finaliser of base/fid. 64-bit numbers are pairs of unsigned 32-bit halves: BigInt would cost a microsecond a value.
 */
import { InitializerKind, type SliceLayout } from '../kernel-backend.js';

/** An unsigned 64-bit number, written in place. */
export type Halves = { low: number; high: number };

const GOLDEN_LOW = 0x7f4a7c15;
const GOLDEN_HIGH = 0x9e3779b9;
const NORMAL_UNIT = 1.7320508075688772 / 65535;

/** High 32 bits of the product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle % 0x10000);
  return a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000);
}

function multiply(x: Halves, low: number, high: number): void {
  const carried = multiplyHigh(x.low, low) + Math.imul(x.low, high) + Math.imul(x.high, low);
  x.low = Math.imul(x.low, low) >>> 0;
  x.high = carried >>> 0;
}

function xorShiftRight(x: Halves, bits: number): void {
  x.low = (x.low ^ ((x.low >>> bits) | (x.high << (32 - bits)))) >>> 0;
  x.high = (x.high ^ (x.high >>> bits)) >>> 0;
}

/** x = mix64(x), in place. `x` holds unsigned halves. */
export function mix64Halves(x: Halves): void {
  const low = x.low + GOLDEN_LOW;
  x.high = (x.high + GOLDEN_HIGH + (low > 0xffffffff ? 1 : 0)) >>> 0;
  x.low = low >>> 0;
  xorShiftRight(x, 30);
  multiply(x, 0x1ce4e5b9, 0xbf58476d);
  xorShiftRight(x, 27);
  multiply(x, 0x133111eb, 0x94d049bb);
  xorShiftRight(x, 31);
}

/** Writes the values of a new row of `slices` to values[offset …]. fid and seed are unsigned halves. */
export function initializeRow(
  slices: readonly SliceLayout[],
  seedLow: number,
  seedHigh: number,
  fidLow: number,
  fidHigh: number,
  values: Float32Array,
  offset: number,
): void {
  const key: Halves = { low: fidLow, high: fidHigh };
  mix64Halves(key);
  key.low = (key.low ^ seedLow) >>> 0;
  key.high = (key.high ^ seedHigh) >>> 0;
  mix64Halves(key);
  // key + position · golden, position by position.
  const counter: Halves = { low: key.low, high: key.high };
  const x: Halves = { low: 0, high: 0 };
  let at = offset;
  for (const { dim, initializer } of slices) {
    const { kind, a, b } = initializer;
    for (let i = 0; i < dim; i++, at++) {
      x.low = counter.low;
      x.high = counter.high;
      const low = counter.low + GOLDEN_LOW;
      counter.high = (counter.high + GOLDEN_HIGH + (low > 0xffffffff ? 1 : 0)) >>> 0;
      counter.low = low >>> 0;
      switch (kind) {
        case InitializerKind.zeros:
          values[at] = 0;
          break;
        case InitializerKind.constant:
          values[at] = a;
          break;
        case InitializerKind.uniform:
          mix64Halves(x);
          values[at] = a + (b - a) * ((x.high >>> 8) / 16777216);
          break;
        case InitializerKind.normal: {
          mix64Halves(x);
          const sum = (x.low & 0xffff) + (x.low >>> 16) + (x.high & 0xffff) + (x.high >>> 16);
          values[at] = a + b * ((sum - 131070) * NORMAL_UNIT);
          break;
        }
        default:
          throw new RangeError(`unknown initializer kind ${String(kind satisfies never)}`);
      }
    }
  }
}
