import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Activation, Precision } from '../../../src/kernels/index.js';
import { roundToBf16 } from '../../../src/kernels/reference/bf16.js';
import type { DenseKernels } from '../../../src/kernels/reference/dense.js';
import { assertGuards, assertSameBits, check, describeDense, epsilon, guarded, Random } from './support.js';

const precisions = [Precision.fp32, Precision.bf16] as const;
const flags = [false, true] as const;

/**
 * Room for the rounding of sums of k products of values in ±1. It is the same for both precisions: operands are rounded alike everywhere, so
 * implementations differ in float32 sums only. AVX512-BF16 rounds within a pair as it likes: twice the room.
 */
function toleranceOf(precision: Precision, k: number): number {
  return (precision === Precision.bf16 ? 2 : 1) * epsilon * (8 + 2 * k ** 0.5) * Math.max(1, k ** 0.5);
}

function packed(kernels: DenseKernels, precision: Precision, transposed: boolean, n: number, k: number, b: Float32Array, ldb: number) {
  const view = guarded(new Float32Array(kernels.packedWeightsLength(precision, n, k)), (n + k) % 16);
  kernels.packWeights(precision, transposed, n, k, b, ldb, view);
  assertGuards('packed', view);
  return view;
}

type Case = {
  readonly precision: Precision;
  readonly transposed: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly gaps: readonly [number, number, number, number];
  readonly accumulate: boolean;
  readonly bias: boolean;
  readonly activation: Activation;
  readonly slope: Activation;
};

const size = (rows: number, columns: number, ld: number) => (rows === 0 || columns === 0 ? 0 : (rows - 1) * ld + columns);

function runPacked(kernels: DenseKernels, random: Random, c: Case): void {
  const { precision, m, n, k, gaps } = c;
  const [lda, ldb, ldc, ldy] = [k + gaps[0], (c.transposed ? k : n) + gaps[1], n + gaps[2], n + gaps[3]];
  const arrays = {
    a: random.values(size(m, k, lda)),
    b: random.values(c.transposed ? size(n, k, ldb) : size(k, n, ldb)),
    c: random.values(size(m, n, ldc)),
    bias: random.values(n),
    y: random.values(size(m, n, ldy)),
  };
  check(kernels, JSON.stringify(c), arrays, toleranceOf(precision, k), (backend, v) => {
    const weights = packed(backend, precision, c.transposed, n, k, v.b, ldb);
    const y = c.slope === Activation.none ? null : v.y;
    backend.gemmPacked(
      precision,
      m,
      n,
      k,
      v.a,
      lda,
      weights,
      v.c,
      ldc,
      c.accumulate,
      c.bias ? v.bias : null,
      c.activation,
      c.slope,
      y,
      ldy,
    );
    assertGuards('packed', weights);
  });
}

function runGradient(
  kernels: DenseKernels,
  random: Random,
  precision: Precision,
  rows: number,
  inputs: number,
  units: number,
  gaps: readonly [number, number],
  bias = true,
): void {
  const [ldx, lddZ] = [inputs + gaps[0], units + gaps[1]];
  const arrays = {
    x: random.values(size(rows, inputs, ldx)),
    dZ: random.values(size(rows, units, lddZ)),
    dWeight: random.values(inputs * units),
    dBias: random.values(units),
  };
  const title = `weightGradient, precision ${precision}, rows ${rows}, inputs ${inputs}, units ${units}, gaps ${gaps}`;
  check(kernels, title, arrays, toleranceOf(precision, rows), (backend, v) =>
    backend.weightGradient(precision, rows, inputs, units, v.x, ldx, v.dZ, lddZ, v.dWeight, bias ? v.dBias : null),
  );
}

const plain = { gaps: [0, 0, 0, 0], accumulate: false, bias: false, activation: 0, slope: 0 } as const;

test('numbers are rounded to bfloat16 to the nearest, ties to even', () => {
  for (const [x, expected] of [
    [1, 1],
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [1 + 2 ** -8 + 2 ** -20, 1 + 2 ** -7],
    [-(1 + 2 ** -8 + 2 ** -20), -(1 + 2 ** -7)],
    [3.4e38, Number.POSITIVE_INFINITY],
    [3.38e38, 254 * 2 ** 120],
    [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    [Number.NaN, Number.NaN],
    [-0, -0],
  ] as const) {
    assert.ok(Object.is(roundToBf16(Math.fround(x)), expected), `${x} gives ${roundToBf16(Math.fround(x))}, expected ${expected}`);
  }
});

describeDense('packed products', (kernels) => {
  for (const precision of precisions) {
    const name = precision === Precision.bf16 ? 'bf16' : 'fp32';

    test(`${name}: agrees with the reference on every edge of the tiles`, () => {
      const random = new Random(1);
      for (const m of [1, 2, 5, 6, 7, 8, 11, 12, 13, 14, 25]) {
        for (const n of [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65]) {
          for (const k of [1, 2, 3, 16, 17, 33]) {
            runPacked(kernels, random, { ...plain, precision, transposed: random.pick(flags), m, n, k, gaps: [1, 2, 3, 1] });
            runGradient(kernels, random, precision, k, m, n, [random.below(3), random.below(3)]);
          }
        }
      }
    });

    test(`${name}: agrees with the reference on random shapes, gaps, bias, activation and slope`, () => {
      const random = new Random(2);
      for (let i = 0; i < 250; i++) {
        const accumulate = random.pick(flags);
        const slope = random.pick([0, 0, 1, 2, 3] as const);
        const [m, n, k] = [random.below(40), random.below(80), random.below(50)];
        runPacked(kernels, random, {
          precision,
          transposed: random.pick(flags),
          m,
          n,
          k,
          gaps: [random.below(4), random.below(4), random.below(4), random.below(4)],
          accumulate,
          bias: !accumulate && slope === 0 && random.pick(flags),
          activation: accumulate || slope !== 0 ? 0 : random.pick([0, 1, 2, 3] as const),
          slope,
        });
        runGradient(kernels, random, precision, k, m, n, [random.below(4), random.below(4)], random.pick(flags));
      }
    });

    test(`${name}: agrees with the reference when blocks are cut along m, n and k`, () => {
      const random = new Random(3);
      for (const [m, n, k] of [
        [205, 40, 20],
        [13, 1030, 9],
        [20, 33, 1101],
        [3, 1, 1100],
        [300, 1, 71],
        [1, 70, 600],
      ] as const) {
        for (const transposed of flags) {
          runPacked(kernels, random, { ...plain, precision, transposed, m, n, k, bias: true, activation: 1 });
          runPacked(kernels, random, { ...plain, precision, transposed, m, n, k, gaps: [3, 1, 2, 1], accumulate: true, slope: 1 });
        }
        runGradient(kernels, random, precision, k, m, n, [0, 0]);
        runGradient(kernels, random, precision, k, m, n, [1100, 3]);
      }
    });

    test(`${name}: an example's result has the same bits in whichever row of whichever chunk it is`, () => {
      const random = new Random(4);
      for (const n of [1, 13, 16, 33, 70]) {
        for (const k of [13, 100, 530]) {
          const weights = packed(kernels, precision, false, n, k, random.values(k * n), n);
          const rows = random.values(61 * k);
          const all = new Float32Array(61 * n);
          kernels.gemmPacked(precision, 61, n, k, rows, k, weights, all, n, false, null, 0, 0, null, 0);
          const one = new Float32Array(n);
          for (let r = 0; r < 61; r++) {
            kernels.gemmPacked(precision, 1, n, k, rows.subarray(r * k), k, weights, one, n, false, null, 0, 0, null, 0);
            assertSameBits(`row ${r} of n ${n}, k ${k}`, one, all.subarray(r * n, (r + 1) * n));
          }
        }
      }
    });

    test(`${name}: NaN and infinity reach the outputs that depend on them and no others`, () => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const [m, n, k] = [14, 35, 5];
        const a = new Float32Array(m * k).fill(1);
        a[3 * k + 2] = bad;
        const weights = packed(kernels, precision, false, n, k, new Float32Array(k * n).fill(1), n);
        const c = new Float32Array(m * n);
        kernels.gemmPacked(precision, m, n, k, a, k, weights, c, n, false, null, Activation.relu, 0, null, 0);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) assert.ok(Object.is(c[i * n + j], i === 3 ? bad : 5), `${bad} at ${i}, ${j}: ${c[i * n + j]}`);
        }
      }
    });
  }

  test('bf16 rounds both operands, and the bias gradient is not rounded', () => {
    const x = Float32Array.of(1 + 2 ** -9 + 2 ** -20, 3);
    const weights = packed(kernels, Precision.bf16, false, 1, 2, Float32Array.of(1 - 2 ** -10, 1), 1);
    const y = new Float32Array(1);
    kernels.gemmPacked(Precision.bf16, 1, 1, 2, x, 2, weights, y, 1, false, null, 0, 0, null, 0);
    assert.equal(y[0], 4);
    const dWeight = new Float32Array(2);
    const dBias = new Float32Array(1);
    kernels.weightGradient(Precision.bf16, 1, 2, 1, x, 2, Float32Array.of(1 + 2 ** -10), 1, dWeight, dBias);
    assert.deepEqual([...dWeight, ...dBias], [1, 3, 1 + 2 ** -10]);
  });

  test('without rounding the packed product has the bits of gemm', () => {
    const random = new Random(6);
    for (const [m, n, k] of [
      [30, 70, 600],
      [30, 1, 40],
      [40, 16, 30],
    ] as const) {
      for (const transposed of flags) {
        const a = random.values(m * k);
        const b = random.values(n * k);
        const ldb = transposed ? k : n;
        const [expected, actual] = [new Float32Array(m * n), new Float32Array(m * n)];
        kernels.gemm(false, transposed, m, n, k, a, k, b, ldb, expected, n, false, null, Activation.tanh);
        const weights = packed(kernels, Precision.fp32, transposed, n, k, b, ldb);
        kernels.gemmPacked(Precision.fp32, m, n, k, a, k, weights, actual, n, false, null, Activation.tanh, 0, null, 0);
        if (kernels.packedWeightsLength(Precision.fp32, n, k) > n * k) assertSameBits(`${m}, ${n}, ${k}`, actual, expected);
      }
    }
  });
});
