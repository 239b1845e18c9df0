import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MonolithError } from '../../src/base/index.js';
import {
  BinaryAccumulator,
  evaluateBinary,
  evaluateRegression,
  exactAuc,
  normalizedEntropy,
  RegressionAccumulator,
  sortableKeys,
  sortedOrder,
  Throughput,
} from '../../src/metrics/index.js';

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

/** The definition, pair by pair. */
function pairwiseAuc(scores: Float32Array, labels: Float32Array, weights: Float32Array | null): number {
  let above = 0;
  let pairs = 0;
  for (let p = 0; p < scores.length; p++) {
    for (let n = 0; n < scores.length; n++) {
      if (labels[p] <= 0.5 || labels[n] > 0.5) continue;
      const weight = (weights?.[p] ?? 1) * (weights?.[n] ?? 1);
      pairs += weight;
      above += weight * (scores[p] > scores[n] ? 1 : scores[p] === scores[n] ? 0.5 : 0);
    }
  }
  return pairs > 0 ? above / pairs : Number.NaN;
}

function near(actual: number, expected: number, tolerance = 1e-12): void {
  if (Number.isNaN(expected)) assert.ok(Number.isNaN(actual), `${actual} should be NaN`);
  else assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} should be ${expected}`);
}

describe('exact AUC', () => {
  test('equals the definition on any scores with ties, without and with weights', () => {
    const example = fc.record({
      score: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.float({ noNaN: true }), fc.constant(-0)),
      label: fc.constantFrom(0, 1),
      weight: fc.constantFrom(0, 0.5, 1, 3),
    });
    fc.assert(
      fc.property(fc.array(example, { maxLength: 40 }), (examples) => {
        const scores = Float32Array.from(examples, (e) => e.score);
        const labels = Float32Array.from(examples, (e) => e.label);
        const weights = Float32Array.from(examples, (e) => e.weight);
        near(exactAuc(scores, labels, null), pairwiseAuc(scores, labels, null));
        near(exactAuc(scores, labels, weights), pairwiseAuc(scores, labels, weights));
      }),
      { numRuns: 500 },
    );
  });

  test('has the known values', () => {
    assert.equal(exactAuc(floats(0.1, 0.4, 0.35, 0.8), floats(0, 0, 1, 1), null), 0.75);
    assert.equal(exactAuc(floats(1, 2, 3, 4), floats(0, 0, 1, 1), null), 1);
    assert.equal(exactAuc(floats(4, 3, 2, 1), floats(0, 0, 1, 1), null), 0);
    assert.equal(exactAuc(floats(7, 7, 7), floats(0, 1, 1), null), 0.5);
    assert.equal(exactAuc(floats(-1, -2, 0, -0), floats(1, 0, 1, 0), null), 0.625);
    assert.equal(exactAuc(floats(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY), floats(0, 1), null), 1);
  });

  test('is NaN without positives, without negatives, without examples, and for a NaN score', () => {
    for (const [scores, labels] of [
      [
        [1, 2],
        [0, 0],
      ],
      [
        [1, 2],
        [1, 1],
      ],
      [[], []],
      [
        [1, Number.NaN],
        [0, 1],
      ],
    ] as const) {
      near(exactAuc(floats(...scores), floats(...labels), null), Number.NaN);
    }
  });

  test('passes over examples of weight 0, even NaN ones', () => {
    assert.equal(exactAuc(floats(1, 2, Number.NaN), floats(0, 1, Number.NaN), floats(1, 1, 0)), 1);
  });

  test('refuses arrays of different lengths', () => {
    assert.throws(
      () => exactAuc(floats(1), floats(1, 0), null),
      (error) => error instanceof MonolithError && error.code === 'ShapeMismatch',
    );
    assert.throws(() => evaluateBinary(floats(1), floats(1), floats()), /evaluateBinary: weights has 0 elements, expected 1/);
  });

  test('orders a million scores stably and quickly', () => {
    const scores = new Float32Array(1_000_000);
    let state = 1;
    for (let i = 0; i < scores.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      scores[i] = Math.fround((state >> 8) / 2 ** 18);
    }
    const before = performance.now();
    const { keys } = sortableKeys(scores);
    const copy = keys.slice();
    const order = sortedOrder(keys);
    const elapsedMs = performance.now() - before;
    assert.deepEqual(keys, copy);
    for (let i = 1; i < order.length; i++) {
      const [a, b] = [scores[order[i - 1]], scores[order[i]]];
      if (a > b || (a === b && order[i - 1] >= order[i])) assert.fail(`positions ${order[i - 1]} and ${order[i]} are in the wrong order`);
    }
    assert.ok(elapsedMs < 3000, `${elapsedMs} ms`);
  });
});

describe('binary metrics', () => {
  test('have the known values', () => {
    const metrics = evaluateBinary(floats(0, Math.log(3), -Math.log(3)), floats(1, 1, 0), null);
    const logloss = -(Math.log(0.5) + 2 * Math.log(0.75)) / 3;
    near(metrics.logloss, logloss, 1e-7);
    near(metrics.normalizedEntropy, logloss / -((2 / 3) * Math.log(2 / 3) + (1 / 3) * Math.log(1 / 3)), 1e-7);
    near(metrics.calibration, 1.5 / 2, 1e-7);
    near(metrics.accuracy, 2 / 3);
    near(metrics.meanPrediction, 0.5, 1e-7);
    near(metrics.meanLabel, 2 / 3);
    assert.deepEqual([metrics.examples, metrics.positives, metrics.auc], [3, 2, 1]);
  });

  test('stay finite for very confident predictions', () => {
    const { logloss } = evaluateBinary(floats(1000, -1000), floats(0, 1), null);
    assert.equal(logloss, 1000);
    assert.equal(evaluateBinary(floats(1000, -1000), floats(1, 0), null).logloss, 0);
  });

  test('a weight of two is the same as the example twice, a weight of zero as none', () => {
    const once = evaluateBinary(floats(0.5, -1, 2), floats(1, 0, Number.NaN), floats(2, 1, 0));
    const twice = evaluateBinary(floats(0.5, 0.5, -1), floats(1, 1, 0), null);
    near(once.logloss, twice.logloss);
    near(once.calibration, twice.calibration);
    near(once.auc, twice.auc);
    assert.deepEqual([once.examples, once.positives], [2, 1]);
  });

  test('accumulators merged in order equal one over everything', () => {
    const logits = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i) * 3);
    const labels = Float32Array.from({ length: 100 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const parts = [0, 30, 75].map((start, part) => {
      const end = [30, 75, 100][part];
      const accumulator = new BinaryAccumulator(new Float64Array(new SharedArrayBuffer(8 * BinaryAccumulator.numSums)));
      accumulator.add(logits.subarray(start, end), labels.subarray(start, end), null);
      return accumulator;
    });
    const total = new BinaryAccumulator();
    for (const part of parts) total.merge(part);
    const whole = evaluateBinary(logits, labels, null);
    near(total.result().logloss, whole.logloss);
    near(total.result().normalizedEntropy, whole.normalizedEntropy);
    near(total.meanLoss, whole.logloss);
    assert.equal(total.result().examples, 100);
    total.reset();
    assert.ok(Number.isNaN(total.result().logloss));
  });

  test('normalised entropy of predicting the base rate is 1, and is not defined for one class', () => {
    near(normalizedEntropy(-(0.2 * Math.log(0.2) + 0.8 * Math.log(0.8)), 0.2), 1);
    near(normalizedEntropy(0.3, 0), Number.NaN);
    near(normalizedEntropy(0.3, 1), Number.NaN);
  });
});

describe('regression metrics', () => {
  test('have the known values', () => {
    const metrics = evaluateRegression(floats(1, 2, 5), floats(1, 4, 4), null);
    near(metrics.mse, 5 / 3);
    near(metrics.rmse, Math.sqrt(5 / 3));
    near(metrics.mae, 1);
    near(metrics.meanPrediction, 8 / 3);
    near(metrics.meanLabel, 3);
    assert.equal(metrics.examples, 3);
  });

  test('merge and weigh', () => {
    const [a, b] = [new RegressionAccumulator(), new RegressionAccumulator()];
    a.add(floats(1, 9), floats(0, Number.NaN), floats(3, 0));
    b.add(floats(2, 7), floats(0, 0), null, 1);
    a.merge(b);
    near(a.result().mse, (3 * 1 + 4) / 4);
    a.reset();
    assert.ok(Number.isNaN(a.result().mse));
  });
});

describe('throughput', () => {
  test('the window forgets, the mean does not', () => {
    let now = 0;
    const rate = new Throughput(1000, () => now);
    rate.resume();
    for (now = 100; now <= 2000; now += 100) rate.add(now <= 1000 ? 10 : 20);
    near(rate.windowRate, 200, 1e-9);
    now = 2000;
    near(rate.meanRate, 150, 1e-9);
    assert.equal(rate.total, 300);
  });

  test('a pause counts nowhere', () => {
    let now = 0;
    const rate = new Throughput(1000, () => now);
    rate.resume();
    now = 500;
    rate.add(50);
    rate.pause();
    assert.equal(rate.windowRate, 0);
    now = 10_000;
    rate.resume();
    now = 10_500;
    rate.add(50);
    near(rate.windowRate, 100);
    near(rate.meanRate, 100);
    assert.equal(rate.elapsedMs, 1000);
  });

  test('keeps few samples at any step rate', () => {
    let now = 0;
    const rate = new Throughput(1000, () => now);
    for (let i = 0; i < 100_000; i++) {
      now += 0.01;
      rate.add(1);
    }
    near(rate.windowRate, 100_000, 200);
  });
});
