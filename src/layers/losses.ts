import type { KernelBackend } from '../kernels/index.js';

/** bce: binary cross-entropy on logits. mse: ½(z − y)² on the output itself. */
export type LossKind = 'bce' | 'mse';

/**
 * Loss of one chunk and its gradient with respect to the model's output.
 *
 * @param outputs       [rows] logits (bce) or predictions (mse).
 * @param labels        [rows]
 * @param weights       [rows] example weights.
 * @param gradientScale 1/globalExamples: gradients summed over chunks and workers belong to the mean over the step's examples.
 * @param dOutputs      [rows], overwritten with (prediction − label)·weight·gradientScale.
 * @returns Σ weight·loss, unscaled.
 */
export function lossAndGradient(
  kind: LossKind,
  kernels: KernelBackend,
  rows: number,
  outputs: Float32Array,
  labels: Float32Array,
  weights: Float32Array,
  gradientScale: number,
  dOutputs: Float32Array,
): number {
  switch (kind) {
    case 'bce':
      return kernels.bceWithLogits(rows, outputs, labels, weights, gradientScale, dOutputs);
    case 'mse':
      return kernels.mseLoss(rows, outputs, labels, weights, gradientScale, dOutputs);
    default:
      throw new RangeError(`unknown loss ${String(kind satisfies never)}`);
  }
}
