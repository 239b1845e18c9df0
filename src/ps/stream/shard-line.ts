import type { Counter, MpscRing } from '../../sharedarraybuffer-ring/index.js';
import type { DenseBlock } from '../dense-blocks.js';
import type { ExchangeRegion } from '../exchange.js';
import { bytesOf } from './copy-bytes.js';

/**
 * What a worker's thread shares with whoever plays one shard towards it: the ring it puts requests into, the counters it waits on, and the
 * memory that the requests speak of. In one process the shard's thread has the other end; on several hosts a bridge.
 */
export type ShardLine = {
  readonly worker: number;
  readonly shard: number;
  /** Requests of {@link ShardOp}; this worker is the only one who puts any in. */
  readonly requests: MpscRing;
  /** One more for each lookup whose rows are in the region. */
  readonly lookups: Counter;
  /** One more for each push that is applied. */
  readonly applies: Counter;
  readonly regions: readonly ExchangeRegion[];
  /** Flat dense parameters of the worker's process; the blocks of the shard are written here. */
  readonly parameters: Float32Array;
  /** All blocks of the run. */
  readonly blocks: readonly DenseBlock[];
};

/** The blocks that a shard owns, in ascending order. */
export function ownedBlocks(blocks: readonly DenseBlock[], shard: number, numShards: number): DenseBlock[] {
  return blocks.filter((block) => block.index % numShards === shard);
}

/** The bytes of a region's arrays, for copies to and from frames. */
export type RegionBytes = {
  readonly tables: readonly {
    readonly unique: Uint8Array;
    readonly rows: Uint8Array;
    readonly dRows: Uint8Array;
    readonly shardOffsets: Int32Array;
    /** Bytes of a row. */
    readonly rowBytes: number;
  }[];
  readonly gradients: Uint8Array;
};

/** Views of a region. A row's length follows from the arrays: maxIds of `unique` and of `rows` are the same. */
export function regionBytes(region: ExchangeRegion): RegionBytes {
  return {
    tables: region.tables.map(({ unique, rows, dRows, shardOffsets }) => ({
      unique: bytesOf(unique),
      rows: bytesOf(rows),
      dRows: bytesOf(dRows),
      shardOffsets,
      rowBytes: unique.length === 0 ? 4 : (rows.length / unique.length) * 4,
    })),
    gradients: bytesOf(region.gradients),
  };
}
