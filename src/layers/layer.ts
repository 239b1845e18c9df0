import type { Activation, KernelBackend, Precision } from '../kernels/index.js';

/** How a dense parameter starts. xavierNormal: σ = √(2/(fanIn+fanOut)); heNormal: σ = √(2/fanIn); normal/uniform take explicit numbers. */
export type ParameterInitializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'normal'; readonly mean: number; readonly stddev: number }
  | { readonly kind: 'xavierNormal' | 'xavierUniform' | 'heNormal'; readonly fanIn: number; readonly fanOut: number };

/** A dense parameter that a layer asks for. */
export type ParameterSpec = {
  /** Unique within the layer: 'weight', 'bias' … The full name is `<layer>.<name>`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: ParameterInitializer;
  /** false: a statistic, moved by the movingAverage rule with `momentum` towards the mean over the step's examples; never clipped or decayed. */
  readonly trainable: boolean;
  readonly momentum?: number;
  /** Whether weight decay (L2) applies; biases and norms say false. */
  readonly decay: boolean;
};

/** Views a layer works on; made once, when the graph is bound. Row-major [rows, width], rows ≤ the graph's chunk rows. */
export type LayerBuffers = {
  readonly inputs: readonly Float32Array[];
  readonly output: Float32Array;
  /** Where to put the gradient of each input; null where nobody needs it. */
  readonly dInputs: readonly (Float32Array | null)[];
  /** true: another consumer wrote before, so add; false: overwrite. */
  readonly accumulate: readonly boolean[];
  readonly dOutput: Float32Array;
  /**
   * The activation at the end of each input, whose derivative the layer multiplies that input's gradient with after its own part is in (see
   * {@link Layer.appliesInputSlopes}). Missing: none.
   */
  readonly inputSlopes?: readonly Activation[];
  /** true: dOutput is already the gradient before this layer's own activation. */
  readonly slopeApplied?: boolean;
  readonly parameters: readonly Float32Array[];
  /** Gradients of the parameters; layers always add to them (they are zeroed at the start of a step). */
  readonly dParameters: readonly Float32Array[];
  /** scratchLength(chunkRows) float32, kept between forward and backward of one chunk. */
  readonly scratch: Float32Array;
  /** Format of the operands of matrix products; missing: fp32. */
  readonly precision?: Precision;
};

/** One chunk's circumstances. A single object, updated in place. */
export type ChunkContext = {
  /** Examples in this chunk, ≤ chunk rows. */
  rows: number;
  /** Index of the chunk's first example in the batch slot. */
  firstExample: number;
  /** Examples of the whole step over all workers. */
  globalExamples: number;
  training: boolean;
  /** Seed of this step and worker (dropout), two unsigned halves. */
  seedLow: number;
  seedHigh: number;
  /** While it stays the same, so do the parameters, and a layer may keep what it made of them. Missing or 0: they may change at any time. */
  parametersVersion?: number;
};

/** Embedding rows of one table for one batch, as the parameter-server client hands them over. One object a table, fields swapped per batch. */
export type SparseInput = {
  /** [B·F + 1] */
  bagOffsets: Int32Array;
  /** [nnz] position in rows */
  inverse: Int32Array;
  /** [nnz] or null for all ones */
  values: Float32Array | null;
  /** [N, rowStride] */
  rows: Float32Array;
  /** [N, rowStride], zeroed before the first chunk; layers add. */
  dRows: Float32Array;
  rowStride: number;
};

/**
 * A layer owns its forward and its backward. Shapes are per example: width = product of the shape. A layer is bound once per thread and then
 * run many times; forward and backward allocate nothing. Check with `checkGradients` (models room).
 */
export interface Layer {
  /** 'dense', 'cross', 'dot-interaction' … */
  readonly kind: string;
  /** Shape of one example's output, e.g. [256] or [26, 16]. */
  readonly outputShape: readonly number[];
  readonly parameters: readonly ParameterSpec[];
  /** true when it needs all examples of the worker's batch in one chunk (batch statistics). */
  readonly wholeBatch: boolean;
  /**
   * Which forward buffers `backward` still reads. Missing: all of them. What is not read may share its memory with something else by then.
   * Scratch is always kept.
   */
  readonly backwardReads?: { readonly inputs: boolean; readonly output: boolean };
  /** The activation at the end of its output, if a consumer may take its derivative (from the output) instead of the layer itself. */
  readonly outputActivation?: Activation;
  /** Whether it honours {@link LayerBuffers.inputSlopes}; it then reads its inputs in backward. */
  readonly appliesInputSlopes?: boolean;
  scratchLength(rows: number): number;
  bind(buffers: LayerBuffers, kernels: KernelBackend): void;
  forward(chunk: ChunkContext): void;
  backward(chunk: ChunkContext): void;
}
