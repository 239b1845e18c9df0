import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bigIntToHalves,
  bucketOf,
  extractFid,
  fidV1ToV2,
  fidV2ToV1,
  halvesToBigInt,
  MonolithError,
  makeFid,
  makeFidV1,
  mix64,
  mix64BigInt,
  multiplyHigh32,
  SeededRandom,
  seedFromNames,
  signatureOf,
  signatureOfV1,
  slotOf,
  slotOfV1,
  withSlot,
} from '../../src/base/index.js';

const hasCode = (code: string) => (error: unknown) => error instanceof MonolithError && error.code === code;
const uint64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

describe('mixing', () => {
  test('splitmix64 of state 0 gives its published sequence', () => {
    const increment = 0x9e3779b97f4a7c15n;
    const sequence = [0n, 1n, 2n].map((i) => mix64BigInt(BigInt.asUintN(64, i * increment)));
    assert.deepEqual(sequence, [0xe220a8397b1dcdafn, 0x6e789e6aa1b965f4n, 0x06c45d188009454fn]);
  });

  test('the form on halves equals the one on BigInt', () => {
    fc.assert(
      fc.property(uint64, (value) => {
        const { low, high } = bigIntToHalves(value);
        const out = { low: 0, high: 0 };
        mix64(low, high, out);
        assert.equal(halvesToBigInt(out), mix64BigInt(value));
      }),
    );
  });

  test('the high half of a product is exact', () => {
    const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffff, 0x10000, 0xffffffff));
    fc.assert(
      fc.property(uint32, uint32, (a, b) => {
        assert.equal(multiplyHigh32(a, b), Number((BigInt(a) * BigInt(b)) >> 32n));
      }),
    );
  });
});

describe('seeds', () => {
  test('depend on every name, its place and its type', () => {
    const seeds = [
      seedFromNames(42),
      seedFromNames(43),
      seedFromNames(-42),
      seedFromNames(42 + 2 ** 32),
      seedFromNames(42, 'a'),
      seedFromNames(42, 'a', 'b'),
      seedFromNames(42, 'b', 'a'),
      seedFromNames(42, 'ab'),
      seedFromNames(42, 1),
      seedFromNames(42, '1'),
      seedFromNames(42, 0),
      seedFromNames(42, ''),
      seedFromNames(42, -1),
    ].map((seed) => halvesToBigInt(seed).toString(16));
    assert.equal(new Set(seeds).size, seeds.length, seeds.join(' '));
  });

  test('stay what they are from release to release', () => {
    assert.equal(halvesToBigInt(seedFromNames(42, 'table', 'user', 3)).toString(16), 'e5b617aa77809c33');
  });

  test('refuse numbers that are no safe integers', () => {
    assert.throws(() => seedFromNames(0.5), hasCode('InvalidArgument'));
    assert.throws(() => seedFromNames(1, Number.NaN), hasCode('InvalidArgument'));
  });
});

describe('SeededRandom', () => {
  test('equal seeds give equal sequences, and they stay what they are', () => {
    const first = new SeededRandom(42);
    const second = new SeededRandom(seedFromNames(42));
    const drawn = Array.from({ length: 4 }, () => first.nextUint32());
    assert.deepEqual(
      Array.from({ length: 4 }, () => second.nextUint32()),
      drawn,
    );
    assert.deepEqual(drawn, [1552505907, 1951092387, 415400926, 406949388]);
  });

  test('xoshiro128** gives its published sequence', () => {
    // Values of the published C code with state 1, 2, 3, 4.
    const random = new SeededRandom(0);
    random.restore({ words: [1, 2, 3, 4], spareNormal: null });
    assert.deepEqual(
      Array.from({ length: 6 }, () => random.nextUint32()),
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492],
    );
  });

  test('floats lie in [0, 1) with the right mean', () => {
    const random = new SeededRandom(7);
    let sum = 0;
    for (let i = 0; i < 100_000; i++) {
      const value = random.nextFloat();
      assert.ok(value >= 0 && value < 1);
      sum += value;
    }
    assert.ok(Math.abs(sum / 100_000 - 0.5) < 0.005, `mean ${sum / 100_000}`);
  });

  test('integers below n are uniform, also where 2^32 is no multiple of n', () => {
    const random = new SeededRandom(11);
    const n = 3_000_000_000; // without rejection the lower 43 % would come twice as often
    let inLowerPart = 0;
    for (let i = 0; i < 20_000; i++) if (random.nextBelow(n) < 1_294_967_296) inLowerPart++;
    assert.ok(Math.abs(inLowerPart / 20_000 - 1_294_967_296 / n) < 0.02, `share ${inLowerPart / 20_000}`);
    assert.equal(random.nextBelow(1), 0);
    for (const bad of [0, -1, 1.5, 2 ** 33, Number.NaN]) assert.throws(() => random.nextBelow(bad), hasCode('InvalidArgument'));
  });

  test('normals have mean 0 and deviation 1', () => {
    const random = new SeededRandom(5);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 100_000; i++) {
      const value = random.nextNormal();
      sum += value;
      squares += value * value;
    }
    assert.ok(Math.abs(sum / 100_000) < 0.015, `mean ${sum / 100_000}`);
    assert.ok(Math.abs(squares / 100_000 - 1) < 0.02, `variance ${squares / 100_000}`);
  });

  test('goes on exactly from a saved state, also in the middle of a normal pair', () => {
    const random = new SeededRandom(9);
    random.nextNormal();
    const state = JSON.parse(JSON.stringify(random.state));
    const expected = [random.nextNormal(), random.nextFloat(), random.nextNormal()];
    const other = new SeededRandom(1);
    other.restore(state);
    assert.deepEqual([other.nextNormal(), other.nextFloat(), other.nextNormal()], expected);
    assert.throws(() => other.restore({ words: [0, 0, 0, 0], spareNormal: null }), hasCode('InvalidArgument'));
  });
});

describe('fid', () => {
  test('packs and unpacks slot and signature', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fff }), uint64, (slot, hash) => {
        const fid = makeFid(slot, hash);
        assert.ok(fid >= 0n && fid < 1n << 63n);
        assert.equal(slotOf(fid), slot);
        assert.equal(signatureOf(fid), hash & 0xffffffffffffn);
      }),
    );
    for (const bad of [-1, 0x8000, 1.5]) assert.throws(() => makeFid(bad, 1n), hasCode('InvalidArgument'));
  });

  test('converts between the layouts', () => {
    assert.equal(fidV1ToV2((3n << 54n) | 0x2f_ffff_ffff_fff7n), (3n << 48n) | 0xffff_ffff_fff7n);
    assert.equal(fidV1ToV2(-1n), (1023n << 48n) | 0xffff_ffff_ffffn);
    assert.equal(fidV1ToV2(fidV2ToV1(makeFid(777, 12345n))), makeFid(777, 12345n));
    assert.throws(() => fidV2ToV1(makeFid(1024, 1n)), hasCode('InvalidArgument'));
  });

  test('layout v1 has ten bits of slot and 54 of signature', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1023 }), uint64, (slot, hash) => {
        const fid = makeFidV1(slot, hash);
        assert.equal(BigInt.asIntN(64, fid), fid);
        assert.equal(slotOfV1(fid), slot);
        assert.equal(slotOfV1(BigInt.asUintN(64, fid)), slot);
        assert.equal(signatureOfV1(fid), hash & 0x3fffffffffffffn);
        assert.equal(fidV1ToV2(fid), makeFid(slot, hash));
      }),
    );
    assert.throws(() => makeFidV1(1024, 1n), hasCode('InvalidArgument'));
    // A fid of a real request: slot 520.
    assert.equal(slotOfV1(9376215397644962785n), 520);
  });

  test('extracts a fid from a number, and gives a fid another slot', () => {
    assert.equal(extractFid(185n, 4), 1153447759131936n);
    assert.equal(withSlot(makeFid(7, 99n), 8), makeFid(8, 99n));
    assert.throws(() => extractFid(1n, 32768), hasCode('InvalidArgument'));
  });

  test('buckets are the top bits of the mixed fid', () => {
    assert.equal(bucketOf(5n, 0), 0);
    assert.equal(BigInt(bucketOf(-5n, 32)), mix64BigInt(-5n) >> 32n);
    const counts = new Array<number>(16).fill(0);
    for (let fid = 0n; fid < 16_000n; fid++) counts[bucketOf(fid, 4)]++;
    for (const count of counts) assert.ok(count > 850 && count < 1150, counts.join(' '));
  });
});
