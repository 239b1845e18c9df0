import assert from 'node:assert/strict';
import { connect, createServer, type Server } from 'node:net';
import { describe, test } from 'node:test';
import {
  type DistributedEntry,
  MemoryDiscovery,
  MonolithError,
  PsClient,
  RunConfig,
  type RunnerConfig,
  runDistributedFromRunConfig,
  runDistributedFromRunnerConfig,
  runnerConfig,
} from '../../src/index.js';

const DIM = 4;

/** Parameter servers as roles of this process, announced in `discovery`; `stop` ends them and waits for their end. */
async function startPs(discovery: MemoryDiscovery, numPs: number, change: Partial<RunnerConfig> = {}) {
  const end = new AbortController();
  const roles = Array.from({ length: numPs }, (_, index) =>
    runDistributedFromRunnerConfig(discovery, runnerConfig({ index, numPs, numWorkers: 8, dim: DIM, ...change }), {
      role: 'ps',
      signal: end.signal,
    }),
  );
  let failed: unknown = null;
  for (const role of roles) role.catch((error: unknown) => (failed = error));
  const type = change.discoveryServiceTypePs ?? 'ps';
  while ((await discovery.discover(type)).length < numPs) {
    if (failed !== null) throw failed;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return {
    addresses: [...(await discovery.discover(type))]
      .sort((a, b) => Number(a.metadata.index) - Number(b.metadata.index))
      .map(({ address }) => address),
    stop: async () => {
      end.abort();
      await Promise.all(roles);
    },
  };
}

async function rows(addresses: readonly string[], table: string, ids: number[]): Promise<number[]> {
  const client = await PsClient.connect(addresses);
  try {
    const values = await client.lookup(table, ids, DIM, false);
    for (const [i] of ids.entries()) for (let d = 1; d < DIM; d++) assert.equal(values[i * DIM + d], values[i * DIM]);
    return ids.map((_, i) => Number(values[i * DIM].toFixed(6)));
  } finally {
    client.close();
  }
}

describe('the exercise of a distributed run', () => {
  test('#13 a parameter server and a worker from two runner configurations', async () => {
    const discovery = new MemoryDiscovery();
    const ps = await startPs(discovery, 1);
    await runDistributedFromRunnerConfig(discovery, runnerConfig({ numPs: 1, dim: DIM }), { role: 'worker' });
    assert.deepEqual(await rows(ps.addresses, 'emb', [0, 42, 7]), [-0.02, -0.01, 0]);
    await ps.stop();
    assert.deepEqual(await discovery.discover('ps'), []);
  });

  test('#13 three workers over two shards; names and table of the configuration', async () => {
    const discovery = new MemoryDiscovery();
    const shared = { discoveryServiceTypePs: 'parameter_server', discoveryServiceTypeWorker: 'trainer', tableName: 'item_emb', dim: DIM };
    const ps = await startPs(discovery, 2, shared);
    const worker = (index: number) =>
      runDistributedFromRunnerConfig(discovery, runnerConfig({ ...shared, index, numPs: 2, numWorkers: 3 }), { role: 'worker' });
    await Promise.all([0, 1, 2].map(worker));
    assert.deepEqual(await rows(ps.addresses, 'item_emb', [0, 1, 2, 42]), [-0.02, -0.02, -0.02, -0.03]);
    await ps.stop();
  });

  test('#13 port 0 is announced as the port that was bound, for a worker too', async () => {
    const discovery = new MemoryDiscovery();
    const ps = await startPs(discovery, 1);
    assert.doesNotMatch(ps.addresses[0], /:0$/);
    const other = runDistributedFromRunnerConfig(discovery, runnerConfig({ numPs: 1, numWorkers: 2, dim: DIM }), { role: 'worker' });
    let found = await discovery.discover('worker');
    while (found.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      found = await discovery.discover('worker');
    }
    const [host, port] = found[0].address.split(':');
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), host, () => {
        socket.destroy();
        resolve();
      });
      socket.once('error', reject);
    });
    const second = runDistributedFromRunnerConfig(discovery, runnerConfig({ index: 1, numPs: 1, numWorkers: 2, dim: DIM }), {
      role: 'worker',
    });
    await Promise.all([other, second]);
    await ps.stop();
  });

  test('#15 after a worker has run it is no longer announced', async () => {
    const discovery = new MemoryDiscovery();
    const ps = await startPs(discovery, 1);
    await runDistributedFromRunnerConfig(discovery, runnerConfig({ numPs: 1, dim: DIM }), { role: 'worker' });
    assert.deepEqual(await discovery.discover('worker'), []);
    await ps.stop();
  });

  test('#29 a RunConfig drives a parameter server and a worker to the end', async () => {
    const discovery = new MemoryDiscovery();
    const end = new AbortController();
    const config = new RunConfig({ numPs: 1, numWorkers: 1, dim: DIM });
    const entry = (role: DistributedEntry['role']): DistributedEntry => ({ role, signal: end.signal });
    const ps = runDistributedFromRunConfig(discovery, config, entry('ps'));
    await runDistributedFromRunConfig(discovery, config, entry('worker'), { retryBackoffMs: 20, connectRetries: 500 });
    const [{ address }] = await discovery.discover('ps');
    assert.deepEqual(await rows([address], 'emb', [0, 42]), [-0.02, -0.01]);
    end.abort();
    await ps;
  });

  test('#29 without a parameter server the worker says that discovery timed out', async () => {
    const config = new RunConfig({ numPs: 1, numWorkers: 1, connectRetries: 1, retryBackoffMs: 5 });
    await assert.rejects(runDistributedFromRunConfig(new MemoryDiscovery(), config, { role: 'worker' }), (error: unknown) => {
      assert.ok(error instanceof MonolithError);
      assert.equal(error.code, 'DiscoveryTimeout');
      assert.match(error.message, /^Timed out waiting for PS discovery for worker-0 .*got 0 expected 1/);
      return true;
    });
  });

  test('#60 a worker has one connection to each parameter server for lookups, applies and its barrier', async () => {
    const discovery = new MemoryDiscovery();
    const ps = await startPs(discovery, 2);
    // Connections are counted by a relay in front of each server.
    const counts = [0, 0];
    const relays: Server[] = [];
    for (const [shard, address] of ps.addresses.entries()) {
      const [host, port] = address.split(':');
      const relay = createServer((socket) => {
        counts[shard]++;
        const target = connect(Number(port), host);
        socket.pipe(target).pipe(socket);
        socket.on('error', () => target.destroy());
        target.on('error', () => socket.destroy());
      });
      await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
      relays.push(relay);
    }
    const fronts = new MemoryDiscovery();
    for (const [index, relay] of relays.entries()) {
      const { port } = relay.address() as { port: number };
      await fronts.register({
        id: `ps-${index}`,
        serviceType: 'ps',
        address: `127.0.0.1:${port}`,
        metadata: { index: String(index) },
        health: 'healthy',
      });
    }
    await runDistributedFromRunnerConfig(fronts, runnerConfig({ numPs: 2, dim: DIM }), { role: 'worker' });
    assert.deepEqual(counts, [1, 1]);
    for (const relay of relays) relay.close();
    await ps.stop();
  });

  test('#61 the barrier timeout of the configuration reaches the barrier', async () => {
    const discovery = new MemoryDiscovery();
    const ps = await startPs(discovery, 1);
    const started = performance.now();
    await assert.rejects(
      runDistributedFromRunnerConfig(discovery, runnerConfig({ numPs: 1, numWorkers: 2, dim: DIM, barrierTimeoutMs: 50 }), {
        role: 'worker',
      }),
      /Barrier timeout/,
    );
    assert.ok(performance.now() - started < 5000, 'long before the default of 10 s');
    await ps.stop();
  });

  test('#13 what the environment is to hold is set before the role runs', async () => {
    const before = process.env.TF_GRPC_WORKER_CACHE_THREADS;
    try {
      let seen: string | undefined;
      await runDistributedFromRunnerConfig(new MemoryDiscovery(), runnerConfig({ numPs: 1, tfGrpcWorkerCacheThreads: 16 }), {
        role: 'worker',
        body: async () => {
          seen = process.env.TF_GRPC_WORKER_CACHE_THREADS;
        },
      });
      assert.equal(seen, '16');
    } finally {
      if (before === undefined) delete process.env.TF_GRPC_WORKER_CACHE_THREADS;
      else process.env.TF_GRPC_WORKER_CACHE_THREADS = before;
    }
  });
});
