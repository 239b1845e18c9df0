import { OptimizerKind } from '../kernels/index.js';

/** One array of a rule's state, with its length in floats. */
export type StateArray = { readonly name: string; readonly length: number };

/** What a rule keeps for `dim` values, in the order in which it lies in a record (see {@link OptimizerKind}). */
export function stateArrays(kind: OptimizerKind, dim: number): readonly StateArray[] {
  switch (kind) {
    case OptimizerKind.sgd:
    case OptimizerKind.movingAverage:
      return [];
    case OptimizerKind.adagrad:
      return [{ name: 'sumOfSquares', length: dim }];
    case OptimizerKind.rowwiseAdagrad:
      return [{ name: 'sumOfSquares', length: 1 }];
    case OptimizerKind.adam:
      return [
        { name: 'firstMoment', length: dim },
        { name: 'secondMoment', length: dim },
        { name: 'beta1Power', length: 1 },
        { name: 'beta2Power', length: 1 },
      ];
    case OptimizerKind.ftrl:
      return [
        { name: 'sumOfSquares', length: dim },
        { name: 'z', length: dim },
      ];
    default:
      throw new RangeError(`unknown optimizer kind ${String(kind satisfies never)}`);
  }
}
