import { MonolithError } from '../base/index.js';
import { type KernelBackend, OptimizerKind } from '../kernels/index.js';

/** Where a hash is folded. */
const MASK_64 = (1n << 64n) - 1n;
const NO_STATE = new Float32Array(0);

/**
 * The shard that owns the named parameter: h = Σ over the UTF-8 bytes of h·31 + byte modulo 2^64, modulo the number of shards.
 * @param numShards 0 gives 0.
 */
export function shardOfName(name: string, numShards: number): number {
  if (numShards === 0) return 0;
  let hash = 0n;
  for (const byte of new TextEncoder().encode(name)) hash = (hash * 31n + BigInt(byte)) & MASK_64;
  return Number(hash % BigInt(numShards));
}

/**
 * Dense parameters of one shard that have a name rather than a place in a model. Used by the shard's thread alone; values lie in shared
 * memory so that the coordinator can read them while nothing is under way.
 */
export class NamedParameters {
  private readonly values = new Map<number, Float32Array>();
  /** SGD without weight decay. */
  private readonly hyper = new Float64Array([0]);

  constructor(private readonly backend: KernelBackend) {}

  /** @param values [n] in shared memory, updated by {@link NamedParameters.step}; takes the place of earlier values of this id. */
  own(id: number, values: Float32Array): void {
    this.values.set(id, values);
  }

  /**
   * value -= learningRate · gradient for each of the parameters, in the order of `ids`.
   * @param exchange [Σ n] gradients of the parameters one after another; overwritten with their new values.
   * @throws ParameterNotFound, ShapeMismatch before anything has changed.
   */
  step(ids: readonly number[], learningRate: number, exchange: Float32Array): void {
    const targets = ids.map((id) => {
      const values = this.values.get(id);
      if (values === undefined) throw new MonolithError('ParameterNotFound', `this shard does not own parameter ${id}`, { id });
      return values;
    });
    const length = targets.reduce((sum, values) => sum + values.length, 0);
    if (length !== exchange.length) {
      throw new MonolithError('ShapeMismatch', `a step of named parameters: exchange has ${exchange.length} elements, expected ${length}`, {
        expected: length,
        actual: exchange.length,
      });
    }
    let start = 0;
    for (const values of targets) {
      const range = exchange.subarray(start, start + values.length);
      this.backend.optimizerStep(OptimizerKind.sgd, values.length, values, range, NO_STATE, learningRate, this.hyper);
      range.set(values);
      start += values.length;
    }
  }
}
