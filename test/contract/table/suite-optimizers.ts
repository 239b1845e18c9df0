import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptimizerKind, optimizerStateLength } from '../../../src/kernels/index.js';
import { initialState } from '../../../src/kernels/reference/optimizers.js';
import { referenceSparse } from '../../../src/kernels/reference/sparse.js';
import { bits, type Candidate, generator, randomFloats, rules } from './backends.js';

/** One step by the formulas of OptimizerKind in plain double arithmetic, written anew from the docstring. */
function stepInDouble(kind: OptimizerKind, w: number[], grad: number[], state: number[], lr: number, hyper: readonly number[]): void {
  const n = w.length;
  const g = kind === OptimizerKind.movingAverage ? grad : grad.map((value, i) => value + hyper[0] * w[i]);
  for (let i = 0; i < n; i++) {
    if (kind === OptimizerKind.sgd) w[i] -= lr * g[i];
    if (kind === OptimizerKind.adagrad) {
      state[i] += g[i] ** 2;
      w[i] -= (lr * g[i]) / (Math.sqrt(state[i]) + hyper[2]);
    }
    if (kind === OptimizerKind.adam) {
      const rate = (lr * Math.sqrt(1 - state[2 * n + 1])) / (1 - state[2 * n]);
      state[i] += (g[i] - state[i]) * (1 - hyper[1]);
      state[n + i] += (g[i] ** 2 - state[n + i]) * (1 - hyper[2]);
      w[i] -= (rate * state[i]) / (Math.sqrt(state[n + i]) + hyper[3]);
    }
    if (kind === OptimizerKind.ftrl) {
      const [, , beta, l1, l2] = hyper;
      const after = state[i] + g[i] ** 2;
      state[n + i] += g[i] - ((Math.sqrt(after) - Math.sqrt(state[i])) / lr) * w[i];
      state[i] = after;
      const z = state[n + i];
      w[i] = Math.abs(z) <= l1 ? 0 : (lr * (Math.sign(z) * l1 - z)) / (Math.sqrt(after) + beta + l2 * lr);
    }
    if (kind === OptimizerKind.movingAverage) w[i] += (1 - hyper[0]) * (g[i] - w[i]);
  }
  if (kind === OptimizerKind.rowwiseAdagrad) {
    state[0] += g.reduce((sum, value) => sum + value ** 2, 0) / n;
    for (let i = 0; i < n; i++) w[i] -= (lr * g[i]) / (Math.sqrt(state[0]) + hyper[2]);
  }
  if (kind === OptimizerKind.adam) {
    state[2 * n] *= hyper[1];
    state[2 * n + 1] *= hyper[2];
  }
}

/** optimizerStep of one implementation. */
export function optimizerSuite({ name, kernels }: Candidate): void {
  const freshState = (kind: OptimizerKind, n: number, hyper: readonly number[]): Float32Array => {
    const state = new Float32Array(optimizerStateLength(kind, n));
    initialState(kind, n, hyper, state, 0);
    return state;
  };

  test(`${name}: every rule follows its formula in double within float32 rounding`, () => {
    for (const { kind, hyper } of rules) {
      const n = 37;
      const next = generator(kind + 1);
      const w = randomFloats(n, next);
      const state = freshState(kind, n, hyper);
      const [exactW, exactState] = [[...w], [...state]];
      for (let step = 0; step < 20; step++) {
        const grad = randomFloats(n, next);
        kernels.optimizerStep(kind, n, w, grad, state, 0.05, Float64Array.from(hyper));
        stepInDouble(kind, exactW, [...grad], exactState, 0.05, hyper);
      }
      const close = (actual: number, expected: number) => Math.abs(actual - expected) < 3e-4 * (1 + Math.abs(expected));
      assert.ok(
        exactW.every((expected, i) => close(w[i], expected)),
        `kind ${kind}: ${w} against ${exactW}`,
      );
      assert.ok(
        exactState.every((expected, i) => close(state[i], expected)),
        `kind ${kind}: ${state} against ${exactState}`,
      );
    }
  });

  test(`${name}: every rule gives the reference's bits at every length`, () => {
    for (const { kind, hyper } of rules) {
      for (const n of [0, 1, 2, 7, 8, 15, 16, 31, 32, 33, 64, 1000]) {
        const results = [kernels, referenceSparse].map((implementation) => {
          const next = generator(n + 1);
          const w = randomFloats(n, next);
          const state = freshState(kind, n, hyper);
          for (let step = 0; step < 3; step++) {
            implementation.optimizerStep(kind, n, w, randomFloats(n, next), state, 0.03, Float64Array.from(hyper));
          }
          return { w: bits(w), state: bits(state) };
        });
        assert.deepEqual(results[0], results[1], `kind ${kind} n ${n}`);
      }
    }
  });

  test(`${name}: FTRL shrinks towards zero by the sign of z, whichever sign it has`, () => {
    // beta 1, l1 0.5, no accumulated squares: after one gradient g from w = 0, z = g and w = lr (sgn(z) l1 − z)/(|g| + 1).
    const w = new Float32Array(4);
    const state = new Float32Array(8);
    kernels.optimizerStep(OptimizerKind.ftrl, 4, w, Float32Array.of(2, -2, 0.4, -0.4), state, 0.1, Float64Array.of(0, 0, 1, 0.5, 0));
    assert.ok(
      [-0.05, 0.05, 0, 0].every((expected, i) => Math.abs(w[i] - expected) < 1e-7),
      `w = ${[...w]}`,
    );
  });

  test(`${name}: FTRL at learning rate 0 changes nothing`, () => {
    const w = Float32Array.of(1, 2);
    const state = Float32Array.of(0.1, 0.1, 3, 4);
    kernels.optimizerStep(OptimizerKind.ftrl, 2, w, Float32Array.of(1, 1), state, 0, Float64Array.of(0, 0.1, 1, 0, 0));
    assert.deepEqual([...w], [1, 2]);
    assert.deepEqual([...state], [...Float32Array.of(0.1, 0.1, 3, 4)]);
  });

  test(`${name}: optimizerStep refuses wrong kinds and short views`, () => {
    const ok = new Float32Array(4);
    const hyper = new Float64Array(3);
    const { adagrad } = OptimizerKind;
    assert.throws(() => kernels.optimizerStep(9 as OptimizerKind, 4, ok, ok, ok, 0.1, hyper));
    for (const [w, g, s] of [
      [3, 4, 4],
      [4, 3, 4],
      [4, 4, 3],
    ]) {
      const views = [w, g, s].map((length) => new Float32Array(length));
      assert.throws(() => kernels.optimizerStep(adagrad, 4, views[0], views[1], views[2], 0.1, hyper), { code: 'ShapeMismatch' });
    }
    assert.throws(() => kernels.optimizerStep(adagrad, 4, ok, ok, ok, 0.1, new Float64Array(2)), { code: 'ShapeMismatch' });
  });
}
