import { type FolderUse, RunLock } from '../checkpoint/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { RpcServer } from '../grpc/index.js';
import { selectBackend } from '../kernels/index.js';
import { PsService, ShardHost, type ShardRuntime } from '../ps-rpc/index.js';
import { stopped } from './distributed-engine.js';
import { JobLifetime } from './job-lifetime.js';
import { DRAIN_MS, listen, type RoleParts } from './role-parts.js';

/** A server that is started again on another host must not wait long for its predecessor's lock: the job gives it the peer timeout. */
const STATE_FOLDER: FolderUse = {
  doing: 'keeps the journal of its shard there',
  asker: 'parameter server',
  option: '--state-folder',
  silentMs: 15_000,
};

/**
 * The body of a parameter server: serves one shard until the chief says that the job is done.
 * @throws RunFolderBusy where another process uses its state folder; what the chief ended the job with; Unavailable naming the chief when it is gone; Cancelled when this process is to stop.
 */
export async function runPs(parts: RoleParts): Promise<void> {
  const { stateFolder } = parts.config.distributed;
  const lock = stateFolder === null ? null : await RunLock.take(stateFolder, STATE_FOLDER);
  try {
    await serveShard(parts);
  } finally {
    await lock?.close();
  }
}

async function serveShard(parts: RoleParts): Promise<void> {
  const { config, context } = parts;
  const { distributed } = config;
  const host = new ShardHost({
    shard: context.config.index,
    numShards: config.ps,
    backend: config.backend,
    stateFolder: distributed.stateFolder,
    flushJournal: distributed.syncJournal,
    log: context.log,
  });
  const lifetime = new JobLifetime({ ...distributed, log: context.log });
  let server: RpcServer | null = null;
  try {
    const services = [...host.services, lifetime.service, rowService(host, context.config.index, config).rpc()];
    server = await listen(parts, services, ['shard_stream.proto', 'training_job.proto', 'ps_training.proto']);
    const done = distributed.keep ? [lifetime.ended] : [lifetime.ended, host.finished];
    await Promise.race([...done, stopped(context.signal)]);
    context.log('the job is done');
  } finally {
    lifetime.close();
    await server?.close(DRAIN_MS);
    host.close();
  }
}

/** Why calls for rows change none of these. They stand in no journal, and no worker knows of them. */
const OF_THE_JOB = 'it is a table of the job that is training, which alone changes it';

/** The unary calls for rows, over the tables of the job that the shard has at the time. */
function rowService(host: ShardHost, shardId: number, config: TrainingConfig): PsService {
  const runtime = (): ShardRuntime | null => host.streams.current?.runtime ?? null;
  return new PsService({
    shardId,
    backend: selectBackend(config.backend).backend,
    seed: config.seed,
    source: {
      find: (name) => {
        const now = runtime();
        const t = now?.spec.tables.findIndex((table) => table.name === name) ?? -1;
        if (now === null || t < 0) return undefined;
        return { table: now.tables[t], sliceRates: now.spec.tables[t].sliceRates, readOnly: OF_THE_JOB };
      },
      names: () => runtime()?.spec.tables.map(({ name }) => name) ?? [],
    },
  });
}
