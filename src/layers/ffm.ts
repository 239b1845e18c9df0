import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';
import { wrongShape } from './shape.js';

/**
 * Field-aware factorization machine: [F, F, D] gives [1] = Σ_{i<j} e[i,j]·e[j,i], where e[i,j] is the vector of feature i against field j.
 * Source: Juan et al., "Field-aware Factorization Machines for CTR Prediction", RecSys 2016.
 */
export class FieldAwareFactorizationMachine extends LayerBase {
  readonly kind = 'ffm';
  readonly outputShape: readonly number[] = [1];
  readonly backwardReads = { inputs: true, output: false };
  private readonly f: number;
  private readonly d: number;

  constructor(inputShape: readonly number[]) {
    super();
    const [f, g, d] = inputShape;
    if (f === undefined || f !== g || d === undefined || inputShape.length !== 3) throw wrongShape('ffm', '[F, F, D]', inputShape);
    this.f = f;
    this.d = d;
  }

  forward(chunk: ChunkContext): void {
    this.kernels.ffmForward(chunk.rows, this.f, this.d, this.buffers.inputs[0], this.buffers.output);
  }

  backward(chunk: ChunkContext): void {
    const { inputs, dInputs, accumulate, dOutput } = this.buffers;
    const dX = dInputs[0] ?? null;
    if (dX === null) return;
    this.kernels.ffmBackward(chunk.rows, this.f, this.d, inputs[0], dOutput, dX, accumulate[0] === true);
  }
}
