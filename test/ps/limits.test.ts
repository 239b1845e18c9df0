import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { referenceBackend } from '../../src/kernels/index.js';
import { PsClient, PsServer, PsService } from '../../src/ps-rpc/index.js';
import { RequestLog } from '../../src/ps-rpc/service/request-log.js';

async function withShard(limits: Parameters<typeof PsServer.start>[0], run: (client: PsClient) => Promise<void>): Promise<void> {
  const server = await PsServer.start(limits);
  const client = await PsClient.connect([server.address]);
  try {
    await run(client);
  } finally {
    client.close();
    await server.close(0);
  }
}

const refusal =
  (reason: string, pattern: RegExp) => (error: { code: string; message: string; details: { reason?: string; status?: string } }) => {
    assert.equal(error.code, 'RpcError');
    assert.ok(error.details.reason === reason || error.details.status === reason, JSON.stringify(error.details));
    assert.match(error.message, pattern);
    return true;
  };

describe('S4 limits of a shard', () => {
  test('ids of a request, characters of a name, tables, floats a row: at the limit and one beyond', () =>
    withShard({ limits: { idsPerRequest: 3, nameLength: 4, tables: 1, dim: 2 } }, async (client) => {
      await client.lookup('tabl', [1, 2, 3], 2, true);
      await assert.rejects(client.lookup('tabl', [1, 2, 3, 4], 2, true), refusal('ResourceExhausted', /4 ids.*takes 3/));
      await assert.rejects(
        client.applyGradients('tabl', [1, 2, 3, 4], new Float32Array(8), 2, 1),
        refusal('ResourceExhausted', /4 ids.*takes 3/),
      );
      await assert.rejects(client.lookup('table', [1], 2, true), refusal('InvalidArgument', /5 characters; at most 4/));
      await assert.rejects(client.lookup('a\0', [1], 2, true), refusal('InvalidArgument', /control/));
      await assert.rejects(client.lookup('b', [1], 2, true), refusal('ResourceExhausted', /number 2; this shard holds 1/));
      await assert.rejects(client.lookup('b', [1], 3, false), refusal('InvalidArgument', /dim_size must be in 1\.\.2, got 3/));
      await assert.rejects(client.barrier('five!', 0, 1, 1000), refusal('InvalidArgument', /at most 4/));
    }));

  test('an answer beyond the message limit is refused, with the limit', () =>
    withShard({ limits: { messageBytes: 4096 } }, async (whole) => {
      const ids = Array.from({ length: 3000 }, (_, i) => i);
      await assert.rejects(whole.lookup('t', ids, 1, true), refusal('ResourceExhausted', /4096/));
    }));

  test('a client that knows the limit sends what fits', async () => {
    const server = await PsServer.start({ limits: { messageBytes: 4096 } });
    const client = await PsClient.connect([server.address], { messageBytes: 4096 });
    const ids = Array.from({ length: 3000 }, (_, i) => i - 1500);
    assert.equal((await client.lookupDetailed('t', ids, 2, true)).numInitialized, 3000);
    assert.equal(
      (
        await client.applyGradients(
          't',
          ids,
          ids.flatMap((id) => [id, -id]),
          2,
          1,
        )
      ).numUpdated,
      3000,
    );
    assert.deepEqual(
      [...(await client.lookup('t', ids, 2, false))],
      ids.flatMap((id) => [-id, id].map((value) => value + 0)),
    );
    client.close();
    await server.close(0);
  });
});

describe('the request log', () => {
  const bytes = (value: number) => Uint8Array.of(value);

  test('is bounded in clients and in what it holds back, and says so', async () => {
    const log = new RequestLog(1, 4);
    const session = log.open();
    assert.throws(() => log.open(), { code: 'ResourceExhausted' });
    const held = [1, 2, 3].map((sequence) =>
      log.submit({ session, sequence, base: 0 }, () => bytes(sequence), 1, performance.now() + 10_000),
    );
    assert.equal(log.held, 3);
    assert.throws(() => log.submit({ session, sequence: 4, base: 0 }, () => bytes(4), 1, Number.POSITIVE_INFINITY), {
      code: 'ResourceExhausted',
    });
    assert.deepEqual(
      log.submit({ session, sequence: 0, base: 0 }, () => bytes(0), 1, Number.POSITIVE_INFINITY),
      bytes(0),
    );
    assert.deepEqual(await Promise.all(held), [bytes(1), bytes(2), bytes(3)]);
    assert.equal(log.held, 0);
    assert.throws(() => log.submit({ session: 'other', sequence: 0, base: 0 }, () => bytes(0), 1, 0), { code: 'FailedPrecondition' });
  });

  test('drops an early apply whose time is over, and takes it when it comes again', async () => {
    const log = new RequestLog(1, 4);
    const session = log.open();
    const early = log.submit({ session, sequence: 1, base: 0 }, () => assert.fail('made'), 1, performance.now() + 20);
    await assert.rejects(Promise.resolve(early), { code: 'DeadlineExceeded' });
    assert.equal(log.held, 0);
    await log.submit({ session, sequence: 0, base: 0 }, () => bytes(0), 1, Number.POSITIVE_INFINITY);
    assert.deepEqual(
      log.submit({ session, sequence: 1, base: 0 }, () => bytes(9), 1, Number.POSITIVE_INFINITY),
      bytes(9),
    );
    assert.deepEqual(
      log.submit({ session, sequence: 1, base: 0 }, () => assert.fail('made twice'), 1, Number.POSITIVE_INFINITY),
      bytes(9),
    );
  });

  test('skips far ahead in bounded time when a client has given up nearly everything', () => {
    const log = new RequestLog(1, 4);
    const session = log.open();
    const far = Number.MAX_SAFE_INTEGER - 1;
    assert.deepEqual(
      log.submit({ session, sequence: far, base: far }, () => bytes(1), 1, Number.POSITIVE_INFINITY),
      bytes(1),
    );
  });
});

test('a service over tables from elsewhere serves those, and makes others beside them', () => {
  const backend = referenceBackend();
  const owner = new PsService({ backend, tables: [{ name: 'job', slices: [{ dim: 2, optimizer: { kind: 'sgd' } }] }] });
  const job = owner.tables.find('job');
  assert.ok(job !== undefined);
  const source = { find: (name: string) => (name === 'job' ? job : undefined), names: () => ['job'] };
  const guest = new PsService({ backend, source });
  assert.equal(guest.tables.find('job')?.table, job.table);
  guest.tables.create('own', 3);
  assert.deepEqual(guest.tables.names(), ['job', 'own']);
});
