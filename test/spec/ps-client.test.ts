import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aggregateGradients, dedupeIds, PsClient, PsError, PsServer, routeToShards, shardForId } from '../../src/index.js';

type Run = (client: PsClient, servers: PsServer[]) => Promise<void>;

async function withShards(count: number, run: Run): Promise<void> {
  const servers = await Promise.all(Array.from({ length: count }, (_, shardId) => PsServer.start({ shardId })));
  const client = await PsClient.connect(servers.map((server) => server.address));
  try {
    await run(client, servers);
  } finally {
    client.close();
    await Promise.all(servers.map((server) => server.close(0)));
  }
}

const flags = (found: Uint8Array): boolean[] => [...found].map((flag) => flag === 1);
const rejection = async (call: Promise<unknown>): Promise<PsError> => {
  const error = await call.then(
    () => assert.fail('expected a rejection'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PsError, String(error));
  return error;
};

describe('a shard', () => {
  test('#34 counts requests and their latency', () =>
    withShards(1, async (client) => {
      await client.lookup('t', [1, 2], 2, true);
      await client.applyGradients('t', [1], [1, 1], 2, 0.1);
      const stats = await client.getStats(false);
      assert.equal(stats.lookupCount, 1);
      assert.equal(stats.applyGradientsCount, 1);
      assert.ok(stats.avgLookupLatencyUs >= 1);
      assert.ok(stats.avgApplyLatencyUs >= 1);
      assert.ok(stats.totalEmbeddings >= 2);
      assert.ok(stats.memoryBytes >= 2 * 2 * 4);
      assert.deepEqual(stats.tableStats, []);
      const [table] = (await client.getStats(true)).tableStats;
      assert.deepEqual([table.name, table.numEmbeddings, table.dimSize], ['t', 2, 2]);
      assert.equal(table.memoryBytes, stats.memoryBytes);
    }));
});

describe('the client', () => {
  test('#39 dedupes, routes by floor-mod and adds gradients up', () => {
    const { unique, inverse } = dedupeIds([1, 2, 1, 3, 2, 1]);
    assert.deepEqual([...unique], [1n, 2n, 3n]);
    assert.deepEqual([...inverse], [0, 1, 0, 2, 1, 0]);
    const routed = (ids: number[]) => routeToShards(ids, 3).map((part) => [...part].map(Number));
    assert.deepEqual(routed([0, 1, 2, 3, 4, 5, 6, 7]), [
      [0, 3, 6],
      [1, 4, 7],
      [2, 5],
    ]);
    assert.deepEqual(routed([-1, 0, 1, 2]), [[0], [1], [-1, 2]]);
    assert.equal(shardForId(-1, 3), 2);
    assert.equal(shardForId(7, 0), 0);
    const sums = aggregateGradients([1, 2, 1], [1, 2, 3, 4, 0.5, 0.5], 2);
    assert.deepEqual([...sums.ids], [1n, 2n]);
    assert.deepEqual([...sums.gradients], [1.5, 2.5, 3, 4]);
  });

  test('#39 looks up and applies over two shards', () =>
    withShards(2, async (client) => {
      assert.deepEqual([...(await client.lookup('t', [0, 1, 2, 3], 2, true))], [0, 0, 0, 0, 0, 0, 0, 0]);
      const counts = await client.applyGradients('t', [0, 1, 0, 3], [1, 2, 3, 4, 5, 6, 7, 8], 2, 0.5);
      assert.deepEqual(counts, { numUpdated: 3, numNotFound: 0 });
      assert.deepEqual([...(await client.lookup('t', [0, 1, 3], 2, false))], [-3, -4, -1.5, -2, -3.5, -4]);
      assert.deepEqual(await client.applyGradients('t', [100, 1], [0, 0, 0, 0], 2, 0.5), { numUpdated: 1, numNotFound: 1 });
    }));

  test('#40 without shards connects to nothing and refuses calls', async () => {
    const none = await rejection(PsClient.connect([]));
    assert.equal(none.code, 'InvalidConfig');
    assert.match(none.message, /at least one PS address is required/);
    const client = new PsClient([]);
    for (const call of [
      client.lookup('t', [1], 2, true),
      client.lookup('t', [], 2, true),
      client.applyGradients('t', [1], [1, 2], 2, 0.1),
    ]) {
      const error = await rejection(call);
      assert.equal(error.code, 'InvalidConfig');
      assert.match(error.message, /no PS clients configured/);
    }
    assert.match((await rejection(client.barrier('b', 0, 1, 100))).message, /no PS clients configured/);
    assert.deepEqual(await client.applyGradients('t', [], [], 2, 0.1), { numUpdated: 0, numNotFound: 0 });
    assert.equal((await rejection(client.applyGradients('t', [1], [1], 2, 0.1))).code, 'DimensionMismatch');
    assert.match((await rejection(client.lookup('t', [1], 0, true))).message, /dim_size must be greater than zero/);
  });

  test('#41 checks its input before anything is sent', async () => {
    const client = new PsClient(['127.0.0.1:1']);
    const mismatch = await rejection(client.applyGradients('t', [1, 2], [1, 2, 3], 2, 0.1));
    assert.equal(mismatch.code, 'DimensionMismatch');
    assert.deepEqual([mismatch.details.expected, mismatch.details.actual], [4, 3]);
    assert.match(mismatch.message, /Dimension mismatch: expected 4, got 3/);
    for (const call of [client.lookup('t', [1], 0, true), client.applyGradients('t', [1], [], 0, 0.1)]) {
      const error = await rejection(call);
      assert.equal(error.code, 'InvalidConfig');
      assert.match(error.message, /dim_size must be greater than zero/);
    }
    assert.match((await rejection(client.barrier('b', 0, 0, 100))).message, /num_workers must be greater than zero/);
    assert.match((await rejection(client.barrier('b', 3, 2, 100))).message, /worker_id 3 out of range for num_workers=2/);
    const empty = await client.lookupDetailed('t', [], 2, true);
    assert.deepEqual([empty.embeddings.length, empty.found.length, empty.numFound, empty.numInitialized], [0, 0, 0, 0]);
    assert.deepEqual(await client.applyGradients('t', [], [], 2, 0.1), { numUpdated: 0, numNotFound: 0 });
    assert.equal((await rejection(client.lookup('t', [1.5], 2, true))).code, 'InvalidArgument');
    client.close();
  });

  test('#43 asks health and statistics of one shard and of all, in order', () =>
    withShards(2, async (client) => {
      const health = await client.healthCheckAll('ps');
      assert.deepEqual(
        health.map(({ status, message }) => [status, message]),
        [
          ['HEALTHY', 'OK'],
          ['HEALTHY', 'OK'],
        ],
      );
      assert.deepEqual(
        (await client.getStatsAll(false)).map(({ shardId }) => shardId),
        [0, 1],
      );
      assert.equal((await client.getStatsShard(1, false)).shardId, 1);
      assert.equal((await client.healthCheckShard(1)).status, 'HEALTHY');
      const error = await rejection(client.getStatsShard(5, false));
      assert.equal(error.code, 'InvalidConfig');
      assert.match(error.message, /invalid shard index: 5/);
    }));

  test('#44 answers a batch entry by entry, bad ones too', () =>
    withShards(2, async (client) => {
      await client.lookup('t', [1, 2], 2, true);
      const entry = { tableName: 't', dimSize: 2, learningRate: 1 };
      const answers = await client.batchApplyGradients([
        { ...entry, fids: [1, 2], gradients: [1, 1, 2, 2] },
        { ...entry, fids: [1, 2], gradients: [1] },
      ]);
      assert.deepEqual(
        answers.map(({ statusCode }) => statusCode),
        [0, 1],
      );
      assert.equal(answers[0].numUpdated, 2);
      assert.match(answers[1].errorMessage, /expected 4, got 1/);
      assert.deepEqual([...(await client.lookup('t', [1, 2], 2, false))], [-1, -1, -2, -2]);
    }));

  test('#46 keeps the flags of duplicates in a batch entry', () =>
    withShards(2, async (client) => {
      const entry = { tableName: 't', fids: [10, 10, 11], dimSize: 2 };
      const [first] = await client.batchLookup([{ ...entry, createIfMissing: true }]);
      assert.deepEqual([flags(first.found), first.numFound, first.numInitialized], [[false, false, false], 0, 3]);
      const [second] = await client.batchLookup([{ ...entry, createIfMissing: false }]);
      assert.deepEqual([flags(second.found), second.numFound, second.numInitialized], [[true, true, true], 3, 0]);
    }));

  test('#48 checks each entry of a batch for itself and keeps the order', () =>
    withShards(1, async (client) => {
      const lookups = await client.batchLookup([
        { tableName: 't', fids: [1], dimSize: 0, createIfMissing: true },
        { tableName: 't', fids: [1], dimSize: 2, createIfMissing: true },
      ]);
      assert.deepEqual(
        lookups.map(({ statusCode }) => statusCode),
        [1, 0],
      );
      assert.equal(lookups[0].errorMessage, 'Invalid configuration: dim_size must be greater than zero');
      assert.equal(lookups[1].embeddings.length, 2);
      const applies = await client.batchApplyGradients([
        { tableName: 't', fids: [1], gradients: [1], dimSize: -1, learningRate: 1 },
        { tableName: 't', fids: [1], gradients: [1, 2], dimSize: 2, learningRate: 0.5, globalStep: 3 },
      ]);
      assert.deepEqual(
        applies.map(({ statusCode }) => statusCode),
        [1, 0],
      );
      assert.match(applies[0].errorMessage, /dim_size must be greater than zero/);
      assert.equal(applies[1].numUpdated, 1);
      assert.deepEqual([...(await client.lookup('t', [1], 2, false))], [-0.5, -1]);
    }));

  test('#50 serves a hundred calls at once, and copies share its connections', () =>
    withShards(2, async (client) => {
      const ids = Array.from({ length: 100 }, (_, i) => i * 7 - 300);
      await client.lookup('t', ids, 2, true);
      await client.applyGradients(
        't',
        ids,
        ids.flatMap((id) => [-id, -id / 2]),
        2,
        1,
      );
      const copy = client.clone();
      const rows = await Promise.all(ids.map((id, i) => (i % 2 === 0 ? client : copy).lookup('t', [id], 2, false)));
      assert.deepEqual(
        rows.map((row) => [...row]),
        ids.map((id) => [id, id / 2]),
      );
      copy.close();
      assert.deepEqual([...(await client.lookup('t', [ids[0]], 2, false))], [ids[0], ids[0] / 2]);
    }));

  test('#51 gives whole answers', () =>
    withShards(2, async (client) => {
      const first = await client.lookupDetailed('t', [7, 7, 9], 2, true);
      assert.deepEqual([flags(first.found), first.numInitialized, first.statusCode], [[false, false, false], 3, 0]);
      const second = await client.lookupDetailed('t', [7, 9], 2, false);
      assert.deepEqual([flags(second.found), second.numFound], [[true, true], 2]);
      const applied = await client.applyGradientsDetailed('t', [7, 9], [1, 1, 1, 1], 2, 0.1);
      assert.deepEqual([applied.numUpdated, applied.numNotFound, applied.statusCode], [2, 0, 0]);
    }));

  test('#56 asks shard 0 when none is named', async () => {
    await withShards(2, async (client) => {
      await client.lookup('t', [0], 2, true);
      const stats = await client.getStats(false);
      assert.equal(stats.shardId, 0);
      assert.ok(stats.lookupCount >= 1);
      assert.equal((await client.healthCheck('ps')).status, 'HEALTHY');
    });
    const empty = new PsClient([]);
    for (const call of [empty.getStats(false), empty.healthCheck(), empty.getStatsShard(9), empty.healthCheckShard(9)]) {
      const error = await rejection(call);
      assert.equal(error.code, 'InvalidConfig');
      assert.match(error.message, /no PS clients configured/);
    }
  });

  test('#57 puts a million rows of one of two shards where they belong', () =>
    withShards(2, async (client) => {
      const count = 1_000_001;
      const ids = new BigInt64Array(count);
      const words = new Int32Array(ids.buffer);
      for (let i = 0; i < count; i++) {
        words[2 * i] = (Math.imul(i, 2654435761 | 0) & ~1) | 0;
        words[2 * i + 1] = i - 500_000;
      }
      const weightOf = (i: number) => (i % 8191) + 1;
      const gradients = Float32Array.from({ length: count }, (_, i) => -weightOf(i));
      const created = await client.lookupDetailed('t', ids, 1, true);
      assert.equal(created.numInitialized, count);
      assert.deepEqual(await client.applyGradients('t', ids, gradients, 1, 1), { numUpdated: count, numNotFound: 0 });
      const rows = await client.lookup('t', ids, 1, false);
      let wrong = 0;
      for (let i = 0; i < count; i++) if (rows[i] !== weightOf(i)) wrong++;
      assert.equal(wrong, 0);
      assert.deepEqual(
        (await client.getStatsAll()).map(({ totalEmbeddings }) => totalEmbeddings),
        [count, 0],
      );
    }));
});
