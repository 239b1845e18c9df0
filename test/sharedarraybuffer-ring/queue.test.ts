import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { HEAD, TAIL } from '../../src/sharedarraybuffer-ring/descriptor-queue.js';
import { AbortWord, type DescriptorQueue, MpscRing, Ring } from '../../src/sharedarraybuffer-ring/index.js';

const hasCode = (code: string) => (error: unknown) => error instanceof MonolithError && error.code === code;

const OFFSET = 64;
const kinds = [
  { kind: 'Ring', Queue: Ring, tailOf: (count: number) => count | 0, headOf: (count: number) => count | 0 },
  { kind: 'MpscRing', Queue: MpscRing, tailOf: (count: number) => (count << 1) | 0, headOf: (count: number) => count & 0x7fff_ffff },
];

function memory(Queue: typeof Ring | typeof MpscRing, slots: number, words: number): SharedArrayBuffer {
  return new SharedArrayBuffer(OFFSET + Queue.byteLength(slots, words));
}

function fill(queue: DescriptorQueue, from: number, count: number): void {
  for (let i = 0; i < count; i++) assert.ok(queue.tryPush(Int32Array.of(from + i, 1, 2, ~(from + i))));
}

for (const { kind, Queue, tailOf, headOf } of kinds) {
  describe(`${kind} in one thread`, () => {
    function make(slots = 4): { queue: DescriptorQueue; abort: AbortWord; buffer: SharedArrayBuffer } {
      const buffer = memory(Queue, slots, 4);
      const abort = new AbortWord(buffer, 0);
      return { queue: new Queue(buffer, OFFSET, slots, 4, abort, { name: 'q' }), abort, buffer };
    }
    const into = new Int32Array(4);

    test('descriptors come out once, in order, whole', () => {
      const { queue } = make();
      for (let round = 0; round < 50; round++) {
        fill(queue, round, 3);
        assert.equal(queue.length, 3);
        for (let i = 0; i < 3; i++) {
          assert.ok(queue.tryPop(into));
          assert.deepEqual([...into], [round + i, 1, 2, ~(round + i)]);
        }
        assert.equal(queue.tryPop(into), false);
      }
    });

    for (const slots of [1, 2, 3, 4, 5]) {
      test(`a ring of ${slots} holds ${slots} and no more`, () => {
        const { queue } = make(slots);
        for (let round = 0; round < 20; round++) {
          fill(queue, 0, slots);
          assert.equal(queue.tryPush(Int32Array.of(9, 9, 9, 9)), false);
          assert.equal(queue.length, slots);
          for (let i = 0; i < slots; i++) {
            assert.ok(queue.tryPop(into));
            assert.equal(into[0], i);
          }
        }
      });

      for (const start of [2 ** 31 - 3, 2 ** 32 - 3, 2 ** 30 - 2]) {
        test(`a ring of ${slots} passes the wrap of its counters from ${start}`, () => {
          const buffer = memory(Queue, slots, 4);
          const control = new Int32Array(buffer, OFFSET);
          control[HEAD] = headOf(start);
          control[TAIL] = tailOf(start);
          const queue = new Queue(buffer, OFFSET, slots, 4, new AbortWord(buffer, 0));
          assert.equal(queue.length, 0);
          assert.equal(queue.tryPop(into), false);
          for (let i = 0; i < 8; i++) {
            fill(queue, i, slots);
            assert.equal(queue.tryPush(Int32Array.of(9, 9, 9, 9)), false);
            assert.equal(queue.length, slots);
            for (let j = 0; j < slots; j++) {
              assert.ok(queue.tryPop(into));
              assert.equal(into[0], i + j);
            }
            assert.equal(queue.tryPop(into), false);
          }
        });
      }
    }

    test('a closed ring refuses pushes, gives what it holds and then ends', async () => {
      const { queue } = make();
      fill(queue, 0, 2);
      queue.close();
      queue.close();
      assert.throws(() => queue.tryPush(into), hasCode('RingClosed'));
      await assert.rejects(queue.pushAsync(into, 10), hasCode('RingClosed'));
      assert.equal(queue.isEnded, false);
      assert.equal(await queue.popAsync(into, 10), true);
      assert.equal(queue.tryPop(into), true);
      assert.equal(queue.tryPop(into), false);
      assert.equal(await queue.popAsync(into, 10), false);
      assert.equal(queue.isEnded, true);
    });

    test('a poisoned ring ends for both sides at once, with the first code', async () => {
      const { queue, buffer } = make();
      const other = new Queue(buffer, OFFSET, 4, 4, new AbortWord(buffer, 0), { name: 'other' });
      fill(queue, 0, 1);
      other.poison(7);
      other.poison(8);
      queue.close();
      assert.equal(queue.poisonCode, 7);
      assert.throws(() => queue.tryPush(into), hasCode('RingPoisoned'));
      assert.throws(() => queue.tryPop(into), { code: 'RingPoisoned', message: /"q" poisoned with code 7/ });
      await assert.rejects(queue.popAsync(into, 10), hasCode('RingPoisoned'));
      await assert.rejects(queue.pushAsync(into, 10), hasCode('RingPoisoned'));
    });

    test('a closed ring can still be poisoned', () => {
      const { queue } = make();
      queue.close();
      queue.poison(2 ** 31 - 1);
      assert.equal(queue.poisonCode, 2 ** 31 - 1);
      assert.throws(() => queue.tryPop(into), hasCode('RingPoisoned'));
    });

    test('async forms end with RingTimeout that says what was missing', async () => {
      const { queue } = make(1);
      await assert.rejects(queue.popAsync(into, 20), { code: 'RingTimeout', message: /"q": pop timeout after 20 ms: still empty/ });
      fill(queue, 0, 1);
      await assert.rejects(queue.pushAsync(into, 0), { code: 'RingTimeout', message: /push timeout after 0 ms: all 1 slots still taken/ });
      assert.ok(queue.tryPop(into));
      assert.equal(into[0], 0);
    });

    test('async forms wake when the other side moves', async () => {
      const { queue, buffer } = make(1);
      const other = new Queue(buffer, OFFSET, 1, 4, new AbortWord(buffer, 0));
      for (let i = 0; i < 20; i++) {
        const popped = queue.popAsync(into, 5000);
        other.tryPush(Int32Array.of(i, 0, 0, 0));
        assert.equal(await popped, true);
        assert.equal(into[0], i);
        other.tryPush(Int32Array.of(1, 0, 0, 0));
        const pushed = other.pushAsync(Int32Array.of(2, 0, 0, 0), 5000);
        assert.ok(queue.tryPop(into));
        await pushed;
        assert.ok(queue.tryPop(into));
        assert.equal(into[0], 2);
      }
    });

    test('close, poison and abort wake an async sleeper', async () => {
      for (const end of ['close', 'poison', 'abort'] as const) {
        const { queue, abort } = make();
        const popped = queue.popAsync(into, 60_000);
        setImmediate(() => {
          if (end === 'close') queue.close();
          else if (end === 'poison') queue.poison(3);
          else abort.abort(5);
        });
        if (end === 'close') assert.equal(await popped, false);
        else await assert.rejects(popped, hasCode(end === 'poison' ? 'RingPoisoned' : 'Aborted'));
      }
    });

    test('a ready ring does not starve the timers of an async consumer', async () => {
      const { queue } = make();
      let fired = false;
      setTimeout(() => {
        fired = true;
      }, 1);
      for (let i = 0; !fired; i++) {
        assert.ok(i < 5_000_000, 'timer never fired');
        fill(queue, i, 1);
        await queue.popAsync(into, 1000);
      }
    });

    test('two popAsync at once are refused, and the first goes on', async () => {
      const { queue } = make();
      const first = queue.popAsync(into, 5000);
      await assert.rejects(queue.popAsync(into, 5000), hasCode('InvalidArgument'));
      fill(queue, 4, 1);
      assert.equal(await first, true);
    });

    test('blocking forms refuse the main thread and name the async form', () => {
      const { queue } = make();
      assert.throws(() => queue.push(into, 10), { code: 'InvalidArgument', message: /main thread; use pushAsync/ });
      assert.throws(() => queue.pop(into, 10), { code: 'InvalidArgument', message: /main thread; use popAsync/ });
    });

    test('wrong shapes, offsets and limits are refused', async () => {
      const { queue, abort, buffer } = make();
      assert.throws(() => queue.tryPush(new Int32Array(5)), hasCode('ShapeMismatch'));
      assert.throws(() => queue.tryPop(new Int32Array(3)), hasCode('ShapeMismatch'));
      await assert.rejects(queue.popAsync(into, Number.NaN), hasCode('InvalidArgument'));
      await assert.rejects(queue.popAsync(into, Number.POSITIVE_INFINITY), hasCode('InvalidArgument'));
      await assert.rejects(queue.pushAsync(into, -1), hasCode('InvalidArgument'));
      assert.throws(() => queue.poison(0), hasCode('InvalidArgument'));
      assert.throws(() => new Queue(buffer, OFFSET + 4, 4, 4, abort), hasCode('InvalidArgument'));
      assert.throws(() => new Queue(buffer, OFFSET + 64, 4, 4, abort), hasCode('InvalidArgument'));
      assert.throws(() => Queue.byteLength(0, 4), hasCode('InvalidArgument'));
      assert.throws(() => Queue.byteLength(4, 6), hasCode('InvalidArgument'));
    });
  });
}

test('an MpscRing whose producer stopped between reserving and filling says so', async () => {
  const buffer = memory(MpscRing, 4, 4);
  const queue = new MpscRing(buffer, OFFSET, 4, 4, new AbortWord(buffer, 0));
  new Int32Array(buffer, OFFSET)[TAIL] = 2; // one ticket taken, its slot never filled
  await assert.rejects(queue.popAsync(new Int32Array(4), 20), { code: 'RingTimeout', message: /first of 1 reserved slots/ });
});
