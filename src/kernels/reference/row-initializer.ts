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
 * mix64 is the splitmix64 finaliser of base/random. 64-bit numbers are pairs of unsigned 32-bit halves: BigInt would cost a microsecond a value.
 */
import { mix64, type Uint64Halves } from '../../base/index.js';
import { InitializerKind, type SliceLayout } from '../kernel-backend.js';

const GOLDEN_LOW = 0x7f4a7c15;
const GOLDEN_HIGH = 0x9e3779b9;
const NORMAL_UNIT = 1.7320508075688772 / 65535;

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
  // key, then key + position · golden, position by position.
  const counter: Uint64Halves = { low: 0, high: 0 };
  mix64(fidLow, fidHigh, counter);
  mix64((counter.low ^ seedLow) >>> 0, (counter.high ^ seedHigh) >>> 0, counter);
  const x: Uint64Halves = { low: 0, high: 0 };
  let at = offset;
  for (const { dim, initializer } of slices) {
    const { kind, a, b } = initializer;
    for (let i = 0; i < dim; i++, at++) {
      mix64(counter.low, counter.high, x);
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
          values[at] = a + (b - a) * ((x.high >>> 8) / 16777216);
          break;
        case InitializerKind.normal: {
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
