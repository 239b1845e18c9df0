import type { KernelBackend } from '../kernels/index.js';
import type { BatchSlot } from '../tensor/index.js';
import type { ExchangeLayout, ExchangeRegion } from './exchange.js';
import type { ShardChannel } from './shard-channel.js';

/** Rows of one table for one batch, in the form that layers read: the fields of a region, swapped in place per batch. */
export type SparseView = {
  bagOffsets: Int32Array;
  inverse: Int32Array;
  values: Float32Array | null;
  rows: Float32Array;
  dRows: Float32Array;
  rowStride: number;
};

/**
 * A worker's view of all tables: makes ids distinct, routes them to shards (shard = floorMod(fid, number of shards)), brings rows, takes
 * gradients back. One batch occupies one region from `lookup` until its push is applied. Its loops count, since an iterator would be garbage
 * of every step.
 */
export class EmbeddingClient {
  private readonly scratch: readonly Int32Array[];
  private lookupsSent = 0;
  private appliesSent = 0;
  /** Lookups sent up to and including each region's latest. */
  private readonly lookupOfRegion: Float64Array;
  /** Pushes that must be applied before the region may be used again. */
  private readonly applyOfRegion: Float64Array;

  constructor(
    private readonly kernels: KernelBackend,
    private readonly layout: ExchangeLayout,
    private readonly regions: readonly ExchangeRegion[],
    private readonly channels: readonly ShardChannel[],
  ) {
    this.scratch = layout.tables.map(({ maxIds }) => new Int32Array(kernels.dedupeScratchLength(maxIds)));
    this.lookupOfRegion = new Float64Array(regions.length);
    this.applyOfRegion = new Float64Array(regions.length);
  }

  /** Sends the lookups of a batch and returns at once. Waits first, if need be, until the region's last push is applied. */
  lookup(batch: BatchSlot, region: number, create: boolean, step: number): void {
    this.awaitApplies(this.applyOfRegion[region]);
    const exchange = this.regions[region];
    for (let t = 0; t < exchange.tables.length; t++) {
      const { unique, inverse, shardOffsets } = exchange.tables[t];
      this.kernels.dedupe(batch.groups[t].fids, batch.numIds(t), this.layout.numShards, unique, inverse, shardOffsets, this.scratch[t]);
    }
    this.lookupsSent++;
    this.lookupOfRegion[region] = this.lookupsSent;
    for (let c = 0; c < this.channels.length; c++) this.channels[c].requestLookup(region, create, step);
  }

  /** Waits for the region's rows and points `views` (one a table) at them; with `training`, row gradients start at zero. */
  receive(batch: BatchSlot, region: number, views: readonly SparseView[], training: boolean): void {
    for (let c = 0; c < this.channels.length; c++) this.channels[c].awaitLookups(this.lookupOfRegion[region]);
    const exchange = this.regions[region];
    for (let t = 0; t < views.length; t++) {
      const { inverse, rows, dRows, shardOffsets } = exchange.tables[t];
      const view = views[t];
      const group = batch.groups[t];
      view.bagOffsets = group.offsets;
      view.values = group.values;
      view.inverse = inverse;
      view.rows = rows;
      view.dRows = dRows;
      view.rowStride = this.layout.tables[t].dim;
      if (training) dRows.fill(0, 0, shardOffsets[this.layout.numShards] * view.rowStride);
    }
  }

  /** Hands the region's gradients to all shards and returns at once. */
  push(region: number, step: number): void {
    this.appliesSent++;
    this.applyOfRegion[region] = this.appliesSent;
    for (let c = 0; c < this.channels.length; c++) this.channels[c].requestApply(region, step);
  }

  /** Waits until at most `outstanding` pushes of this worker are not yet applied. */
  awaitOutstanding(outstanding: number): void {
    this.awaitApplies(this.appliesSent - outstanding);
  }

  private awaitApplies(count: number): void {
    if (count <= 0) return;
    for (let c = 0; c < this.channels.length; c++) this.channels[c].awaitApplies(count);
  }
}
