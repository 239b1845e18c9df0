import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cityHash64, cityHash64Into, makeFid, writeHashedFid } from '../../src/base/index.js';

// Values made by google/cityhash at commit f5dc541 (CityHash64, version 1.1), for byte i = (131·i + 17·length + 7) mod 256.
const vectors: readonly (readonly [number, bigint])[] = [
  [0, 0x9ae16a3b2f90404fn],
  [1, 0x988539a01c055d2fn],
  [2, 0xfe7920b7265396fan],
  [3, 0x0242543e46d77e91n],
  [4, 0x865e4052c7954882n],
  [5, 0x72bc30735a54597dn],
  [7, 0x6827aa63e0ba6502n],
  [8, 0x15452c935ce1a1edn],
  [9, 0x03334b9f3aa57cfdn],
  [12, 0x8dc3a8328ae3d45an],
  [15, 0x1a9ca05855bcf403n],
  [16, 0x9256d2bba0eda546n],
  [17, 0x8c0eaa3add1199afn],
  [24, 0x5dcf7fffd8828bd5n],
  [31, 0x2b2fab1ad8d1c7bcn],
  [32, 0x436fed8b70622e76n],
  [33, 0xc9f2c431af745934n],
  [48, 0x9c0c961252796dc3n],
  [63, 0xe3d874480d174f58n],
  [64, 0x1918ce162f9f8178n],
  [65, 0x6053de83a1b607een],
  [127, 0x3f8dbd9c0234db9dn],
  [128, 0x84ba4372f60db0bcn],
  [129, 0x4502663b636ced53n],
  [200, 0xdffb8c423a1fad3fn],
];
/** Σ (2·length + 1) · hash over all lengths 0..200, mod 2⁶⁴, from the same program. */
const checksumOfAllLengths = 0x114b9a1a4447285en;

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 131 * i + 17 * length + 7);
}

describe('CityHash64', () => {
  test('equals the original at every branch border', () => {
    for (const [length, expected] of vectors) assert.equal(cityHash64(pattern(length)), expected, `length ${length}`);
  });

  test('equals the original at all lengths from 0 to 200', () => {
    let sum = 0n;
    for (let length = 0; length <= 200; length++) sum += cityHash64(pattern(length)) * BigInt(2 * length + 1);
    assert.equal(BigInt.asUintN(64, sum), checksumOfAllLengths);
  });

  test('both forms agree, wherever the value stands in its buffer', () => {
    const out = new Uint32Array(4);
    for (let length = 0; length <= 100; length++) {
      const bytes = pattern(length + 7);
      cityHash64Into(bytes, 3, 3 + length, out, 1);
      assert.equal((BigInt(out[2]) << 32n) | BigInt(out[1]), cityHash64(bytes.slice(3, 3 + length)), `length ${length}`);
    }
  });

  test('hashes the eight bytes of 185 as the original fid extraction does', () => {
    const bytes = Uint8Array.of(185, 0, 0, 0, 0, 0, 0, 0);
    // The original masks to 49 bits, one too many; its published value for (185, slot 4) is 1153447759131936.
    assert.equal((cityHash64(bytes) & ((1n << 49n) - 1n)) | (4n << 48n), 1153447759131936n);
  });

  test('a fid written from bytes equals one made from the hash', () => {
    const fids = new BigInt64Array(2);
    const words = new Uint32Array(fids.buffer);
    const bytes = new TextEncoder().encode('user_12345678');
    writeHashedFid(0x7fff, bytes, 0, bytes.length, words, 2);
    assert.equal(fids[0], 0n);
    assert.equal(fids[1], makeFid(0x7fff, cityHash64(bytes)));
  });
});
