import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Activation } from '../../../src/kernels/index.js';
import { referenceDense } from '../../../src/kernels/reference/dense.js';
import { assertClose, assertSameBits, check, describeDense, epsilon, Random } from './support.js';

const lengths = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 257];
const activations = [0, 1, 2, 3] as const;
const flags = [false, true] as const;
/** Results below the smallest normal float32 may come out as zero. */
const smallestNormal = 2 ** -126;

describeDense('element-wise kernels', (kernels) => {
  test('activations and their derivatives agree with the reference at every length', () => {
    const random = new Random(1);
    for (const activation of activations) {
      for (const n of lengths) {
        const arrays = { x: random.values(n).map((v) => v * 6), y: random.values(n) };
        check(kernels, `forward ${activation} ${n}`, arrays, 4 * epsilon, (k, v) => k.activationForward(activation, n, v.x, v.y));
        for (const accumulate of flags) {
          const backward = { y: random.values(n), dY: random.values(n), dX: random.values(n) };
          check(kernels, `backward ${activation} ${n} ${accumulate}`, backward, 8 * epsilon, (k, v) =>
            k.activationBackward(activation, n, v.y, v.dY, v.dX, accumulate),
          );
        }
      }
    }
  });

  test('activations work in place', () => {
    const random = new Random(2);
    for (const activation of activations) {
      check(kernels, `in place ${activation}`, { x: random.values(45) }, 4 * epsilon, (k, v) =>
        k.activationForward(activation, 45, v.x, v.x),
      );
      check(kernels, `backward in place ${activation}`, { y: random.values(45), d: random.values(45) }, 8 * epsilon, (k, v) =>
        k.activationBackward(activation, 45, v.y, v.d, v.d, false),
      );
    }
  });

  test('sigmoid and tanh are within a few units in the last place over their whole range', () => {
    const count = 40001;
    const x = new Float32Array(count);
    for (let i = 0; i < count; i++) x[i] = (i - 20000) / 180;
    const y = new Float32Array(count);
    for (const activation of [Activation.sigmoid, Activation.tanh]) {
      kernels.activationForward(activation, count, x, y);
      for (let i = 0; i < count; i++) {
        const exact = activation === Activation.sigmoid ? 1 / (1 + Math.exp(-(x[i] ?? 0))) : Math.tanh(x[i] ?? 0);
        const error = Math.abs((y[i] ?? 0) - exact);
        assert.ok(
          error <= Math.abs(exact) * 8 * epsilon + smallestNormal,
          `activation ${activation} of ${x[i]}: ${y[i]}, exactly ${exact}`,
        );
      }
    }
  });

  test('extreme inputs of activations saturate, and NaN stays NaN', () => {
    const x = Float32Array.of(Number.NEGATIVE_INFINITY, -1e30, -100, -0, 0, 100, 1e30, Number.POSITIVE_INFINITY, Number.NaN);
    for (const activation of activations) {
      const y = new Float32Array(x.length);
      const expected = new Float32Array(x.length);
      kernels.activationForward(activation, x.length, x, y);
      referenceDense.activationForward(activation, x.length, x, expected);
      assertClose(`activation ${activation}`, y, expected, 1e-6);
    }
  });

  test('column sums, copies and arithmetic agree with the reference', () => {
    const random = new Random(3);
    for (const n of lengths) {
      for (const accumulate of flags) {
        const m = random.below(20);
        const [gap, gap2] = [random.below(3), random.below(3)];
        const size = (ld: number) => (m === 0 || n === 0 ? 0 : (m - 1) * ld + n);
        const title = `${m}×${n} ${accumulate}`;
        const sums = { x: random.values(size(n + gap)), out: random.values(n) };
        check(kernels, `columnSum ${title}`, sums, 64 * epsilon, (k, v) => k.columnSum(m, n, v.x, n + gap, v.out, accumulate));
        const copies = { src: random.values(size(n + gap)), dst: random.values(size(n + gap2)) };
        check(kernels, `copyColumns ${title}`, copies, epsilon, (k, v) => k.copyColumns(m, n, v.src, n + gap, v.dst, n + gap2, accumulate));
        const pair = { a: random.values(n), b: random.values(n), out: random.values(n) };
        check(kernels, `multiply ${title}`, pair, 2 * epsilon, (k, v) => k.multiply(n, v.a, v.b, v.out, accumulate));
      }
      check(kernels, `axpy ${n}`, { x: random.values(n), y: random.values(n) }, 2 * epsilon, (k, v) => k.axpy(n, 0.3, v.x, v.y));
      check(kernels, `scale ${n}`, { x: random.values(n) }, 2 * epsilon, (k, v) => k.scale(n, -0.7, v.x));
      const cross = { x0: random.values(n), u: random.values(n), x: random.values(n), y: random.values(n) };
      check(kernels, `crossV2Forward ${n}`, cross, 2 * epsilon, (k, v) => k.crossV2Forward(n, v.x0, v.u, v.x, v.y));
      const back = { ...cross, dU: random.values(n), dX0: random.values(n), dX: random.values(n) };
      check(kernels, `crossV2Backward ${n}`, back, 4 * epsilon, (k, v) => k.crossV2Backward(n, v.x0, v.u, v.y, v.dU, v.dX0, v.dX));
      check(kernels, `crossV2Backward first layer ${n}`, back, 4 * epsilon, (k, v) =>
        k.crossV2Backward(n, v.x0, v.u, v.y, v.dU, v.dX, v.dX),
      );
    }
  });

  test('sumSquares has the same bits as the reference, in blocks of 4096', () => {
    const random = new Random(4);
    for (const n of [...lengths, 4095, 4096, 4097, 10000]) {
      const x = random.values(n);
      assert.equal(kernels.sumSquares(n, x), referenceDense.sumSquares(n, x));
    }
    const x = random.values(8192);
    assert.equal(kernels.sumSquares(8192, x), kernels.sumSquares(4096, x) + kernels.sumSquares(4096, x.subarray(4096)));
  });

  test('firstNonFinite finds the first NaN or infinity, and only within n', () => {
    for (const at of [0, 1, 15, 16, 511, 512, 700]) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const x = new Float32Array(1000).fill(3.4e38);
        x[at] = bad;
        x[900] = bad;
        assert.equal(kernels.firstNonFinite(1000, x), at);
        assert.equal(kernels.firstNonFinite(at, x), -1);
      }
    }
    assert.equal(kernels.firstNonFinite(0, new Float32Array(0)), -1);
  });

  test('dropout masks have the same bits in every backend, follow the index alone and keep the stated share', () => {
    for (const [rate, low, high, first] of [
      [0.5, 1, 2, 0],
      [0.1, 0xffffffff, 0xffffffff, 123456789012],
      [0.25, 0, 0x80000000, 4294967290],
      [0, 7, 7, 7],
      [1, 7, 7, 7],
    ] as const) {
      const n = 2001;
      const mask = new Float32Array(n);
      const expected = new Float32Array(n);
      kernels.dropoutMask(n, rate, low, high, first, mask);
      referenceDense.dropoutMask(n, rate, low, high, first, expected);
      assertSameBits(`rate ${rate}`, mask, expected);
      const part = new Float32Array(100);
      kernels.dropoutMask(100, rate, low, high, first + 700, part);
      assertSameBits('part', part, mask.subarray(700, 800));
      const dropped = mask.filter((value) => value === 0).length / n;
      assert.ok(Math.abs(dropped - rate) < 0.05, `rate ${rate}: dropped ${dropped}`);
    }
  });

  test('the dropout mask is the stated function of mix64', () => {
    const mask = new Float32Array(64);
    const seed = 0x0123456789abcdefn;
    kernels.dropoutMask(64, 0.3, Number(seed & 0xffffffffn), Number(seed >> 32n), 9007199254000000, mask);
    const word = (1n << 64n) - 1n;
    for (let i = 0; i < 64; i++) {
      let z = (seed + (9007199254000000n + BigInt(i)) * 0x9e3779b97f4a7c15n + 0x9e3779b97f4a7c15n) & word;
      z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & word;
      z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & word;
      z ^= z >> 31n;
      assert.equal(mask[i], Number(z >> 40n) >= 0.3 * 2 ** 24 ? Math.fround(1 / 0.7) : 0);
    }
  });
});
