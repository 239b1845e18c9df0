import type { ChunkContext, ParameterSpec } from './layer.js';
import { LayerBase } from './layer-base.js';
import { checkCount } from './shape.js';

/** A trainable constant [n], the same for every example; starts at zero. db += Σ dY. */
export class Bias extends LayerBase {
  readonly kind = 'bias';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  override readonly parameters: readonly ParameterSpec[];

  /** @param decay whether weight decay applies; constants mostly stay out of it. */
  constructor(
    private readonly width: number,
    decay = false,
  ) {
    super();
    checkCount('bias', 'width', width);
    this.outputShape = [width];
    this.parameters = [{ name: 'bias', shape: [width], initializer: { kind: 'zeros' }, trainable: true, decay }];
  }

  forward(chunk: ChunkContext): void {
    const { output, parameters } = this.buffers;
    const bias = parameters[0];
    for (let r = 0, at = 0; r < chunk.rows; r++) {
      for (let i = 0; i < this.width; i++, at++) output[at] = bias[i];
    }
  }

  backward(chunk: ChunkContext): void {
    const { dOutput, dParameters } = this.buffers;
    this.kernels.columnSum(chunk.rows, this.width, dOutput, this.width, dParameters[0], true);
  }
}
