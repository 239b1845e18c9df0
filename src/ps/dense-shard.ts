import type { KernelBackend } from '../kernels/index.js';
import { clipScale, clipValues } from '../optimizers/index.js';
import type { DenseBlock, DenseTensor } from './dense-blocks.js';

/** How gradients of dense parameters are limited before the update; 0 means not at all. */
export type DenseClip = { readonly value: number; readonly globalNorm: number };

type OwnedBlock = {
  readonly block: DenseBlock;
  readonly tensor: DenseTensor;
  readonly parameters: Float32Array;
  readonly state: Float32Array;
  readonly hyper: Float64Array;
  /** [source] the block's range of each gradient vector */
  readonly gradients: readonly Float32Array[];
};

/**
 * A shard's share of the dense parameters: every numShards-th block. Gradients of several sources are summed in source order into the first
 * one, then each block's optimizer runs once. Blocks are fixed, so neither sums nor norms depend on the number of shards.
 */
export class DenseShard {
  private readonly owned: readonly OwnedBlock[];

  /**
   * @param parameters  flat parameter vector, shared by all threads; this shard writes only its blocks.
   * @param state       flat optimizer state, likewise.
   * @param gradients   one flat gradient vector a source (worker × region); sources are named by their index here.
   * @param blockNorms  [number of blocks] Σ g² of every block of the step, each written by its owner; used when clip.globalNorm > 0.
   * @param meet        waits for all shards; called between writing and reading blockNorms. null: with clip.globalNorm the caller sees to it that
   *                    {@link sum} has run on all shards before {@link apply} runs on any.
   */
  constructor(
    private readonly kernels: KernelBackend,
    tensors: readonly DenseTensor[],
    private readonly blocks: readonly DenseBlock[],
    shard: number,
    numShards: number,
    parameters: Float32Array,
    state: Float32Array,
    gradients: readonly Float32Array[],
    private readonly clip: DenseClip,
    private readonly blockNorms: Float64Array,
    private readonly meet: (() => void) | null,
  ) {
    this.owned = blocks
      .filter((block) => block.index % numShards === shard)
      .map((block) => ({
        block,
        tensor: tensors[block.tensor],
        parameters: parameters.subarray(block.offset, block.offset + block.length),
        state: state.subarray(block.stateOffset, block.stateOffset + block.stateLength),
        hyper: Float64Array.from(tensors[block.tensor].optimizer.hyper),
        gradients: gradients.map((gradient) => gradient.subarray(block.offset, block.offset + block.length)),
      }));
  }

  /** Whether {@link sum} is a call of its own, before {@link apply}: the norm of all shards' gradients is needed, and shards do not meet. */
  get sumsApart(): boolean {
    return this.meet === null && this.clip.globalNorm > 0;
  }

  /** Sums the gradients of this shard's blocks over `sources` into the first one; apply's first half. */
  sum(sources: Int32Array, numSources: number): void {
    for (const owned of this.owned) this.sumBlock(owned, sources, numSources);
  }

  /**
   * One optimizer step on this shard's blocks.
   * @param sources   indices of gradient vectors; summed in this order into the first one, which is overwritten.
   * @param rateScale factor of the learning-rate schedule for this step.
   */
  apply(sources: Int32Array, numSources: number, rateScale: number): void {
    if (!this.sumsApart) this.sum(sources, numSources);
    const scale = this.clip.globalNorm > 0 ? this.globalScale() : 1;
    for (const { tensor, block, parameters, state, hyper, gradients } of this.owned) {
      const gradient = gradients[sources[0]];
      if (tensor.trainable && scale !== 1) this.kernels.scale(block.length, scale, gradient);
      const rate = tensor.trainable ? tensor.optimizer.learningRate * rateScale : 1;
      this.kernels.optimizerStep(tensor.optimizer.kind, block.length, parameters, gradient, state, rate, hyper);
    }
  }

  private sumBlock({ tensor, block, gradients }: OwnedBlock, sources: Int32Array, numSources: number): void {
    const total = gradients[sources[0]];
    for (let s = 1; s < numSources; s++) this.kernels.axpy(block.length, 1, gradients[sources[s]], total);
    if (!tensor.trainable) {
      this.blockNorms[block.index] = 0;
      return;
    }
    clipValues(block.length, total, this.clip.value);
    if (this.clip.globalNorm > 0) this.blockNorms[block.index] = this.kernels.sumSquares(block.length, total);
  }

  private globalScale(): number {
    this.meet?.();
    let sumSquares = 0;
    for (let i = 0; i < this.blocks.length; i++) sumSquares += this.blockNorms[i];
    this.meet?.();
    return clipScale(sumSquares, this.clip.globalNorm);
  }
}
