import { type KernelBackend, selectBackend } from '../../kernels/index.js';
import { PsError } from '../errors.js';

/** Ids as callers may give them; every 64-bit value is one. */
export type Ids = BigInt64Array | readonly (number | bigint)[];

/**
 * Ids as signed 64-bit integers; unsigned ones from 2⁶³ on become the negative ones with the same bits.
 * Throws InvalidArgument for what is no whole number or does not fit.
 */
export function toIds(ids: Ids): BigInt64Array {
  if (ids instanceof BigInt64Array) return ids;
  const all = new BigInt64Array(ids.length);
  ids.forEach((id, i) => {
    const exact = typeof id === 'bigint' ? id : Number.isSafeInteger(id) ? BigInt(id) : null;
    if (exact === null || exact < -(2n ** 63n) || exact >= 2n ** 64n) {
      throw new PsError(
        'InvalidArgument',
        `id ${String(id)} at position ${i}: expected a whole number of 64 bits (a bigint beyond ±2^53)`,
        { position: i },
      );
    }
    all[i] = exact;
  });
  return all;
}

/** Distinct ids grouped by shard, within a shard in order of first occurrence. */
export type RoutedIds = {
  /** [N] */
  readonly unique: BigInt64Array;
  /** [ids] position of each id in `unique`. */
  readonly inverse: Int32Array;
  /** [shards + 1] where each shard's ids begin in `unique`. */
  readonly shardOffsets: Int32Array;
};

const shared: { backend: KernelBackend | null } = { backend: null };
function kernels(): KernelBackend {
  shared.backend ??= selectBackend('auto').backend;
  return shared.backend;
}

/** Exact for any number of ids. */
export function routeIds(ids: BigInt64Array, numShards: number): RoutedIds {
  const unique = new BigInt64Array(ids.length);
  const inverse = new Int32Array(ids.length);
  const shardOffsets = new Int32Array(numShards + 1);
  const scratch = new Int32Array(kernels().dedupeScratchLength(ids.length));
  const count = kernels().dedupe(ids, ids.length, numShards, unique, inverse, shardOffsets, scratch);
  return { unique: unique.subarray(0, count), inverse, shardOffsets };
}

/** Gradients of equal ids added up in float32, in the order of the ids: [N × dim]. */
export function sumGradients(gradients: Float32Array, { unique, inverse }: RoutedIds, dim: number): Float32Array {
  const sums = new Float32Array(unique.length * dim);
  for (let i = 0; i < inverse.length; i++) {
    const to = inverse[i] * dim;
    for (let d = 0; d < dim; d++) sums[to + d] += gradients[i * dim + d];
  }
  return sums;
}

/** floorMod(id, numShards), never negative; 0 when there are no shards. */
export function shardForId(id: number | bigint, numShards: number): number {
  if (numShards === 0) return 0;
  const shards = BigInt(numShards);
  return Number(((BigInt(id) % shards) + shards) % shards);
}

/** Distinct ids in order of first occurrence, and for each id its position among them. */
export function dedupeIds(ids: Ids): { readonly unique: BigInt64Array; readonly inverse: Int32Array } {
  const { unique, inverse } = routeIds(toIds(ids), 1);
  return { unique, inverse };
}

/** The ids of each shard, in their order; duplicates stay. */
export function routeToShards(ids: Ids, numShards: number): BigInt64Array[] {
  const lists = Array.from({ length: numShards }, () => [] as bigint[]);
  for (const id of toIds(ids)) lists[shardForId(id, numShards)].push(id);
  return lists.map((list) => BigInt64Array.from(list));
}

/** Distinct ids in order of first occurrence, with their gradients [N × dim] added up. */
export function aggregateGradients(
  ids: Ids,
  gradients: Float32Array | readonly number[],
  dim: number,
): { readonly ids: BigInt64Array; readonly gradients: Float32Array } {
  const routed = routeIds(toIds(ids), 1);
  return { ids: routed.unique, gradients: sumGradients(Float32Array.from(gradients), routed, dim) };
}
