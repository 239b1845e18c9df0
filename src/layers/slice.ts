import { MonolithError } from '../base/index.js';
import type { KernelBackend } from '../kernels/index.js';
import type { ChunkContext, LayerBuffers } from './layer.js';
import { LayerBase } from './layer-base.js';
import { formatShape, widthOf } from './shape.js';

/** Part of the first axis: x[start … end) of a shape [n, …] gives [end − start, …]. A copy: rows of a part do not lie side by side. */
export class Slice extends LayerBase {
  readonly kind = 'slice';
  readonly outputShape: readonly number[];
  readonly backwardReads = { inputs: false, output: false };
  private readonly inputWidth: number;
  private readonly width: number;
  private readonly firstColumn: number;
  private x: Float32Array = new Float32Array(0);
  private dX: Float32Array | null = null;

  constructor(inputShape: readonly number[], start: number, end: number) {
    super();
    const [axis, ...rest] = inputShape;
    if (axis === undefined || !Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end <= start || end > axis) {
      throw new MonolithError('InvalidModel', `slice: ${start} … ${end} is no part of the first axis of ${formatShape(inputShape)}`);
    }
    this.outputShape = [end - start, ...rest];
    this.inputWidth = widthOf(inputShape);
    this.width = widthOf(this.outputShape);
    this.firstColumn = start * widthOf(rest);
  }

  override bind(buffers: LayerBuffers, kernels: KernelBackend): void {
    super.bind(buffers, kernels);
    this.x = buffers.inputs[0].subarray(this.firstColumn);
    this.dX = buffers.dInputs[0]?.subarray(this.firstColumn) ?? null;
  }

  forward(chunk: ChunkContext): void {
    this.kernels.copyColumns(chunk.rows, this.width, this.x, this.inputWidth, this.buffers.output, this.width, false);
  }

  backward(chunk: ChunkContext): void {
    const { dInputs, accumulate, dOutput } = this.buffers;
    const whole = dInputs[0] ?? null;
    if (whole === null || this.dX === null) return;
    // The other columns get no gradient from here, so the first writer clears them.
    if (accumulate[0] !== true) whole.fill(0, 0, chunk.rows * this.inputWidth);
    this.kernels.copyColumns(chunk.rows, this.width, dOutput, this.width, this.dX, this.inputWidth, true);
  }
}
