import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { wrongShape } from './shape.js';

/**
 * Factorization machine, second order: [F, D] gives [1] = ½ Σ_d ((Σ_f e)² − Σ_f e²), the sum of all pairwise dots.
 * Source: Rendle, "Factorization Machines", ICDM 2010, lemma 3.1.
 */
export class FactorizationMachine extends LayerBase {
  readonly kind = 'fm';
  readonly outputShape: readonly number[] = [1];
  readonly backwardReads = { inputs: true, output: false };
  private readonly f: number;
  private readonly d: number;

  constructor(inputShape: readonly number[]) {
    super();
    const [f, d] = inputShape;
    if (f === undefined || d === undefined || inputShape.length !== 2) throw wrongShape('fm', '[F, D]', inputShape);
    this.f = f;
    this.d = d;
  }

  /** Σ_f e, [rows, D]. */
  override scratchLength(rows: number): number {
    return rows * this.d;
  }

  forward(chunk: ChunkContext): void {
    const { inputs, output, scratch } = this.buffers;
    this.kernels.fmForward(chunk.rows, this.f, this.d, inputs[0], this.f * this.d, scratch, output);
  }

  backward(chunk: ChunkContext): void {
    const { inputs, dInputs, accumulate, dOutput, scratch } = this.buffers;
    const { f, d } = this;
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    this.kernels.fmBackward(chunk.rows, f, d, inputs[0], f * d, scratch, dOutput, dX, f * d, accumulate[0] === true);
  }
}
