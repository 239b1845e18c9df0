import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BarrierTable } from '../../src/ps-rpc/service/barrier-table.js';

const never = new AbortController().signal;
const call = { requestId: '', resize: false, signal: never };
const request = (barrierId: string, workerId: number, numWorkers = 2, timeoutMs = 0) => ({ barrierId, workerId, numWorkers, timeoutMs });

describe('R35 barriers', () => {
  test('a million rounds under fresh names leave at most two live records and miss nobody', async () => {
    const table = new BarrierTable(10);
    let mostLive = 0;
    for (let epoch = 0; epoch < 1_000_000; epoch++) {
      const first = table.arrive(request(`step-${epoch}`, epoch % 2), call);
      if (table.live > mostLive) mostLive = table.live;
      const second = table.arrive(request(`step-${epoch}`, 1 - (epoch % 2)), call);
      if (epoch % 1000 === 0) assert.equal((await first).statusCode, 0);
      assert.equal((second as { statusCode: number }).statusCode, 0);
    }
    assert.equal(mostLive, 1);
    assert.equal(table.live, 0);
    assert.ok(table.remembered <= 1024);
  });

  test('a repeated arrival joins the first, and one whose answer was lost is told of its release', async () => {
    const table = new BarrierTable(10);
    const mine = { ...call, requestId: 'a' };
    const [first, again] = [table.arrive(request('b', 0), mine), table.arrive(request('b', 0), mine)];
    await table.arrive(request('b', 1), call);
    assert.deepEqual([(await first).statusCode, (await again).statusCode], [0, 0]);
    assert.equal((await table.arrive(request('b', 0), mine)).statusCode, 0);
    assert.equal(table.live, 0);
  });

  test('a caller that vanishes gives up its place; a changed number of workers is taken when it is said', async () => {
    const table = new BarrierTable(10);
    const gone = new AbortController();
    const waiting = table.arrive(request('b', 0), { ...call, signal: gone.signal });
    gone.abort();
    assert.equal((await waiting).statusCode, 2);
    assert.equal(table.live, 0);
    assert.match((await table.arrive(request('b', 0, 3), call)).errorMessage, /expects num_workers=2, got 3/);
    assert.equal((await table.arrive(request('b', 0, 1), { ...call, resize: true })).statusCode, 0);
  });

  test('the number of live barriers has a limit', async () => {
    const table = new BarrierTable(1);
    const waiting = table.arrive(request('a', 0), call);
    assert.throws(() => table.arrive(request('b', 0), call), { code: 'ResourceExhausted' });
    table.close();
    assert.equal((await waiting).statusCode, 2);
    assert.equal((await table.arrive(request('b', 0), call)).statusCode, 2);
  });
});
