import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { wrongShape } from './shape.js';

/**
 * DLRM's pairwise dots: [V, D] gives [V(V−1)/2], the pairs in the order (1,0) (2,0) (2,1) (3,0) …
 * Source: Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems", arXiv 1906.00091.
 */
export class DotInteraction extends LayerBase {
  readonly kind = 'dot-interaction';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: true, output: false };
  private readonly v: number;
  private readonly d: number;
  private readonly pairs: number;

  constructor(inputShape: readonly number[]) {
    super();
    const [v, d] = inputShape;
    if (v === undefined || d === undefined || inputShape.length !== 2 || v < 2)
      throw wrongShape('dot-interaction', '[V ≥ 2, D]', inputShape);
    this.v = v;
    this.d = d;
    this.pairs = (v * (v - 1)) / 2;
    this.outputShape = [this.pairs];
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output } = this.buffers;
    const { v, d, pairs } = this;
    this.kernels.dotForward(chunk.rows, v, d, inputs[0], v * d, output, pairs);
  }

  backward(chunk: ChunkContext): void {
    const { inputs, dInputs, accumulate, dOutput } = this.buffers;
    const { v, d, pairs } = this;
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    this.kernels.dotBackward(chunk.rows, v, d, inputs[0], v * d, dOutput, pairs, dX, v * d, accumulate[0] === true);
  }
}
