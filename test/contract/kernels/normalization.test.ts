import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertClose, check, describeDense, epsilon, Random } from './support.js';

const flags = [false, true] as const;

describeDense('batch norm and losses', (kernels) => {
  test('column moments are means and biased variances, also far from zero', () => {
    const mean = new Float32Array(2);
    const variance = new Float32Array(2);
    kernels.columnMoments(3, 2, Float32Array.of(1, 10000, 2, 10001, 6, 10002), mean, variance);
    assertClose('mean', mean, Float32Array.of(3, 10001), epsilon);
    assertClose('variance', variance, Float32Array.of(14 / 3, 2 / 3), epsilon);
    const random = new Random(1);
    for (const m of [0, 1, 2, 33]) {
      for (const n of [0, 1, 15, 16, 17, 50]) {
        const arrays = { x: random.values(m * n), mean: random.values(n), variance: random.values(n) };
        check(kernels, `columnMoments ${m} ${n}`, arrays, 2 * epsilon, (k, v) => k.columnMoments(m, n, v.x, v.mean, v.variance));
      }
    }
  });

  test('batch norm agrees with the reference in both directions', () => {
    const random = new Random(2);
    for (const m of [0, 1, 2, 33]) {
      for (const n of [0, 1, 15, 16, 17, 50]) {
        const columns = { mean: random.values(n), inverseStd: random.values(n), gamma: random.values(n), beta: random.values(n) };
        const forward = { ...columns, x: random.values(m * n), xHat: random.values(m * n), y: random.values(m * n) };
        check(kernels, `batchNormForward ${m} ${n}`, forward, 4 * epsilon, (k, v) =>
          k.batchNormForward(m, n, v.x, v.mean, v.inverseStd, v.gamma, v.beta, v.xHat, v.y),
        );
        for (const accumulate of flags) {
          const back = {
            ...forward,
            dY: random.values(m * n),
            dX: random.values(m * n),
            dGamma: random.values(n),
            dBeta: random.values(n),
          };
          check(kernels, `batchNormBackward ${m} ${n} ${accumulate}`, back, 16 * epsilon, (k, v) =>
            k.batchNormBackward(m, n, v.xHat, v.inverseStd, v.gamma, v.dY, v.dX, accumulate, v.dGamma, v.dBeta),
          );
        }
      }
    }
  });

  test('binary cross-entropy is stable at large logits and matches known values', () => {
    const gradient = new Float32Array(4);
    const loss = kernels.bceWithLogits(4, Float32Array.of(0, 100, -100, 100), Float32Array.of(1, 1, 0, 0), null, 0.5, gradient);
    assert.ok(Math.abs(loss - (Math.LN2 + 100)) < 1e-12);
    assertClose('gradient', gradient, Float32Array.of(-0.25, 0, 0, 0.5), epsilon);
    assert.ok(Number.isNaN(kernels.bceWithLogits(1, Float32Array.of(Number.NaN), Float32Array.of(1), null, 1, gradient)));
    assert.ok(Number.isNaN(gradient[0]));
  });

  test('losses agree with the reference, with and without weights, in place too', () => {
    const random = new Random(3);
    for (const m of [0, 1, 17, 100]) {
      const arrays = {
        z: random.values(m).map((v) => v * 9),
        labels: random.values(m).map((v) => (v > 0 ? 1 : 0)),
        weights: random.values(m).map(Math.abs),
        d: random.values(m),
      };
      for (const name of ['bceWithLogits', 'mseLoss'] as const) {
        check(kernels, `${name} ${m}`, arrays, 2 * epsilon, (k, v) => k[name](m, v.z, v.labels, null, 1 / 7, v.d));
        check(kernels, `${name} weighted ${m}`, arrays, 2 * epsilon, (k, v) => k[name](m, v.z, v.labels, v.weights, 1 / 7, v.d));
        check(kernels, `${name} in place ${m}`, arrays, 2 * epsilon, (k, v) => k[name](m, v.z, v.labels, v.weights, 1 / 7, v.z));
      }
    }
  });
});
