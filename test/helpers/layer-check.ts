import assert from 'node:assert/strict';
import { SeededRandom } from '../../src/base/index.js';
import type { KernelBackend } from '../../src/kernels/index.js';
import { type ChunkContext, type Layer, widthOf } from '../../src/layers/index.js';

/** A layer bound to random buffers, on its own. */
export type BoundLayer = {
  readonly inputs: readonly Float32Array[];
  readonly output: Float32Array;
  readonly dInputs: readonly Float32Array[];
  readonly dOutput: Float32Array;
  readonly parameters: readonly Float32Array[];
  readonly dParameters: readonly Float32Array[];
  readonly chunk: ChunkContext;
};

export type LayerCheckOptions = {
  readonly kernels: KernelBackend;
  /** Shapes of one example; an entry that is the same array object as an earlier one means the same node. */
  readonly inputShapes: readonly (readonly number[])[];
  readonly rows: number;
  /** Rows that the buffers have room for; default rows. */
  readonly capacity?: number;
  readonly accumulate?: boolean;
  readonly training?: boolean;
};

/** What gradient buffers hold before backward when it must add to them. */
const EARLIER = 0.25;

export function bindLayer(layer: Layer, options: LayerCheckOptions): BoundLayer {
  const { kernels, inputShapes, rows, capacity = rows, accumulate = false, training = true } = options;
  const random = new SeededRandom(rows + 17);
  const filled = (length: number) => Float32Array.from({ length }, () => 2 * random.nextFloat() - 1);
  const nodes = inputShapes.map((shape) => inputShapes.indexOf(shape));
  const values = inputShapes.map((shape) => filled(capacity * widthOf(shape)));
  const gradients = inputShapes.map((shape) => new Float32Array(capacity * widthOf(shape)).fill(accumulate ? EARLIER : Number.NaN));
  const bound: BoundLayer = {
    inputs: nodes.map((node) => values[node]),
    output: new Float32Array(capacity * widthOf(layer.outputShape)),
    dInputs: nodes.map((node) => gradients[node]),
    dOutput: filled(capacity * widthOf(layer.outputShape)),
    parameters: layer.parameters.map(({ shape }) => filled(widthOf(shape))),
    dParameters: layer.parameters.map(({ shape }) => new Float32Array(widthOf(shape)).fill(EARLIER)),
    chunk: { rows, firstExample: 0, globalExamples: rows, training, seedLow: 1, seedHigh: 2 },
  };
  const scratch = new Float32Array(layer.scratchLength(capacity)).fill(Number.NaN);
  // A node's second appearance among the inputs always adds to what the first has written.
  layer.bind({ ...bound, accumulate: nodes.map((node, i) => accumulate || node < i), scratch }, kernels);
  return bound;
}

/**
 * Compares backward with central differences of Σ dOutput·output, for every input and every trainable parameter. Gradients that must add
 * start at 0.25, those that must overwrite at NaN; parameters always add.
 */
export function checkLayer(layer: Layer, options: LayerCheckOptions): void {
  const bound = bindLayer(layer, options);
  const { inputs, output, dInputs, parameters, dParameters, chunk } = bound;
  const used = options.rows * widthOf(layer.outputShape);
  const weights = bound.dOutput.slice();
  const objective = (): number => {
    layer.forward(chunk);
    let sum = 0;
    for (let i = 0; i < used; i++) sum += output[i] * weights[i];
    return sum;
  };
  objective();
  layer.backward(chunk);
  const compare = (what: string, values: Float32Array, gradient: Float32Array, length: number, earlier: number) => {
    const step = 1e-2;
    for (let i = 0; i < length; i++) {
      const original = values[i];
      values[i] = original + step;
      const above = values[i];
      const objectiveAbove = objective();
      values[i] = original - step;
      const numeric = (objectiveAbove - objective()) / (above - values[i]);
      values[i] = original;
      const analytic = gradient[i] - earlier;
      const error = Math.abs(analytic - numeric);
      assert.ok(error <= 2e-3 + 0.01 * Math.abs(numeric), `${what} element ${i}: backward ${analytic}, differences ${numeric}`);
    }
  };
  options.inputShapes.forEach((shape, i) => {
    if (options.inputShapes.indexOf(shape) === i) {
      compare(`input ${i}`, inputs[i], dInputs[i], options.rows * widthOf(shape), options.accumulate === true ? EARLIER : 0);
    }
  });
  layer.parameters.forEach(({ name, trainable }, i) => {
    if (trainable) compare(name, parameters[i], dParameters[i], parameters[i].length, EARLIER);
  });
}
