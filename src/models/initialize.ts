import { SeededRandom, seedFromNames, shapeMismatch } from '../base/index.js';
import type { ParameterInitializer } from '../layers/index.js';
import type { ModelPlan } from './model.js';

/**
 * Initial values of all dense parameters. Each tensor has a generator of its own, seeded by (seed, 'parameter', full name), so a tensor
 * keeps its values when others come or go. Values are drawn in order of the index: uniform ones from 53-bit floats, normal ones by
 * Marsaglia's polar method (base/random), then rounded to float32. Padding is set to 0.
 *
 * @param parameters [plan.parametersLength], overwritten. Throws ShapeMismatch for another length.
 */
export function initializeParameters(plan: ModelPlan, seed: number, parameters: Float32Array): void {
  if (parameters.length !== plan.parametersLength) {
    throw shapeMismatch('initializeParameters', 'parameters', plan.parametersLength, parameters.length);
  }
  parameters.fill(0);
  for (const { fullName, offset, length, initializer } of plan.parameters) {
    const random = new SeededRandom(seedFromNames(seed, 'parameter', fullName));
    fillInitial(initializer, random, parameters.subarray(offset, offset + length));
  }
}

function fillInitial(initializer: ParameterInitializer, random: SeededRandom, values: Float32Array): void {
  switch (initializer.kind) {
    case 'zeros':
      values.fill(0);
      return;
    case 'constant':
      values.fill(initializer.value);
      return;
    case 'uniform':
      fillUniform(random, initializer.low, initializer.high, values);
      return;
    case 'normal':
      fillNormal(random, initializer.mean, initializer.stddev, values);
      return;
    case 'xavierNormal':
      fillNormal(random, 0, Math.sqrt(2 / (initializer.fanIn + initializer.fanOut)), values);
      return;
    case 'xavierUniform': {
      const limit = Math.sqrt(6 / (initializer.fanIn + initializer.fanOut));
      fillUniform(random, -limit, limit, values);
      return;
    }
    case 'heNormal':
      fillNormal(random, 0, Math.sqrt(2 / initializer.fanIn), values);
      return;
    default:
      throw new RangeError(`unknown initializer ${String(initializer satisfies never)}`);
  }
}

function fillUniform(random: SeededRandom, low: number, high: number, values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = low + (high - low) * random.nextFloat();
}

function fillNormal(random: SeededRandom, mean: number, stddev: number, values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = mean + stddev * random.nextNormal();
}
