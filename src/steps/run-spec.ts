import type { NamedSlice, RowStorage } from '../embedding/index.js';
import type { ModelInputs, ModelPlan } from '../models/index.js';
import type { ScheduleSpec } from '../optimizers/index.js';
import type { DenseClip, DenseTensor, ExchangeLayout, ShardSpec } from '../ps/index.js';
import type { BatchLayout } from '../tensor/index.js';

/** A table as its shards build it. */
export type TableSpec = {
  readonly name: string;
  readonly slices: readonly NamedSlice[];
  readonly sliceRates: readonly number[];
  readonly maxRows: number;
  /** How values of rows are stored. */
  readonly storage: RowStorage;
  /** Rows for which this shard makes memory ready at its start; 0: none. */
  readonly expectedRows: number;
};

/**
 * Everything that the threads of a run agree on: plain JSON, resolved once by the coordinator, handed to each thread at its start. Two threads
 * with the same spec carve the same memory in the same way.
 */
export type RunSpec = {
  readonly seed: number;
  readonly backend: 'auto' | 'native' | 'reference';
  /** Format of the operands of matrix products. */
  readonly precision: 'fp32' | 'bf16';
  readonly mode: 'sync' | 'async';
  readonly workers: number;
  readonly ps: number;
  /** Who does the work of shards in this process; `auto` until resolveShardWork has decided. */
  readonly shardWork: 'auto' | 'threads' | 'in-place';
  /** Pushes that a worker may have outstanding while it computes on; 0 in sync mode. */
  readonly staleness: number;
  /** Batches whose rows are asked for ahead of the one computed; 0 in sync mode. */
  readonly prefetch: number;
  /** Exchange regions a worker. */
  readonly regionsPerWorker: number;
  /** Batch slots a worker. */
  readonly slotsPerWorker: number;
  readonly stepTimeoutMs: number;
  /** Name of a built-in model or absolute path of a user's module. */
  readonly model: string;
  readonly modelOptions: { readonly [key: string]: unknown };
  readonly inputs: ModelInputs;
  readonly plan: ModelPlan;
  readonly batch: BatchLayout;
  readonly tables: readonly TableSpec[];
  readonly tensors: readonly DenseTensor[];
  readonly denseStateLength: number;
  readonly clip: DenseClip & { readonly rowNorm: number };
  readonly schedule: ScheduleSpec;
};

/** The exchange layout of a run. */
export function exchangeLayout(spec: RunSpec): ExchangeLayout {
  return {
    numShards: spec.ps,
    tables: spec.plan.tables.map((table, t) => ({ dim: table.dim, maxIds: spec.batch.groups[t].maxIds })),
    parametersLength: spec.plan.parametersLength,
  };
}

/** What shards in processes of their own must know of a run. */
export function shardSpecOf(spec: RunSpec): ShardSpec {
  const { seed, mode, workers, regionsPerWorker, tables, tensors, denseStateLength, clip, schedule } = spec;
  return { seed, mode, workers, regionsPerWorker, layout: exchangeLayout(spec), tables, tensors, denseStateLength, clip, schedule };
}
