import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MonolithError, SeededRandom } from '../../src/base/index.js';
import { encodeFrame, type Frame, type Framing, readFrames, readHeader, sourceHeader } from '../../src/data/index.js';

const bits = [false, true];
const framings: Framing[] = bits.flatMap((hasSortId) =>
  bits.flatMap((kafkaDump) =>
    bits.flatMap((kafkaDumpPrefix) => bits.map((lagrangexHeader) => ({ hasSortId, kafkaDump, kafkaDumpPrefix, lagrangexHeader }))),
  ),
);
const nameOf = (framing: Framing): string =>
  Object.entries(framing)
    .filter(([, on]) => on)
    .map(([name]) => name)
    .join(' ') || 'sizes alone';
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('the bytes of each framing are those of the layout', () => {
  const payload = hex('aabb');
  const off = { hasSortId: false, kafkaDump: false, kafkaDumpPrefix: false, lagrangexHeader: false };
  const sortId = hex('c1c2c3');
  const cases: [Partial<Framing>, Partial<Frame>, string][] = [
    [{}, {}, '0200000000000000 aabb'],
    [{ hasSortId: true }, { sortId }, '0300000000000000 c1c2c3 0200000000000000 aabb'],
    [{ kafkaDump: true }, { kafkaDump: 5n }, '0500000000000000 0200000000000000 aabb'],
    [{ kafkaDumpPrefix: true }, { kafkaPrefix: [0n, 7n] }, '0000000000000000 0700000000000000 0200000000000000 aabb'],
    [{ kafkaDumpPrefix: true, hasSortId: true }, { kafkaPrefix: [3n], sortId }, '0300000000000000 c1c2c3 0200000000000000 aabb'],
    [
      { kafkaDumpPrefix: true, hasSortId: true, kafkaDump: true },
      { kafkaPrefix: [0n, 1n], sortId, kafkaDump: 9n },
      '0000000000000000 0100000000000000 0300000000000000 c1c2c3 0900000000000000 0200000000000000 aabb',
    ],
    [{ lagrangexHeader: true, hasSortId: true, kafkaDump: true }, { header: 0x1234n, sortId }, '3412000000000000 0200000000000000 aabb'],
  ];
  for (const [on, frame, expected] of cases) assert.deepEqual(encodeFrame(payload, { ...off, ...on }, frame), hex(expected));
});

/** A file of five records of each kind that a framing allows. */
function fileOf(framing: Framing): Buffer {
  const random = new SeededRandom(7);
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => Math.floor(random.nextFloat() * 256)));
  return Buffer.concat(
    [0, 1, 2, 3, 4].map((i) =>
      encodeFrame(bytes(i * 7), framing, {
        sortId: bytes(i === 0 ? 0 : 11),
        kafkaPrefix: i % 2 === 1 ? [11n] : [0n, BigInt(i)],
        kafkaDump: 2n ** 64n - 1n,
        header: sourceHeader(`source ${i}`, i & 1),
      }),
    ),
  );
}

for (const framing of framings) {
  test(`${nameOf(framing)}: a file read and written again has the same bytes`, () => {
    const file = fileOf(framing);
    const frames = [...readFrames(file, framing)];
    assert.deepEqual(
      frames.map((frame) => frame.payload.length),
      [0, 7, 14, 21, 28],
    );
    assert.deepEqual(Buffer.concat(frames.map((frame) => encodeFrame(frame.payload, framing, frame))), file);
  });

  test(`${nameOf(framing)}: a file cut at any byte gives the whole records before it, then an error with record and byte`, () => {
    const file = fileOf(framing);
    const ends = [0];
    for (const frame of readFrames(file, framing)) ends.push(frame.payload.byteOffset + frame.payload.length - file.byteOffset);
    for (let cut = 0; cut < file.length; cut++) {
      const whole = ends.filter((end) => end <= cut).length - 1;
      const read: Frame[] = [];
      const walk = (): void => {
        for (const frame of readFrames(file.subarray(0, cut), framing)) read.push(frame);
      };
      if (ends.includes(cut)) walk();
      else {
        assert.throws(walk, (error: MonolithError) => {
          assert.equal(error.code, 'RecordCorrupt');
          assert.match(error.message, /ends inside the record/);
          assert.deepEqual([error.details.record, error.details.byte], [whole + 1, ends[whole]]);
          return true;
        });
      }
      assert.equal(read.length, whole);
    }
  });

  test(`${nameOf(framing)}: a flipped bit gives records or an error, never more bytes than there are`, () => {
    const file = fileOf(framing);
    for (let bit = 0; bit < file.length * 8; bit++) {
      const damaged = Buffer.from(file);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      let bytes = 0;
      try {
        for (const frame of readFrames(damaged, framing)) bytes += frame.payload.length + frame.sortId.length;
      } catch (error) {
        assert.ok(error instanceof MonolithError, String(error));
      }
      assert.ok(bytes <= file.length);
    }
  });
}

test('a hostile length and the mark of an error are refused with record, byte and cause', () => {
  const good = encodeFrame(hex('aabb'), undefined, { sortId: hex('01') });
  const huge = Buffer.concat([good, hex('ffffffffffffffff'), Buffer.alloc(40)]);
  assert.throws(
    () => [...readFrames(huge)],
    /record 2 at byte 19: a length of 18446744073709552000 bytes, at most 16777216 .*byte 19\..*hasSortId/,
  );
  const marked = Buffer.concat([good, hex('0000000000000000 fefefefe00000000'), Buffer.alloc(40)]);
  assert.throws(() => [...readFrames(marked)], /record 2 at byte 19: the size is 0xfefefefe.*byte 27/);
});

test('headers hold a type and 24 bits of a source', () => {
  // The hash of "example" in Java is 0xb125116a.
  assert.equal(sourceHeader('example', 1), 0xb1251101n);
  assert.deepEqual(readHeader(0x99_b1251101n), { type: 1, dataSourceKey: 0xb1251100 });
});
