import type { KernelBackend } from '../kernels/index.js';
import type { ChunkContext, LayerBuffers } from './layer.js';
import { LayerBase } from './layer-base.js';
import { widthOf } from './shape.js';

/** Inputs side by side: [Σ widths], each input flattened, in order. Backward hands each input its columns. */
export class Concat extends LayerBase {
  readonly kind = 'concat';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private readonly widths: readonly number[];
  private readonly total: number;
  private columns: Float32Array[] = [];
  private dColumns: Float32Array[] = [];

  constructor(inputShapes: readonly (readonly number[])[]) {
    super();
    this.widths = inputShapes.map(widthOf);
    this.total = this.widths.reduce((a, b) => a + b, 0);
    this.outputShape = [this.total];
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    const starts = this.widths.map((_, i) => this.widths.slice(0, i).reduce((a, b) => a + b, 0));
    this.columns = starts.map((start) => buffers.output.subarray(start));
    this.dColumns = starts.map((start) => buffers.dOutput.subarray(start));
  }

  forward(chunk: ChunkContext): void {
    const { inputs } = this.buffers;
    for (let i = 0; i < inputs.length; i++) {
      const width = this.widths[i];
      this.kernels.copyColumns(chunk.rows, width, inputs[i], width, this.columns[i], this.total, false);
    }
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate } = this.buffers;
    for (let i = 0; i < dInputs.length; i++) {
      const dX = dInputs[i] ?? null;
      if (dX === null) continue;
      const width = this.widths[i];
      this.kernels.copyColumns(chunk.rows, width, this.dColumns[i], this.total, dX, width, accumulate[i] === true);
    }
  }
}
