import { Activation, type KernelBackend } from '../kernels/index.js';
import { clearTargets, type GradientTargets, gradientTargets } from './gradient-targets.js';
import type { ChunkContext, LayerBuffers, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
import { PackedWeights } from './packed-weights.js';
import { checkCount, wrongShape } from './shape.js';

/** Examples whose outer products are held at once: with 26 fields, 64 maps and D 16 they take under 1 MiB and stay in the second-level cache. */
const BLOCK_EXAMPLES = 8;

/** Views of one block of examples. */
type Block = {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly y: Float32Array;
  readonly dY: Float32Array;
  readonly dA: Float32Array;
  readonly dB: Float32Array;
};

/**
 * One layer of the compressed interaction network, in transposed layout: inputs xᵏ [D, H] and x⁰ [D, F] give xᵏ⁺¹ [D, M],
 *
 *     y[d, m] = activation(Σ_{i,j} W[i·F + j, m] · xᵏ[d, i] · x⁰[d, j])
 *
 * The outer products are made block by block and again in backward, so memory does not grow with the chunk.
 * Source: Lian et al., "xDeepFM", KDD 2018.
 */
export class CompressedInteraction extends LayerBase {
  readonly kind = 'cin';
  readonly outputShape: readonly number[];
  readonly backwardReads: { readonly inputs: boolean; readonly output: boolean };
  override readonly parameters: readonly ParameterSpec[];
  private readonly d: number;
  private readonly h: number;
  private readonly f: number;
  private blocks: readonly Block[] = [];
  private outer: Float32Array = new Float32Array(0);
  private dOuter: Float32Array = new Float32Array(0);
  private targets: GradientTargets | null = null;
  private weights: PackedWeights | null = null;

  constructor(
    xShape: readonly number[],
    x0Shape: readonly number[],
    private readonly maps: number,
    private readonly activation: Activation,
  ) {
    super();
    const [d, h] = xShape;
    const [d0, f] = x0Shape;
    if (d === undefined || h === undefined || xShape.length !== 2) throw wrongShape('cin', '[D, H]', xShape);
    if (d0 !== d || f === undefined || x0Shape.length !== 2) throw wrongShape('cin', `[${d}, F]`, x0Shape);
    checkCount('cin', 'maps', maps);
    this.d = d;
    this.h = h;
    this.f = f;
    this.outputShape = [d, maps];
    this.backwardReads = { inputs: true, output: activation !== Activation.none };
    const fanIn = h * f;
    const initializer = { kind: 'xavierNormal', fanIn, fanOut: maps } as const;
    this.parameters = [{ name: 'weight', shape: [fanIn, maps], initializer, trainable: true, decay: true }];
  }

  /** Outer products and their gradients of one block, then two spare input gradients. */
  override scratchLength(rows: number): number {
    const { d, h, f } = this;
    return 2 * Math.min(rows, BLOCK_EXAMPLES) * d * h * f + rows * d * (h + f);
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    const { d, h, f, maps } = this;
    this.weights = new PackedWeights(kernels, buffers, h * f, maps);
    const { scratch, inputs, output, dOutput } = buffers;
    const rows = output.length / (d * maps);
    const outerLength = Math.min(rows, BLOCK_EXAMPLES) * d * h * f;
    this.outer = scratch.subarray(0, outerLength);
    this.dOuter = scratch.subarray(outerLength, 2 * outerLength);
    const spare = scratch.subarray(2 * outerLength);
    const targets = gradientTargets(buffers, [spare.subarray(0, rows * d * h), spare.subarray(rows * d * h)]);
    this.targets = targets;
    const [a, b] = inputs;
    const blocks: Block[] = [];
    for (let first = 0; first < rows; first += BLOCK_EXAMPLES) {
      const at = first * d;
      blocks.push({
        a: a.subarray(at * h),
        b: b.subarray(at * f),
        y: output.subarray(at * maps),
        dY: dOutput.subarray(at * maps),
        dA: targets.first.subarray(at * h),
        dB: targets.second.subarray(at * f),
      });
    }
    this.blocks = blocks;
  }

  forward(chunk: ChunkContext): void {
    const { d, h, f, maps, kernels, outer } = this;
    const k = h * f;
    const weights = this.weights ?? this.unbound();
    const packed = weights.forForward(chunk);
    const { none } = Activation;
    for (let i = 0, first = 0; first < chunk.rows; i++, first += BLOCK_EXAMPLES) {
      const block = this.blocks[i];
      const m = Math.min(BLOCK_EXAMPLES, chunk.rows - first) * d;
      kernels.outerForward(m, h, f, block.a, block.b, outer);
      kernels.gemmPacked(weights.precision, m, maps, k, outer, k, packed, block.y, maps, false, null, this.activation, none, null, 0);
    }
  }

  backward(chunk: ChunkContext): void {
    const { d, h, f, maps, kernels, outer, dOuter, targets } = this;
    if (targets === null) return;
    const { rows } = chunk;
    const { output, dOutput, dParameters } = this.buffers;
    const dWeight = dParameters[0];
    const { none } = Activation;
    const k = h * f;
    const weights = this.weights ?? this.unbound();
    const packed = weights.forBackward(chunk);
    clearTargets(targets, this.buffers, rows * d * h, rows * d * f);
    if (this.activation !== none) kernels.activationBackward(this.activation, rows * d * maps, output, dOutput, dOutput, false);
    for (let i = 0, first = 0; first < rows; i++, first += BLOCK_EXAMPLES) {
      const block = this.blocks[i];
      const m = Math.min(BLOCK_EXAMPLES, rows - first) * d;
      kernels.outerForward(m, h, f, block.a, block.b, outer);
      kernels.weightGradient(weights.precision, m, k, maps, outer, k, block.dY, maps, dWeight, null);
      kernels.gemmPacked(weights.precision, m, k, maps, block.dY, maps, packed, dOuter, k, false, null, none, none, null, 0);
      kernels.outerBackward(m, h, f, block.a, block.b, dOuter, block.dA, block.dB);
    }
    if (targets.sameNode) kernels.axpy(rows * d * h, 1, targets.first, targets.second);
  }
}
