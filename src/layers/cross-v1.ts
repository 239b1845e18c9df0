import type { KernelBackend } from '../kernels/index.js';
import { clearTargets, type GradientTargets, gradientTargets } from './gradient-targets.js';
import type { ChunkContext, LayerBuffers, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
import { wrongShape } from './shape.js';

/**
 * Cross layer of DCN, vector form: y = x0·(x·w) + b + x; inputs (x0, x), both [n].
 * Source: Wang et al., "Deep & Cross Network for Ad Click Predictions", ADKDD 2017.
 */
export class CrossV1 extends LayerBase {
  readonly kind = 'cross-v1';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: true, output: false };
  override readonly parameters: readonly ParameterSpec[];
  private readonly n: number;
  private targets: GradientTargets | null = null;

  constructor(x0Shape: readonly number[], xShape: readonly number[]) {
    super();
    const [n] = x0Shape;
    if (n === undefined || x0Shape.length !== 1) throw wrongShape('cross-v1', '[n]', x0Shape);
    if (xShape.join() !== x0Shape.join()) throw wrongShape('cross-v1', `[${n}] like x0`, xShape);
    this.n = n;
    this.outputShape = [n];
    this.parameters = [
      { name: 'weight', shape: [n], initializer: { kind: 'xavierNormal', fanIn: n, fanOut: 1 }, trainable: true, decay: true },
      { name: 'bias', shape: [n], initializer: { kind: 'zeros' }, trainable: true, decay: false },
    ];
  }

  /** s = x·w [rows], then two spare gradients [rows, n]. */
  override scratchLength(rows: number): number {
    return rows * (1 + 2 * this.n);
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    const length = buffers.output.length;
    const rows = length / this.n;
    const { scratch } = buffers;
    this.targets = gradientTargets(buffers, [scratch.subarray(rows, rows + length), scratch.subarray(rows + length)]);
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output, parameters, scratch } = this.buffers;
    const [x0, x] = inputs;
    const [weight, bias] = parameters;
    this.kernels.crossV1Forward(chunk.rows, this.n, x0, x, weight, bias, scratch, output);
  }

  backward(chunk: ChunkContext): void {
    const { targets, n, kernels } = this;
    if (targets === null) return;
    const { inputs, parameters, dParameters, dOutput, scratch } = this.buffers;
    const { rows } = chunk;
    const [x0, x] = inputs;
    const [dWeight, dBias] = dParameters;
    clearTargets(targets, this.buffers, rows * n, rows * n);
    const weight = parameters[0];
    kernels.crossV1Backward(rows, n, x0, x, weight, scratch, dOutput, targets.first, targets.second, dWeight, dBias);
    if (targets.sameNode) kernels.axpy(rows * n, 1, targets.first, targets.second);
  }
}
