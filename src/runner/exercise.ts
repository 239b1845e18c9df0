import { once } from 'node:events';
import { RpcServer } from '../grpc/index.js';
import { PsBarrier, PsClient, PsServer } from '../ps-rpc/index.js';
import { splitBind } from './endpoint.js';
import type { RoleContext } from './run-distributed.js';

/** An id that every worker of the exercise touches. */
const SHARED_ID = 42;
const LEARNING_RATE = 0.01;

/**
 * Body of a parameter server of the exercise: serves one shard of plain tables at the configured address, announces where it really listens,
 * and ends when the run is told to.
 * @throws InvalidConfig for an address that is open to other machines; Unavailable when it is taken.
 */
export async function exercisePs({ config, announce, signal, log }: RoleContext): Promise<void> {
  const targets = config.parameterSyncTargets;
  const server = await PsServer.start({
    ...splitBind(config.bindAddress, 'bindAddress'),
    shardId: config.index,
    defaultDim: config.dim,
    log,
    ...(targets.length === 0
      ? {}
      : {
          replicator: {
            targets,
            intervalMs: config.parameterSyncIntervalMs,
            modelName: config.parameterSyncModelName,
            signatureName: config.parameterSyncSignatureName,
          },
        }),
  });
  try {
    await announce(server.address);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await server.close();
  }
}

/**
 * Body of a worker of the exercise: the smallest thing that needs every part of a distributed run. Looks up [index, index, 42], meets the
 * other workers, and applies gradients of one: row `index` ends at −0.02, row 42 at −0.01 for each worker. One client serves the calls and
 * the barrier.
 * @throws DiscoveryTimeout, what the client throws, and Timeout when the other workers do not come to the barrier.
 */
export async function exerciseWorker({ config, announce, parameterServers, log }: RoleContext): Promise<void> {
  const { index, numWorkers, tableName, dim } = config;
  // A worker is announced where it really listens: its health service answers there.
  const server = await RpcServer.start({ ...splitBind(config.bindAddress, 'bindAddress'), services: [], log });
  try {
    await announce(server.address);
    const client = await PsClient.connect(await parameterServers());
    try {
      const ids = [index, index, SHARED_ID];
      await client.lookup(tableName, ids, dim, true);
      await new PsBarrier(client, config.barrierTimeoutMs).wait('step0', index, numWorkers);
      await client.applyGradients(tableName, ids, new Float32Array(ids.length * dim).fill(1), dim, LEARNING_RATE, 0);
    } finally {
      client.close();
    }
  } finally {
    await server.close();
  }
}
