import type { ShardSpec } from '../ps/index.js';
import { exchangeLayout, type RunSpec } from '../training/index.js';

/** What a parameter server must know of a run. */
export function shardSpecOf(spec: RunSpec): ShardSpec {
  const { seed, mode, workers, regionsPerWorker, tables, tensors, denseStateLength, clip, schedule } = spec;
  return { seed, mode, workers, regionsPerWorker, layout: exchangeLayout(spec), tables, tensors, denseStateLength, clip, schedule };
}
