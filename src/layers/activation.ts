import type { Activation } from '../kernels/index.js';
import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { widthOf } from './shape.js';

/** y = activation(x), element-wise; the derivative is taken from y. Inside `Dense` it is fused into the product instead. */
export class ActivationLayer extends LayerBase {
  readonly kind = 'activation';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: true };
  private readonly width: number;

  constructor(
    inputShape: readonly number[],
    private readonly activation: Activation,
  ) {
    super();
    this.outputShape = inputShape;
    this.width = widthOf(inputShape);
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output } = this.buffers;
    this.kernels.activationForward(this.activation, chunk.rows * this.width, inputs[0], output);
  }

  backward(chunk: ChunkContext): void {
    const { output, dInputs, accumulate, dOutput } = this.buffers;
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    this.kernels.activationBackward(this.activation, chunk.rows * this.width, output, dOutput, dX, accumulate[0] === true);
  }
}
