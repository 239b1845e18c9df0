import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { Arena } from '../../src/sharedarraybuffer-ring/index.js';

const hasCode = (code: string) => (error: unknown) => error instanceof MonolithError && error.code === code;

function carve(arena: Arena): number[] {
  return [
    arena.uint8(3).byteOffset,
    arena.float32(5).byteOffset,
    arena.allocate(100, 256),
    arena.bigInt64(2).byteOffset,
    arena.int32(0).byteOffset,
    arena.float64(9).byteOffset,
  ];
}

describe('Arena', () => {
  test('carving the same sequence over the same buffer gives the same ranges', () => {
    const first = Arena.create(4096);
    const second = new Arena(first.buffer);
    assert.deepEqual(carve(first), carve(second));
    assert.equal(first.used, second.used);
  });

  test('views of the same range see the same bytes', () => {
    const first = Arena.create(1024);
    const second = new Arena(first.buffer);
    first.allocate(10);
    second.allocate(10);
    const written = first.float32(4);
    const read = second.float32(4);
    written.set([1, 2, 3, 4]);
    assert.deepEqual([...read], [1, 2, 3, 4]);
  });

  test('allocations start on cache lines counted from byte 0', () => {
    for (const offset of carve(Arena.create(4096))) assert.equal(offset % 64, 0);
    const arena = Arena.create(4096);
    arena.allocate(1);
    assert.equal(arena.allocate(1, 256), 256);
    assert.equal(arena.allocate(1, 16), 272);
  });

  test('with a base offset, alignment counts from it', () => {
    const arena = new Arena(new SharedArrayBuffer(4096), 48);
    assert.equal(arena.capacity, 4048);
    for (const offset of carve(arena)) assert.equal((offset - 48) % 64, 0);
  });

  test('ranges never overlap and cover what was asked for', () => {
    const arena = Arena.create(1 << 16);
    let end = 0;
    for (let bytes = 0; bytes < 200; bytes++) {
      const start = arena.allocate(bytes, 16 << (bytes % 4));
      assert.ok(start >= end);
      end = start + bytes;
      assert.equal(arena.used, end);
    }
  });

  test('a range that does not fit is refused by name with the bytes that were left, and reserves nothing', () => {
    const arena = Arena.create(256);
    arena.allocate(100, 64, 'labels');
    assert.throws(
      () => arena.float32(40, 'dense gradients'),
      (error: unknown) => {
        assert.ok(error instanceof MonolithError);
        assert.equal(error.code, 'ArenaFull');
        assert.equal(
          error.message,
          'Arena: dense gradients needs 160 bytes, 128 of 256 are left; create the arena with at least 288 bytes',
        );
        return true;
      },
    );
    assert.equal(arena.used, 100);
    assert.equal(arena.float32(32).byteOffset, 128);
  });

  test('unusable lengths, alignments and base offsets are refused', () => {
    const arena = Arena.create(1024);
    assert.throws(() => arena.allocate(-1), hasCode('InvalidArgument'));
    assert.throws(() => arena.allocate(1.5), hasCode('InvalidArgument'));
    assert.throws(() => arena.allocate(Number.NaN), hasCode('InvalidArgument'));
    assert.throws(() => arena.allocate(8, 24), hasCode('InvalidArgument'));
    assert.throws(() => arena.allocate(8, 8), hasCode('InvalidArgument'));
    assert.throws(() => Arena.create(-1), hasCode('InvalidArgument'));
    assert.throws(() => new Arena(arena.buffer, 8), hasCode('InvalidArgument'));
    assert.throws(() => new Arena(arena.buffer, 2048), hasCode('InvalidArgument'));
  });
});
