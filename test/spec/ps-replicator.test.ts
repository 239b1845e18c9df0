import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RpcServer, type RpcService } from '../../src/grpc/index.js';
import { PsClient, PsServer } from '../../src/index.js';
import { pushRequestCodec, pushResponseCodec } from '../../src/proto/index.js';

/** What serving has been told: table → id → row. */
class Receiver {
  readonly rows = new Map<string, Map<bigint, number[]>>();
  pushes = 0;
  refuse = false;
  #server: RpcServer | null = null;

  async start(port = 0): Promise<string> {
    const service: RpcService = {
      name: 'monolith.parameter_sync_rpc.ParameterSyncRpc',
      unary: {
        Push: (bytes) => {
          this.pushes++;
          if (this.refuse) return pushResponseCodec.encode({ target: '', statusCode: 13, errorMessage: 'not now', updateNum: 0 });
          const { deltaHashTables, modelName } = pushRequestCodec.decode(bytes);
          assert.equal(modelName, 'm');
          let updateNum = 0;
          for (const { uniqueId, dimSize, fids, embeddings } of deltaHashTables) {
            const table = this.rows.get(uniqueId) ?? new Map<bigint, number[]>();
            this.rows.set(uniqueId, table);
            fids.forEach((fid, i) => {
              table.set(fid, [...embeddings.subarray(i * dimSize, (i + 1) * dimSize)]);
              updateNum++;
            });
          }
          return pushResponseCodec.encode({ target: '', statusCode: 0, errorMessage: '', updateNum });
        },
      },
    };
    this.#server = await RpcServer.start({ port, services: [service] });
    return this.#server.address;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async stop(): Promise<void> {
    await this.#server?.close(0);
  }

  row(table: string, fid: bigint): number[] | undefined {
    return this.rows.get(table)?.get(fid);
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'the condition did not come true within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function withReplication(
  receivers: readonly Receiver[],
  extra: { maxPending?: number; rowsPerPush?: number },
  run: (client: PsClient, server: PsServer) => Promise<void>,
): Promise<void> {
  const targets = await Promise.all(receivers.map((receiver) => receiver.start()));
  const server = await PsServer.start({ replicator: { targets, intervalMs: 20, modelName: 'm', ...extra } });
  const client = await PsClient.connect([server.address]);
  try {
    await run(client, server);
  } finally {
    client.close();
    await server.close(0);
    await Promise.all(receivers.map((receiver) => receiver.stop()));
  }
}

describe('changed rows reach serving', () => {
  test('#77 of every table, soon after an apply; after stop nothing more comes', () => {
    const receiver = new Receiver();
    return withReplication([receiver], {}, async (client, server) => {
      await client.lookup('t', [7, 8], 2, true);
      await client.lookup('other', [1], 1, true);
      await client.applyGradients('t', [7], [1, 2], 2, 1);
      await until(() => receiver.row('t', 7n)?.[1] === -2 && receiver.row('other', 1n) !== undefined);
      assert.deepEqual(
        [receiver.row('t', 7n), receiver.row('t', 8n)],
        [
          [-1, -2],
          [0, 0],
        ],
      );
      const from = performance.now();
      await server.replicator?.stop();
      assert.ok(performance.now() - from < 1000);
      const { pushes } = receiver;
      await client.applyGradients('t', [7], [1, 2], 2, 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(receiver.pushes, pushes);
    });
  });

  test('#77 also after the receiver was down or refused, and a target that is down holds up no other', () => {
    const [one, other] = [new Receiver(), new Receiver()];
    return withReplication([one, other], {}, async (client, server) => {
      const { port } = one;
      await one.stop();
      other.refuse = true;
      await client.lookup('t', [1, 2], 1, true);
      await client.applyGradients('t', [1], [-5], 1, 1);
      const states = () => server.replicator?.targets ?? [];
      await until(() => states().every(({ failures }) => failures > 0));
      assert.match(states()[1].lastError ?? '', /took 0 of 2 rows of table "t" \(status 13\): not now/);
      other.refuse = false;
      await until(() => other.row('t', 1n)?.[0] === 5);
      assert.equal(states()[0].rowsPushed, 0);
      await client.applyGradients('t', [1], [-5], 1, 1);
      await one.start(port);
      await until(() => one.row('t', 1n)?.[0] === 10 && one.row('t', 2n) !== undefined && other.row('t', 1n)?.[0] === 10);
    });
  });

  test('#77 a queue that is full sends the table whole: memory is bounded and nothing is lost', () => {
    const receiver = new Receiver();
    return withReplication([receiver], { maxPending: 50, rowsPerPush: 20 }, async (client, server) => {
      receiver.refuse = true;
      const ids = Array.from({ length: 500 }, (_, i) => i);
      await client.lookup('t', ids, 1, true);
      await client.applyGradients(
        't',
        ids,
        ids.map((id) => -id),
        1,
        1,
      );
      assert.ok((server.replicator?.targets[0].pending ?? 0) <= 50);
      receiver.refuse = false;
      await until(() => ids.every((id) => receiver.row('t', BigInt(id))?.[0] === id));
    });
  });
});
