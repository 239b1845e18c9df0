import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { AbortWord, Ownership, Turn } from '../../src/sharedarraybuffer-ring/index.js';
import { runThreads, startThread } from './threads.js';

describe('ownership', () => {
  test('threads that own in turns lose no update, and each turn falls to one of them', async () => {
    const [parties, rounds] = [3, 200];
    const buffer = new SharedArrayBuffer(512);
    const threads = Array.from({ length: parties }, (_, party) => startThread('ownership', { buffer, party, parties, rounds }));
    const turns = await runThreads(threads);
    const plain = new Float64Array(buffer, 320, 2);
    assert.equal(plain[0], parties * rounds * 10);
    assert.equal(plain[1], (rounds * (rounds + 1)) / 2);
    assert.equal(
      turns.reduce((sum, [mine]) => sum + mine, 0),
      rounds,
    );
    assert.equal(new Ownership(buffer, 64, new AbortWord(buffer, 0)).owner, -1);
  });

  test('one who waits for a dead owner ends with Aborted, or with WaitTimeout that names the owner', async () => {
    for (const ending of ['Aborted', 'WaitTimeout'] as const) {
      const buffer = new SharedArrayBuffer(512);
      const abort = new AbortWord(buffer, 0);
      const ownership = new Ownership(buffer, 64, abort);
      assert.ok(ownership.tryTake(7));
      const thread = startThread('owner-wait', { buffer, timeoutMs: ending === 'Aborted' ? 10_000 : 60 });
      if (ending === 'Aborted') setTimeout(() => abort.abort(1), 30);
      await assert.rejects(
        runThreads([thread]),
        (error: unknown) =>
          error instanceof MonolithError && error.code === ending && (ending === 'Aborted' || /party 7/.test(error.message)),
      );
    }
  });

  test('what is owned is not given out again, and only its owner gives it back', () => {
    const buffer = new SharedArrayBuffer(512);
    const ownership = new Ownership(buffer, 64, new AbortWord(buffer, 0), 'shard 3');
    assert.equal(ownership.owner, -1);
    assert.ok(ownership.tryTake(0));
    assert.ok(!ownership.tryTake(1));
    assert.equal(ownership.owner, 0);
    assert.throws(() => ownership.release(1), /Ownership "shard 3": party 1 gives back what party 0 owns/);
    ownership.release(0);
    assert.throws(() => ownership.release(0), /what nobody owns/);
    assert.ok(ownership.tryTake(1));
    assert.throws(() => ownership.take(0, 10), /would block the main thread/);
  });

  test('turns are taken once each, also where their numbers wrap', () => {
    const buffer = new SharedArrayBuffer(64);
    const [turn, same] = [new Turn(buffer, 0), new Turn(buffer, 0)];
    assert.ok(turn.take(1));
    assert.ok(!same.take(1));
    assert.ok(!turn.take(3));
    assert.ok(same.take(2));
    new Int32Array(buffer)[0] = 0x7fff_ffff;
    assert.ok(turn.take(2 ** 31));
    assert.ok(!same.take(2 ** 31));
    assert.ok(same.take(2 ** 31 + 1));
  });
});
