import { Activation } from '../kernels/index.js';
import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { widthOf, wrongShape } from './shape.js';

/** Sum over the last axis: [n] gives [1], [H, D] gives [H]. dX (+)= dY repeated. */
export class SumLastAxis extends LayerBase {
  readonly kind = 'sum';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private readonly length: number;
  private readonly width: number;
  private readonly ones: Float32Array;

  constructor(inputShape: readonly number[]) {
    super();
    const length = inputShape.at(-1);
    if (length === undefined) throw wrongShape('sum', '[…, n]', inputShape);
    this.length = length;
    this.outputShape = inputShape.length === 1 ? [1] : inputShape.slice(0, -1);
    this.width = widthOf(this.outputShape);
    this.ones = new Float32Array(length).fill(1);
  }

  // Both directions are products with a vector of ones.
  forward(chunk: ChunkContext): void {
    const { inputs, output } = this.buffers;
    const { length, ones } = this;
    const x = inputs[0];
    this.kernels.gemm(false, false, chunk.rows * this.width, 1, length, x, length, ones, 1, output, 1, false, null, Activation.none);
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate, dOutput } = this.buffers;
    const { length, ones } = this;
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    const add = accumulate[0] === true;
    this.kernels.gemm(false, false, chunk.rows * this.width, length, 1, dOutput, 1, ones, length, dX, length, add, null, Activation.none);
  }
}
