import { failpoint } from '../base/index.js';
import type { FidTable } from '../kernels/index.js';
import type { SpanLog } from '../sharedarraybuffer-ring/index.js';
import type { DenseShard } from './dense-shard.js';
import type { ExchangeRegion } from './exchange.js';

/** Counters of one shard, in shared memory: written by whoever does its work, read by the coordinator (values may be one request old). */
export const ShardStat = {
  lookups: 0,
  idsLookedUp: 1,
  rowsCreated: 2,
  applies: 3,
  rowsUpdated: 4,
  lookupMs: 5,
  applyMs: 6,
  rows: 7,
  memoryBytes: 8,
  refreshMs: 9,
} as const;
export const SHARD_STATS = 16;

/** Stages of a shard in its log of spans. */
export const SHARD_STAGES = ['shard_lookup', 'shard_apply', 'shard_refresh'] as const;

/** What a shard needs; made by the thread that owns it. */
export type PsShardParts = {
  readonly shard: number;
  /** One a table, in the order of the model's tables. */
  readonly tables: readonly FidTable[];
  /** Base learning rate of each slice of each table. */
  readonly sliceRates: readonly (readonly number[])[];
  readonly clipRowNorm: number;
  readonly dense: DenseShard;
  /** regions[worker][region] */
  readonly regions: readonly (readonly ExchangeRegion[])[];
  /** Schedule factor of a step: 1 at the base rate. */
  readonly rateScale: (step: number) => number;
  readonly stats: Float64Array;
  /** Where what it did when is recorded; absent: nowhere. */
  readonly spans?: SpanLog;
  readonly now: () => number;
};

/**
 * One parameter-server shard: its rows of every table and its blocks of the dense parameters. It has one owner at a time, and no other code
 * touches its tables: a thread of its own, or (see transport/in-place) the worker that holds its ownership word, each worker through an object of
 * its own over the same memory. It knows regions and steps, not how requests arrive.
 */
export class PsShard {
  private readonly rates: readonly Float32Array[];
  private readonly starts: Int32Array;
  private readonly counts: Int32Array;
  private readonly sources: Int32Array;
  /** [region][table] arrays over workers, made once so that a step allocates nothing. */
  private readonly handlesOf: readonly (readonly (readonly Int32Array[])[])[];
  private readonly gradientsOf: readonly (readonly (readonly Float32Array[])[])[];
  private readonly fidsOf: readonly (readonly (readonly BigInt64Array[])[])[];
  /** [worker][region][table], the same for one worker alone. */
  private readonly oneHandles: readonly (readonly (readonly (readonly Int32Array[])[])[])[];
  private readonly oneGradients: readonly (readonly (readonly (readonly Float32Array[])[])[])[];
  private readonly oneFids: readonly (readonly (readonly (readonly BigInt64Array[])[])[])[];
  /** [region][table] arrays over workers. */
  private readonly rowsOf: readonly (readonly (readonly Float32Array[])[])[];
  private readonly regionsPerWorker: number;
  /** [worker × region] 1 while rows of a training lookup are out and their gradients are not yet applied. */
  private readonly out: Uint8Array;
  private readonly targetStarts: Int32Array;
  private readonly targetCounts: Int32Array;

  constructor(private readonly parts: PsShardParts) {
    const { regions, tables, sliceRates } = parts;
    this.regionsPerWorker = regions[0].length;
    this.rates = sliceRates.map((rates) => new Float32Array(rates.length));
    this.starts = new Int32Array(regions.length);
    this.counts = new Int32Array(regions.length);
    this.sources = new Int32Array(regions.length);
    const each = <T>(pick: (worker: number, region: number, table: number) => T): T[][][] =>
      regions[0].map((_, region) => tables.map((_, table) => regions.map((_, worker) => pick(worker, region, table))));
    this.handlesOf = each((w, r, t) => regions[w][r].tables[t].handles);
    this.rowsOf = each((w, r, t) => regions[w][r].tables[t].rows);
    this.out = new Uint8Array(regions.length * this.regionsPerWorker);
    this.targetStarts = new Int32Array(regions.length);
    this.targetCounts = new Int32Array(regions.length);
    this.gradientsOf = each((w, r, t) => regions[w][r].tables[t].dRows);
    this.fidsOf = each((w, r, t) => regions[w][r].tables[t].unique);
    this.oneHandles = regions.map((own) => own.map((region) => region.tables.map((table) => [table.handles])));
    this.oneGradients = regions.map((own) => own.map((region) => region.tables.map((table) => [table.dRows])));
    this.oneFids = regions.map((own) => own.map((region) => region.tables.map((table) => [table.unique])));
  }

  /**
   * Fills this shard's positions of a region with rows and row numbers.
   * @param create make missing rows (training); otherwise missing ids give zeros.
   * @param step   stored as last use of the rows.
   * Throws TableFull before anything is created.
   */
  lookup(worker: number, region: number, create: boolean, step: number): void {
    const { shard, tables, regions, stats, now } = this.parts;
    const from = now();
    failpoint('ps.beforeLookup');
    const exchange = regions[worker][region];
    for (let t = 0; t < tables.length; t++) {
      const { unique, shardOffsets, rows, handles } = exchange.tables[t];
      const start = shardOffsets[shard];
      const count = shardOffsets[shard + 1] - start;
      if (count === 0) continue;
      stats[ShardStat.rowsCreated] += tables[t].lookup(unique, start, count, create, step, rows, handles);
      stats[ShardStat.idsLookedUp] += count;
    }
    if (create) this.out[worker * this.regionsPerWorker + region] = 1;
    stats[ShardStat.lookups]++;
    this.did(ShardStat.lookupMs, 0, step, from);
    failpoint('ps.afterLookup');
  }

  /**
   * Synchronous step: gradients of all workers' `region`, summed in worker order, applied once. Rows that were looked up for later steps
   * meanwhile are brought up to date, so that a step computes with the same values whenever its lookup was made.
   */
  applyStep(region: number, step: number): void {
    const workers = this.parts.regions.length;
    for (let w = 0; w < workers; w++) this.sources[w] = w * this.regionsPerWorker + region;
    this.apply(step, workers, region, -1);
    for (let r = 0; r < this.regionsPerWorker; r++) if (r !== region) this.refresh(region, r);
  }

  /** Asynchronous step: the gradients of one worker alone. */
  applyOne(worker: number, region: number, step: number): void {
    this.sources[0] = worker * this.regionsPerWorker + region;
    this.apply(step, 1, region, worker);
  }

  /**
   * First half of {@link applyStep} (or, with a worker ≥ 0, of {@link applyOne}) where the norm over all shards is needed and shards do not meet:
   * sums the gradients of its dense blocks. Run on every shard before the second half runs on any.
   */
  sumDense(onlyWorker: number, region: number): void {
    const { regions, dense, now } = this.parts;
    const from = now();
    const numSources = onlyWorker < 0 ? regions.length : 1;
    for (let s = 0; s < numSources; s++) this.sources[s] = (onlyWorker < 0 ? s : onlyWorker) * this.regionsPerWorker + region;
    dense.sum(this.sources, numSources);
    this.did(ShardStat.applyMs, 1, -1, from);
  }

  /** Whether {@link sumDense} is a call of its own. */
  get sumsApart(): boolean {
    return this.parts.dense.sumsApart;
  }

  private apply(step: number, numSources: number, region: number, onlyWorker: number): void {
    const { shard, tables, regions, sliceRates, clipRowNorm, dense, rateScale, stats, now } = this.parts;
    const from = now();
    const scale = rateScale(step);
    failpoint('ps.beforeDenseApply');
    dense.apply(this.sources, numSources, scale);
    failpoint('ps.beforeRowApply');
    for (let t = 0; t < tables.length; t++) {
      for (let i = 0; i < this.rates[t].length; i++) this.rates[t][i] = sliceRates[t][i] * scale;
      let total = 0;
      for (let s = 0; s < numSources; s++) {
        const { shardOffsets } = regions[onlyWorker < 0 ? s : onlyWorker][region].tables[t];
        this.starts[s] = shardOffsets[shard];
        this.counts[s] = shardOffsets[shard + 1] - shardOffsets[shard];
        total += this.counts[s];
      }
      if (total === 0) continue;
      const handles = onlyWorker < 0 ? this.handlesOf[region][t] : this.oneHandles[onlyWorker][region][t];
      const gradients = onlyWorker < 0 ? this.gradientsOf[region][t] : this.oneGradients[onlyWorker][region][t];
      const fids = onlyWorker < 0 ? this.fidsOf[region][t] : this.oneFids[onlyWorker][region][t];
      const rates = this.rates[t];
      stats[ShardStat.rowsUpdated] += tables[t].apply(handles, this.starts, this.counts, gradients, rates, clipRowNorm, fids, step);
    }
    for (let s = 0; s < numSources; s++) this.out[(onlyWorker < 0 ? s : onlyWorker) * this.regionsPerWorker + region] = 0;
    stats[ShardStat.applies]++;
    this.did(ShardStat.applyMs, 1, step, from);
    failpoint('ps.afterApply');
  }

  /** Rows of the `ahead` regions that the step of `region` has changed. Called right after that step. */
  private refresh(region: number, ahead: number): void {
    const { shard, tables, regions, now } = this.parts;
    const from = now();
    const workers = regions.length;
    for (let t = 0; t < tables.length; t++) {
      let targets = 0;
      let sources = 0;
      for (let w = 0; w < workers; w++) {
        const { shardOffsets } = regions[w][region].tables[t];
        this.starts[w] = shardOffsets[shard];
        this.counts[w] = shardOffsets[shard + 1] - shardOffsets[shard];
        sources += this.counts[w];
        const next = regions[w][ahead].tables[t].shardOffsets;
        const isOut = this.out[w * this.regionsPerWorker + ahead] === 1;
        this.targetStarts[w] = isOut ? next[shard] : 0;
        this.targetCounts[w] = isOut ? next[shard + 1] - next[shard] : 0;
        targets += this.targetCounts[w];
      }
      if (targets === 0 || sources === 0) continue;
      tables[t].refresh(
        this.handlesOf[region][t],
        this.starts,
        this.counts,
        this.handlesOf[ahead][t],
        this.targetStarts,
        this.targetCounts,
        this.rowsOf[ahead][t],
      );
    }
    this.did(ShardStat.refreshMs, 2, -1, from);
  }

  /** Counts the time since `from` to a figure and records it as a stage. */
  private did(stat: number, stage: number, step: number, from: number): void {
    const { stats, spans, now } = this.parts;
    const to = now();
    stats[stat] += to - from;
    spans?.add(stage, step, from, to);
  }

  /** Brings rows and memoryBytes of the counters up to date; cheap, but not for every step. */
  refreshSizes(): void {
    const { tables, stats } = this.parts;
    let rows = 0;
    let memoryBytes = 0;
    for (const table of tables) {
      rows += table.size();
      memoryBytes += table.memoryBytes();
    }
    stats[ShardStat.rows] = rows;
    stats[ShardStat.memoryBytes] = memoryBytes;
  }
}
