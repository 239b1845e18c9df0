import { MonolithError } from '../base/index.js';
import { selectBackend } from '../kernels/index.js';
import type { RunSpec } from '../steps/index.js';

/**
 * Decides who does the work of shards that lie in this process and fits the spec to it. With `in-place` a worker has one region: rows come when it
 * asks and pushes are applied before it goes on, so there is nothing to prepare ahead and staleness is 0.
 *
 * `auto` takes workers in synchronous mode where they and the shards are more threads than cores. With one worker, shards of their own work while
 * it computes; asynchronous workers hardly wait for hand-overs, and what `staleness` asks for would be lost; tables of the reference backend
 * belong to their threads.
 *
 * @throws InvalidConfig for `in-place` on the reference backend; BackendUnavailable as selectBackend.
 */
export function resolveShardWork(spec: RunSpec, cores: number): RunSpec {
  if (spec.shardWork === 'threads') return spec;
  const waits = spec.mode === 'sync' && spec.workers > 1 && spec.workers + spec.ps > cores;
  if (spec.shardWork === 'auto' && !waits) return { ...spec, shardWork: 'threads' };
  if (selectBackend(spec.backend).backend.name === 'native') {
    const slotsPerWorker = spec.slotsPerWorker - spec.prefetch;
    return { ...spec, shardWork: 'in-place', staleness: 0, prefetch: 0, regionsPerWorker: 1, slotsPerWorker };
  }
  if (spec.shardWork === 'auto') return { ...spec, shardWork: 'threads' };
  throw new MonolithError(
    'InvalidConfig',
    'shardWork in-place: tables of the reference backend belong to their threads; use --shard-work threads, or --backend native',
  );
}
