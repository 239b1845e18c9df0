import { MonolithError } from '../base/index.js';

/** Shapes of the exchange between one worker and all shards; fixed for a run, equal in every thread. */
export type ExchangeLayout = {
  readonly numShards: number;
  readonly tables: readonly { readonly dim: number; readonly maxIds: number }[];
  /** Floats of the flat dense parameter vector. */
  readonly parametersLength: number;
};

/**
 * One table's part of a region. The distinct fids of a batch stand grouped by shard: shard s owns positions shardOffsets[s] … shardOffsets[s+1]
 * of every array.
 *
 *   array          written by                    read by
 *   unique         worker (dedupe)               shard, after the lookup request
 *   shardOffsets   worker (dedupe)               shard, after the lookup request
 *   inverse        worker (dedupe)               worker
 *   rows           shard s, its positions        worker, after all lookup replies
 *   handles        shard s, its positions        the same shard, at the push
 *   dRows          worker                        shard s, its positions, after the push request
 *
 * Requests and replies order these: a side touches an array only after the word that says so.
 */
export type ExchangeTable = {
  /** [maxIds] */
  readonly unique: BigInt64Array;
  /** [maxIds] position in `unique` of each id of the batch */
  readonly inverse: Int32Array;
  /** [numShards + 1] */
  readonly shardOffsets: Int32Array;
  /** [maxIds] row number in the shard's table, −1 where there is no row */
  readonly handles: Int32Array;
  /** [maxIds, dim] */
  readonly rows: Float32Array;
  /** [maxIds, dim] */
  readonly dRows: Float32Array;
};

/** Where one worker and the shards meet for one batch: ids, rows, gradients of rows, gradient of the dense parameters. */
export class ExchangeRegion {
  readonly tables: readonly ExchangeTable[];
  /** [parametersLength] gradient of the dense parameters of this worker's batch; written by the worker, read by shards after the push. */
  readonly gradients: Float32Array;

  /**
   * @param buffer     memory (shared, where several threads meet) with at least `byteLength(layout)` bytes from byteOffset on.
   * @param byteOffset a multiple of 16; best where the address is one of 64 (see kernels/memory lineOffset).
   */
  constructor(layout: ExchangeLayout, buffer: ArrayBufferLike, byteOffset: number) {
    if (byteOffset % 16 !== 0) {
      throw new MonolithError('InvalidArgument', `exchange region at byte ${byteOffset}: must be a multiple of 16`, { byteOffset });
    }
    let at = byteOffset;
    const take = (bytes: number): number => {
      const start = at;
      at += align64(bytes);
      return start;
    };
    this.tables = layout.tables.map(({ dim, maxIds }) => ({
      unique: new BigInt64Array(buffer, take(maxIds * 8), maxIds),
      inverse: new Int32Array(buffer, take(maxIds * 4), maxIds),
      shardOffsets: new Int32Array(buffer, take((layout.numShards + 1) * 4), layout.numShards + 1),
      handles: new Int32Array(buffer, take(maxIds * 4), maxIds),
      rows: new Float32Array(buffer, take(maxIds * dim * 4), maxIds * dim),
      dRows: new Float32Array(buffer, take(maxIds * dim * 4), maxIds * dim),
    }));
    this.gradients = new Float32Array(buffer, take(layout.parametersLength * 4), layout.parametersLength);
  }

  /** Bytes of one region; a multiple of 64. Memory is committed by the system only where it is touched. */
  static byteLength(layout: ExchangeLayout): number {
    let bytes = align64(layout.parametersLength * 4);
    for (const { dim, maxIds } of layout.tables) {
      bytes += align64(maxIds * 8) + 2 * align64(maxIds * 4) + align64((layout.numShards + 1) * 4) + 2 * align64(maxIds * dim * 4);
    }
    return bytes;
  }
}

function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
