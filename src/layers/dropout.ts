import { MonolithError } from '../base/index.js';
import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { widthOf } from './shape.js';

/**
 * Inverted dropout: in training y = x ⊙ mask with mask 0 (probability `rate`) or 1/(1 − rate); in evaluation y = x. The mask is a function
 * of (step seed, layer index, example index, column) alone, so chunking and thread count do not change it.
 * Source: Srivastava et al., JMLR 15 (2014).
 */
export class Dropout extends LayerBase {
  readonly kind = 'dropout';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private readonly width: number;
  private readonly layerLow: number;
  private readonly layerHigh: number;

  /** @param layerIndex position of the layer in its graph: two dropouts of one model draw different masks. */
  constructor(
    inputShape: readonly number[],
    private readonly rate: number,
    layerIndex: number,
  ) {
    super();
    if (!(rate >= 0 && rate < 1)) throw new MonolithError('InvalidModel', `dropout: rate must be in [0, 1), got ${rate}`);
    this.outputShape = inputShape;
    this.width = widthOf(inputShape);
    this.layerLow = mix32(layerIndex + 1);
    this.layerHigh = mix32(this.layerLow ^ 0x9e3779b9);
  }

  /** The mask, [rows, width]. */
  override scratchLength(rows: number): number {
    return rows * this.width;
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output, scratch } = this.buffers;
    const { width, kernels } = this;
    const x = inputs[0];
    if (!chunk.training) {
      kernels.copyColumns(chunk.rows, width, x, width, output, width, false);
      return;
    }
    const seedLow = (chunk.seedLow ^ this.layerLow) >>> 0;
    const seedHigh = (chunk.seedHigh ^ this.layerHigh) >>> 0;
    kernels.dropoutMask(chunk.rows * width, this.rate, seedLow, seedHigh, chunk.firstExample * width, scratch);
    kernels.multiply(chunk.rows * width, x, scratch, output, false);
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate, dOutput, scratch } = this.buffers;
    const dX = dInputs[0] ?? null;
    if (dX !== null) this.kernels.multiply(chunk.rows * this.width, dOutput, scratch, dX, accumulate[0] === true);
  }
}

/** MurmurHash3's 32-bit finaliser: spreads small layer numbers over all bits. */
function mix32(value: number): number {
  let z = value >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}
