import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { widthOf, wrongShape } from './shape.js';

/** Element-wise sum of nodes of one shape, in the order given (the parts of a logit). */
export class Add extends LayerBase {
  readonly kind = 'add';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private readonly width: number;

  constructor(inputShapes: readonly (readonly number[])[]) {
    super();
    const first = inputShapes[0] ?? [];
    for (const shape of inputShapes) {
      if (shape.join() !== first.join()) throw wrongShape('add', `[${first.join(', ')}] like its first input`, shape);
    }
    this.outputShape = first;
    this.width = widthOf(first);
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output } = this.buffers;
    const { width } = this;
    for (let i = 0; i < inputs.length; i++) {
      this.kernels.copyColumns(chunk.rows, width, inputs[i], width, output, width, i > 0);
    }
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate, dOutput } = this.buffers;
    const { width } = this;
    for (let i = 0; i < dInputs.length; i++) {
      const dX = dInputs[i] ?? null;
      if (dX !== null) this.kernels.copyColumns(chunk.rows, width, dOutput, width, dX, width, accumulate[i] === true);
    }
  }
}
