import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { selectBackend } from '../../src/kernels/index.js';
import { BatchNorm, Dense, Dropout } from '../../src/layers/index.js';
import { bindLayer } from '../helpers/layer-check.js';

const kernels = selectBackend('auto').backend;

describe('batch-norm', () => {
  const options = { momentum: 0.9, epsilon: 1e-6 };

  test('normalises by the batch in training and by its moving statistics in evaluation', () => {
    const layer = new BatchNorm([1], options);
    const { inputs, output, parameters, chunk } = bindLayer(layer, { kernels, inputShapes: [[1]], rows: 4 });
    inputs[0].set([1, 3, 5, 7]);
    parameters.forEach((values, i) => {
      values.fill([2, 0.5, 10, 4][i]); // gamma, beta, movingMean, movingVariance
    });
    layer.forward(chunk);
    const deviation = Math.sqrt(5);
    [1, 3, 5, 7].forEach((x, i) => {
      assert.ok(Math.abs(output[i] - ((2 * (x - 4)) / deviation + 0.5)) < 1e-4);
    });
    chunk.training = false;
    layer.forward(chunk);
    [1, 3, 5, 7].forEach((x, i) => {
      assert.ok(Math.abs(output[i] - ((2 * (x - 10)) / 2 + 0.5)) < 1e-4);
    });
  });

  test("writes its statistics times the worker's share of the step", () => {
    const layer = new BatchNorm([1], options);
    const { inputs, dParameters, chunk } = bindLayer(layer, { kernels, inputShapes: [[1]], rows: 4 });
    inputs[0].set([1, 3, 5, 7]);
    for (const gradient of dParameters) gradient.fill(0);
    chunk.globalExamples = 16;
    layer.forward(chunk);
    layer.backward(chunk);
    assert.deepEqual([dParameters[2][0], dParameters[3][0]], [1, 1.25]); // mean 4 and variance 5, a quarter each
  });
});

describe('dropout', () => {
  const run = (layerIndex: number, seedLow: number, firstExample: number, rows: number): number[] => {
    const layer = new Dropout([4], 0.5, layerIndex);
    const { inputs, output, chunk } = bindLayer(layer, { kernels, inputShapes: [[4]], rows });
    inputs[0].fill(1);
    Object.assign(chunk, { seedLow, firstExample });
    layer.forward(chunk);
    return [...output];
  };

  test('is a function of step seed, layer and example, not of the chunk', () => {
    const whole = run(1, 7, 0, 8);
    assert.deepEqual([...run(1, 7, 0, 3), ...run(1, 7, 3, 5)], whole);
    assert.notDeepEqual(run(1, 8, 0, 8), whole);
    assert.notDeepEqual(run(2, 7, 0, 8), whole);
    assert.ok(whole.every((value) => value === 0 || value === 2));
  });

  test('lets everything through in evaluation', () => {
    const layer = new Dropout([4], 0.5, 0);
    const { inputs, output } = bindLayer(layer, { kernels, inputShapes: [[4]], rows: 5, training: false });
    layer.forward({ rows: 5, firstExample: 0, globalExamples: 5, training: false, seedLow: 0, seedHigh: 0 });
    assert.deepEqual(output, inputs[0]);
  });
});

describe('a layer', () => {
  test('that was never bound says so', () => {
    const layer = new Dense(2, 1, { activation: 0, useBias: false });
    const chunk = { rows: 1, firstExample: 0, globalExamples: 1, training: true, seedLow: 0, seedHigh: 0 };
    assert.throws(() => layer.forward(chunk), /called before the layer was bound/);
  });
});
