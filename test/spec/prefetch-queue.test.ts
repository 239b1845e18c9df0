import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  AsyncFunctionManager,
  enqueueDictsWithQueueReturn,
  fillTemplate,
  flattenNested,
  MultiDeviceQueue,
  type Nested,
  Placeholder,
  PrefetchQueue,
  type TensorLeaf,
  type TrainHook,
} from '../../src/index.js';

/** Whether a promise is still open after everything that could settle it has had its turn. */
async function open(promise: Promise<unknown>): Promise<boolean> {
  const still = Symbol();
  const turn = new Promise((resolve) => setImmediate(() => resolve(still)));
  return (await Promise.race([promise.catch(() => null), turn])) === still;
}

const closed = { code: 'QueueClosed', message: 'queue closed' };

describe('#6b the bounded queue', () => {
  test('#6b a capacity below 1 is 1; enqueue waits while it is full, dequeue while it is empty', async () => {
    const queue = new PrefetchQueue<number>(0);
    assert.equal(queue.capacity, 1);
    await queue.enqueue(1);
    const second = queue.enqueue(2);
    const third = queue.enqueue(3);
    assert.ok(await open(second));
    assert.equal(queue.tryEnqueue(4), false);
    assert.equal(await queue.dequeue(), 1);
    await second;
    assert.ok(await open(third));
    assert.deepEqual([await queue.dequeue(), await queue.dequeue(), queue.size], [2, 3, 0]);
    const wanted = [queue.dequeue(), queue.dequeue()];
    assert.ok(await open(wanted[0]));
    await queue.enqueue(5);
    assert.equal(queue.tryEnqueue(6), true);
    assert.deepEqual(await Promise.all(wanted), [5, 6]);
    assert.throws(() => new PrefetchQueue(1.5), { code: 'InvalidArgument' });
  });

  test('#6b after close enqueue fails, one that waits too; dequeue first gives what is left', async () => {
    const queue = new PrefetchQueue<string>(1);
    await queue.enqueue('a');
    const waiting = queue.enqueue('b');
    queue.close();
    queue.close();
    await assert.rejects(waiting, closed);
    await assert.rejects(queue.enqueue('c'), closed);
    assert.throws(() => queue.tryEnqueue('d'), closed);
    assert.equal(await queue.dequeue(), 'a');
    await assert.rejects(queue.dequeue(), closed);
    const empty = new PrefetchQueue<string>(1);
    const taker = empty.dequeue();
    empty.close();
    await assert.rejects(taker, closed);
  });

  test('#6b whatever is put in and taken out, in whatever turns: every item comes once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { maxLength: 60 }), async (capacity, turns) => {
        const queue = new PrefetchQueue<number>(capacity);
        const taken: Promise<number>[] = [];
        let put = 0;
        for (const isPut of turns) {
          if (isPut) queue.enqueue(put++).catch(() => {});
          else taken.push(queue.dequeue());
          assert.ok(queue.size <= capacity);
        }
        // Everybody that waits gets a partner.
        while (put < taken.length) void queue.enqueue(put++);
        while (taken.length < put) taken.push(queue.dequeue());
        assert.deepEqual(
          await Promise.all(taken),
          taken.map((_, i) => i),
        );
        assert.equal(queue.size, 0);
        assert.equal(queue.peek(), undefined);
      }),
    );
  });
});

describe('#6b structures in a queue', () => {
  const nested = (a: number, v: number): Nested => ({
    list: [{ a: Float32Array.of(a), b: 'hello', c: null }],
    v: BigInt64Array.of(BigInt(v)),
  });

  test('#6b capacity 0 hands the structure back, without a queue', () => {
    const given = nested(1, 5);
    assert.deepEqual(enqueueDictsWithQueueReturn(given, 0), { template: given, queue: null });
    assert.equal(enqueueDictsWithQueueReturn(given, 0).template, given);
  });

  test('#6b plain leaves stand in the template, tensors are numbered and come back in their places', async () => {
    const { template, queue } = enqueueDictsWithQueueReturn(nested(1, 5), 2);
    assert.deepEqual(template, { list: [{ a: new Placeholder(0), b: 'hello', c: null }], v: new Placeholder(1) });
    assert.ok(queue);
    assert.equal(queue.size, 0);
    await queue.enqueue(nested(1, 5));
    await queue.enqueue(nested(2, 6));
    assert.equal(queue.size, 2);
    assert.ok(await open(queue.enqueue(nested(3, 7))));
    assert.deepEqual([await queue.dequeue(), await queue.dequeue(), await queue.dequeue()], [nested(1, 5), nested(2, 6), nested(3, 7)]);
    queue.close();
    await assert.rejects(queue.enqueue(nested(1, 5)), closed);
    await assert.rejects(queue.dequeue(), closed);
  });

  test('#6b lists are gone through in order, mappings by key', () => {
    const tensor = (n: number): TensorLeaf => Int32Array.of(n);
    const { tensors, template } = flattenNested({ z: tensor(3), a: [tensor(0), { y: tensor(2), x: tensor(1) }], m: true });
    assert.deepEqual(
      tensors.map(([n]) => n),
      [0, 1, 2, 3],
    );
    assert.deepEqual(fillTemplate(template, tensors), { z: tensor(3), a: [tensor(0), { y: tensor(2), x: tensor(1) }], m: true });
    assert.throws(() => fillTemplate(template, tensors.slice(1)), { code: 'InvalidArgument' });
  });

  test('#6b another structure is refused with the path at which it differs', async () => {
    const { queue } = enqueueDictsWithQueueReturn(nested(1, 5), 1);
    assert.ok(queue);
    const { list, v } = nested(1, 5) as { list: Nested[]; v: TensorLeaf };
    const wrong: [Nested, RegExp][] = [
      [{ list, v: 3 }, /^v: expected a tensor, got 3$/],
      [{ list }, /^v: is missing$/],
      [{ list, v, w: null }, /^w: is not in the structure of the queue$/],
      [{ list: [], v }, /^list: expected a list of 1, got one of 0$/],
      [{ list: [{ a: v, b: 'bye', c: null }], v }, /^list\[0\]\.b: expected "hello", got "bye"$/],
      [[v], /^the structure: expected a mapping of list, v, got a list of 1$/],
    ];
    for (const [structure, message] of wrong) await assert.rejects(queue.enqueue(structure), { code: 'InvalidArgument', message });
    assert.equal(queue.size, 0);
    const odd = { a: [undefined] } as unknown as Nested;
    assert.throws(() => flattenNested(odd), { code: 'InvalidArgument', message: /^a\[0\]: / });
    const ring: { self?: Nested } = {};
    ring.self = ring as Nested;
    assert.throws(() => flattenNested(ring as Nested), { code: 'InvalidArgument' });
  });

  test('#6b any structure comes back equal', async () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.float32Array({ maxLength: 3 }),
      fc.bigInt64Array({ maxLength: 3 }),
    );
    const { any } = fc.letrec<{ any: Nested }>((tie) => ({
      any: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('any'), { maxLength: 4 }), fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 })),
    }));
    await fc.assert(
      fc.asyncProperty(any, async (value) => {
        const { queue } = enqueueDictsWithQueueReturn(value, 1);
        assert.ok(queue);
        await queue.enqueue(value);
        const back = await queue.dequeue();
        // Prototypes of mappings are nobody's business here.
        assert.deepEqual(structuredClone(back), structuredClone(value));
      }),
    );
  });
});

describe('#6b parts on two devices', () => {
  test('#6b are split by the placement and merged in their original places; the size is that of the CPU part', async () => {
    const queue = MultiDeviceQueue.placed(['a', 'b', 'c', 'd'], (_, i) => (i % 3 === 1 ? 'gpu' : 'cpu'), 2);
    await queue.enqueue(['a', 'b', 'c', 'd']);
    assert.equal(queue.size, 1);
    await queue.enqueue(['e', 'f', 'g', 'h']);
    const third = queue.enqueue(['i', 'j', 'k', 'l']);
    const fourth = queue.enqueue(['m', 'n', 'o', 'p']);
    assert.ok(await open(third));
    assert.equal(queue.size, 2);
    const out = [await queue.dequeue(), await queue.dequeue(), await queue.dequeue(), await queue.dequeue()];
    assert.deepEqual(
      out.map((parts) => parts.join('')),
      ['abcd', 'efgh', 'ijkl', 'mnop'],
    );
    await Promise.all([third, fourth]);
    await assert.rejects(queue.enqueue(['a']), { code: 'InvalidArgument', message: 'MultiDeviceQueue: expected 4 parts, got 1' });
    queue.close();
    await assert.rejects(queue.enqueue(['a', 'b', 'c', 'd']), closed);
    await assert.rejects(queue.dequeue(), closed);
  });

  test('#6b a device without parts holds the others up no more than itself', async () => {
    const queue = new MultiDeviceQueue<number>(['gpu', 'gpu'], 1);
    await queue.enqueue([1, 2]);
    assert.equal(queue.size, 1);
    assert.deepEqual(await queue.dequeue(), [1, 2]);
  });
});

describe('#6b functions beside training', () => {
  test('#6b three enqueues, then the end: the function ran three times', async () => {
    const manager = new AsyncFunctionManager();
    const seen: number[] = [];
    const { enqueue, hook } = manager.addAsyncFunction(async (n: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(n);
    });
    for (const n of [1, 2, 3]) await enqueue(n);
    assert.deepEqual(seen, []);
    await hook.end();
    assert.deepEqual(seen, [1, 2, 3]);
    await hook.end();
    assert.deepEqual(seen, [1, 2, 3]);
  });

  test('#6b a step before the first enqueue runs nothing; two enqueues and one step run one', async () => {
    let calls = 0;
    const manager = new AsyncFunctionManager();
    const { enqueue } = manager.addAsyncFunction(() => {
      calls++;
    });
    // The hooks are those of a training run.
    const [hook] = manager.hooks satisfies readonly TrainHook[];
    await hook.beforeStep();
    assert.equal(calls, 0);
    await enqueue();
    await enqueue();
    await hook.beforeStep();
    assert.equal(calls, 1);
    await hook.beforeStep();
    await hook.beforeStep();
    assert.equal(calls, 2);
  });

  test('#6b a synchronous function runs at once, by its own wish or its manager’s', async () => {
    let calls = 0;
    const count = (by: number): void => {
      calls += by;
    };
    const own = new AsyncFunctionManager().addAsyncFunction(count, false);
    const inherited = new AsyncFunctionManager(false).addAsyncFunction(count);
    await own.enqueue(1);
    await inherited.enqueue(10);
    assert.equal(calls, 11);
    await own.hook.end();
    await inherited.hook.beforeStep();
    assert.equal(calls, 11);
  });

  test('#6b where more calls are queued than steps are made, callers run the oldest: nobody waits for a step that waits for them', async () => {
    const seen: number[] = [];
    const { enqueue, hook } = new AsyncFunctionManager().addAsyncFunction(
      async (n: number) => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(n);
      },
      true,
      2,
    );
    for (const n of [1, 2, 3, 4]) await enqueue(n);
    assert.deepEqual(seen, [1, 2]);
    await Promise.all([enqueue(5), enqueue(6), hook.beforeStep()]);
    assert.deepEqual(seen.slice(0, 4), [1, 2, 3, 4]);
    await hook.end();
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6]);
  });

  test('#6b a call that fails does not keep the others from running; its error comes out', async () => {
    const seen: string[] = [];
    const { enqueue, hook } = new AsyncFunctionManager().addAsyncFunction((what: string) => {
      seen.push(what);
      if (what === 'bad') throw new Error('this one');
    });
    for (const what of ['good', 'bad', 'last']) await enqueue(what);
    await assert.rejects(hook.end(), { message: 'this one' });
    assert.deepEqual(seen, ['good', 'bad', 'last']);
  });
});
