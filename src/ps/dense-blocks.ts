import { MonolithError } from '../base/index.js';
import { OptimizerKind as Kinds, type OptimizerKind, optimizerStateLength } from '../kernels/index.js';

/** Floats of a dense tensor that one update call covers. Fixed, so that results do not depend on the number of shards; a multiple of the
 * 4096-element blocks of sumSquares, large enough that a native call costs nothing beside it. */
export const DENSE_BLOCK_LENGTH = 16_384;

/** A dense parameter as the shards see it. */
export type DenseTensor = {
  readonly name: string;
  /** Offset in the flat parameter vector, in floats. */
  readonly offset: number;
  readonly length: number;
  readonly optimizer: { readonly kind: OptimizerKind; readonly hyper: readonly number[]; readonly learningRate: number };
  /** false for statistics (moving averages): no clipping, learning rate 1 and no schedule. */
  readonly trainable: boolean;
};

/** A run of at most DENSE_BLOCK_LENGTH elements of one tensor, owned by shard index % numShards. */
export type DenseBlock = {
  readonly index: number;
  readonly tensor: number;
  readonly offset: number;
  readonly length: number;
  readonly stateOffset: number;
  readonly stateLength: number;
};

/** Cuts tensors into blocks; plain function of its input, equal in every thread and for every number of shards. */
export function planDenseBlocks(tensors: readonly DenseTensor[]): { blocks: DenseBlock[]; stateLength: number } {
  const blocks: DenseBlock[] = [];
  let stateLength = 0;
  tensors.forEach((tensor, t) => {
    if (tensor.optimizer.kind === Kinds.rowwiseAdagrad) {
      throw new MonolithError(
        'InvalidConfig',
        `optimizer.dense.kind: rowwise-adagrad keeps one accumulator a row and is for embedding rows; use adagrad for dense parameters`,
      );
    }
    for (let start = 0; start < tensor.length; start += DENSE_BLOCK_LENGTH) {
      const length = Math.min(DENSE_BLOCK_LENGTH, tensor.length - start);
      const state = optimizerStateLength(tensor.optimizer.kind, length);
      blocks.push({
        index: blocks.length,
        tensor: t,
        offset: tensor.offset + start,
        length,
        stateOffset: stateLength,
        stateLength: state,
      });
      stateLength += Math.ceil(state / 16) * 16;
    }
  });
  return { blocks, stateLength };
}

/** Starting state of every block: accumulators at their initial value, Adam's powers at beta1 and beta2. */
export function initializeDenseState(tensors: readonly DenseTensor[], blocks: readonly DenseBlock[], state: Float32Array): void {
  state.fill(0);
  for (const block of blocks) {
    const { kind, hyper } = tensors[block.tensor].optimizer;
    const at = block.stateOffset;
    switch (kind) {
      case Kinds.sgd:
      case Kinds.movingAverage:
        break;
      case Kinds.adagrad:
      case Kinds.rowwiseAdagrad:
        state.fill(hyper[1], at, at + block.stateLength);
        break;
      case Kinds.adam:
        state[at + 2 * block.length] = hyper[1];
        state[at + 2 * block.length + 1] = hyper[2];
        break;
      case Kinds.ftrl:
        state.fill(hyper[1], at, at + block.length);
        break;
      default:
        kind satisfies never;
    }
  }
}
