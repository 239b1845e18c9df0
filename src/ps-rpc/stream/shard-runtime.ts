import { MonolithError } from '../../base/index.js';
import { EmbeddingTable } from '../../embedding/index.js';
import type { KernelBackend } from '../../kernels/index.js';
import { learningRateAt } from '../../optimizers/index.js';
import {
  type DenseBlock,
  DenseShard,
  ExchangeRegion,
  initializeDenseState,
  PsShard,
  planDenseBlocks,
  SHARD_STATS,
  type ShardSpec,
} from '../../ps/index.js';
import { ownedBlocks, type RegionBytes, regionBytes } from './region-bytes.js';

/** Rows of one table: what dumps give and loads take. Ascending by unsigned fid where a shard made them. */
export type ShardRows = {
  readonly count: number;
  readonly fids: BigInt64Array;
  readonly timestamps: Uint32Array;
  /** [count, dim + stateLength] */
  readonly records: Float32Array;
};

/** [table] rows, bytes held, and the ShardStat counters since the process began. */
export type ShardSizes = { readonly rows: number[]; readonly memoryBytes: number; readonly stats: readonly number[] };

/**
 * One shard of a job in a process of its own: the {@link PsShard} of a local run over mirrors of the workers' exchange regions. In a mirror
 * the shard's positions begin at 0 and other shards have none.
 */
export class ShardRuntime {
  readonly tables: readonly EmbeddingTable[];
  readonly logic: PsShard;
  readonly blocks: readonly DenseBlock[];
  readonly owned: readonly DenseBlock[];
  /** Flat, of full length; only owned blocks are used, so only their pages exist. */
  readonly parameters: Float32Array;
  readonly denseState: Float32Array;
  /** [worker][region] */
  readonly mirrors: readonly (readonly RegionBytes[])[];
  readonly stats = new Float64Array(SHARD_STATS);
  readonly numShards: number;
  /** Σ g² of all blocks in the step that is applied; used where clip.globalNorm > 0. Of other shards' blocks somebody must say it. */
  readonly blockNorms: Float64Array;

  /** @throws InvalidConfig where the mirrors do not fit the address space. */
  constructor(
    readonly spec: ShardSpec,
    readonly shard: number,
    readonly backend: KernelBackend,
  ) {
    const { layout } = spec;
    this.numShards = layout.numShards;
    this.tables = spec.tables.map((table) => new EmbeddingTable(backend, table, spec.seed));
    for (const [t, { expectedRows }] of spec.tables.entries()) if (expectedRows > 0) this.tables[t].expectRows(expectedRows);
    const { blocks, stateLength } = planDenseBlocks(spec.tensors);
    this.blocks = blocks;
    this.owned = ownedBlocks(blocks, shard, layout.numShards);
    this.parameters = new Float32Array(layout.parametersLength);
    this.denseState = new Float32Array(stateLength);
    initializeDenseState(spec.tensors, this.owned, this.denseState);
    this.blockNorms = new Float64Array(Math.max(1, blocks.length));
    const regions = mirrorRegions(spec);
    this.mirrors = regions.map((own) => own.map(regionBytes));
    const dense = new DenseShard(
      backend,
      spec.tensors,
      blocks,
      shard,
      layout.numShards,
      this.parameters,
      this.denseState,
      regions.flatMap((own) => own.map((region) => region.gradients)),
      spec.clip,
      this.blockNorms,
      // One shard alone meets nobody; several get norms over the stream before they apply.
      layout.numShards === 1 ? () => {} : null,
    );
    this.logic = new PsShard({
      shard,
      tables: this.tables,
      sliceRates: spec.tables.map((table) => table.sliceRates),
      clipRowNorm: spec.clip.rowNorm,
      dense,
      regions,
      rateScale: (step) => learningRateAt(spec.schedule, 1, step),
      stats: this.stats,
      now: () => performance.now(),
    });
  }

  /** Ids that worker's region holds of a table. */
  count(worker: number, region: number, table: number): number {
    return this.mirrors[worker][region].tables[table].shardOffsets[this.shard + 1];
  }

  /** Says that a region holds `count` ids of a table. */
  setCount(worker: number, region: number, table: number, count: number): void {
    const { shardOffsets } = this.mirrors[worker][region].tables[table];
    shardOffsets.fill(0, 0, this.shard + 1);
    shardOffsets.fill(count, this.shard + 1);
  }

  /** Σ g² of the owned blocks over the gradients of all workers, in ascending order of block. The gradients stay as they are. */
  ownNorms(region: number): Float64Array {
    const { gradients } = this.mirrors[0][region];
    const ranges = this.owned.map(({ offset, length }) => gradients.subarray(offset * 4, (offset + length) * 4));
    // Sums are made in the first worker's place.
    const before = ranges.map((range) => range.slice());
    this.logic.sumDense(-1, region);
    ranges.forEach((range, i) => void range.set(before[i]));
    return Float64Array.from(this.owned, ({ index }) => this.blockNorms[index]);
  }

  sizes(): ShardSizes {
    this.logic.refreshSizes();
    return {
      stats: Array.from(this.stats),
      rows: this.tables.map((table) => table.size()),
      memoryBytes: this.tables.reduce((sum, table) => sum + table.memoryBytes(), 0),
    };
  }

  dump(table: number, bucketBits: number, bucket: number): ShardRows {
    const source = this.tables[table];
    const count = source.countBucket(bucketBits, bucket);
    const rows = makeRows(count, source.dim + source.stateLength);
    source.dump(bucketBits, bucket, rows.fids, rows.timestamps, rows.records);
    return rows;
  }

  load(table: number, rows: ShardRows): void {
    this.tables[table].load(rows.fids, rows.timestamps, rows.records, rows.count);
  }
}

/** Arrays of `count` rows of `width` floats over one buffer, in this order: what travels as one piece of bytes. */
export function makeRows(count: number, width: number, buffer = new ArrayBuffer(rowsByteLength(count, width)), offset = 0): ShardRows {
  return {
    count,
    fids: new BigInt64Array(buffer, offset, count),
    timestamps: new Uint32Array(buffer, offset + count * 8, count),
    records: new Float32Array(buffer, offset + count * 12, count * width),
  };
}

/** Bytes of {@link makeRows}. */
export function rowsByteLength(count: number, width: number): number {
  return count * (12 + 4 * width);
}

/** Memory comes where it is touched, so worst-case capacities cost address space alone. */
function mirrorRegions(spec: ShardSpec): ExchangeRegion[][] {
  const bytes = ExchangeRegion.byteLength(spec.layout);
  return Array.from({ length: spec.workers }, () =>
    Array.from({ length: spec.regionsPerWorker }, () => {
      try {
        return new ExchangeRegion(spec.layout, new ArrayBuffer(bytes), 0);
      } catch (error) {
        if (error instanceof MonolithError) throw error;
        throw new MonolithError(
          'InvalidConfig',
          `${spec.workers} workers with ${spec.regionsPerWorker} regions of ${bytes} bytes each: more address space than this process can have; make batchSize, maxIdsPerExample or prefetch smaller`,
          { bytes, workers: spec.workers, regions: spec.regionsPerWorker },
          { cause: error },
        );
      }
    }),
  );
}
