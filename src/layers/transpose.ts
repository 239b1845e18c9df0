import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { wrongShape } from './shape.js';

/** Swaps the two axes of each example: [p, q] gives [q, p]. */
export class Transpose extends LayerBase {
  readonly kind = 'transpose';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private readonly p: number;
  private readonly q: number;

  constructor(inputShape: readonly number[]) {
    super();
    const [p, q] = inputShape;
    if (p === undefined || q === undefined || inputShape.length !== 2) throw wrongShape('transpose', '[p, q]', inputShape);
    this.p = p;
    this.q = q;
    this.outputShape = [q, p];
  }

  forward(chunk: ChunkContext): void {
    this.kernels.transposeInner(chunk.rows, this.p, this.q, this.buffers.inputs[0], this.buffers.output, false);
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate, dOutput } = this.buffers;
    const dX = dInputs[0] ?? null;
    if (dX !== null) this.kernels.transposeInner(chunk.rows, this.q, this.p, dOutput, dX, accumulate[0] === true);
  }
}
