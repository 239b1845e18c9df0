import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { PsClient, PsServer, type PsServerOptions } from '../../src/index.js';

/** A client that knows nothing but protos/ps_training.proto. */
class OutsideClient {
  readonly #client: Client;
  static readonly root = protobuf.parse(
    readFileSync(fileURLToPath(new URL('../../../protos/ps_training.proto', import.meta.url)), 'utf8'),
  ).root;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  call(method: string, fields: Record<string, unknown>, timeoutMs = 10_000): Promise<Record<string, unknown>> {
    const [requestType, responseType] = ['Request', 'Response'].map((end) =>
      OutsideClient.root.lookupType(`monolith.ps_training.${method}${end}`),
    );
    const path = `/monolith.ps_training.ParameterServerTraining/${method}`;
    const encode = (value: Record<string, unknown>) => Buffer.from(requestType.encode(requestType.fromObject(value)).finish());
    const decode = (bytes: Buffer) =>
      responseType.toObject(responseType.decode(bytes), { longs: Number, arrays: true, defaults: true, enums: String });
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, encode, decode, fields, { deadline: Date.now() + timeoutMs }, (error, reply) =>
        error === null && reply !== undefined ? resolve(reply) : reject(error),
      );
    });
  }

  end(): void {
    this.#client.close();
  }
}

async function withOutside(options: PsServerOptions, run: (outside: OutsideClient, server: PsServer) => Promise<void>): Promise<void> {
  const server = await PsServer.start(options);
  const outside = new OutsideClient(server.address);
  try {
    await run(outside, server);
  } finally {
    outside.end();
    await server.close(0);
  }
}

describe('the wire', () => {
  test('#35 an apply of the wrong shape is answered in its reply, counted, and does nothing', () =>
    withOutside({}, async (outside) => {
      const reply = await outside.call('ApplyGradients', { tableName: 't', fids: [1], gradients: [1], dimSize: 2, learningRate: 1 });
      assert.equal(reply.statusCode, 1);
      assert.equal(reply.errorMessage, 'Gradient size mismatch: expected 2, got 1');
      const stats = await outside.call('GetStats', { includeTableStats: true });
      assert.equal(stats.applyGradientsCount, 1);
      assert.ok((stats.avgApplyLatencyUs as number) >= 1);
      assert.deepEqual(stats.tableStats, []);
    }));

  test('#36 #38 barrier replies have the words of the wire', () =>
    withOutside({}, async (outside) => {
      const ask = (workerId: number, numWorkers: number, timeoutMs: number) =>
        outside.call('Barrier', { barrierId: 'B', workerId, numWorkers, timeoutMs });
      assert.equal((await ask(0, 0, 10)).errorMessage, 'num_workers must be > 0');
      assert.equal((await ask(2, 2, 10)).errorMessage, 'worker_id 2 out of range for num_workers=2');
      assert.deepEqual(await ask(0, 2, 20), { statusCode: 1, errorMessage: 'Barrier timeout', numArrived: 0 });
      assert.deepEqual(
        await Promise.all([ask(0, 2, 10_000), ask(1, 2, 10_000)]),
        Array(2).fill({ statusCode: 0, errorMessage: '', numArrived: 2 }),
      );
    }));

  test('rows of another length than the table has are refused, both ways', () =>
    withOutside({}, async (outside) => {
      await outside.call('Lookup', { tableName: 't', fids: [1], dimSize: 2, createIfMissing: true });
      const lookup = await outside.call('Lookup', { tableName: 't', fids: [1], dimSize: 3 });
      assert.deepEqual([lookup.statusCode, lookup.errorMessage], [1, 'Dimension mismatch: expected 2, got 3 (lookup in table "t")']);
      const apply = await outside.call('ApplyGradients', { tableName: 't', fids: [1], gradients: [1, 1, 1], dimSize: 3, learningRate: 1 });
      assert.deepEqual([apply.statusCode, apply.errorMessage], [1, 'Dimension mismatch: expected 2, got 3 (apply to table "t")']);
    }));

  test('reading an unknown table gives zeros, makes nothing and counts nothing as made', () =>
    withOutside({ defaultDim: 3 }, async (outside) => {
      const reply = await outside.call('Lookup', { tableName: 'nobody', fids: [1, 2] });
      assert.deepEqual([reply.embeddings, reply.found, reply.numFound, reply.numInitialized], [[0, 0, 0, 0, 0, 0], [false, false], 0, 0]);
      assert.deepEqual((await outside.call('GetStats', { includeTableStats: true })).tableStats, []);
      const apply = await outside.call('ApplyGradients', { tableName: 'nobody', fids: [1], gradients: [1], dimSize: 1, learningRate: 1 });
      assert.deepEqual([apply.numUpdated, apply.numNotFound], [0, 1]);
    }));

  test('a full table is an error, not zeros, and says how much it holds', () =>
    withOutside({ limits: { rowsPerTable: 2 } }, async (outside) => {
      const reply = await outside.call('Lookup', { tableName: 't', fids: [1, 2, 3], dimSize: 1, createIfMissing: true });
      assert.equal(reply.statusCode, 1);
      assert.match(reply.errorMessage as string, /table "t".*2/);
      assert.deepEqual(reply.embeddings, []);
      assert.equal((await outside.call('Lookup', { tableName: 't', fids: [1, 2], dimSize: 1, createIfMissing: true })).numInitialized, 2);
    }));

  test('duplicates in one request are each answered, and their gradients added up', () =>
    withOutside({}, async (outside) => {
      const first = await outside.call('Lookup', { tableName: 't', fids: [5, 5, 6], dimSize: 1, createIfMissing: true });
      assert.deepEqual([first.found, first.numInitialized], [[false, false, false], 3]);
      const apply = await outside.call('ApplyGradients', {
        tableName: 't',
        fids: [5, 6, 5],
        gradients: [1, 2, 4],
        dimSize: 1,
        learningRate: 1,
      });
      assert.deepEqual([apply.numUpdated, apply.numNotFound], [3, 0]);
      assert.deepEqual((await outside.call('Lookup', { tableName: 't', fids: [5, 6, 5], dimSize: 1 })).embeddings, [-5, -2, -5]);
    }));

  test('gradients and rates that are not numbers are refused before they spoil a row', () =>
    withOutside({}, async (outside) => {
      await outside.call('Lookup', { tableName: 't', fids: [1], dimSize: 1, createIfMissing: true });
      for (const wrong of [
        { gradients: [Number.NaN], learningRate: 1 },
        { gradients: [1], learningRate: Number.NaN },
        { gradients: [1], learningRate: -1 },
      ]) {
        assert.equal((await outside.call('ApplyGradients', { tableName: 't', fids: [1], dimSize: 1, ...wrong })).statusCode, 1);
      }
      assert.deepEqual((await outside.call('Lookup', { tableName: 't', fids: [1], dimSize: 1 })).embeddings, [0]);
    }));

  test('health and reflection are served beside it', () =>
    withOutside({}, async (outside, server) => {
      const health = await outside.call('HealthCheck', { component: 'ps' });
      assert.deepEqual([health.status, health.message], ['HEALTHY', 'OK']);
      const client = new Client(server.address, credentials.createInsecure());
      const same = (bytes: Buffer) => bytes;
      const standard = await new Promise<Buffer>((resolve, reject) =>
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), (error, reply) =>
          error === null && reply !== undefined ? resolve(reply) : reject(error),
        ),
      );
      assert.deepEqual([...standard], [8, 1]);
      const listed = await new Promise<string>((resolve, reject) => {
        const call = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', same, same, {});
        call.on('data', (reply: Buffer) => {
          resolve(reply.toString('latin1'));
          call.end();
        });
        call.on('error', reject);
        call.write(Buffer.from('3a012a', 'hex'));
      });
      assert.match(listed, /monolith\.ps_training\.ParameterServerTraining/);
      assert.match(listed, /grpc\.health\.v1\.Health/);
      client.close();
    }));
});

describe('configured tables', () => {
  test('have their own slices, initializers, optimizers and rates', async () => {
    const slices = [
      { name: 'linear', dim: 1, optimizer: { kind: 'sgd', learningRate: 0.5 } as const },
      {
        name: 'vector',
        dim: 2,
        optimizer: { kind: 'adagrad', learningRate: 0.1 } as const,
        initializer: { kind: 'constant', value: 3 } as const,
      },
    ];
    const server = await PsServer.start({ tables: [{ name: 't', slices, maxRows: 10 }], rateScale: (step) => (step >= 100 ? 0.5 : 1) });
    const client = await PsClient.connect([server.address]);
    assert.deepEqual([...(await client.lookup('t', [1], 3, true))], [0, 3, 3]);
    await client.applyGradients('t', [1], [2, 2, -1], 3, 0);
    const near = (row: Float32Array, expected: number[]): void => {
      for (const [i, value] of expected.entries()) assert.ok(Math.abs(row[i] - value) < 1e-5, `${row}`);
    };
    near(await client.lookup('t', [1], 3, false), [-1, 2.9, 3.1]);
    await client.applyGradients('t', [1], [2, 0, 0], 3, 0.25);
    near(await client.lookup('t', [1], 3, false), [-1.5, 2.9, 3.1]);
    await client.applyGradients('t', [1], [2, 0, 0], 3, 0, 100);
    near(await client.lookup('t', [1], 3, false), [-2, 2.9, 3.1]);
    client.close();
    await server.close(0);
    await assert.rejects(
      PsServer.start({
        tables: [
          { name: 't', slices },
          { name: 't', slices },
        ],
      }),
      { code: 'InvalidConfig' },
    );
  });
});

test('R55 lookups of 1, 10³, 10⁶ and 5·10⁶ ids in one call, over all 64 bits', async () => {
  const servers = [await PsServer.start({ shardId: 0 }), await PsServer.start({ shardId: 1 })];
  const client = await PsClient.connect(servers.map((server) => server.address));
  const extremes = [-(2n ** 63n), 2n ** 63n - 1n, -1n, 0n, 1n];
  await client.lookup('t', extremes, 1, true);
  await client.applyGradients('t', extremes, [-1, -2, -3, -4, -5], 1, 1);
  assert.deepEqual([...(await client.lookup('t', extremes, 1, false))], [1, 2, 3, 4, 5]);
  assert.deepEqual([...(await client.lookup('t', [2n ** 64n - 1n], 1, false))], [3]);
  for (const count of [1, 1000, 1_000_000]) {
    const ids = new BigInt64Array(count);
    const words = new Int32Array(ids.buffer);
    for (let i = 0; i < count; i++) {
      words[2 * i] = Math.imul(i % 1000, 0x9e3779b1);
      words[2 * i + 1] = i % 2 === 0 ? 0x12345 : -0x54321;
    }
    for (let e = 0; e < Math.min(5, count); e++) ids[count - 1 - e] = extremes[e];
    const { embeddings, found, numFound } = await client.lookupDetailed('t', ids, 1, false);
    const known = Math.min(5, count);
    assert.equal(numFound, known);
    assert.equal(embeddings.length, count);
    for (let e = 0; e < known; e++) assert.deepEqual([embeddings[count - 1 - e], found[count - 1 - e]], [e + 1, 1]);
  }
  const distinct = new BigInt64Array(5_000_000);
  const low = new Int32Array(distinct.buffer);
  for (let i = 0; i < distinct.length; i++) low[2 * i] = i + 10;
  distinct[distinct.length - 1] = extremes[0];
  const answer = await client.lookupDetailed('t', distinct, 1, false);
  assert.deepEqual([answer.numFound, answer.found.length, answer.embeddings[distinct.length - 1]], [1, 5_000_000, 1]);
  client.close();
  for (const server of servers) await server.close(0);
});
