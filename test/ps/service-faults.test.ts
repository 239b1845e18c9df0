import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { armFailpoint, disarmAll } from '../../src/base/index.js';
import { PsClient, PsServer } from '../../src/ps-rpc/index.js';

afterEach(disarmAll);

const gradients = Float32Array.of(1, 2, 3, 4);

test('what fails in the middle of a call to a shard comes back as an error, changes no row, and the next call is served', async () => {
  const server = await PsServer.start({});
  const client = await PsClient.connect([server.address]);
  try {
    await client.lookup('t', [1, 2], 2, true);
    const before = await client.lookup('t', [1, 2], 2, false);

    armFailpoint('ps.service.beforeLookup', 'throw', 1);
    await assert.rejects(client.lookup('t', [3], 2, true), /failpoint ps\.service\.beforeLookup/);
    assert.deepEqual(await client.lookup('t', [3], 2, false), new Float32Array(2), 'no row was made');

    armFailpoint('ps.service.beforeApply', 'throw', 1);
    await assert.rejects(client.applyGradients('t', [1, 2], gradients, 2, 0.5), /failpoint ps\.service\.beforeApply/);
    assert.deepEqual(await client.lookup('t', [1, 2], 2, false), before);
    await client.applyGradients('t', [1, 2], gradients, 2, 0.5);
    assert.notDeepEqual(await client.lookup('t', [1, 2], 2, false), before);
  } finally {
    client.close();
    await server.close(0);
  }
});
