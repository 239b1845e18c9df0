import type { DenseBlock, ExchangeRegion } from '../../ps/index.js';
import { bytesOf } from './copy-bytes.js';

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
