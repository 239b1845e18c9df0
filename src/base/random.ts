import { cityHash64Into } from './city-hash.js';
import { MonolithError } from './errors.js';
import { multiplyHigh32, type Uint64Halves } from './uint64.js';

/**
 * One output of splitmix64 for the state (low, high), without BigInt:
 *
 *     z = x + 0x9E3779B97F4A7C15;  z = (z ^ z>>30) · 0xBF58476D1CE4E5B9;  z = (z ^ z>>27) · 0x94D049BB133111EB;  z ^ z>>31
 *
 * @param low, high the 64-bit input as unsigned halves.
 * @param out       receives the mixed value; may hold the input's own values.
 * Source: Steele, Lea & Flood, OOPSLA 2014; constants of Stafford's variant 13. A bijection of 64-bit integers.
 */
export function mix64(low: number, high: number, out: Uint64Halves): void {
  let lo = (low >>> 0) + 0x7f4a7c15;
  let hi = (high + 0x9e3779b9 + (lo > 0xffffffff ? 1 : 0)) >>> 0;
  lo >>>= 0;
  let x = (lo ^ ((lo >>> 30) | (hi << 2))) >>> 0;
  let y = (hi ^ (hi >>> 30)) >>> 0;
  lo = Math.imul(x, 0x1ce4e5b9) >>> 0;
  hi = (multiplyHigh32(x, 0x1ce4e5b9) + Math.imul(y, 0x1ce4e5b9) + Math.imul(x, 0xbf58476d)) >>> 0;
  x = (lo ^ ((lo >>> 27) | (hi << 5))) >>> 0;
  y = (hi ^ (hi >>> 27)) >>> 0;
  lo = Math.imul(x, 0x133111eb) >>> 0;
  hi = (multiplyHigh32(x, 0x133111eb) + Math.imul(y, 0x133111eb) + Math.imul(x, 0x94d049bb)) >>> 0;
  out.low = (lo ^ ((lo >>> 31) | (hi << 1))) >>> 0;
  out.high = (hi ^ (hi >>> 31)) >>> 0;
}

/**
 * A 64-bit seed for one purpose, made from the run's seed and a path of names: `seedFromNames(42, 'table', 'user', 3)`.
 * Order matters, and the number 1 differs from the string '1'.
 *
 * @param seed  the run's seed, an integer in [0, 2⁵³).
 * @param names strings or safe integers that say what the seed is for.
 * @throws InvalidArgument for a number that is no safe integer.
 */
export function seedFromNames(seed: number, ...names: readonly (string | number)[]): Uint64Halves {
  const state = { low: 0, high: 0 };
  const hash = new Uint32Array(2);
  integerHalves(seed, 'seed', hash);
  mix64(hash[0], hash[1], state);
  for (const name of names) {
    if (typeof name === 'string') {
      const bytes = new TextEncoder().encode(name);
      cityHash64Into(bytes, 0, bytes.length, hash, 0);
    } else {
      integerHalves(name, 'name', hash);
      // The sign bit of the high half is free in a safe integer: it tells numbers from hashes of the same value.
      hash[1] = ~hash[1];
    }
    mix64((state.low ^ hash[0]) >>> 0, (state.high ^ hash[1]) >>> 0, state);
  }
  return state;
}

function integerHalves(value: number, what: string, out: Uint32Array): void {
  if (!Number.isSafeInteger(value)) {
    throw new MonolithError('InvalidArgument', `seedFromNames: ${what} must be a safe integer, got ${value}`, { [what]: String(value) });
  }
  out[0] = value;
  out[1] = Math.floor(value / 0x100000000);
}

/** What a {@link SeededRandom} needs to go on exactly where it was: four state words, and the unused half of a normal pair. */
export type RandomState = { readonly words: readonly number[]; readonly spareNormal: number | null };

/**
 * Seeded random numbers: xoshiro128** with its state filled by splitmix64. Equal seeds give equal sequences on every machine.
 * Not for secrets.
 * Source: Blackman & Vigna, "Scrambled linear pseudorandom number generators", TOMS 47 (2021).
 */
export class SeededRandom {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  #spareNormal: number | null = null;

  /** @param seed the halves of {@link seedFromNames}, or a safe integer. */
  constructor(seed: Uint64Halves | number) {
    const { low, high } = typeof seed === 'number' ? seedFromNames(seed) : seed;
    const first = { low: 0, high: 0 };
    const second = { low: 0, high: 0 };
    mix64(low, high, first);
    mix64(first.low, first.high, second);
    this.#a = first.low;
    this.#b = first.high;
    this.#c = second.low;
    // The all-zero state would stay zero for ever; mix64 can produce it for at most one seed.
    this.#d = (first.low | first.high | second.low | second.high) === 0 ? 1 : second.high;
  }

  /** The next 32 random bits, in [0, 2³²). */
  nextUint32(): number {
    const b = this.#b;
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b = b ^ this.#c;
    this.#a ^= this.#d;
    this.#c ^= b << 9;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [0, 1), with 53 random bits. */
  nextFloat(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  /**
   * A uniform integer in [0, n), without bias: draws that would favour small results are thrown away.
   *
   * @param n integer in [1, 2³²].
   * @throws InvalidArgument for another n.
   */
  nextBelow(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 0x100000000) {
      throw new MonolithError('InvalidArgument', `SeededRandom.nextBelow: n must be an integer in [1, 2^32], got ${n}`, { n });
    }
    const limit = 0x100000000 - (0x100000000 % n);
    let bits = this.nextUint32();
    while (bits >= limit) bits = this.nextUint32();
    return bits % n;
  }

  /** Standard normal (mean 0, deviation 1) by Marsaglia's polar method; every second one costs nothing. */
  nextNormal(): number {
    if (this.#spareNormal !== null) {
      const spare = this.#spareNormal;
      this.#spareNormal = null;
      return spare;
    }
    for (;;) {
      const x = 2 * this.nextFloat() - 1;
      const y = 2 * this.nextFloat() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) {
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        this.#spareNormal = y * scale;
        return x * scale;
      }
    }
  }

  /** The state as plain JSON, for a checkpoint. */
  get state(): RandomState {
    return { words: [this.#a >>> 0, this.#b >>> 0, this.#c >>> 0, this.#d >>> 0], spareNormal: this.#spareNormal };
  }

  /** Goes on from a saved state. @throws InvalidArgument if it is not one. */
  restore(state: RandomState): void {
    const { words, spareNormal } = state;
    const valid = words.length === 4 && words.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff);
    if (!valid || words.every((word) => word === 0)) {
      throw new MonolithError('InvalidArgument', `SeededRandom.restore: expected four 32-bit words, not all zero, got ${words.join(', ')}`);
    }
    [this.#a, this.#b, this.#c, this.#d] = words as [number, number, number, number];
    this.#spareNormal = spareNormal;
  }
}
