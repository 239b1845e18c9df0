import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { crc32c, crc32cJoiner, maskedCrc32c } from '../../src/base/index.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('crc32c', () => {
  test('has the published check values', () => {
    assert.equal(crc32c(text('123456789')), 0xe3069283);
    // RFC 3720, appendix B.4.
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });

  test('masked values are those of TFRecord', () => {
    assert.equal(maskedCrc32c(text('123456789')), 0xc78ab0e5);
    assert.equal(maskedCrc32c(new Uint8Array(8)), 0x07980329);
    assert.equal(maskedCrc32c(new Uint8Array(0)), 0xa282ead8);
  });

  test('goes on from a seed, and joins without the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
        const whole = crc32c(Uint8Array.of(...first, ...second));
        assert.equal(crc32c(second, crc32c(first)), whole);
        assert.equal(crc32cJoiner(second.length)(crc32c(first), crc32c(second)), whole);
      }),
      { numRuns: 200 },
    );
  });

  test('reads shared memory at any alignment', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64));
    shared.set(text('123456789'), 3);
    assert.equal(crc32c(shared.subarray(3, 12)), 0xe3069283);
  });
});
