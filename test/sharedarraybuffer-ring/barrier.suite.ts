import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { AbortWord, Barrier, type BarrierOptions, Counter, monotonicMs } from '../../src/sharedarraybuffer-ring/index.js';
import type { BarrierRole } from './barrier.thread.js';
import { runThreads, startThread, type TestThread } from './threads.js';

const BARRIER_OFFSET = 384;
const hasCode = (code: string) => (error: unknown) => error instanceof MonolithError && error.code === code;

class Scene {
  readonly buffer: SharedArrayBuffer;
  readonly abort: AbortWord;
  readonly signal: Counter;
  readonly barrier: Barrier;

  constructor(
    readonly parties: number,
    readonly start = 0,
    options: BarrierOptions = { name: 'main' },
  ) {
    this.buffer = new SharedArrayBuffer(BARRIER_OFFSET + Barrier.byteLength(parties));
    new Int32Array(this.buffer, BARRIER_OFFSET)[0] = start; // GENERATION
    this.abort = new AbortWord(this.buffer, 0);
    this.signal = new Counter(this.buffer, 64, this.abort);
    this.barrier = new Barrier(this.buffer, BARRIER_OFFSET, parties, this.abort, options);
  }

  party(party: number, rounds: number, timeoutMs = 30_000): TestThread {
    const { buffer, parties, start } = this;
    const data: BarrierRole = { buffer, parties, party, rounds, timeoutMs, start };
    return startThread('barrier', data);
  }

  all(rounds: number): Promise<(readonly number[])[]> {
    return runThreads(Array.from({ length: this.parties }, (_, party) => this.party(party, rounds)));
  }
}

async function endsWithin(ms: number, promise: Promise<unknown>, code: string): Promise<MonolithError> {
  const start = monotonicMs();
  const error = await promise.then(
    () => assert.fail(`expected ${code}`),
    (reason: unknown) => reason,
  );
  const took = monotonicMs() - start;
  assert.ok(error instanceof MonolithError, String(error));
  assert.equal(error.code, code);
  assert.ok(took < ms, `took ${took} ms`);
  return error;
}

describe('Barrier', () => {
  test('a million generations of two threads: nobody is ever more than one round ahead', async () => {
    const scene = new Scene(2);
    const rounds = 1_000_000;
    for (const [done, worst] of await scene.all(rounds)) {
      assert.equal(done, rounds);
      assert.ok(worst <= 1);
    }
    assert.equal(scene.barrier.generation, rounds);
  });

  test('four threads on fewer cores meet 20 000 times', async () => {
    const scene = new Scene(4);
    for (const [done] of await scene.all(20_000)) assert.equal(done, 20_000);
  });

  test('generations pass the wraps of their counter', async () => {
    for (const start of [2 ** 31 - 5000, 2 ** 32 - 5000]) {
      const scene = new Scene(2, start);
      await scene.all(10_000);
      assert.equal(scene.barrier.generation, (start + 10_000) >>> 0);
    }
  });

  test('a barrier of one releases at once', async () => {
    const { barrier } = new Scene(1);
    assert.equal(await barrier.waitAsync(0, 0), 0);
    assert.equal(await barrier.waitAsync(0, 0), 1);
  });

  test('the main thread takes part through the async form', async () => {
    const scene = new Scene(3);
    const threads = [scene.party(1, 500), scene.party(2, 500)];
    for (let round = 1; round <= 500; round++) {
      new Int32Array(scene.buffer, 128)[0] = round;
      assert.equal(await scene.barrier.waitAsync(0, 30_000), round - 1);
    }
    new Int32Array(scene.buffer, 128)[0] = 501;
    await runThreads(threads);
  });

  test('a timeout names the generation, who arrived, who is missing and where each was last seen', async () => {
    const { barrier } = new Scene(4, 0, { name: 'step', partyWord: 'worker', generationWord: 'epoch' });
    await Promise.all([0, 1, 2].map((party) => barrier.waitAsync(party, 10_000)).concat(barrier.waitAsync(3, 10_000)));
    const others = [0, 1].map((party) => barrier.waitAsync(party, 10_000));
    const error = await endsWithin(5000, barrier.waitAsync(3, 30), 'BarrierTimeout');
    assert.equal(
      error.message,
      'Barrier timeout at epoch 1 after 30 ms: 3 of 4 workers arrived; missing worker 2 (last seen at epoch 0) (barrier "step")',
    );
    assert.deepEqual(error.details, {
      ...{ barrier: 'step', generation: 1, timeoutMs: 30, arrived: 3, parties: 4, missing: [2], lastSeen: [0] },
    });
    assert.equal(await barrier.waitAsync(2, 1000), 1);
    assert.deepEqual(await Promise.all(others), [1, 1]);
  });

  test('a party that never came is named as never seen', async () => {
    const { barrier } = new Scene(3);
    await assert.rejects(barrier.waitAsync(1, 0), {
      message:
        /^Barrier timeout at generation 0 after 0 ms: 1 of 3 parties arrived; missing party 0 \(never seen\), party 2 \(never seen\)/,
    });
  });

  test('a retry after a timeout goes on with the same arrival', async () => {
    const { barrier } = new Scene(2);
    for (let i = 0; i < 3; i++) await assert.rejects(barrier.waitAsync(0, 0), hasCode('BarrierTimeout'));
    assert.equal(barrier.generation, 0);
    assert.equal(await barrier.waitAsync(1, 1000), 0);
    assert.equal(await barrier.waitAsync(0, 1000), 0, 'released in between: the retry gets the generation it waited for');
    await assert.rejects(barrier.waitAsync(0, 0), hasCode('BarrierTimeout'));
    assert.equal(await barrier.waitAsync(1, 1000), 1);
  });

  test('a number outside the parties and a number used twice are refused', async () => {
    const { barrier } = new Scene(2);
    for (const party of [-1, 2, 0.5, Number.NaN]) await assert.rejects(barrier.waitAsync(party, 10), hasCode('InvalidArgument'));
    const first = barrier.waitAsync(1, 10_000);
    await assert.rejects(barrier.waitAsync(1, 10), { code: 'InvalidArgument', message: /party 1 is already waiting/ });
    await barrier.waitAsync(0, 1000);
    assert.equal(await first, 0);
    assert.throws(() => Barrier.byteLength(0), hasCode('InvalidArgument'));
    assert.throws(() => barrier.poison(0), hasCode('InvalidArgument'));
    await assert.rejects(barrier.waitAsync(0, Number.POSITIVE_INFINITY), hasCode('InvalidArgument'));
  });

  test('the blocking form refuses the main thread and names the async form', () => {
    assert.throws(() => new Scene(2).barrier.wait(0, 10), { code: 'InvalidArgument', message: /main thread; use waitAsync/ });
  });

  test('a blocking wait ends with BarrierTimeout at its deadline', async () => {
    const thread = new Scene(2).party(0, 1, 120);
    await endsWithin(5000, thread.result, 'BarrierTimeout');
    await thread.worker.terminate();
  });

  test('when a party is terminated while parked and the barrier is poisoned, the others end within a second', async () => {
    const scene = new Scene(3);
    const threads = [0, 1].map((party) => scene.party(party, 10));
    await scene.signal.waitForAsync(2, 10_000);
    await threads[0].worker.terminate();
    scene.barrier.poison(21);
    scene.barrier.poison(22);
    assert.equal(scene.barrier.poisonCode, 21);
    const error = await endsWithin(1000, threads[1].result, 'BarrierPoisoned');
    assert.match(error.message, /poisoned with code 21 at generation 0/);
    await assert.rejects(scene.barrier.waitAsync(2, 10), hasCode('BarrierPoisoned'));
    await threads[1].worker.terminate();
  });

  test('abort and poison wake an async sleeper', async () => {
    const poisoned = new Scene(2);
    const first = poisoned.barrier.waitAsync(0, 60_000);
    setImmediate(() => poisoned.barrier.poison(1));
    await endsWithin(1000, first, 'BarrierPoisoned');
    const aborted = new Scene(2);
    const second = aborted.barrier.waitAsync(0, 60_000);
    setImmediate(() => aborted.abort.abort(-4));
    const error = await endsWithin(1000, second, 'Aborted');
    assert.equal(error.details.reasonCode, -4);
  });

  test('abort wakes parked threads', async () => {
    const scene = new Scene(3);
    const threads = [0, 1].map((party) => scene.party(party, 10));
    await scene.signal.waitForAsync(2, 10_000);
    scene.abort.abort(5);
    await Promise.all(threads.map((thread) => endsWithin(1000, thread.result, 'Aborted')));
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  });
});
