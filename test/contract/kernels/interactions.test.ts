import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DenseKernels } from '../../../src/kernels/reference/dense.js';
import { assertClose, check, describeDense, epsilon, Random } from './support.js';

const flags = [false, true] as const;
const dims = [1, 3, 4, 8, 10, 16, 17, 32, 40, 64] as const;

/** Σ out·weights as a function of x, by central differences: exact for the quadratic forms here. */
function numericGradient(x: Float32Array, weights: Float32Array, forward: (x: Float32Array) => Float32Array): Float32Array {
  const h = 0.5;
  const total = (at: Float32Array) => forward(at).reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
  return x.map((value, i) => {
    const up = new Float32Array(x);
    up[i] = value + h;
    const down = new Float32Array(x);
    down[i] = value - h;
    return (total(up) - total(down)) / (2 * h);
  });
}

function fm(kernels: DenseKernels, m: number, f: number, d: number, e: Float32Array): Float32Array {
  const out = new Float32Array(m);
  kernels.fmForward(m, f, d, e, f * d, new Float32Array(m * d), out);
  return out;
}

describeDense('interactions', (kernels) => {
  test('the factorization machine agrees with the reference', () => {
    const random = new Random(1);
    for (const d of dims) {
      for (const f of [0, 1, 2, 27]) {
        const m = random.below(5) + 1;
        const [gap, gap2] = [random.below(4), random.below(4)];
        const forward = { e: random.values(m * (f * d + gap)), sums: random.values(m * d), out: random.values(m) };
        const title = `${m} ${f} ${d}`;
        const done = check(kernels, `fmForward ${title}`, forward, epsilon * 32 * d * (f + 1), (k, v) =>
          k.fmForward(m, f, d, v.e, f * d + gap, v.sums, v.out),
        );
        for (const accumulate of flags) {
          const back = { e: forward.e, sums: done.sums, dOut: random.values(m), dE: random.values(m * (f * d + gap2)) };
          check(kernels, `fmBackward ${title}`, back, 16 * epsilon * (f + 1), (k, v) =>
            k.fmBackward(m, f, d, v.e, f * d + gap, v.sums, v.dOut, v.dE, f * d + gap2, accumulate),
          );
        }
      }
    }
  });

  test('pairwise dots agree with the reference and come in the stated order', () => {
    const out = new Float32Array(3);
    kernels.dotForward(1, 3, 2, Float32Array.of(1, 2, 3, 4, 5, 6), 6, out, 3);
    assert.deepEqual([...out], [11, 17, 39]);
    const random = new Random(2);
    for (const d of dims) {
      for (const v of [0, 1, 2, 5, 8, 9, 12, 13, 16, 17, 27, 32, 33, 40]) {
        const m = random.below(3) + 1;
        const pairs = (v * (v - 1)) / 2;
        const [gap, gap2, gap3] = [random.below(4), random.below(4), random.below(4)];
        const title = `${m} ${v} ${d}`;
        const forward = { x: random.values(m * (v * d + gap)), out: random.values((m - 1) * (pairs + gap2) + pairs) };
        check(kernels, `dotForward ${title}`, forward, epsilon * 4 * (d + 2), (k, a) =>
          k.dotForward(m, v, d, a.x, v * d + gap, a.out, pairs + gap2),
        );
        for (const accumulate of flags) {
          const back = {
            x: forward.x,
            dOut: random.values((m - 1) * (pairs + gap2) + pairs),
            dX: random.values((m - 1) * (v * d + gap3) + v * d),
          };
          check(kernels, `dotBackward ${title} ${accumulate}`, back, epsilon * 4 * (v + 2), (k, a) =>
            k.dotBackward(m, v, d, a.x, v * d + gap, a.dOut, pairs + gap2, a.dX, v * d + gap3, accumulate),
          );
        }
      }
    }
  });

  test('the field-aware factorization machine agrees with the reference', () => {
    const random = new Random(3);
    for (const d of dims) {
      for (const f of [0, 1, 2, 7]) {
        const m = random.below(4);
        const forward = { e: random.values(m * f * f * d), out: random.values(m) };
        check(kernels, `ffmForward ${m} ${f} ${d}`, forward, epsilon * 4 * (d * f * f + 1), (k, v) => k.ffmForward(m, f, d, v.e, v.out));
        for (const accumulate of flags) {
          const back = { e: forward.e, dOut: random.values(m), dE: random.values(m * f * f * d) };
          check(kernels, `ffmBackward ${m} ${f} ${d}`, back, 4 * epsilon, (k, v) => k.ffmBackward(m, f, d, v.e, v.dOut, v.dE, accumulate));
        }
      }
    }
  });

  test('the cross layer and the outer product agree with the reference', () => {
    const random = new Random(4);
    for (const n of [0, 1, 4, 15, 16, 33, 70, 429]) {
      const m = random.below(6) + 1;
      const all = { x0: random.values(m * n), x: random.values(m * n), w: random.values(n), s: random.values(m), y: random.values(m * n) };
      check(kernels, `crossV1Forward ${m} ${n}`, { ...all, bias: random.values(n) }, epsilon * 4 * (n + 4), (k, v) =>
        k.crossV1Forward(m, n, v.x0, v.x, v.w, v.bias, v.s, v.y),
      );
      const back = { ...all, dX0: random.values(m * n), dX: random.values(m * n), dW: random.values(n), dBias: random.values(n) };
      check(kernels, `crossV1Backward ${m} ${n}`, back, epsilon * 4 * (n + 4), (k, v) =>
        k.crossV1Backward(m, n, v.x0, v.x, v.w, v.s, v.y, v.dX0, v.dX, v.dW, v.dBias),
      );
      check(kernels, `crossV1Backward first layer ${m} ${n}`, back, epsilon * 4 * (n + 4), (k, v) =>
        k.crossV1Backward(m, n, v.x0, v.x0, v.w, v.s, v.y, v.dX, v.dX, v.dW, v.dBias),
      );
    }
    for (const [p, q] of [
      [0, 3],
      [1, 1],
      [3, 0],
      [5, 17],
      [26, 16],
      [17, 40],
    ] as const) {
      const m = random.below(4) + 1;
      const all = { a: random.values(m * p), b: random.values(m * q), out: random.values(m * p * q) };
      check(kernels, `outerForward ${m} ${p} ${q}`, all, 2 * epsilon, (k, v) => k.outerForward(m, p, q, v.a, v.b, v.out));
      check(kernels, `outerBackward ${m} ${p} ${q}`, { ...all, dA: random.values(m * p), dB: random.values(m * q) }, 64 * epsilon, (k, v) =>
        k.outerBackward(m, p, q, v.a, v.b, v.out, v.dA, v.dB),
      );
      for (const accumulate of flags) {
        check(kernels, `transposeInner ${m} ${p} ${q}`, { x: all.out, out: random.values(m * p * q) }, epsilon, (k, v) =>
          k.transposeInner(m, p, q, v.x, v.out, accumulate),
        );
      }
    }
  });

  test('backward passes are the derivatives of the forward passes', () => {
    const random = new Random(5);
    const [m, f, d] = [2, 4, 3];
    const e = random.values(m * f * d);
    const dOut = random.values(m);
    const sums = new Float32Array(m * d);
    kernels.fmForward(m, f, d, e, f * d, sums, new Float32Array(m));
    const dE = new Float32Array(m * f * d);
    kernels.fmBackward(m, f, d, e, f * d, sums, dOut, dE, f * d, false);
    assertClose(
      'fm',
      dE,
      numericGradient(e, dOut, (x) => fm(kernels, m, f, d, x)),
      1e-5,
    );

    const pairs = (f * (f - 1)) / 2;
    const dPairs = random.values(m * pairs);
    kernels.dotBackward(m, f, d, e, f * d, dPairs, pairs, dE, f * d, false);
    const dots = (x: Float32Array) => {
      const out = new Float32Array(m * pairs);
      kernels.dotForward(m, f, d, x, f * d, out, pairs);
      return out;
    };
    assertClose('dot', dE, numericGradient(e, dPairs, dots), 1e-5);

    const fields = random.values(m * f * f * d);
    const dFields = new Float32Array(fields.length);
    kernels.ffmBackward(m, f, d, fields, dOut, dFields, false);
    const ffm = (x: Float32Array) => {
      const out = new Float32Array(m);
      kernels.ffmForward(m, f, d, x, out);
      return out;
    };
    assertClose('ffm', dFields, numericGradient(fields, dOut, ffm), 1e-5);

    const n = 7;
    const [x0, x, dY] = [random.values(m * n), random.values(m * n), random.values(m * n)];
    const [w, bias, s] = [random.values(n), random.values(n), new Float32Array(m)];
    const cross = (a: Float32Array, b: Float32Array, c: Float32Array, t: Float32Array) => {
      const y = new Float32Array(m * n);
      kernels.crossV1Forward(m, n, a, b, c, t, s, y);
      return y;
    };
    const [dX0, dX, dW, dBias] = [new Float32Array(m * n), new Float32Array(m * n), new Float32Array(n), new Float32Array(n)];
    cross(x0, x, w, bias);
    kernels.crossV1Backward(m, n, x0, x, w, s, dY, dX0, dX, dW, dBias);
    assertClose(
      'dX0',
      dX0,
      numericGradient(x0, dY, (v) => cross(v, x, w, bias)),
      1e-5,
    );
    assertClose(
      'dX',
      dX,
      numericGradient(x, dY, (v) => cross(x0, v, w, bias)),
      1e-5,
    );
    assertClose(
      'dW',
      dW,
      numericGradient(w, dY, (v) => cross(x0, x, v, bias)),
      1e-5,
    );
    assertClose(
      'dBias',
      dBias,
      numericGradient(bias, dY, (v) => cross(x0, x, w, v)),
      1e-5,
    );
  });
});
