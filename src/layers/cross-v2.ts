import { Activation, type KernelBackend } from '../kernels/index.js';
import { clearTargets, type GradientTargets, gradientTargets } from './gradient-targets.js';
import type { ChunkContext, LayerBuffers, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
import { PackedWeights } from './packed-weights.js';
import { wrongShape } from './shape.js';

/**
 * Cross layer of DCN-v2, matrix form: y = x0 ⊙ (x·W + b) + x; inputs (x0, x), both [n]; W [n, n].
 * Source: Wang et al., "DCN V2: Improved Deep & Cross Network", WWW 2021.
 */
export class CrossV2 extends LayerBase {
  readonly kind = 'cross-v2';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: true, output: false };
  override readonly parameters: readonly ParameterSpec[];
  private readonly n: number;
  private u: Float32Array = new Float32Array(0);
  private dU: Float32Array = new Float32Array(0);
  private targets: GradientTargets | null = null;
  private weights: PackedWeights | null = null;

  constructor(x0Shape: readonly number[], xShape: readonly number[]) {
    super();
    const [n] = x0Shape;
    if (n === undefined || x0Shape.length !== 1) throw wrongShape('cross-v2', '[n]', x0Shape);
    if (xShape.join() !== x0Shape.join()) throw wrongShape('cross-v2', `[${n}] like x0`, xShape);
    this.n = n;
    this.outputShape = [n];
    this.parameters = [
      { name: 'weight', shape: [n, n], initializer: { kind: 'xavierNormal', fanIn: n, fanOut: n }, trainable: true, decay: true },
      { name: 'bias', shape: [n], initializer: { kind: 'zeros' }, trainable: true, decay: false },
    ];
  }

  /** u = x·W + b, dU and two spare gradients, all [rows, n]. */
  override scratchLength(rows: number): number {
    return 4 * rows * this.n;
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    this.weights = new PackedWeights(kernels, buffers, this.n, this.n);
    const length = buffers.output.length;
    const part = (i: number) => buffers.scratch.subarray(i * length, (i + 1) * length);
    this.u = part(0);
    this.dU = part(1);
    this.targets = gradientTargets(buffers, [part(2), part(3)]);
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output, parameters } = this.buffers;
    const { n, kernels, u } = this;
    const [x0, x] = inputs;
    const bias = parameters[1];
    const { none } = Activation;
    const weights = this.weights ?? this.unbound();
    const packed = weights.forForward(chunk);
    kernels.gemmPacked(weights.precision, chunk.rows, n, n, x, n, packed, u, n, false, bias, none, none, null, 0);
    kernels.crossV2Forward(chunk.rows * n, x0, u, x, output);
  }

  backward(chunk: ChunkContext): void {
    const { targets, n, kernels, u, dU } = this;
    if (targets === null) return;
    const { inputs, dParameters, dOutput } = this.buffers;
    const { rows } = chunk;
    const [x0, x] = inputs;
    const [dWeight, dBias] = dParameters;
    clearTargets(targets, this.buffers, rows * n, rows * n);
    kernels.crossV2Backward(rows * n, x0, u, dOutput, dU, targets.first, targets.second);
    const { none } = Activation;
    const weights = this.weights ?? this.unbound();
    kernels.weightGradient(weights.precision, rows, n, n, x, n, dU, n, dWeight, dBias);
    const packed = weights.forBackward(chunk);
    kernels.gemmPacked(weights.precision, rows, n, n, dU, n, packed, targets.second, n, true, null, none, none, null, 0);
    if (targets.sameNode) kernels.axpy(rows * n, 1, targets.first, targets.second);
  }
}
