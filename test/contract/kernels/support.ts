import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadAddon } from '../../../src/kernels/native/load.js';
import { createNativeDense } from '../../../src/kernels/native/native-dense.js';
import { type DenseKernels, referenceDense } from '../../../src/kernels/reference/dense.js';

/** Half a unit in the last place of 1 in float32. */
export const epsilon = 2 ** -24;

/**
 * Runs a suite on the reference and on the native kernels of the instruction set in force. With MONOLITH_LOCAL_ISA set (child processes of
 * instruction-sets.test.ts) only native runs, and it must be that instruction set.
 */
export function describeDense(title: string, suite: (kernels: DenseKernels) => void): void {
  const wanted = process.env.MONOLITH_LOCAL_ISA;
  if (!wanted) describe(`${title}, reference`, () => suite(referenceDense));
  const { addon, reason } = loadAddon();
  if (addon !== null) {
    const { instructionSet } = addon.info();
    describe(`${title}, native ${instructionSet}`, () => {
      if (wanted) test(`${wanted} is really in use`, () => assert.equal(instructionSet, wanted));
      suite(createNativeDense(addon));
    });
  } else if (wanted || process.env.MONOLITH_LOCAL_REQUIRE_NATIVE === '1') {
    test(`${title}, native`, () => assert.fail(`native addon not available: ${reason}`));
  } else {
    test(`${title}, native`, { skip: `native addon not available: ${reason}` }, () => {});
  }
}

/** Repeatable random numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    z = (z + Math.imul(z ^ (z >>> 7), z | 61)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** `length` values in [−1, 1). */
  values(length: number): Float32Array {
    const values = new Float32Array(length);
    for (let i = 0; i < length; i++) values[i] = this.next() * 2 - 1;
    return values;
  }
}

const guard = Math.fround(12345.678);
const guardLength = 40;

/** A copy of `values` in shared memory at any 4-byte boundary, with guards before and after it. */
export function guarded(values: Float32Array, shift: number): Float32Array {
  const all = new Float32Array(new SharedArrayBuffer((values.length + 2 * guardLength + 16) * 4)).fill(guard);
  const view = all.subarray(guardLength + shift, guardLength + shift + values.length);
  view.set(values);
  return view;
}

/** Fails if anything around a guarded view was written. */
export function assertGuards(what: string, view: Float32Array): void {
  const all = new Float32Array(view.buffer);
  const start = view.byteOffset / 4;
  for (let i = 0; i < all.length; i++) {
    if ((i < start || i >= start + view.length) && all[i] !== guard) {
      assert.fail(`${what}: wrote ${i < start ? `${start - i} before` : `${i - start - view.length} after`} its ${view.length} elements`);
    }
  }
}

function close(actual: number, expected: number, tolerance: number): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  return Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected));
}

/** Every element within tolerance · max(1, |expected|); NaN equals NaN. */
export function assertClose(what: string, actual: Float32Array, expected: Float32Array, tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i] ?? 0;
    const e = expected[i] ?? 0;
    if (!close(a, e, tolerance)) assert.fail(`${what}[${i}]: ${a}, expected ${e} (tolerance ${tolerance})`);
  }
}

type Arrays = { readonly [name: string]: Float32Array };

/**
 * Runs one call on the reference and on `kernels` with equal arguments, the latter in unaligned, guarded shared memory, and compares
 * the result and every array: outputs, gaps between rows, and inputs that must stay as they were.
 */
export function check<T extends Arrays>(
  kernels: DenseKernels,
  title: string,
  arrays: T,
  tolerance: number,
  call: (kernels: DenseKernels, arrays: T) => unknown,
): T {
  const names = Object.keys(arrays) as (keyof T & string)[];
  const expected = Object.fromEntries(names.map((name) => [name, new Float32Array(arrays[name] as Float32Array)])) as T;
  const actual = Object.fromEntries(
    names.map((name, index) => [name, guarded(arrays[name] as Float32Array, (index * 5 + title.length) % 16)]),
  ) as T;
  const expectedResult = call(referenceDense, expected);
  const result = call(kernels, actual);
  if (typeof expectedResult === 'number') {
    assert.ok(close(Number(result), expectedResult, tolerance), `${title}: result ${result}, expected ${expectedResult}`);
  }
  for (const name of names) {
    assertClose(`${title}: ${name}`, actual[name] as Float32Array, expected[name] as Float32Array, tolerance);
    assertGuards(`${title}: ${name}`, actual[name] as Float32Array);
  }
  return actual;
}

/** Equal bit for bit. */
export function assertSameBits(what: string, actual: Float32Array, expected: Float32Array): void {
  assert.deepEqual(new Uint32Array(new Float32Array(actual).buffer), new Uint32Array(new Float32Array(expected).buffer), what);
}
