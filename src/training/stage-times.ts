/**
 * Milliseconds by stage since the start of a run, summed over threads.
 *
 *   wait_batch     workers: no batch to train on
 *   dedupe         workers: distinct ids of a batch, grouped by shard
 *   lookup         workers: waiting for rows; in place, looking them up
 *   compute        workers: forward, loss, backward
 *   push           workers: waiting until their gradients are applied; in place, applying them
 *   shard_lookup   shards: index search, creation and copying of rows
 *   shard_apply    shards: summing gradients, optimizers on rows and dense parameters
 *   shard_refresh  shards: rows looked up ahead that a step has changed; in place, none
 *
 * Where workers do shards' work in place, shard_lookup and shard_apply are parts of lookup and push, not time of other threads.
 */
export type StageTimes = { readonly [stage in (typeof STAGES)[number]]: number };

/** Stages that make up a worker's time, in the order of a step. */
export const WORKER_STAGES = ['wait_batch', 'dedupe', 'lookup', 'compute', 'push'] as const;
export const STAGES = [...WORKER_STAGES, 'shard_lookup', 'shard_apply', 'shard_refresh'] as const;

/** Shares of the workers' time by stage, 0 … 1. */
export type StageShares = { readonly [stage in (typeof WORKER_STAGES)[number]]: number };

/** Shares between one look and the next. */
export class StageWatch {
  private before: StageTimes | null = null;

  /** Shares since the last call, or since the start of the run; all 0 while no time has passed. */
  next(times: StageTimes): StageShares {
    const { before } = this;
    this.before = times;
    const spent = WORKER_STAGES.map((stage) => times[stage] - (before?.[stage] ?? 0));
    const total = spent.reduce((a, b) => a + b, 0);
    return Object.fromEntries(WORKER_STAGES.map((stage, i) => [stage, total > 0 ? spent[i] / total : 0])) as StageShares;
  }
}

/** Times in seconds. */
export function stageSeconds(times: StageTimes): { readonly [stage: string]: number } {
  return Object.fromEntries(STAGES.map((stage) => [stage, times[stage] / 1000]));
}
