import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Barrier, BarrierError, InMemoryBarrier, PsBarrier, PsClient, PsError, PsServer } from '../../src/index.js';

async function withShards(count: number, run: (client: PsClient, servers: PsServer[]) => Promise<void>): Promise<void> {
  const servers = await Promise.all(Array.from({ length: count }, (_, shardId) => PsServer.start({ shardId })));
  const client = await PsClient.connect(
    servers.map((server) => server.address),
    { reconnectMs: 200 },
  );
  try {
    await run(client, servers);
  } finally {
    client.close();
    await Promise.all(servers.map((server) => server.close(0)));
  }
}

async function rejection<T extends Error>(call: Promise<unknown>, kind: new (...args: never[]) => T): Promise<T> {
  const error = await call.then(
    () => assert.fail('expected a rejection'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof kind, String(error));
  return error;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'the condition did not come true within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('a barrier on a shard', () => {
  test('#36 releases all who wait, again and again on one id, and keeps to its size', () =>
    withShards(1, async (client, [server]) => {
      for (let round = 0; round < 2; round++) {
        await Promise.all([client.barrier('b0', 0, 2, 10_000), client.barrier('b0', 1, 2, 10_000)]);
      }
      await client.barrier('sized', 0, 1, 1000);
      const error = await rejection(client.barrier('sized', 0, 2, 1000), PsError);
      assert.match(error.message, /Barrier sized expects num_workers=1, got 2/);
      assert.equal(server.diagnostics.barriersWaiting, 0);
      await Promise.all([client.barrierOnShard(0, 'sized', 0, 2, 10_000, true), client.barrierOnShard(0, 'sized', 1, 2, 10_000, true)]);
    }));

  test('#37 refuses a worker that has arrived, and is whole again after a timeout', () =>
    withShards(1, async (client, [server]) => {
      const first = client.barrier('b', 0, 2, 10_000);
      await until(() => server.diagnostics.barriersWaiting === 1);
      assert.match((await rejection(client.barrier('b', 0, 2, 10_000), PsError)).message, /Worker 0 already arrived for barrier b/);
      await Promise.all([client.barrier('b', 1, 2, 10_000), first]);
      const late = await rejection(client.barrier('c', 0, 2, 20), PsError);
      assert.equal(late.code, 'Timeout');
      assert.equal(late.details.numArrived, 0);
      await Promise.all([client.barrier('c', 0, 2, 10_000), client.barrier('c', 1, 2, 10_000)]);
    }));

  test('#38 refuses a worker out of range and is not touched by it', () =>
    withShards(1, async (client, [server]) => {
      assert.match((await rejection(client.barrier('b', 2, 2, 1000), PsError)).message, /worker_id 2 out of range for num_workers=2/);
      assert.match((await rejection(client.barrier('b', -1, 2, 1000), PsError)).message, /out of range/);
      assert.deepEqual([server.diagnostics.barriersWaiting, server.diagnostics.barriersRemembered], [0, 0]);
      await Promise.all([client.barrier('b', 0, 2, 10_000), client.barrier('b', 1, 2, 10_000)]);
    }));

  test('#42 tells timeout, contradiction and bad numbers apart', () =>
    withShards(1, async (client) => {
      const from = performance.now();
      const timeout = await rejection(client.barrier('b', 0, 2, 20), PsError);
      const took = performance.now() - from;
      assert.equal(timeout.code, 'Timeout');
      assert.equal(timeout.details.timeoutMs, 20);
      assert.ok(took >= 19 && took < 2000, `${took} ms`);
      await client.barrier('c', 0, 1, 1000);
      assert.equal((await rejection(client.barrier('c', 0, 2, 1000), PsError)).code, 'InvalidConfig');
      const unreachable = new PsClient(['127.0.0.1:1']);
      const zero = await rejection(unreachable.barrier('b', 9, 0, 0), PsError);
      assert.equal(zero.code, 'InvalidConfig');
      assert.match(zero.message, /timeout_ms must be greater than zero/);
      unreachable.close();
    }));

  test('#55 may be on any shard', () =>
    withShards(2, async (client, servers) => {
      await Promise.all([client.barrierOnShard(1, 'b', 0, 1, 1000), client.barrier('b', 0, 1, 1000)]);
      const one = new PsClient([servers[0].address]);
      const wrong = await rejection(one.barrierOnShard(1, 'b', 0, 1, 1000), PsError);
      assert.equal(wrong.code, 'InvalidConfig');
      assert.match(wrong.message, /invalid shard index: 1/);
      one.close();
      await servers[0].close(0);
      await client.barrierOnShard(1, 'c', 0, 1, 1000);
      assert.equal((await rejection(client.barrierOnShard(0, 'c', 0, 1, 1000), PsError)).code, 'RpcError');
    }));

  test('#42 a shard that closes cancels those who wait', () =>
    withShards(1, async (client, [server]) => {
      const waiting = rejection(client.barrier('b', 0, 2, 30_000), PsError);
      await until(() => server.diagnostics.barriersWaiting === 1);
      await server.close(1000);
      const error = await waiting;
      assert.deepEqual([error.code, error.details.status], ['RpcError', 'Cancelled']);
    }));
});

describe('barriers behind one interface', () => {
  test('#54 #52 waits through one object do not wait for each other', () =>
    withShards(1, async (client) => {
      const barriers: Barrier[] = [new PsBarrier(client, 30_000), new InMemoryBarrier(2)];
      for (const barrier of barriers) {
        const from = performance.now();
        await Promise.all([barrier.wait('b', 0, 2), barrier.wait('b', 1, 2)]);
        assert.ok(performance.now() - from < 15_000);
      }
    }));

  test('#54 the one in memory releases whenever n wait', async () => {
    const barrier = new InMemoryBarrier(3);
    let released = 0;
    const waits = Array.from({ length: 5 }, () => barrier.wait().then(() => released++));
    await Promise.all(waits.slice(0, 3));
    assert.equal(released, 3);
    await barrier.wait();
    await Promise.all(waits);
    assert.equal(released, 5);
    assert.throws(() => new InMemoryBarrier(0), { code: 'InvalidConfig' });
  });

  test("#58 errors are the barrier layer's own", () =>
    withShards(1, async (client, [server]) => {
      const timeout = await rejection(new PsBarrier(client, 20).wait('b', 0, 2), BarrierError);
      assert.deepEqual([timeout.kind, timeout.code], ['Timeout', 'Timeout']);
      assert.match(timeout.message, /Barrier timeout/);
      const invalid = await rejection(new PsBarrier(client, 20).wait('b', -1, 2), BarrierError);
      assert.deepEqual([invalid.kind, invalid.code], ['InvalidConfig', 'InvalidConfig']);
      await server.close(0);
      const rpc = await rejection(new PsBarrier(client, 2000).wait('b', 0, 1), BarrierError);
      assert.deepEqual([rpc.kind, rpc.code], ['Rpc', 'RpcError']);
      assert.ok(rpc.cause instanceof PsError);
      assert.match(rpc.message, new RegExp(server.address));
    }));

  test("#59 connecting to nothing is the client's error", async () => {
    const error = await rejection(PsBarrier.connect([], 100), PsError);
    assert.equal(error.code, 'InvalidConfig');
    const server = await PsServer.start();
    const barrier = await PsBarrier.connect([server.address], 1000);
    await barrier.wait('b', 0, 1);
    barrier.close();
    await server.close(0);
  });
});
