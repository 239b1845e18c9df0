import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { builtInModel, initializeParameters, planModel } from '../../src/models/index.js';

const inputs = {
  dense: Array.from({ length: 13 }, (_, i) => `I${i}`),
  sparse: Array.from({ length: 26 }, (_, i) => ({ name: `C${i}`, combiner: 0 as const })),
};

describe('initial parameters', () => {
  const plan = planModel(builtInModel('dlrm'), {}, inputs);
  const start = (seed: number): Float32Array => {
    const parameters = new Float32Array(plan.parametersLength).fill(Number.NaN);
    initializeParameters(plan, seed, parameters);
    return parameters;
  };

  test('of dlrm have the spread of the PyTorch script, tensor by tensor', () => {
    const parameters = start(42);
    for (const { fullName, shape, offset, length } of plan.parameters) {
      const values = parameters.subarray(offset, offset + length);
      const expected = Math.sqrt(fullName.endsWith('weight') ? 2 / (shape[0] + shape[1]) : 1 / shape[0]);
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / length);
      // Five standard errors of a sample deviation.
      assert.ok(Math.abs(deviation / expected - 1) < 5 / Math.sqrt(2 * length), `${fullName}: ${deviation}, expected ${expected}`);
    }
  });

  test('depend on the seed and on the name of their tensor alone', () => {
    assert.deepEqual(start(1), start(1));
    assert.notDeepEqual(start(1), start(2));
    const other = planModel(builtInModel('dlrm'), { top: [512] }, inputs);
    const parameters = new Float32Array(other.parametersLength);
    initializeParameters(other, 1, parameters);
    const place = (p: typeof plan, name: string) => p.parameters.find(({ fullName }) => fullName === name) ?? p.parameters[0];
    const [a, b] = [place(plan, 'top.0.weight'), place(other, 'top.0.weight')];
    assert.equal(a.fullName, 'top.0.weight');
    assert.deepEqual(parameters.subarray(b.offset, b.offset + b.length), start(1).subarray(a.offset, a.offset + a.length));
  });

  test('refuse a vector of another length', () => {
    assert.throws(
      () => initializeParameters(plan, 1, new Float32Array(3)),
      (error: unknown) => error instanceof MonolithError && error.code === 'ShapeMismatch',
    );
  });
});
