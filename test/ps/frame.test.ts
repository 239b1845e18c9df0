// The hand-written codec of protos/shard_stream.proto against protobufjs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { MonolithError } from '../../src/base/index.js';
import { FRAME_BYTES, FrameKind, FrameReader, FrameWriter } from '../../src/ps-rpc/stream/frame.js';
import {
  decodeControlPiece,
  decodeHello,
  decodeWelcome,
  encodeControlPiece,
  encodeHello,
  encodeWelcome,
} from '../../src/ps-rpc/stream/messages.js';

const root = protobuf.loadSync(fileURLToPath(new URL('../../../protos/shard_stream.proto', import.meta.url)));
const plain = (name: string): protobuf.Type => root.lookupType(`monolith_local.shard_stream.${name}`);
const Frame = plain('Frame');

type Piece = { readonly table: number; readonly total: number; readonly start: number; readonly data: Uint8Array };
type PlainFrame = {
  kind: number;
  number: number;
  sequence: number;
  region: number;
  step: number;
  last: boolean;
  tables: Piece[];
  blocks: { block: number; values: Uint8Array }[];
};

function decodePlain(message: Uint8Array): PlainFrame {
  return Frame.toObject(Frame.decode(message), { longs: Number, defaults: true, enums: Number }) as unknown as PlainFrame;
}

function decodeOwn(message: Uint8Array): PlainFrame {
  const reader = new FrameReader();
  reader.read(message);
  const { kind, number, sequence, region, step, last, tables, blocks } = reader;
  const cut = (offset: number, length: number): Uint8Array => message.slice(offset, offset + length);
  return {
    kind,
    number,
    sequence,
    region,
    step,
    last,
    tables: Array.from({ length: tables.count }, (_, p) => ({
      table: tables.index[p],
      total: tables.total[p],
      start: tables.start[p],
      data: cut(tables.offset[p], tables.length[p]),
    })),
    blocks: Array.from({ length: blocks.count }, (_, p) => ({ block: blocks.index[p], values: cut(blocks.offset[p], blocks.length[p]) })),
  };
}

const same = (actual: PlainFrame, expected: PlainFrame): void => {
  const text = ({ kind, number, sequence, region, step, last, tables, blocks }: PlainFrame): unknown => ({
    fields: [kind, number, sequence, region, step, last],
    tables: tables.map((piece) => ({ ...piece, data: Buffer.from(piece.data).toString('hex') })),
    blocks: blocks.map((piece) => ({ ...piece, values: Buffer.from(piece.values).toString('hex') })),
  });
  assert.deepEqual(text(actual), text(expected));
};

describe('frames of the shard stream', () => {
  const requests = fc.record({
    sequence: fc.integer({ min: 0, max: 2 ** 50 }),
    region: fc.integer({ min: 0, max: 1000 }),
    step: fc.integer({ min: 0, max: 2 ** 50 }),
    tables: fc.array(
      fc.record({
        index: fc.integer({ min: 0, max: 70_000 }),
        rows: fc.integer({ min: 1, max: 300 }),
        width: fc.integer({ min: 1, max: 64 }),
      }),
      { maxLength: 6 },
    ),
    blocks: fc.array(fc.record({ index: fc.integer({ min: 0, max: 2 ** 20 }), length: fc.integer({ min: 0, max: 4000 }) }), {
      maxLength: 6,
    }),
    ahead: fc.integer({ min: 0, max: 100_000 }),
  });

  test('are read by protobufjs and by the project alike', () => {
    fc.assert(
      fc.property(requests, ({ sequence, region, step, tables, blocks, ahead }) => {
        const sent: Uint8Array[] = [];
        const writer = new FrameWriter((message) => void sent.push(message));
        writer.begin(FrameKind.apply, sequence, region, step, ahead);
        const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i * 7);
        for (const { index, rows, width } of tables) writer.table(index, rows, bytes, 3, rows, width);
        for (const { index, length } of blocks) writer.block(index, bytes, 5, length);
        writer.end();
        assert.equal(sent.length, 1);
        const read = decodePlain(sent[0]);
        same(decodeOwn(sent[0]), read);
        assert.deepEqual([read.kind, read.number, read.sequence, read.region, read.step, read.last], [4, 1, sequence, region, step, true]);
        same(
          { ...read, blocks: [] },
          {
            ...read,
            blocks: [],
            tables: tables.map(({ index, rows, width }) => ({
              table: index,
              total: rows,
              start: 0,
              data: bytes.slice(3, 3 + rows * width),
            })),
          },
        );
        same(
          { ...read, tables: [] },
          { ...read, tables: [], blocks: blocks.map(({ index, length }) => ({ block: index, values: bytes.slice(5, 5 + length) })) },
        );
        // What protobufjs writes, the project reads.
        same(decodeOwn(Frame.encode(Frame.fromObject(read)).finish()), read);
      }),
      { numRuns: 60 },
    );
  });

  test('are cut near their size limit, between rows, and together hold everything in order', () => {
    const sent: Uint8Array[] = [];
    const writer = new FrameWriter((message) => void sent.push(message));
    const width = 68;
    const rows = 50_000;
    const source = Uint8Array.from({ length: rows * width }, (_, i) => (i * 2654435761) >>> 24);
    writer.begin(FrameKind.rows, 9, 1, 2, source.length);
    writer.table(4, rows, source, 0, rows, width);
    for (let block = 0; block < 20; block++) writer.block(block, source, block * 65_536, 65_536);
    writer.end();
    assert.ok(sent.length > 3);
    let next = 0;
    let blocks = 0;
    sent.forEach((message, i) => {
      assert.ok(message.length <= FRAME_BYTES + 128, `${message.length} bytes`);
      const frame = decodePlain(message);
      assert.deepEqual([frame.number, frame.sequence, frame.last], [i + 1, 9, i === sent.length - 1]);
      for (const { start, total, data } of frame.tables) {
        assert.equal(start, next);
        assert.equal(total, rows);
        assert.ok(Buffer.from(data).equals(source.subarray(start * width, start * width + data.length)));
        next += data.length / width;
      }
      for (const { block, values } of frame.blocks) {
        assert.equal(block, blocks++);
        assert.ok(Buffer.from(values).equals(source.subarray(block * 65_536, (block + 1) * 65_536)));
      }
    });
    assert.deepEqual([next, blocks], [rows, 20]);
  });

  test('a row wider than a frame goes alone', () => {
    const sent: Uint8Array[] = [];
    const writer = new FrameWriter((message) => void sent.push(message));
    const source = new Uint8Array(2 * (FRAME_BYTES + 4));
    writer.begin(FrameKind.rows, 1, 0, 0, source.length);
    writer.table(0, 2, source, 0, 2, FRAME_BYTES + 4);
    writer.end();
    assert.deepEqual(
      sent.map((message) => decodePlain(message).tables.length),
      [1, 1],
    );
  });

  test('bytes that are no frame are refused or read, never more', () => {
    const writerBytes: Uint8Array[] = [];
    const writer = new FrameWriter((message) => void writerBytes.push(message));
    writer.begin(FrameKind.lookup, 3, 1, 4, 100);
    writer.table(1, 9, new Uint8Array(72), 0, 9, 8);
    writer.end();
    const reader = new FrameReader();
    const survive = (bytes: Uint8Array): void => {
      try {
        reader.read(bytes);
      } catch (error) {
        assert.equal((error as MonolithError).code, 'RecordCorrupt');
      }
    };
    for (let cut = 0; cut < writerBytes[0].length; cut++) survive(writerBytes[0].slice(0, cut));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survive), { numRuns: 2000 });
  });

  test('hello, welcome and pieces of control calls are those of the description', () => {
    const hello = { protocol: 1, job: 'jöb', worker: 3, shard: 2, firstSequence: 2 ** 40, appliedSequence: 0, answeredSequence: 300 };
    assert.deepEqual(plain('Hello').toObject(plain('Hello').decode(encodeHello(hello)), { longs: Number, defaults: true }), hello);
    assert.deepEqual(decodeHello(plain('Hello').encode(hello).finish()), hello);
    const welcome = { protocol: 1, appliedSequence: 5, heldSequence: 7 };
    assert.deepEqual(plain('Welcome').toObject(plain('Welcome').decode(encodeWelcome(welcome)), { longs: Number }), welcome);
    assert.deepEqual(decodeWelcome(plain('Welcome').encode(welcome).finish()), welcome);
    const error = new MonolithError('TableFull', 'full', { rows: 4 });
    const bytes = encodeControlPiece({ json: '{}', data: Uint8Array.of(1, 2), last: true, failure: { error, retry: true } });
    assert.deepEqual(plain('ControlPiece').toObject(plain('ControlPiece').decode(bytes), { bytes: Array }), {
      json: '{}',
      data: [1, 2],
      last: true,
      failure: { code: 'TableFull', message: 'full', detailsJson: '{"rows":4}', retry: true },
    });
    const { failure, data } = decodeControlPiece(bytes);
    assert.deepEqual([failure?.error.toJSON(), failure?.retry, [...data]], [error.toJSON(), true, [1, 2]]);
  });
});
