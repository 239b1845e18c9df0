import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { formatShape, widthOf, wrongShape } from './shape.js';

/** Element-wise product of two nodes of one shape. dA (+)= dY ⊙ b; dB (+)= dY ⊙ a. */
export class Multiply extends LayerBase {
  readonly kind = 'multiply';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: true, output: false };
  private readonly width: number;

  constructor(aShape: readonly number[], bShape: readonly number[]) {
    super();
    if (aShape.join() !== bShape.join()) throw wrongShape('multiply', `${formatShape(aShape)} like its first input`, bShape);
    this.outputShape = aShape;
    this.width = widthOf(aShape);
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output } = this.buffers;
    this.kernels.multiply(chunk.rows * this.width, inputs[0], inputs[1], output, false);
  }

  backward(chunk: ChunkContext): void {
    const { inputs, dInputs, accumulate, dOutput } = this.buffers;
    const length = chunk.rows * this.width;
    const dA = dInputs[0] ?? null;
    const dB = dInputs[1] ?? null;
    if (dA !== null) this.kernels.multiply(length, dOutput, inputs[1], dA, accumulate[0] === true);
    if (dB !== null) this.kernels.multiply(length, dOutput, inputs[0], dB, accumulate[1] === true);
  }
}
