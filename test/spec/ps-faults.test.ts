import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PsClient, type PsClientOptions, PsError, PsServer } from '../../src/index.js';
import { type Fault, FaultProxy, type ProxiedCall } from '../helpers/fault-proxy.js';

/** Adagrad's result depends on the order of its steps, so that a wrong order shows. */
const tables = [{ name: 't', slices: [{ dim: 4, optimizer: { kind: 'adagrad', learningRate: 0.1 } as const }] }];
const ids = [1, 2, -3, 40];

async function withProxy(
  fault: (call: ProxiedCall) => Fault,
  options: PsClientOptions,
  run: (client: PsClient, server: PsServer, proxy: FaultProxy, direct: PsClient) => Promise<void>,
  window = 4096,
): Promise<void> {
  const server = await PsServer.start({ tables, limits: { window } });
  const proxy = await FaultProxy.start(server.address, fault);
  const client = await PsClient.connect([proxy.address], options);
  const direct = await PsClient.connect([server.address]);
  try {
    await run(client, server, proxy, direct);
  } finally {
    client.close();
    direct.close();
    await proxy.close();
    await server.close(0);
  }
}

function gradientsOf(step: number): Float32Array {
  return Float32Array.from({ length: 16 }, (_, i) => Math.sin(step * 16 + i));
}

/** Rows after the applies of steps 0 … steps−1, `atOnce` of them under way at a time. */
async function trained(client: PsClient, reader: PsClient, steps: number, atOnce: number): Promise<Float32Array> {
  await client.lookup('t', ids, 4, true);
  for (let step = 0; step < steps; step += atOnce) {
    const calls = Array.from({ length: Math.min(atOnce, steps - step) }, (_, i) =>
      client.applyGradients('t', ids, gradientsOf(step + i), 4, 0),
    );
    for (const { numUpdated } of await Promise.all(calls)) assert.equal(numUpdated, 4);
  }
  return reader.lookup('t', ids, 4, false);
}

async function undisturbed(steps: number): Promise<Float32Array> {
  const server = await PsServer.start({ tables });
  const client = await PsClient.connect([server.address]);
  const rows = await trained(client, client, steps, 1);
  client.close();
  await server.close(0);
  return rows;
}

/** A small generator, so that a failing run can be seen again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('an apply is made once and in its turn', () => {
  test('R30 delivered 1–5 times, out of order, up to 1000 requests late', async () => {
    const steps = 1010;
    const next = random(7);
    const fault = ({ method }: ProxiedCall): Fault => {
      if (method !== 'ApplyGradients') return {};
      const copiesAfterMs = Array.from({ length: next() < 0.15 ? Math.ceil(next() * 4) : 0 }, () => next() * 20);
      return { delayMs: next() * 10, copiesAfterMs, ...(next() < 0.1 && { lateByRequests: Math.ceil(next() * 1000) }) };
    };
    const expected = await undisturbed(steps);
    await withProxy(fault, {}, async (client, server, proxy, direct) => {
      await trained(client, direct, steps, 40);
      await proxy.settle();
      assert.deepEqual(await direct.lookup('t', ids, 4, false), expected);
      assert.equal((await direct.getStats()).applyGradientsCount, steps);
      assert.equal(server.diagnostics.appliesHeld, 0);
      assert.equal(server.diagnostics.sessions, 1);
    });
  });

  test('R30 one older than the window is refused and changes nothing', () =>
    withProxy(
      () => ({}),
      {},
      async (client, _server, proxy, direct) => {
        const rows = await trained(client, direct, 20, 1);
        assert.ok(proxy.replayApply.length >= 20);
        await assert.rejects(proxy.replayApply[0]?.() ?? Promise.resolve(), {
          code: 'FailedPrecondition',
          message: /older than the last 8 applies/,
        });
        await proxy.replayApply[19]?.();
        assert.deepEqual(await direct.lookup('t', ids, 4, false), rows);
        assert.equal((await direct.getStats()).applyGradientsCount, 20);
      },
      8,
    ));

  test('R31 an answer that is lost is given again from the log', async () => {
    const seen = new Set<number>();
    const fault = ({ sequence }: ProxiedCall): Fault => {
      if (sequence === null || seen.has(sequence)) return {};
      seen.add(sequence);
      return sequence % 3 === 0 ? { dropAnswer: true } : sequence % 3 === 1 ? { swallow: true } : {};
    };
    const expected = await undisturbed(9);
    await withProxy(fault, { attemptTimeoutMs: 300 }, async (client, _server, proxy, direct) => {
      assert.deepEqual(await trained(client, direct, 9, 9), expected);
      assert.equal((await direct.getStats()).applyGradientsCount, 9);
      assert.ok(proxy.requests > 9 + 6, `${proxy.requests} requests`);
    });
  });

  test('an apply that its client gave up is not made later, and those behind it are', async () => {
    const fault = ({ sequence }: ProxiedCall): Fault => (sequence === 0 ? { swallow: true } : {});
    await withProxy(fault, { timeoutMs: 600, attemptTimeoutMs: 200 }, async (client, _server, proxy, direct) => {
      await client.lookup('t', ids, 4, true);
      const lost = client.applyGradients('t', ids, gradientsOf(0), 4, 0);
      await assert.rejects(lost, (error: PsError) => error instanceof PsError && error.code === 'Timeout');
      await client.applyGradients('t', ids, gradientsOf(1), 4, 0);
      const rows = await direct.lookup('t', ids, 4, false);
      await assert.rejects(proxy.replayApply[0]?.() ?? Promise.resolve(), {
        code: 'FailedPrecondition',
        message: /given up by its client/,
      });
      assert.deepEqual(await direct.lookup('t', ids, 4, false), rows);
      assert.equal((await direct.getStats()).applyGradientsCount, 1);
    });
  });

  test('a shard that is started again is found again, and takes applies', async () => {
    const first = await PsServer.start({ tables });
    const client = await PsClient.connect([first.address]);
    await trained(client, client, 2, 1);
    await first.close(0);
    const pending = client.lookup('t', ids, 4, true);
    const second = await PsServer.start({ tables, port: first.port });
    assert.deepEqual(await pending, new Float32Array(16));
    assert.equal((await client.applyGradients('t', ids, gradientsOf(0), 4, 0)).numUpdated, 4);
    client.close();
    await second.close(0);
  });
});

test('#39 shards are asked at the same time', async () => {
  const servers = [await PsServer.start({ shardId: 0 }), await PsServer.start({ shardId: 1 })];
  const slow = ({ method }: ProxiedCall): Fault => (method === 'Lookup' ? { delayMs: 1000 } : {});
  const proxies = [await FaultProxy.start(servers[0].address, slow), await FaultProxy.start(servers[1].address, slow)];
  const client = await PsClient.connect(proxies.map((proxy) => proxy.address));
  const from = performance.now();
  await client.lookup('t', [0, 1, 2, 3], 2, true);
  const took = performance.now() - from;
  assert.ok(took >= 990 && took < 1900, `${took} ms`);
  client.close();
  for (const proxy of proxies) await proxy.close();
  for (const server of servers) await server.close(0);
});

test('a shard that does not answer fails the call at its time, naming the shard', async () => {
  const server = await PsServer.start();
  const proxy = await FaultProxy.start(server.address, ({ method }) => (method === 'Lookup' ? { swallow: true } : {}));
  const client = await PsClient.connect([proxy.address], { timeoutMs: 300 });
  await assert.rejects(client.lookup('t', [1], 2, true), (error: PsError) => {
    assert.equal(error.code, 'Timeout');
    assert.ok(error.message.includes(proxy.address), error.message);
    return true;
  });
  client.close();
  await proxy.close();
  await server.close(0);
});
