import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Activation } from '../../../src/kernels/index.js';
import type { DenseKernels } from '../../../src/kernels/reference/dense.js';
import { assertSameBits, check, describeDense, epsilon, Random } from './support.js';

type Case = {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly gaps: readonly [number, number, number];
  readonly accumulate: boolean;
  readonly bias: boolean;
  readonly activation: Activation;
};

function runCase(kernels: DenseKernels, random: Random, c: Case): void {
  const { transA, transB, m, n, k } = c;
  const lda = (transA ? m : k) + c.gaps[0];
  const ldb = (transB ? k : n) + c.gaps[1];
  const ldc = n + c.gaps[2];
  const size = (rows: number, columns: number, ld: number) => (rows === 0 || columns === 0 ? 0 : (rows - 1) * ld + columns);
  const arrays = {
    a: random.values(transA ? size(k, m, lda) : size(m, k, lda)),
    b: random.values(transB ? size(n, k, ldb) : size(k, n, ldb)),
    c: random.values(size(m, n, ldc)),
    bias: random.values(n),
  };
  const tolerance = epsilon * (8 + 2 * k ** 0.5) * Math.max(1, k ** 0.5);
  check(kernels, JSON.stringify(c), arrays, tolerance, (backend, v) =>
    backend.gemm(transA, transB, m, n, k, v.a, lda, v.b, ldb, v.c, ldc, c.accumulate, c.bias ? v.bias : null, c.activation),
  );
}

const plain = { gaps: [0, 0, 0], accumulate: false, bias: false, activation: Activation.none } as const;
const flags = [false, true] as const;

describeDense('gemm', (kernels) => {
  test('multiplies a known pair of matrices in all four transpositions', () => {
    const a = Float32Array.of(1, 2, 3, 4, 5, 6);
    const aT = Float32Array.of(1, 4, 2, 5, 3, 6);
    const b = Float32Array.of(7, 8, 9, 10, 11, 12);
    const bT = Float32Array.of(7, 9, 11, 8, 10, 12);
    for (const transA of flags) {
      for (const transB of flags) {
        const c = new Float32Array(4);
        kernels.gemm(transA, transB, 2, 2, 3, transA ? aT : a, transA ? 2 : 3, transB ? bT : b, transB ? 3 : 2, c, 2, false, null, 0);
        assert.deepEqual([...c], [58, 64, 139, 154]);
      }
    }
  });

  test('agrees with the reference on every edge of the tiles', () => {
    const random = new Random(1);
    for (const m of [1, 2, 5, 6, 7, 8, 11, 12, 13, 14, 25]) {
      for (const n of [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65]) {
        for (const k of [1, 3, 17]) {
          runCase(kernels, random, { ...plain, transA: random.pick(flags), transB: random.pick(flags), m, n, k, gaps: [1, 2, 3] });
        }
      }
    }
  });

  test('agrees with the reference on random shapes, gaps, bias and activation', () => {
    const random = new Random(2);
    for (let i = 0; i < 250; i++) {
      const accumulate = random.pick(flags);
      runCase(kernels, random, {
        transA: random.pick(flags),
        transB: random.pick(flags),
        m: random.below(40),
        n: random.below(80),
        k: random.below(50),
        gaps: [random.below(4), random.below(4), random.below(4)],
        accumulate,
        bias: !accumulate && random.pick(flags),
        activation: accumulate ? 0 : random.pick([0, 1, 2, 3] as const),
      });
    }
  });

  test('agrees with the reference when blocks are cut along m, n and k', () => {
    const random = new Random(3);
    for (const [m, n, k] of [
      [205, 40, 20],
      [13, 1030, 9],
      [20, 33, 1100],
      [3, 1, 1100],
      [300, 1, 70],
      [1, 70, 600],
    ] as const) {
      for (const transA of flags) {
        for (const transB of flags) {
          runCase(kernels, random, { ...plain, transA, transB, m, n, k, bias: true, activation: 1 });
          runCase(kernels, random, { ...plain, transA, transB, m, n, k, gaps: [3, 1, 2], accumulate: true });
          if (m < 100) runCase(kernels, random, { ...plain, transA, transB, m, n, k, gaps: [1100, 1, 0] });
        }
      }
    }
  });

  test('an empty inner dimension gives activation(bias), or leaves C alone when accumulating', () => {
    const none = new Float32Array(0);
    const c = Float32Array.of(5, 5, 5, 5);
    kernels.gemm(false, false, 2, 2, 0, none, 0, none, 2, c, 2, true, null, 0);
    assert.deepEqual([...c], [5, 5, 5, 5]);
    kernels.gemm(false, false, 2, 2, 0, none, 0, none, 2, c, 2, false, Float32Array.of(-1, 3), Activation.relu);
    assert.deepEqual([...c], [0, 3, 0, 3]);
    kernels.gemm(false, false, 0, 2, 3, none, 3, new Float32Array(6), 2, none, 2, false, null, 0);
  });

  test("an example's result has the same bits in whichever row of whichever chunk it is", () => {
    const random = new Random(4);
    for (const n of [1, 13, 16, 33, 70]) {
      for (const k of [13, 100, 530]) {
        const weight = random.values(k * n);
        const rows = random.values(61 * k);
        const all = new Float32Array(61 * n);
        kernels.gemm(false, false, 61, n, k, rows, k, weight, n, all, n, false, null, 0);
        const one = new Float32Array(n);
        for (let r = 0; r < 61; r++) {
          kernels.gemm(false, false, 1, n, k, rows.subarray(r * k), k, weight, n, one, n, false, null, 0);
          assertSameBits(`row ${r} of n ${n}, k ${k}`, one, all.subarray(r * n, (r + 1) * n));
        }
      }
    }
  });

  test('the same call gives the same bits wherever its buffers lie', () => {
    const random = new Random(5);
    const [m, n, k] = [29, 45, 77];
    const a = random.values(m * k);
    const b = random.values(k * n);
    const run = (shift: number) => {
      const place = (values: Float32Array) => {
        const view = new Float32Array(values.length + shift).subarray(shift);
        view.set(values);
        return view;
      };
      const c = place(new Float32Array(m * n));
      kernels.gemm(false, false, m, n, k, place(a), k, place(b), n, c, n, false, null, Activation.tanh);
      return c;
    };
    const first = run(0);
    for (let shift = 1; shift < 8; shift++) assertSameBits(`shift ${shift}`, run(shift), first);
  });

  test('NaN and infinity reach the outputs that depend on them and no others', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const [m, n, k] = [14, 35, 5];
      const a = new Float32Array(m * k).fill(1);
      const b = new Float32Array(k * n).fill(1);
      a[3 * k + 2] = bad;
      const c = new Float32Array(m * n);
      kernels.gemm(false, false, m, n, k, a, k, b, n, c, n, false, null, Activation.relu);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) assert.ok(Object.is(c[i * n + j], i === 3 ? bad : 5), `${bad} at ${i}, ${j}: ${c[i * n + j]}`);
      }
    }
  });
});
