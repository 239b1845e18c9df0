import { MonolithError, shapeMismatch } from '../base/index.js';
import { type KernelBackend, Precision } from '../kernels/index.js';
import { type ChunkContext, lossAndGradient, type SparseInput } from '../layers/index.js';
import type { BatchSlot } from '../tensor/index.js';
import { buildGraph, type ModelDefinition, type ModelOptions, planOf } from './define.js';
import type { Graph, GraphLayer } from './graph.js';
import type { ModelInputs, ModelPlan, ParameterPlan } from './model.js';

/**
 * Examples of one chunk. Activations of 512 examples of the models here stay within a few MiB, near the second-level cache, and 512 rows
 * are enough to feed a matrix product.
 */
const CHUNK_ROWS = 512;

export type RuntimeBuffers = {
  /** [plan.parametersLength], read. May lie in shared memory. */
  readonly parameters: Float32Array;
  /** [plan.parametersLength], added to by trainChunk; null: forward only. */
  readonly gradients: Float32Array | null;
  /** Memory for activations, gradients and scratch: the `arena` of another runtime of this thread that was made alike. Default: its own. */
  readonly arena?: Float32Array;
};

/**
 * A model ready to run in one thread: its graph bound to parameters, gradients and kernels. A batch runs in chunks of at most
 * {@link chunkRows} examples; nothing is allocated per chunk. The weights of matrix products are read once a batch, from `setStep` or the
 * chunk that begins with example 0 on: changed within a batch, as in asynchronous training, they count from the next one.
 */
export class ModelRuntime {
  readonly plan: ModelPlan;
  /** Most examples of one chunk: min(maxBatch, 512), or maxBatch when a layer needs the whole batch at once. */
  readonly chunkRows: number;
  /** [chunkRows] model outputs of the last chunk. */
  readonly logits: Float32Array;
  /** Activations, gradients and scratch. What it holds is used up when a chunk ends (all but the logits), so runtimes may share it. */
  readonly arena: Float32Array;
  private readonly graph: Graph;
  private readonly labels: Float32Array;
  private readonly weights: Float32Array;
  private readonly chunk: Required<ChunkContext> = {
    rows: 0,
    firstExample: 0,
    globalExamples: 1,
    training: false,
    seedLow: 0,
    seedHigh: 0,
    parametersVersion: 0,
  };

  /**
   * @param maxBatch most examples of a batch slot.
   * @param tuning   `precision` of the operands of matrix products, fp32 by default. For tests and measurements: `reuse` false gives every
   *                 buffer memory of its own; `maxChunkRows` replaces 512.
   * Throws InvalidModel when the model does not fit its options or inputs, ShapeMismatch when a buffer has the wrong length.
   */
  constructor(
    definition: ModelDefinition,
    options: ModelOptions,
    inputs: ModelInputs,
    private readonly kernels: KernelBackend,
    private readonly buffers: RuntimeBuffers,
    maxBatch: number,
    tuning: { readonly reuse?: boolean; readonly maxChunkRows?: number; readonly precision?: Precision } = {},
  ) {
    const graph = buildGraph(definition, options, inputs);
    this.graph = graph;
    this.plan = planOf(definition, graph);
    const { parametersLength } = this.plan;
    const { parameters, gradients } = buffers;
    if (parameters.length !== parametersLength)
      throw shapeMismatch(`model ${this.plan.name}`, 'parameters', parametersLength, parameters.length);
    if (gradients !== null && gradients.length !== parametersLength) {
      throw shapeMismatch(`model ${this.plan.name}`, 'gradients', parametersLength, gradients.length);
    }
    this.chunkRows = graph.wholeBatch ? maxBatch : Math.min(maxBatch, tuning.maxChunkRows ?? CHUNK_ROWS);
    graph.bind({
      kernels,
      parameters: viewsByLayer(graph.layers, this.plan.parameters, parameters),
      gradients: gradients === null ? null : viewsByLayer(graph.layers, this.plan.parameters, gradients),
      chunkRows: this.chunkRows,
      precision: tuning.precision ?? Precision.fp32,
      reuse: tuning.reuse ?? true,
      arena: buffers.arena ?? null,
    });
    this.logits = graph.output;
    this.arena = graph.arena;
    this.labels = new Float32Array(this.chunkRows);
    this.weights = new Float32Array(this.chunkRows);
  }

  /** Before the first chunk of a batch: the seed of this step and worker (dropout) and the examples of the step over all workers. */
  setStep(seedLow: number, seedHigh: number, globalExamples: number): void {
    this.chunk.seedLow = seedLow;
    this.chunk.seedHigh = seedHigh;
    this.chunk.globalExamples = globalExamples;
    this.chunk.parametersVersion++;
  }

  /**
   * Computes `logits[0, rows)` for the examples firstExample … firstExample + rows of a batch.
   *
   * @param sparse   entry g: the rows of table g of the plan.
   * @param training true: dropout is on and batch norm uses the batch's statistics.
   */
  forward(batch: BatchSlot, sparse: readonly SparseInput[], firstExample: number, rows: number, training: boolean): void {
    if (!(rows >= 1 && rows <= this.chunkRows) || firstExample < 0 || firstExample + rows > batch.layout.maxExamples) {
      throw new MonolithError(
        'InvalidArgument',
        `model ${this.plan.name}: chunk of ${rows} examples from ${firstExample}; a chunk has 1 to ${this.chunkRows} examples of a batch of at most ${batch.layout.maxExamples}`,
      );
    }
    const { chunk, graph } = this;
    chunk.rows = rows;
    chunk.firstExample = firstExample;
    chunk.training = training;
    if (firstExample === 0) chunk.parametersVersion++;
    graph.source.batch = batch;
    graph.source.sparse = sparse;
    graph.forward(chunk);
  }

  /**
   * Forward, loss and backward of one chunk. Adds into the gradients and into sparse[g].dRows; the gradients belong to the mean loss over
   * `globalExamples` (see {@link setStep}).
   *
   * @returns Σ weight·loss over the chunk.
   */
  trainChunk(batch: BatchSlot, sparse: readonly SparseInput[], firstExample: number, rows: number): number {
    if (this.buffers.gradients === null) {
      throw new MonolithError('InvalidArgument', `model ${this.plan.name}: made for forward only, trainChunk needs a gradient buffer`);
    }
    this.forward(batch, sparse, firstExample, rows, true);
    const loss = this.outputLoss(batch, firstExample, rows);
    this.graph.backward(this.chunk);
    return loss;
  }

  /** Σ weight·loss of the chunk that `forward` has just computed; also writes the gradient of the outputs. */
  private outputLoss(batch: BatchSlot, firstExample: number, rows: number): number {
    const { labels, weights, graph } = this;
    const logistic = this.plan.loss === 'bce';
    for (let i = 0; i < rows; i++) {
      labels[i] = batch.labels[firstExample + i];
      if (logistic && (labels[i] < 0 || labels[i] > 1)) throw labelOutOfRange(labels[i]);
      weights[i] = batch.weights[firstExample + i];
    }
    const scale = 1 / this.chunk.globalExamples;
    return lossAndGradient(this.plan.loss, this.kernels, rows, graph.output, labels, weights, scale, graph.dOutput);
  }

  /**
   * Where a non-finite loss comes from: runs the last chunk forward again, layer by layer, and returns the first output with a NaN or an
   * infinity (index within the chunk's output), in graph order, input layers included; else "labels" or "weights" of the batch; else null.
   * Call it before the batch slot and the sparse inputs change.
   */
  firstNonFinite(): { layer: string; index: number } | null {
    const found = this.graph.firstNonFiniteOutput(this.chunk, this.kernels);
    if (found !== null) return found;
    const { rows } = this.chunk;
    const label = this.kernels.firstNonFinite(rows, this.labels);
    if (label >= 0) return { layer: 'labels', index: label };
    const weight = this.kernels.firstNonFinite(rows, this.weights);
    return weight >= 0 ? { layer: 'weights', index: weight } : null;
  }
}

/** What is thrown for a label that a logistic loss has no meaning for. */
export function labelOutOfRange(label: number): MonolithError {
  return new MonolithError(
    'DataFormat',
    `label ${label}: the model predicts a probability, so labels are 0 to 1; say what counts as positive with label.positive in the schema, or use a model with loss mse`,
    { label },
  );
}

/** One list of views a layer, in the order of its parameters. */
function viewsByLayer(layers: readonly GraphLayer[], plans: readonly ParameterPlan[], vector: Float32Array): Float32Array[][] {
  let next = 0;
  return layers.map(({ layer }) =>
    layer.parameters.map(() => {
      const { offset, length } = plans[next++];
      return vector.subarray(offset, offset + length);
    }),
  );
}
