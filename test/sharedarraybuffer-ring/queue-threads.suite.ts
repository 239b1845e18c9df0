import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { AbortWord, Counter, type DescriptorQueue, MpscRing, monotonicMs, Ring } from '../../src/sharedarraybuffer-ring/index.js';
import type { QueueRole } from './queue.thread.js';
import { runThreads, startThread, type TestThread } from './threads.js';

const QUEUE_OFFSET = 128;
const TIMEOUT_MS = 30_000;

class Scene {
  readonly buffer: SharedArrayBuffer;
  readonly abort: AbortWord;
  readonly signal: Counter;
  readonly queue: DescriptorQueue;

  constructor(
    readonly kind: 'ring' | 'mpsc',
    readonly slots: number,
    readonly words: number,
  ) {
    const Queue = kind === 'ring' ? Ring : MpscRing;
    this.buffer = new SharedArrayBuffer(QUEUE_OFFSET + 2 * Queue.byteLength(slots, words));
    this.abort = new AbortWord(this.buffer, 0);
    this.signal = new Counter(this.buffer, 64, this.abort);
    this.queue = new Queue(this.buffer, QUEUE_OFFSET, slots, words, this.abort, { name: 'main' });
  }

  start(role: QueueRole['role'], options: Partial<QueueRole> = {}): TestThread {
    const { kind, buffer, slots, words } = this;
    const data: QueueRole = {
      ...{ kind, buffer, slots, words, role, timeoutMs: TIMEOUT_MS, producer: 0, producers: 1, messages: 0, close: false },
      ...options,
    };
    return startThread('queue', data);
  }
}

/** Resolves once the thread of the queue sleeps: it has started, and the queue does not move any more. */
async function untilParked(scene: Scene, threads: number): Promise<void> {
  await scene.signal.waitForAsync(threads, 10_000);
  const { queue } = scene;
  for (let seen = -1, still = 0; still < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    still = queue.length === seen ? still + 1 : 0;
    seen = queue.length;
  }
}

async function endsWithin(ms: number, promise: Promise<unknown>, code: string): Promise<void> {
  const start = monotonicMs();
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof MonolithError, String(error));
    assert.equal(error.code, code);
    return true;
  });
  const took = monotonicMs() - start;
  assert.ok(took < ms, `took ${took} ms`);
}

describe('rings between threads', () => {
  test('two million descriptors cross a Ring in order and whole, then it ends', async () => {
    const scene = new Scene('ring', 256, 4);
    const messages = 2_000_000;
    const [produced, consumed] = await runThreads([scene.start('produce', { messages, close: true }), scene.start('consume')]);
    assert.deepEqual(consumed, produced);
    assert.equal(produced[0], messages);
  });

  test('a Ring passes the wrap of its counters between threads', async () => {
    for (const start of [2 ** 31 - 10_000, 2 ** 32 - 10_000]) {
      const scene = new Scene('ring', 7, 8);
      const control = new Int32Array(scene.buffer, QUEUE_OFFSET);
      control[0] = start; // HEAD
      control[32] = start; // TAIL
      const [produced, consumed] = await runThreads([scene.start('produce', { messages: 20_000, close: true }), scene.start('consume')]);
      assert.deepEqual(consumed, produced);
    }
  });

  test('a million descriptors of three producers arrive, each producer’s in order', async () => {
    const scene = new Scene('mpsc', 128, 4);
    const messages = 340_000;
    const consumer = scene.start('consume', { producers: 3 });
    const producers = [0, 1, 2].map((producer) => scene.start('produce', { messages, producer }));
    const sums = await Promise.all(producers.map((thread) => thread.result));
    scene.queue.close();
    const [[received, checksum]] = await runThreads([consumer]);
    assert.equal(received, 3 * messages);
    assert.equal(
      checksum,
      sums.reduce((sum, [, part]) => (sum + part) | 0, 0),
    );
  });

  for (const kind of ['ring', 'mpsc'] as const) {
    test(`no wake-up is lost in 15 000 questions and answers where every wait is a sleep (${kind})`, async () => {
      const scene = new Scene(kind, 1, 4);
      const options = { messages: 15_000, spins: 0 };
      const [asked, answered] = await runThreads([scene.start('ask', options), scene.start('reply', options)]);
      assert.deepEqual(answered, asked);
    });

    test(`a worker and the main thread exchange descriptors through the async forms (${kind})`, async () => {
      const scene = new Scene(kind, 2, 4);
      const producer = scene.start('produce', { messages: 3000, close: true });
      const into = new Int32Array(4);
      let next = 0;
      while (await scene.queue.popAsync(into, TIMEOUT_MS)) assert.equal(into[1], next++);
      assert.equal(next, 3000);
      await runThreads([producer]);

      const back = new Scene(kind, 2, 4);
      const consumer = back.start('consume');
      for (let i = 0; i < 3000; i++) {
        await back.queue.pushAsync(Int32Array.of(0, i, Math.imul(i + 2, 0x9e3779b1), Math.imul(i + 3, 0x9e3779b1)), TIMEOUT_MS);
      }
      back.queue.close();
      const [[received]] = await runThreads([consumer]);
      assert.equal(received, 3000);
    });

    for (const role of ['produce-then-exit', 'produce-then-throw'] as const) {
      test(`a consumer ends within a second when its producer is gone (${role}) and the ring is poisoned (${kind})`, async () => {
        const scene = new Scene(kind, 64, 4);
        const consumer = scene.start('consume');
        const producer = scene.start(role, { messages: 1000 });
        await producer.exited;
        await untilParked(scene, 2);
        scene.queue.poison(3);
        await endsWithin(1000, consumer.result, 'RingPoisoned');
        await consumer.worker.terminate();
      });
    }

    test(`a producer ends within a second when its consumer is terminated while parked and the ring is poisoned (${kind})`, async () => {
      const scene = new Scene(kind, 4, 4);
      const consumer = scene.start('consume');
      await untilParked(scene, 1);
      await consumer.worker.terminate();
      const producer = scene.start('produce', { messages: 100 });
      await untilParked(scene, 2);
      assert.equal(scene.queue.length, 4);
      scene.queue.poison(9);
      await endsWithin(1000, producer.result, 'RingPoisoned');
      await producer.worker.terminate();
    });

    test(`abort wakes a parked consumer and a parked producer (${kind})`, async () => {
      const idle = new Scene(kind, 4, 4);
      const full = new Scene(kind, 4, 4);
      const consumer = idle.start('consume');
      const producer = full.start('produce', { messages: 100 });
      await untilParked(idle, 1);
      await untilParked(full, 1);
      assert.equal(idle.abort.abort(12), true);
      assert.equal(full.abort.abort(12), true);
      assert.equal(full.abort.abort(13), false);
      assert.equal(full.abort.reason, 12);
      await endsWithin(1000, consumer.result, 'Aborted');
      await endsWithin(1000, producer.result, 'Aborted');
      await Promise.all([consumer.worker.terminate(), producer.worker.terminate()]);
    });

    test(`blocking waits end with RingTimeout at their deadline (${kind})`, async () => {
      const idle = new Scene(kind, 4, 4);
      const full = new Scene(kind, 4, 4);
      const consumer = idle.start('consume', { timeoutMs: 120 });
      const producer = full.start('produce', { messages: 5, timeoutMs: 120 });
      await endsWithin(5000, consumer.result, 'RingTimeout');
      await endsWithin(5000, producer.result, 'RingTimeout');
      await Promise.all([consumer.worker.terminate(), producer.worker.terminate()]);
    });

    test(`close wakes a parked consumer, which gets what is left and then the end (${kind})`, async () => {
      const scene = new Scene(kind, 8, 4);
      const consumer = scene.start('consume');
      await untilParked(scene, 1);
      const start = monotonicMs();
      scene.queue.close();
      assert.deepEqual(await consumer.result, [0, 0]);
      assert.ok(monotonicMs() - start < 1000);
      await consumer.worker.terminate();
    });
  }
});
