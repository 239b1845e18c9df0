import { EmbeddingTable } from '../embedding/index.js';
import type { KernelBackend } from '../kernels/index.js';
import { learningRateAt } from '../optimizers/index.js';
import { DenseShard, PsShard, planDenseBlocks } from '../ps/index.js';
import type { RunSpec } from '../steps/index.js';
import type { ClusterMemory } from './topology.js';

/**
 * Shard `shard` of a run over `tables`, for the thread that calls: its own or, where workers do shards' work, one object in each worker.
 * @param meet waits for all other shards; null where one thread does the work of several (see DenseShard).
 */
export function createShardLogic(
  spec: RunSpec,
  memory: ClusterMemory,
  shard: number,
  tables: readonly EmbeddingTable[],
  backend: KernelBackend,
  meet: (() => void) | null,
): PsShard {
  const { blocks } = planDenseBlocks(spec.tensors);
  const gradients = memory.regions.flatMap((own) => own.map((region) => region.gradients));
  const { parameters, denseState, blockNorms } = memory;
  return new PsShard({
    shard,
    tables,
    sliceRates: spec.tables.map((table) => table.sliceRates),
    clipRowNorm: spec.clip.rowNorm,
    dense: new DenseShard(backend, spec.tensors, blocks, shard, spec.ps, parameters, denseState, gradients, spec.clip, blockNorms, meet),
    regions: memory.regions,
    rateScale: (step) => learningRateAt(spec.schedule, 1, step),
    stats: memory.shardStats[shard],
    spans: memory.shardSpans[shard],
    now: () => performance.now(),
  });
}

/** Tells workers which tables shard `shard` has made. */
export function offerTables(memory: ClusterMemory, shard: number, tables: readonly EmbeddingTable[]): void {
  tables.forEach((table, t) => {
    memory.tableIds[shard][t] = table.shareId();
  });
  memory.tablesMade[shard].store(1);
}

/** The tables that the thread of shard `shard` has made, as objects of this thread. Waits until they are there. */
export function attachTables(spec: RunSpec, memory: ClusterMemory, shard: number, backend: KernelBackend): EmbeddingTable[] {
  memory.tablesMade[shard].waitFor(1, spec.stepTimeoutMs);
  return spec.tables.map((table, t) => new EmbeddingTable(backend, table, spec.seed, memory.tableIds[shard][t]));
}
