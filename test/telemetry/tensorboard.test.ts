import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { MonolithError } from '../../src/base/index.js';
import { decodeEvent, encodeEvent, FILE_VERSION, frameRecord, readEvents, type TensorBoardEvent } from '../../src/telemetry/index.js';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const shared = process.env.MONOLITH_LOCAL_SHARED_DATA ?? join(repository, '../shared/data');
const realFolder = join(shared, 'formats/tensorboard/eval');

describe('TensorBoard events', () => {
  test('any event comes back as it was written', () => {
    const scalar = fc.record({ tag: fc.string({ unit: 'grapheme', maxLength: 200 }), value: fc.float() }, { noNullPrototype: true });
    const fields = fc.record(
      {
        wallTime: fc.double(),
        step: fc.maxSafeNat(),
        scalars: fc.array(scalar, { maxLength: 5 }),
        sessionStart: fc.boolean(),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fields, (event) => {
        const read = decodeEvent(encodeEvent(event));
        assert.deepEqual({ ...read, sessionStart: read.sessionStart ?? false }, event);
      }),
    );
  });

  test('the first record of a file is, byte for byte, the one that TensorFlow writes', () => {
    // Taken from a file that TensorFlow wrote: length, its checksum, payload, its checksum.
    const record = frameRecord(encodeEvent({ wallTime: 1646034751, step: 0, fileVersion: FILE_VERSION }));
    const expected = '1800000000000000a37f4b22090000c0cf1f87d8411a0d627261696e2e4576656e743a32e320b41d';
    assert.equal(Buffer.from(record).toString('hex'), expected);
  });

  test('an event that TensorBoard’s own definitions describe is encoded as they say', () => {
    const bytes = encodeEvent({ wallTime: 1, step: 300, scalars: [{ tag: 'a', value: 0.5 }] });
    //            wall_time 1.0         step 300  summary{ value{ tag "a", simple_value 0.5 } }
    assert.equal(Buffer.from(bytes).toString('hex'), '09000000000000f03f10ac022a0a0a080a0161150000003f');
  });

  test('an independent codec of the same definitions reads what is written, and what it writes is read', () => {
    const { root } = protobuf.parse(`syntax = "proto3"; package tensorflow;
      message Event { double wall_time = 1; int64 step = 2; oneof what { string file_version = 3; Summary summary = 5; SessionLog session_log = 7; } }
      message Summary { message Value { string node_name = 7; string tag = 1; oneof value { float simple_value = 2; } } repeated Value value = 1; }
      message SessionLog { int32 status = 1; }`);
    const type = root.lookupType('tensorflow.Event');
    const scalar = fc.record({ tag: fc.string({ unit: 'grapheme' }), value: fc.float({ noNaN: true }) }, { noNullPrototype: true });
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.maxSafeNat(), fc.array(scalar, { minLength: 1 }), (wallTime, step, scalars) => {
        const theirs = type.toObject(type.decode(encodeEvent({ wallTime, step, scalars })), { longs: String, defaults: true }) as {
          wallTime: number;
          step: string;
          summary: { value: { tag: string; simpleValue: number }[] };
        };
        assert.deepEqual([theirs.wallTime, theirs.step], [wallTime, String(step)]);
        assert.deepEqual(
          theirs.summary.value.map(({ tag, simpleValue }) => ({ tag, value: simpleValue })),
          scalars,
        );
        const value = scalars.map(({ tag, value }) => ({ nodeName: 'n', tag, simpleValue: value }));
        const bytes = type.encode(type.fromObject({ wallTime, step: String(step), summary: { value } })).finish();
        assert.deepEqual(decodeEvent(bytes), { wallTime, step, scalars });
      }),
    );
  });

  test('a real event file of TensorFlow reads back whole', { skip: !existsSync(realFolder) }, () => {
    for (const name of readdirSync(realFolder)) {
      const events = [...readEvents(readFileSync(join(realFolder, name)), name)];
      assert.equal(events[0]?.fileVersion, FILE_VERSION);
      const scalars = events.flatMap((event) => event.scalars ?? []);
      assert.ok(scalars.length > 0);
      assert.ok(
        scalars.some(({ tag }) => /auc|loss/i.test(tag)),
        scalars.map(({ tag }) => tag).join(),
      );
      assert.ok(events.every((event) => Math.abs(event.wallTime - 1_646_034_751) < 1e7));
    }
  });

  test('a file cut at any byte gives the whole records before the cut, then a typed error', () => {
    const records = [0, 1, 2].map((step) => frameRecord(encodeEvent({ wallTime: 5, step, scalars: [{ tag: 'x', value: step }] })));
    const file = Buffer.concat(records);
    const ends = records.map((_, i) => records.slice(0, i + 1).reduce((sum, record) => sum + record.length, 0));
    for (let length = 0; length < file.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      const events: TensorBoardEvent[] = [];
      const read = (): void => {
        for (const event of readEvents(file.subarray(0, length), 'cut')) events.push(event);
      };
      if (length === 0 || ends.includes(length)) read();
      else
        assert.throws(
          read,
          (error) => error instanceof MonolithError && error.code === 'RecordCorrupt' && error.message.startsWith(`cut record ${whole} `),
        );
      assert.equal(events.length, whole);
    }
  });

  test('one flipped bit anywhere is found', () => {
    const file = Buffer.from(frameRecord(encodeEvent({ wallTime: 5, step: 7, scalars: [{ tag: 'loss', value: 1 }] })));
    for (let bit = 0; bit < file.length * 8; bit++) {
      const damaged = Buffer.from(file);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      assert.throws(() => [...readEvents(damaged, 'flipped')], /flipped record 0 at byte 0: /, `bit ${bit}`);
    }
  });

  test('bytes that are no event give only typed errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeEvent(bytes);
        } catch (error) {
          assert.ok(error instanceof MonolithError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
