import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { checkSchedule, clipScale, clipValues, learningRateAt, resolveOptimizer, type ScheduleSpec } from '../../src/optimizers/index.js';

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} against ${expected}`);
}

describe('learning-rate schedules', () => {
  test('warm up from base/warmupSteps to the base rate', () => {
    const schedule: ScheduleSpec = { kind: 'constant', warmupSteps: 4 };
    assert.deepEqual(
      [0, 1, 2, 3, 4, 100].map((step) => learningRateAt(schedule, 2, step)),
      [0.5, 1, 1.5, 2, 2, 2],
    );
  });

  test('decay as their formulas say', () => {
    const at = (schedule: ScheduleSpec, step: number): number => learningRateAt(schedule, 1, step);
    near(at({ kind: 'linear', decaySteps: 10, endFactor: 0.2 }, 5), 0.6);
    near(at({ kind: 'linear', decaySteps: 10, endFactor: 0.2 }, 50), 0.2);
    near(at({ kind: 'cosine', decaySteps: 10 }, 5), 0.5);
    near(at({ kind: 'cosine', decaySteps: 10 }, 10), 0);
    near(at({ kind: 'exponential', decaySteps: 10, decayRate: 0.5 }, 20), 0.25);
    near(at({ kind: 'polynomial', decaySteps: 10, power: 2 }, 5), 0.25);
    near(at({ kind: 'linear', decaySteps: 10, warmupSteps: 3 }, 3), 1);
  });

  test('refuse numbers that make no sense', () => {
    for (const schedule of [
      { kind: 'linear' },
      { kind: 'cosine', decaySteps: 0 },
      { kind: 'constant', warmupSteps: -1 },
      { kind: 'exponential', decaySteps: 5, decayRate: 0 },
      { kind: 'polynomial', decaySteps: 5, power: 0 },
    ] as ScheduleSpec[]) {
      assert.throws(
        () => checkSchedule(schedule),
        (error: unknown) => error instanceof MonolithError && error.code === 'InvalidConfig',
      );
    }
  });
});

describe('gradient clipping', () => {
  test('scales down to the norm, and only down', () => {
    assert.equal(clipScale(25, 1), 0.2);
    assert.equal(clipScale(0.25, 1), 1);
    assert.equal(clipScale(25, 0), 1);
    assert.equal(clipScale(Number.POSITIVE_INFINITY, 1), 1);
  });

  test('limits values on both sides and leaves NaN to be seen', () => {
    const gradient = Float32Array.of(3, -3, 0.5, Number.NaN);
    clipValues(4, gradient, 1);
    assert.deepEqual([...gradient], [1, -1, 0.5, Number.NaN]);
  });
});

describe('optimizers as users write them', () => {
  test('take their defaults and keep the order of the kernels', () => {
    assert.deepEqual(resolveOptimizer({ kind: 'adagrad', initialAccumulator: 0.3 }).hyper, [0, 0.3, 1e-10]);
    assert.deepEqual(resolveOptimizer({ kind: 'adam' }).hyper, [0, 0.9, 0.999, 1e-8]);
    assert.deepEqual(resolveOptimizer({ kind: 'ftrl', l1: 2, beta: 1 }).hyper, [0, 0, 1, 2, 0]);
  });

  test('refuse a number that the rule does not have, and one out of range', () => {
    assert.throws(() => resolveOptimizer({ kind: 'sgd', beta1: 0.9 }), /has no number "beta1"/);
    assert.throws(() => resolveOptimizer({ kind: 'adam', beta1: 1 }), /beta1 must be in \[0, 1\)/);
    assert.throws(() => resolveOptimizer({ kind: 'adagrad', learningRate: 0 }), /learningRate must be > 0/);
  });
});
