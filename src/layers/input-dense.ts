import { MonolithError } from '../base/index.js';
import type { BatchSource } from './batch-source.js';
import type { ChunkContext } from './layer.js';
import { LayerBase } from './layer-base.js';

/** The chunk's rows of the numeric columns, [numDense]. Has no gradient. */
export class InputDense extends LayerBase {
  readonly kind = 'input-dense';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };

  constructor(
    private readonly numDense: number,
    private readonly source: BatchSource,
  ) {
    super();
    this.outputShape = [numDense];
  }

  forward(chunk: ChunkContext): void {
    const { batch } = this.source;
    if (batch === null) throw new MonolithError('Internal', 'input-dense: no batch was given');
    const { dense } = batch;
    const { output } = this.buffers;
    const first = chunk.firstExample * this.numDense;
    const length = chunk.rows * this.numDense;
    // A plain loop: a view of the chunk's rows would be an allocation per chunk.
    for (let i = 0; i < length; i++) output[i] = dense[first + i];
  }

  backward(_chunk: ChunkContext): void {}
}
