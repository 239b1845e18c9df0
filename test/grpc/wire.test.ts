import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../src/base/index.js';
import { FrameReceiver } from '../../src/grpc/stream/frame-receiver.js';
import { decodeFields, encodeFields } from '../../src/grpc/stream/header-block.js';
import {
  Flag,
  FRAME_SIZE,
  FrameType,
  frameOf,
  MOST_HEADER_BYTES,
  PREFACE,
  Reason,
  WireError,
  words,
} from '../../src/grpc/stream/wire-format.js';
import { conversation, data, recorder } from '../helpers/raw-stream.js';

describe('frames of a stream', () => {
  test('are the same wherever the bytes are cut', () => {
    const bytes = conversation().subarray(PREFACE.length);
    const whole = recorder();
    whole.receiver.push(bytes);
    assert.equal(whole.frames.length, 8);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { receiver, frames, errors } = recorder();
      receiver.push(bytes.subarray(0, cut));
      receiver.push(bytes.subarray(cut));
      assert.deepEqual(frames, whole.frames, `cut at byte ${cut}`);
      assert.deepEqual(errors, []);
    }
    const byteByByte = recorder();
    for (let at = 0; at < bytes.length; at++) byteByByte.receiver.push(bytes.subarray(at, at + 1));
    assert.deepEqual(byteByByte.frames, whole.frames);
  });

  test('of all sizes come whole through reads of all sizes', () => {
    const random = new SeededRandom(11);
    const sizes = Array.from({ length: 40 }, (_, i) => (i === 20 ? FRAME_SIZE : random.nextBelow(400_000 >> random.nextBelow(16))));
    const wire = Buffer.concat(sizes.map((size, i) => data(new Uint8Array(size).fill(i))));
    const receiver = new FrameReceiver();
    let seen = 0;
    receiver.sink = {
      head: () => {},
      frame: (_type, _flags, _stream, payload) => {
        assert.equal(payload.length, sizes[seen]);
        assert.ok(payload.every((byte) => byte === seen));
        seen++;
      },
      refused: (error) => assert.fail(String(error)),
    };
    for (let at = 0; at < wire.length; ) {
      const size = wire.copy(receiver.space(), 0, at, at + 1 + random.nextBelow(random.nextBelow(3) === 0 ? 1 << 20 : 3000));
      at += size;
      receiver.filled(size);
    }
    assert.equal(seen, sizes.length);
  });

  test('that are announced and do not come make nothing large', () => {
    const { receiver, errors } = recorder();
    receiver.push(data(new Uint8Array(FRAME_SIZE)).subarray(0, 1000));
    assert.ok(receiver.space().length <= 64 << 10);
    assert.deepEqual(errors, []);
  });

  test('with heads that no end of ours sends are refused before their payload, each with its code', () => {
    const heads: [Buffer, number][] = [
      [frameOf(2, 0, 1, words(0)), Reason.protocol],
      [frameOf(5, Flag.endHeaders, 1, words(2)), Reason.protocol],
      [frameOf(9, Flag.endHeaders, 1), Reason.protocol],
      [frameOf(200, 0, 0), Reason.protocol],
      [frameOf(FrameType.data, 8, 1, words(0)), Reason.protocol],
      [frameOf(FrameType.data, 0, 0, words(0)), Reason.protocol],
      [frameOf(FrameType.data, 0, 3, words(0)), Reason.protocol],
      [frameOf(FrameType.headers, Flag.endHeaders | 32, 1, words(0)), Reason.protocol],
      [frameOf(FrameType.headers, Flag.endHeaders, 0, words(0)), Reason.protocol],
      [frameOf(FrameType.headers, Flag.endHeaders, 1, new Uint8Array(MOST_HEADER_BYTES + 1)), Reason.frameSize],
      [frameOf(FrameType.data, 0, 1, new Uint8Array(FRAME_SIZE + 1)), Reason.frameSize],
      [frameOf(FrameType.reset, 0, 1, words(0, 0)), Reason.frameSize],
      [frameOf(FrameType.ping, 0, 0, words(0)), Reason.frameSize],
      [frameOf(FrameType.ping, 0, 1, words(0, 0)), Reason.protocol],
      [frameOf(FrameType.goAway, 0, 0, words(0)), Reason.frameSize],
      [frameOf(FrameType.goAway, 0, 0, new Uint8Array(8 + 1025)), Reason.frameSize],
      [frameOf(FrameType.windowUpdate, 0, 1, words(1, 1)), Reason.frameSize],
      [frameOf(FrameType.settings, 0, 1), Reason.protocol],
      [frameOf(FrameType.settings, 0, 0, new Uint8Array(6 * 33)), Reason.frameSize],
    ];
    for (const [bytes, reason] of heads) {
      const { receiver, frames, errors } = recorder();
      receiver.push(bytes.subarray(0, 9));
      receiver.push(frameOf(FrameType.ping, 0, 0, words(0, 0)));
      const name = bytes.subarray(0, 9).toString('hex');
      assert.ok(errors[0] instanceof WireError, name);
      assert.equal(errors[0].reason, reason, name);
      assert.equal(errors.length, 1);
      assert.deepEqual(frames, [], 'nothing is read behind it');
    }
  });
});

describe('header fields', () => {
  test('come back as they were, of every length that is allowed', () => {
    const fields: [string, string][] = [
      ['a', ''],
      ...[1, 126, 127, 128, 254, 255, 16_384, 50_000].map((n): [string, string] => [`k${n}`, 'v'.repeat(n)]),
    ];
    assert.deepEqual([...decodeFields(encodeFields(fields))], fields);
  });

  test('that are damaged at any byte are read or refused, never more', () => {
    const random = new SeededRandom(3);
    const good = encodeFields([
      [':path', '/a/B'],
      ['authorization', 'Bearer x'],
      ['k', 'v'.repeat(300)],
    ]);
    for (let round = 0; round < 4000; round++) {
      const bytes = Buffer.from(good.subarray(0, round % 2 === 0 ? good.length : random.nextBelow(good.length)));
      for (let hits = random.nextBelow(3); hits >= 0 && bytes.length > 0; hits--)
        bytes[random.nextBelow(bytes.length)] = random.nextBelow(256);
      try {
        decodeFields(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError && error.reason === Reason.compression, String(error));
      }
    }
    for (const block of [
      [0x82],
      [0x00, 0x81, 0x61, 0],
      [0x3f, 0xe1, 0x1f],
      [0, 127, 255, 255, 255, 255, 7],
      [0, 1, 0x41, 0],
      [0, 1, 0x61, 1, 10],
    ]) {
      assert.throws(() => decodeFields(Buffer.from(block)), { code: 'RecordCorrupt' });
    }
    assert.throws(
      () =>
        decodeFields(
          encodeFields([
            ['a', '1'],
            ['a', '2'],
          ]),
        ),
      /twice/,
    );
  });
});
