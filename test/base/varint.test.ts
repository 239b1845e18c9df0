import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  MonolithError,
  readVarint,
  readVarint64,
  varintLength,
  writeVarint,
  writeVarint64,
  zigzagDecode,
  zigzagEncode,
} from '../../src/base/index.js';

const hasCode = (code: string) => (error: unknown) => error instanceof MonolithError && error.code === code;

describe('varint', () => {
  test('is the encoding of protobuf', () => {
    const bytes = new Uint8Array(10);
    assert.equal(writeVarint(150, bytes, 0), 2);
    assert.deepEqual([...bytes.subarray(0, 2)], [0x96, 0x01]);
    assert.equal(writeVarint64(-1n, bytes, 0), 10);
    assert.deepEqual([...bytes], [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
  });

  test('reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (small, large) => {
        const bytes = new Uint8Array(24);
        const middle = writeVarint(small, bytes, 1);
        assert.equal(middle - 1, varintLength(small));
        const end = writeVarint64(large, bytes, middle);
        const cursor = { offset: 1 };
        assert.equal(readVarint(bytes, cursor, end), small);
        assert.equal(readVarint64(bytes, cursor, end), large);
        assert.equal(cursor.offset, end);
      }),
    );
  });

  test('refuses what is cut off, too long, too wide or too large, and leaves the cursor', () => {
    const cases = [
      Uint8Array.of(),
      Uint8Array.of(128, 128),
      new Uint8Array(11).fill(128),
      Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 2),
      Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127),
    ];
    for (const bytes of cases) {
      const cursor = { offset: 0 };
      assert.throws(() => readVarint(bytes, cursor), hasCode('RecordCorrupt'));
      assert.equal(cursor.offset, 0);
    }
  });

  test('refuses to write where there is no room', () => {
    assert.throws(() => writeVarint(300, new Uint8Array(1), 0), hasCode('InvalidArgument'));
    assert.throws(() => writeVarint64(300n, new Uint8Array(1), 0), hasCode('InvalidArgument'));
    assert.throws(() => writeVarint(-1, new Uint8Array(9), 0), hasCode('InvalidArgument'));
  });

  test('zigzag keeps small magnitudes small', () => {
    assert.deepEqual([0n, -1n, 1n, -2n].map(zigzagEncode), [0n, 1n, 2n, 3n]);
    fc.assert(fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (value) => zigzagDecode(zigzagEncode(value)) === value));
  });
});
