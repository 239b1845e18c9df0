import type { RpcServer } from '../grpc/index.js';
import { ShardHost } from '../ps/index.js';
import { stopped } from './distributed-engine.js';
import { JobLifetime } from './job-lifetime.js';
import { DRAIN_MS, listen, type RoleParts } from './role-parts.js';

/**
 * The body of a parameter server: serves one shard until the chief says that the job is done.
 * @throws what the chief ended the job with; Unavailable naming the chief when it is gone; Cancelled when this process is to stop.
 */
export async function runPs(parts: RoleParts): Promise<void> {
  const { config, context } = parts;
  const { distributed } = config;
  const host = new ShardHost({
    shard: context.config.index,
    numShards: config.ps,
    backend: config.backend,
    stateFolder: distributed.stateFolder,
    log: context.log,
  });
  const lifetime = new JobLifetime({ ...distributed, log: context.log });
  let server: RpcServer | null = null;
  try {
    server = await listen(parts, [...host.services, lifetime.service]);
    const done = distributed.keep ? [lifetime.ended] : [lifetime.ended, host.finished];
    await Promise.race([...done, stopped(context.signal)]);
    context.log('the job is done');
  } finally {
    lifetime.close();
    await server?.close(DRAIN_MS);
    host.close();
  }
}
