import { MonolithError } from '../base/index.js';
import type { KernelBackend } from '../kernels/index.js';
import type { ChunkContext, LayerBuffers, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
import { widthOf } from './shape.js';

export type BatchNormOptions = {
  /** Share of the old moving statistic that a step keeps, in [0, 1). */
  readonly momentum: number;
  /** Added to the variance, > 0. */
  readonly epsilon: number;
};

/**
 * Batch normalisation by column: y = gamma·(x − mean)/√(variance + epsilon) + beta.
 *
 * Training uses the statistics of the worker's batch, so the batch must be one chunk (`wholeBatch`). Evaluation uses moving statistics: two
 * non-trainable parameters whose "gradient" is the batch statistic × rows/globalExamples; summed over workers it is the mean over workers,
 * and the movingAverage rule moves the parameter towards it.
 * Source: Ioffe & Szegedy, ICML 2015.
 */
export class BatchNorm extends LayerBase {
  readonly kind = 'batch-norm';
  readonly outputShape: readonly number[];
  // xHat is kept in scratch.
  readonly backwardReads = { inputs: false, output: false };
  override readonly wholeBatch = true;
  override readonly parameters: readonly ParameterSpec[];
  private readonly n: number;
  private xHat: Float32Array = new Float32Array(0);
  private mean: Float32Array = new Float32Array(0);
  private variance: Float32Array = new Float32Array(0);
  private inverseStd: Float32Array = new Float32Array(0);
  private spare: Float32Array = new Float32Array(0);

  constructor(
    inputShape: readonly number[],
    private readonly options: BatchNormOptions,
  ) {
    super();
    const { momentum, epsilon } = options;
    if (!(momentum >= 0 && momentum < 1))
      throw new MonolithError('InvalidModel', `batch-norm: momentum must be in [0, 1), got ${momentum}`);
    if (!(epsilon > 0)) throw new MonolithError('InvalidModel', `batch-norm: epsilon must be > 0, got ${epsilon}`);
    this.outputShape = inputShape;
    const n = widthOf(inputShape);
    this.n = n;
    this.parameters = [
      { name: 'gamma', shape: [n], initializer: { kind: 'constant', value: 1 }, trainable: true, decay: false },
      { name: 'beta', shape: [n], initializer: { kind: 'zeros' }, trainable: true, decay: false },
      { name: 'movingMean', shape: [n], initializer: { kind: 'zeros' }, trainable: false, momentum, decay: false },
      { name: 'movingVariance', shape: [n], initializer: { kind: 'constant', value: 1 }, trainable: false, momentum, decay: false },
    ];
  }

  /** xHat and a spare gradient [rows, n]; mean, variance, 1/σ [n]. */
  override scratchLength(rows: number): number {
    return 2 * rows * this.n + 3 * this.n;
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    const { n } = this;
    const { scratch } = buffers;
    const length = buffers.output.length;
    this.mean = scratch.subarray(0, n);
    this.variance = scratch.subarray(n, 2 * n);
    this.inverseStd = scratch.subarray(2 * n, 3 * n);
    this.xHat = scratch.subarray(3 * n, 3 * n + length);
    this.spare = scratch.subarray(3 * n + length);
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output, parameters } = this.buffers;
    const { n, inverseStd, kernels } = this;
    const x = inputs[0];
    const [gamma, beta, movingMean, movingVariance] = parameters;
    let mean = movingMean;
    let variance = movingVariance;
    if (chunk.training) {
      kernels.columnMoments(chunk.rows, n, x, this.mean, this.variance);
      mean = this.mean;
      variance = this.variance;
    }
    for (let i = 0; i < n; i++) inverseStd[i] = 1 / Math.sqrt(variance[i] + this.options.epsilon);
    kernels.batchNormForward(chunk.rows, n, x, mean, inverseStd, gamma, beta, this.xHat, output);
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate, dOutput, parameters, dParameters } = this.buffers;
    const { n, kernels } = this;
    const [dGamma, dBeta, dMovingMean, dMovingVariance] = dParameters;
    const share = chunk.rows / chunk.globalExamples;
    kernels.axpy(n, share, this.mean, dMovingMean);
    kernels.axpy(n, share, this.variance, dMovingVariance);
    const dX = dInputs[0] ?? null;
    const gamma = parameters[0];
    const add = dX !== null && accumulate[0] === true;
    kernels.batchNormBackward(chunk.rows, n, this.xHat, this.inverseStd, gamma, dOutput, dX ?? this.spare, add, dGamma, dBeta);
  }
}
