import { MonolithError, SeededRandom, seedFromNames } from '../base/index.js';
import { type KernelBackend, selectBackend } from '../kernels/index.js';
import { lossAndGradient } from '../layers/index.js';
import { type ModelDefinition, type ModelOptions, planModel } from './define.js';
import { initializeParameters } from './initialize.js';
import type { ModelInputs } from './model.js';
import { ModelRuntime } from './runtime.js';
import { type SyntheticBatch, syntheticBatch } from './synthetic-batch.js';

export type GradientCheckOptions = {
  /** Default: the native kernels where they load, else the reference. */
  readonly kernels?: KernelBackend;
  readonly modelOptions?: ModelOptions;
  /** Default: 3 numeric columns and 4 categorical features with different combiners. */
  readonly inputs?: ModelInputs;
  /** Default 7. */
  readonly examples?: number;
  readonly seed?: number;
  /** Elements tried of each parameter and of the rows of each table, at most. Default 12. */
  readonly samples?: number;
  /** Largest |analytic − numeric| / max(|analytic|, |numeric|). Default 0.01. */
  readonly tolerance?: number;
};

export type GradientCheckReport = {
  /** Elements compared. */
  readonly checked: number;
  /** The worst of them. */
  readonly worst: GradientComparison;
};

export type GradientComparison = {
  /** Full parameter name, or `table <name> rows`. */
  readonly tensor: string;
  readonly index: number;
  readonly analytic: number;
  readonly numeric: number;
  readonly relativeError: number;
};

/** Inputs that exercise every path: numeric columns, all combiners. */
export const gradientCheckInputs: ModelInputs = {
  dense: ['n0', 'n1', 'n2'],
  sparse: [
    { name: 'c0', combiner: 0 },
    { name: 'c1', combiner: 1 },
    { name: 'c2', combiner: 2 },
    { name: 'c3', combiner: 0 },
  ],
};

/**
 * Steps of the differences. A long step drowns rounding, a short one steps over fewer kinks of relu; an element passes when one of them
 * agrees.
 */
const STEPS = [2e-2, 5e-3, 1e-3];
/** Rounding of the mean loss by float32 logits; over the step it is the noise of a difference, and not counted as an error. */
const LOSS_ROUNDING = 3e-7;
/** One-sided differences that differ by more than this share have a kink between them: curvature alone moves them by a few per cent. */
const KINK = 0.1;

/**
 * Compares a model's backward pass with central finite differences of its loss on a small random batch: every trainable parameter and the
 * embedding rows, sampled elements. All parameters are moved off their start by ±0.1, so that zeros hide nothing. Dropout keeps its mask,
 * batch norm uses batch statistics.
 *
 * @returns what was compared and how well it agreed.
 * @throws InvalidModel naming the tensor and the element that differ most.
 */
export function checkGradients(definition: ModelDefinition, options: GradientCheckOptions = {}): GradientCheckReport {
  const {
    kernels = selectBackend('auto').backend,
    modelOptions = {},
    inputs = gradientCheckInputs,
    examples = 7,
    seed = 1,
    samples = 12,
    tolerance = 0.01,
  } = options;
  const plan = planModel(definition, modelOptions, inputs);
  const random = new SeededRandom(seedFromNames(seed, 'check-gradients'));
  const parameters = new Float32Array(plan.parametersLength);
  initializeParameters(plan, seed, parameters);
  for (const { offset, length, trainable } of plan.parameters) {
    if (trainable) for (let i = 0; i < length; i++) parameters[offset + i] += 0.2 * random.nextFloat() - 0.1;
  }
  const gradients = new Float32Array(plan.parametersLength);
  const runtime = new ModelRuntime(definition, modelOptions, inputs, kernels, { parameters, gradients }, examples);
  const data = syntheticBatch(plan.tables, inputs, { examples, seed });
  runtime.setStep(seed, 0, examples);
  runtime.trainChunk(data.batch, data.sparse, 0, examples);

  const meanLoss = lossFunction(runtime, kernels, data, examples);
  const comparisons: GradientComparison[] = [];
  const compare = (tensor: string, values: Float32Array, gradient: Float32Array) => {
    for (const index of sampledIndices(values.length, samples, random, gradient)) {
      comparisons.push(compareElement(tensor, index, values, gradient, meanLoss, tolerance));
    }
  };
  for (const { fullName, offset, length, trainable } of plan.parameters) {
    if (trainable) compare(fullName, parameters.subarray(offset, offset + length), gradients.subarray(offset, offset + length));
  }
  plan.tables.forEach((table, g) => {
    const { rows, dRows } = data.sparse[g];
    compare(`table ${table.name} rows`, rows, dRows);
  });
  const worst = comparisons.reduce((a, b) => (b.relativeError > a.relativeError ? b : a));
  if (!(worst.relativeError <= tolerance)) {
    throw new MonolithError(
      'InvalidModel',
      `model ${definition.name}: the gradient of ${worst.tensor}, element ${worst.index}, is ${worst.analytic} by backward but ${worst.numeric} by finite differences (relative error ${worst.relativeError.toPrecision(3)}, at most ${tolerance} allowed); look at the backward of its layer or of one after it`,
      { ...worst },
    );
  }
  return { checked: comparisons.length, worst };
}

/** The weighted mean loss at the current parameters and rows. */
function lossFunction(runtime: ModelRuntime, kernels: KernelBackend, data: SyntheticBatch, examples: number): () => number {
  const ignored = new Float32Array(examples);
  return () => {
    runtime.forward(data.batch, data.sparse, 0, examples, true);
    const { labels, weights } = data.batch;
    return lossAndGradient(runtime.plan.loss, kernels, examples, runtime.logits, labels, weights, 1, ignored) / examples;
  };
}

/** Some elements at random, and the one with the largest gradient. */
function sampledIndices(length: number, samples: number, random: SeededRandom, gradient: Float32Array): number[] {
  if (length <= samples) return Array.from({ length }, (_, i) => i);
  let largest = 0;
  for (let i = 1; i < length; i++) if (Math.abs(gradient[i]) > Math.abs(gradient[largest])) largest = i;
  return [largest, ...Array.from({ length: samples - 1 }, () => random.nextBelow(length))];
}

function compareElement(
  tensor: string,
  index: number,
  values: Float32Array,
  gradient: Float32Array,
  meanLoss: () => number,
  tolerance: number,
): GradientComparison {
  const analytic = gradient[index];
  const original = values[index];
  const loss = meanLoss();
  let best: GradientComparison | null = null;
  for (const step of STEPS) {
    values[index] = original + step;
    const above = values[index];
    const lossAbove = meanLoss();
    values[index] = original - step;
    const below = values[index];
    const lossBelow = meanLoss();
    values[index] = original;
    const central = (lossAbove - lossBelow) / (above - below);
    const candidates = [central];
    const right = (lossAbove - loss) / (above - original);
    const left = (loss - lossBelow) / (original - below);
    // Sides that disagree have a kink of relu between them; the gradient is then that of the side without it.
    if (Math.abs(right - left) > KINK * Math.max(Math.abs(right), Math.abs(left))) candidates.push(right, left);
    for (const numeric of candidates) {
      const difference = Math.max(0, Math.abs(analytic - numeric) - LOSS_ROUNDING / step);
      const relativeError = difference === 0 ? 0 : difference / Math.max(Math.abs(analytic), Math.abs(numeric));
      const error = Number.isNaN(relativeError) ? Number.POSITIVE_INFINITY : relativeError;
      if (best === null || error < best.relativeError) best = { tensor, index, analytic, numeric, relativeError: error };
    }
    if (best !== null && best.relativeError <= tolerance / 10) break;
  }
  return best ?? { tensor, index, analytic, numeric: Number.NaN, relativeError: Number.POSITIVE_INFINITY };
}
