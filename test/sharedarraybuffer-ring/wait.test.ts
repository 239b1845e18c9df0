import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MonolithError } from '../../src/base/index.js';
import { AbortWord, Counter, spinBudget, waitUntil, waitUntilAsync } from '../../src/sharedarraybuffer-ring/index.js';
import { runThreads, startThread } from './threads.js';

const hasCode = (code: string) => (error: unknown) => error instanceof MonolithError && error.code === code;

function make(): { abort: AbortWord; counter: Counter; buffer: SharedArrayBuffer; view: Int32Array } {
  const buffer = new SharedArrayBuffer(256);
  const abort = new AbortWord(buffer, 0);
  return { abort, counter: new Counter(buffer, 64, abort, 'applied step'), buffer, view: new Int32Array(buffer, 128) };
}

describe('waiting', () => {
  test('the spin budget is large only when every party can have a core', () => {
    assert.equal(spinBudget(2, 2), 5000);
    assert.equal(spinBudget(4, 2), 200);
    assert.ok(spinBudget(1) > 0);
  });

  test('waitUntilAsync gives the value that satisfied the claim', async () => {
    const { abort, view } = make();
    const value = waitUntilAsync(view, 3, (v) => v > 4, { timeoutMs: 5000, abort });
    setImmediate(() => {
      Atomics.store(view, 3, 5);
      Atomics.notify(view, 3);
    });
    assert.equal(await value, 5);
  });

  test('waitUntilAsync polls where Atomics.waitAsync is missing', async () => {
    const { abort, view } = make();
    const value = waitUntilAsync(view, 0, (v) => v === 1, { timeoutMs: 5000, abort }, null);
    setImmediate(() => Atomics.store(view, 0, 1));
    assert.equal(await value, 1);
    await assert.rejects(
      waitUntilAsync(view, 0, (v) => v === 2, { timeoutMs: 10, abort }, null),
      hasCode('WaitTimeout'),
    );
  });

  test('a timeout says what did not come', async () => {
    const { abort, view } = make();
    await assert.rejects(
      waitUntilAsync(view, 0, (v) => v === 1, { timeoutMs: 10, abort, what: 'the shard to start' }),
      { code: 'WaitTimeout', message: /the shard to start did not come within 10 ms \(last value 0\)/ },
    );
  });

  test('blocking waits refuse the main thread', () => {
    const { abort, view, counter } = make();
    assert.throws(() => waitUntil(view, 0, () => true, { timeoutMs: 1, abort }), hasCode('InvalidArgument'));
    assert.throws(() => counter.waitFor(0, 1), hasCode('InvalidArgument'));
  });

  test('a pending async wait keeps the process alive until it ends', () => {
    const room = JSON.stringify(new URL('../../src/sharedarraybuffer-ring/index.js', import.meta.url).href);
    const program = `const { AbortWord, Counter } = await import(${room});
      const buffer = new SharedArrayBuffer(128);
      await new Counter(buffer, 64, new AbortWord(buffer, 0)).waitForAsync(1, 150).catch((error) => console.log(error.code));`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    });
    assert.equal(run.stdout, 'WaitTimeout\n');
    assert.equal(run.status, 0);
  });

  test('a counter releases waiters at and past their target, across the wrap', async () => {
    const { counter } = make();
    counter.store(2 ** 31 - 1);
    const wrapped = counter.waitForAsync(-(2 ** 31) + 1, 5000);
    assert.equal(counter.add(1), -(2 ** 31));
    counter.add(2);
    assert.equal(await wrapped, -(2 ** 31) + 2);
    await assert.rejects(counter.waitForAsync(-(2 ** 31) + 3, 5), { code: 'WaitTimeout', message: /"applied step" is at/ });
  });

  test('abort keeps the first reason and ends async waits', async () => {
    const { abort, counter } = make();
    abort.check();
    assert.equal(abort.isAborted(), false);
    const waiting = counter.waitForAsync(1, 60_000);
    assert.equal(abort.abort(3), true);
    assert.equal(abort.abort(4), false);
    await assert.rejects(waiting, { code: 'Aborted', message: /reason code 3/ });
    assert.throws(() => abort.check(), hasCode('Aborted'));
    assert.throws(() => abort.abort(0), hasCode('InvalidArgument'));
    assert.throws(() => abort.abort(2 ** 31), hasCode('InvalidArgument'));
  });

  test('blocking waits of a worker thread see stores, timeouts and the end of the run', async () => {
    const { abort, counter, buffer, view } = make();
    const thread = startThread('wait', { buffer });
    await counter.waitForAsync(1, 10_000);
    Atomics.store(view, 0, 41);
    Atomics.notify(view, 0);
    await counter.waitForAsync(2, 10_000);
    counter.store(10);
    await counter.waitForAsync(11, 10_000);
    abort.abort(6);
    assert.deepEqual(await runThreads([thread]), [[41, 10, 1, 1]]);
  });
});
