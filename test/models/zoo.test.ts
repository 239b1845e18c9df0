import assert from 'node:assert/strict';
import { describe as suite, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { type KernelBackend, Precision, referenceBackend, selectBackend } from '../../src/kernels/index.js';
import {
  builtInModels,
  checkGradients,
  defineModel,
  describe,
  gradientCheckInputs,
  initializeParameters,
  loadModel,
  type ModelBuilder,
  type ModelDefinition,
  type ModelOptions,
  ModelRuntime,
  type Node,
  planModel,
  syntheticBatch,
} from '../../src/models/index.js';

const kernels = selectBackend('auto').backend;
const small = { hidden: [7, 5] };

/** Every model of the zoo, and the variants that take another path. */
const variants: [string, string, ModelOptions][] = [
  ['lr', 'lr', {}],
  ['fm', 'fm', { embeddingDim: 5 }],
  ['ffm', 'ffm', { embeddingDim: 3 }],
  ['dnn', 'dnn', { ...small, embeddingDim: 4 }],
  ['dnn with tanh', 'dnn', { ...small, embeddingDim: 4, activation: 'tanh' }],
  ['dnn with batch norm', 'dnn', { ...small, embeddingDim: 4, batchNorm: true }],
  ['dnn with dropout', 'dnn', { ...small, embeddingDim: 4, dropout: 0.3 }],
  ['wide-deep', 'wide-deep', { ...small, embeddingDim: 4 }],
  ['deepfm', 'deepfm', { ...small, embeddingDim: 6 }],
  ['dcn v1', 'dcn', { ...small, embeddingDim: 3, crossLayers: 2, mode: 'vector' }],
  ['dcn v2', 'dcn', { ...small, embeddingDim: 3, crossLayers: 2, mode: 'matrix' }],
  ['xdeepfm', 'xdeepfm', { ...small, embeddingDim: 4, cinLayers: [5, 3] }],
  ['dlrm', 'dlrm', { bottom: [6], top: [7, 5], embeddingDim: 4 }],
];

suite('every model of the zoo', () => {
  for (const [title, name, options] of variants) {
    test(`${title}: the backward pass agrees with finite differences`, async () => {
      const definition = await loadModel(name);
      for (const seed of [1, 2]) {
        const report = checkGradients(definition, { kernels, modelOptions: options, seed, examples: 6 });
        assert.ok(report.checked > 10);
      }
    });
  }

  test('has a variant above', () => {
    const named = new Set(variants.map(([, name]) => name));
    for (const { name } of builtInModels) assert.ok(named.has(name), name);
  });

  test('has the parameter counts of the PyTorch script for DLRM and DeepFM', () => {
    const inputs = {
      dense: Array.from({ length: 13 }, (_, i) => `I${i}`),
      sparse: Array.from({ length: 26 }, (_, i) => ({ name: `C${i}`, combiner: 0 as const })),
    };
    const count = (definition: ModelDefinition): number =>
      planModel(definition, {}, inputs).parameters.reduce((sum, { length }) => sum + length, 0);
    const mlp = (...sizes: number[]): number => sizes.slice(1).reduce((sum, units, i) => sum + units * (sizes[i] + 1), 0);
    const [deepfm, dlrm] = ['deepfm', 'dlrm'].map((name) => builtInModels.find((model) => model.name === name) as ModelDefinition);
    assert.equal(count(dlrm), mlp(13, 512, 256, 16) + mlp(367, 512, 256, 1));
    assert.equal(count(deepfm), mlp(429, 400, 400, 1) + mlp(13, 1));
    assert.deepEqual(
      planModel(deepfm, {}, inputs).tables.map(({ dim }) => dim),
      [17],
    );
  });
});

suite('lr', () => {
  test('weight decay leaves the bias alone unless regularizeBias says otherwise', async () => {
    const inputs = { dense: [], sparse: [{ name: 'a', combiner: 0 as const }] };
    const decays = async (options: ModelOptions): Promise<boolean[]> =>
      planModel(await loadModel('lr'), options, inputs).parameters.map(({ decay }) => decay);
    assert.deepEqual(await decays({}), [false]);
    assert.deepEqual(await decays({ regularizeBias: true }), [true]);
  });
});

suite('checkGradients', () => {
  test('finds a backward pass that is wrong, and names the tensor', () => {
    const broken = defineModel({
      name: 'broken',
      build: (b) => {
        const node = b.dense(b.denseInput(), 1, { name: 'out' });
        return node;
      },
    });
    const wrongKernels: KernelBackend = {
      ...kernels,
      weightGradient: (precision, rows, inputs, units, x, ldx, dZ, lddZ, dWeight) =>
        kernels.weightGradient(precision, rows, inputs, units, x, ldx, dZ, lddZ, dWeight, null),
    };
    assert.throws(
      () => checkGradients(broken, { kernels: wrongKernels }),
      (error: unknown) => error instanceof MonolithError && error.code === 'InvalidModel' && /out\.bias/.test(error.message),
    );
  });
});

function assertClose(actual: Float32Array, expected: Float32Array): void {
  for (const [i, value] of expected.entries()) assert.ok(Math.abs(value - actual[i]) < 1e-5 + 1e-3 * Math.abs(value), `element ${i}`);
}

/** Losses, gradients and row gradients of one batch. */
function runBatch(
  definition: ModelDefinition,
  options: ModelOptions,
  examples: number,
  tuning: { reuse?: boolean; maxChunkRows?: number; precision?: Precision },
) {
  const plan = planModel(definition, options, gradientCheckInputs);
  const parameters = new Float32Array(plan.parametersLength);
  initializeParameters(plan, 3, parameters);
  const gradients = new Float32Array(plan.parametersLength);
  const buffers = { parameters, gradients };
  const runtime = new ModelRuntime(definition, options, gradientCheckInputs, kernels, buffers, examples, tuning);
  const { batch, sparse } = syntheticBatch(plan.tables, gradientCheckInputs, { examples, seed: 5 });
  runtime.setStep(1, 2, examples);
  let loss = 0;
  for (let first = 0; first < examples; first += runtime.chunkRows) {
    loss += runtime.trainChunk(batch, sparse, first, Math.min(runtime.chunkRows, examples - first));
  }
  return { loss, gradients, rows: sparse.map(({ dRows }) => dRows) };
}

suite('the arena and chunks', () => {
  for (const [title, name, options] of variants) {
    test(`${title}: buffers that share memory give the bits of buffers of their own`, async () => {
      const definition = await loadModel(name);
      const own = runBatch(definition, options, 9, { reuse: false });
      assert.deepEqual(runBatch(definition, options, 9, { reuse: true }), own);
    });
  }

  test('four chunks give the loss and gradients of one', async () => {
    const definition = await loadModel('deepfm');
    const whole = runBatch(definition, small, 30, { maxChunkRows: 30 });
    const cut = runBatch(definition, small, 30, { maxChunkRows: 8 });
    assert.ok(Math.abs(whole.loss - cut.loss) < 1e-4 * whole.loss);
    assertClose(cut.gradients, whole.gradients);
    assertClose(cut.rows[0], whole.rows[0]);
  });

  test('dropout is a function of the seed of the step', async () => {
    const definition = await loadModel('dnn');
    const options = { ...small, dropout: 0.5 };
    assert.deepEqual(runBatch(definition, options, 8, {}), runBatch(definition, options, 8, {}));
    assert.notDeepEqual(runBatch(definition, options, 8, {}).gradients, runBatch(definition, small, 8, {}).gradients);
  });

  test('the native and the reference kernels agree on a whole step', async () => {
    const definition = await loadModel('dlrm');
    const options = { bottom: [16], top: [16, 8] };
    const plan = planModel(definition, options, gradientCheckInputs);
    const results = [kernels, referenceBackend()].map((backend) => {
      const parameters = new Float32Array(plan.parametersLength);
      initializeParameters(plan, 3, parameters);
      const gradients = new Float32Array(plan.parametersLength);
      const runtime = new ModelRuntime(definition, options, gradientCheckInputs, backend, { parameters, gradients }, 40);
      const { batch, sparse } = syntheticBatch(plan.tables, gradientCheckInputs, { examples: 40, seed: 5 });
      runtime.setStep(1, 2, 40);
      return { loss: runtime.trainChunk(batch, sparse, 0, 40), gradients };
    });
    assert.ok(Math.abs(results[0].loss - results[1].loss) < 1e-4 * results[1].loss);
    assertClose(results[0].gradients, results[1].gradients);
  });
});

suite('derivatives of activations that a consumer takes', () => {
  type Consumers = (b: ModelBuilder, hidden: Node) => readonly Node[];
  const square = (b: ModelBuilder, x: Node) => b.sum(b.multiply(x, x));
  const cases: readonly (readonly [string, Consumers])[] = [
    ['one dense layer', (b, x) => [b.dense(b.dense(x, 3, { activation: 'sigmoid' }), 1)]],
    ['two dense layers', (b, x) => [b.dense(x, 1), b.dense(b.dense(x, 3, { activation: 'tanh' }), 1)]],
    ['a dense layer, then another kind', (b, x) => [b.dense(x, 1), square(b, x)]],
    ['another kind, then a dense layer', (b, x) => [square(b, x), b.dense(x, 1)]],
  ];
  for (const [title, consumers] of cases) {
    for (const activation of ['relu', 'sigmoid', 'tanh'] as const) {
      test(`${title}, ${activation}`, () => {
        const model = defineModel({
          name: 'slopes',
          build: (b) => b.add(consumers(b, b.dense(b.concat([b.embedding({ name: 'e', dim: 3 }), b.denseInput()]), 5, { activation }))),
        });
        assert.ok(checkGradients(model, { kernels, samples: 20 }).checked > 40);
      });
    }
  }
});

suite('bf16', () => {
  for (const [title, name, options] of variants) {
    test(`${title}: the gradients point where those of fp32 do`, async () => {
      const definition = await loadModel(name);
      const exact = runBatch(definition, options, 40, {});
      const rounded = runBatch(definition, options, 40, { precision: Precision.bf16 });
      assert.ok(Math.abs(exact.loss - rounded.loss) < 0.01 * exact.loss);
      for (const [a, b] of [
        [exact.gradients, rounded.gradients],
        [exact.rows[0], rounded.rows[0]],
      ]) {
        let [product, lengthA, lengthB] = [0, 0, 0];
        a.forEach((value, i) => {
          product += value * b[i];
          lengthA += value * value;
          lengthB += b[i] * b[i];
        });
        assert.ok(product > 0.999 * Math.sqrt(lengthA * lengthB), `cosine ${product / Math.sqrt(lengthA * lengthB)}`);
        assert.ok(Math.abs(Math.sqrt(lengthB / lengthA) - 1) < 0.02);
      }
    });
  }

  test('the native and the reference kernels agree on a whole step', async () => {
    const definition = await loadModel('dlrm');
    const options = { bottom: [16], top: [16, 8] };
    const plan = planModel(definition, options, gradientCheckInputs);
    const results = [kernels, referenceBackend()].map((backend) => {
      const parameters = new Float32Array(plan.parametersLength);
      initializeParameters(plan, 3, parameters);
      const gradients = new Float32Array(plan.parametersLength);
      const buffers = { parameters, gradients };
      const tuning = { precision: Precision.bf16 };
      const runtime = new ModelRuntime(definition, options, gradientCheckInputs, backend, buffers, 40, tuning);
      const { batch, sparse } = syntheticBatch(plan.tables, gradientCheckInputs, { examples: 40, seed: 5 });
      runtime.setStep(1, 2, 40);
      return { loss: runtime.trainChunk(batch, sparse, 0, 40), gradients };
    });
    // A sum's last bit may tip the rounding of the next layer's operand, so the two differ more than in fp32.
    assert.ok(Math.abs(results[0].loss - results[1].loss) < 1e-3 * results[1].loss);
    for (const [i, value] of results[1].gradients.entries()) {
      assert.ok(Math.abs(value - results[0].gradients[i]) < 1e-4 + 0.01 * Math.abs(value), `element ${i}`);
    }
  });
});

suite('describe', () => {
  test('prints layers, shapes, parameter counts and tables', async () => {
    const text = describe(await loadModel('deepfm'), gradientCheckInputs, small);
    for (const part of ['model deepfm', 'deep.0', 'parameters', 'table ', '17 values a row', 'linear [1]', 'embedding [16]']) {
      assert.ok(text.includes(part), `${part} in\n${text}`);
    }
  });
});
