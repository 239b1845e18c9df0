import type { LayerBuffers } from './layer.js';

/** Where a kernel that always adds to two input gradients may write. */
export type GradientTargets = {
  /** Target of input 0, never the same memory as `second`. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Both inputs are one node: `first` is scratch, to be added to `second` afterwards. */
  readonly sameNode: boolean;
};

/**
 * Targets for kernels that add to the gradients of two inputs in one pass. When both inputs are one node, or nobody wants a gradient,
 * scratch stands in, so that the kernel never gets the same memory twice. Called at bind time.
 *
 * @param spares two scratch views, at least as long as the inputs' gradients.
 */
export function gradientTargets(buffers: LayerBuffers, spares: readonly [Float32Array, Float32Array]): GradientTargets {
  const first = buffers.dInputs[0] ?? null;
  const second = buffers.dInputs[1] ?? null;
  const sameNode = first !== null && first === second;
  return { first: first === null || sameNode ? spares[0] : first, second: second ?? spares[1], sameNode };
}

/** Clears the targets that hold no earlier gradient. */
export function clearTargets(targets: GradientTargets, buffers: LayerBuffers, firstLength: number, secondLength: number): void {
  const { accumulate } = buffers;
  const secondHoldsGradient = targets.sameNode ? accumulate[0] === true : accumulate[1] === true;
  if (targets.sameNode || accumulate[0] !== true) targets.first.fill(0, 0, firstLength);
  if (!secondHoldsGradient) targets.second.fill(0, 0, secondLength);
}
