import { MonolithError } from '../../base/index.js';
import type { KernelBackend } from '../kernel-backend.js';
import { requireSizes, requireVector } from './checks.js';

type Dropout = Pick<KernelBackend, 'dropoutMask'>;

/** High 32 bits of the 64-bit product of two unsigned 32-bit numbers, through 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}

/** Top 24 bits of mix64(state) (splitmix64, see base/fid), the 64-bit state given in halves. */
function topBits(stateLow: number, stateHigh: number): number {
  let low = (stateLow + 0x7f4a7c15) >>> 0;
  let high = (stateHigh + 0x9e3779b9 + (low < 0x7f4a7c15 ? 1 : 0)) >>> 0;
  // z = (z ^ z >> 30) · 0xBF58476D1CE4E5B9
  low = (low ^ ((low >>> 30) | (high << 2))) >>> 0;
  high = (high ^ (high >>> 30)) >>> 0;
  let product = Math.imul(low, 0x1ce4e5b9) >>> 0;
  high = (multiplyHigh(low, 0x1ce4e5b9) + Math.imul(low, 0xbf58476d) + Math.imul(high, 0x1ce4e5b9)) >>> 0;
  low = product;
  // z = (z ^ z >> 27) · 0x94D049BB133111EB
  low = (low ^ ((low >>> 27) | (high << 5))) >>> 0;
  high = (high ^ (high >>> 27)) >>> 0;
  product = Math.imul(low, 0x133111eb) >>> 0;
  high = (multiplyHigh(low, 0x133111eb) + Math.imul(low, 0x94d049bb) + Math.imul(high, 0x133111eb)) >>> 0;
  // z ^ z >> 31: bits 40 … 63 only need the high half.
  high = (high ^ (high >>> 31)) >>> 0;
  return high >>> 8;
}

/** Dropout masks, bit for bit those of every backend. */
export const referenceDropout: Dropout = {
  dropoutMask(n, rate, seedLow, seedHigh, firstIndex, mask) {
    requireSizes('dropoutMask', n, firstIndex, seedLow, seedHigh);
    requireVector('dropoutMask', 'mask', mask, n);
    if (!(rate >= 0 && rate <= 1) || seedLow > 0xffffffff || seedHigh > 0xffffffff) {
      throw new MonolithError('InvalidArgument', `dropoutMask: rate ${rate} must be 0 to 1 and each half of the seed below 2^32`, { rate });
    }
    const keep = Math.fround(1 / (1 - rate));
    const threshold = rate * 16777216;
    for (let i = 0; i < n; i++) {
      const index = firstIndex + i;
      const indexLow = index >>> 0;
      const indexHigh = Math.floor(index / 4294967296) >>> 0;
      // seed + index · 0x9E3779B97F4A7C15 modulo 2^64
      const productLow = Math.imul(indexLow, 0x7f4a7c15) >>> 0;
      const productHigh = multiplyHigh(indexLow, 0x7f4a7c15) + Math.imul(indexLow, 0x9e3779b9) + Math.imul(indexHigh, 0x7f4a7c15);
      const low = (seedLow + productLow) >>> 0;
      const high = (seedHigh + productHigh + (low < productLow ? 1 : 0)) >>> 0;
      mask[i] = topBits(low, high) >= threshold ? keep : 0;
    }
  },
};
