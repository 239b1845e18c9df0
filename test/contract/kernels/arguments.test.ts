import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MonolithError } from '../../../src/base/index.js';
import type { DenseKernels } from '../../../src/kernels/reference/dense.js';
import { describeDense } from './support.js';

type Argument = unknown;
const f = (length: number) => new Float32Array(length);

/** A right call of every kernel, as plain arguments. Arrays are exactly as long as needed. */
const callsOf = (kernels: DenseKernels): { readonly [Name in keyof DenseKernels]: () => Argument[] } => ({
  packedWeightsLength: () => [1, 4, 5],
  packWeights: () => [1, true, 4, 5, f(20), 5, f(kernels.packedWeightsLength(1, 4, 5))],
  gemmPacked: () => [0, 3, 4, 5, f(15), 5, f(kernels.packedWeightsLength(0, 4, 5)), f(12), 4, true, null, 0, 1, f(12), 4],
  weightGradient: () => [1, 3, 4, 5, f(12), 4, f(15), 5, f(20), f(5)],
  gemm: () => [false, false, 3, 4, 5, f(15), 5, f(20), 4, f(12), 4, false, f(4), 1],
  activationForward: () => [1, 5, f(5), f(5)],
  activationBackward: () => [2, 5, f(5), f(5), f(5), true],
  columnSum: () => [3, 4, f(12), 4, f(4), false],
  copyColumns: () => [3, 4, f(12), 4, f(12), 4, true],
  axpy: () => [5, 0.5, f(5), f(5)],
  scale: () => [5, 0.5, f(5)],
  multiply: () => [5, f(5), f(5), f(5), false],
  sumSquares: () => [5, f(5)],
  firstNonFinite: () => [5, f(5)],
  fmForward: () => [2, 3, 4, f(24), 12, f(8), f(2)],
  fmBackward: () => [2, 3, 4, f(24), 12, f(8), f(2), f(24), 12, false],
  dotForward: () => [2, 3, 4, f(24), 12, f(6), 3],
  dotBackward: () => [2, 3, 4, f(24), 12, f(6), 3, f(24), 12, false],
  crossV1Forward: () => [2, 3, f(6), f(6), f(3), f(3), f(2), f(6)],
  crossV1Backward: () => [2, 3, f(6), f(6), f(3), f(2), f(6), f(6), f(6), f(3), f(3)],
  crossV2Forward: () => [5, f(5), f(5), f(5), f(5)],
  crossV2Backward: () => [5, f(5), f(5), f(5), f(5), f(5), f(5)],
  outerForward: () => [2, 3, 4, f(6), f(8), f(24)],
  outerBackward: () => [2, 3, 4, f(6), f(8), f(24), f(6), f(8)],
  transposeInner: () => [2, 3, 4, f(24), f(24), false],
  ffmForward: () => [2, 3, 4, f(72), f(2)],
  ffmBackward: () => [2, 3, 4, f(72), f(2), f(72), false],
  columnMoments: () => [3, 4, f(12), f(4), f(4)],
  batchNormForward: () => [3, 4, f(12), f(4), f(4), f(4), f(4), f(12), f(12)],
  batchNormBackward: () => [3, 4, f(12), f(4), f(4), f(12), f(12), false, f(4), f(4)],
  dropoutMask: () => [5, 0.5, 1, 2, 0, f(5)],
  bceWithLogits: () => [5, f(5), f(5), f(5), 1, f(5)],
  mseLoss: () => [5, f(5), f(5), f(5), 1, f(5)],
});

function refused(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof MonolithError;
}

describeDense('arguments', (kernels) => {
  const calls = callsOf(kernels);
  const call = (name: keyof DenseKernels, values: Argument[]) =>
    (kernels[name] as unknown as (...values: Argument[]) => unknown)(...values);
  const names = Object.keys(calls) as (keyof DenseKernels)[];

  test('right calls run', () => {
    for (const name of names) call(name, calls[name]());
  });

  test('a view one element too short is refused in every place', () => {
    for (const name of names) {
      calls[name]().forEach((value, i) => {
        if (!(value instanceof Float32Array)) return;
        const values = calls[name]();
        values[i] = f(value.length - 1);
        assert.throws(() => call(name, values), refused, `${name}, argument ${i}`);
      });
    }
  });

  test('another element type or no array at all is refused in every place', () => {
    for (const name of names) {
      calls[name]().forEach((value, i) => {
        if (!(value instanceof Float32Array)) return;
        for (const wrong of [new Float64Array(100), new Int32Array(100), [1, 2, 3], 'text', { length: 100 }, 7]) {
          const values = calls[name]();
          values[i] = wrong;
          assert.throws(() => call(name, values), refused, `${name}, argument ${i}`);
        }
      });
    }
  });

  test('sizes that are negative, fractional, NaN or immense are refused', () => {
    for (const name of names) {
      const sizes = calls[name]().findIndex((value) => value instanceof Float32Array);
      for (let i = 0; i < sizes; i++) {
        const value = calls[name]()[i];
        // Not sizes: flags, and the factors of axpy, scale and dropoutMask.
        if (typeof value !== 'number' || !Number.isInteger(value) || name === 'dropoutMask') continue;
        for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 62]) {
          const values = calls[name]();
          values[i] = wrong;
          assert.throws(() => call(name, values), refused, `${name}, argument ${i} = ${wrong}`);
        }
      }
    }
  });

  test('a slope without an output, unknown precisions and immense packed weights are refused', () => {
    const packed = f(kernels.packedWeightsLength(0, 4, 5));
    assert.throws(() => kernels.gemmPacked(0, 3, 4, 5, f(15), 5, packed, f(12), 4, false, null, 0, 1, null, 4), refused);
    assert.throws(() => kernels.gemmPacked(2 as 0, 3, 4, 5, f(15), 5, packed, f(12), 4, false, null, 0, 0, null, 0), refused);
    assert.throws(() => kernels.packedWeightsLength(-1 as 0, 4, 5), refused);
    assert.throws(() => kernels.packedWeightsLength(0, 2 ** 40, 2 ** 40), refused);
  });

  test('row distances below the number of columns are refused', () => {
    assert.throws(() => kernels.gemm(false, false, 3, 4, 5, f(100), 4, f(100), 4, f(100), 4, false, null, 0), refused);
    assert.throws(() => kernels.gemm(false, false, 3, 4, 5, f(100), 5, f(100), 3, f(100), 4, false, null, 0), refused);
    assert.throws(() => kernels.gemm(false, false, 3, 4, 5, f(100), 5, f(100), 4, f(100), -4, false, null, 0), refused);
    assert.throws(() => kernels.dotForward(2, 3, 4, f(100), 11, f(100), 3), refused);
  });

  test('accumulate together with bias or activation is refused', () => {
    assert.throws(() => kernels.gemm(false, false, 3, 4, 5, f(15), 5, f(20), 4, f(12), 4, true, f(4), 0), refused);
    assert.throws(() => kernels.gemm(false, false, 3, 4, 5, f(15), 5, f(20), 4, f(12), 4, true, null, 1), refused);
    const packed = f(kernels.packedWeightsLength(0, 4, 5));
    assert.throws(() => kernels.gemmPacked(0, 3, 4, 5, f(15), 5, packed, f(12), 4, true, f(4), 0, 0, null, 0), refused);
    assert.throws(() => kernels.gemmPacked(0, 3, 4, 5, f(15), 5, packed, f(12), 4, false, null, 1, 1, f(12), 4), refused);
  });

  test('dropout rates outside 0 to 1 and seeds beyond 32 bits are refused', () => {
    for (const rate of [-0.1, 1.1, Number.NaN]) assert.throws(() => kernels.dropoutMask(5, rate, 1, 2, 0, f(5)), refused);
    assert.throws(() => kernels.dropoutMask(5, 0.5, 2 ** 32, 2, 0, f(5)), refused);
    assert.throws(() => kernels.dropoutMask(5, 0.5, 1, -1, 0, f(5)), refused);
  });
});
