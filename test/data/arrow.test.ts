import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  Bool,
  Dictionary,
  Field,
  Int8,
  Int32,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { MonolithError } from '../../src/base/index.js';
import { decompressLz4Frame } from '../../src/columnar/lz4-frame.js';
import type { PipelineOptions } from '../../src/data/index.js';
import { tableCsv, tableRows, tableSchema, writeTable } from './columnar-table.js';
import { readRows, readSteps, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const rows = tableRows(1000);
const csv = write(folder, 'table.csv', tableCsv(rows));
const base: Partial<PipelineOptions> = { schema: tableSchema, batchSize: 64 };
const table = (name: string, stream: boolean, batchRows = 300, count = rows.length): Promise<string> =>
  writeTable(join(folder, name), rows.slice(0, count), { format: 'arrow', stream, batchRows });

for (const [form, stream] of [
  ['file', false],
  ['stream', true],
] as const) {
  test(`the same rows in CSV and in an Arrow ${form} are the same examples to the bit`, async () => {
    const file = await table(`${form}.arrow`, stream);
    const expected = await readRows({ ...base, files: [csv], shuffle: 0 });
    assert.deepEqual(await readRows({ ...base, files: [file], format: 'arrow', shuffle: 0 }), expected);
    assert.deepEqual(await readRows({ ...base, files: [file], shuffle: 0, blockBytes: 512 }), expected);
  });
}

test('steps of Arrow do not depend on threads, nor on where they begin', async () => {
  const options = {
    ...base,
    files: [await table('steps.arrow', false), await table('more.arrows', true, 40, 90)],
    shuffle: 100,
    blockBytes: 1024,
  };
  const whole = await readSteps({ ...options, parseThreads: 0 });
  assert.deepEqual(await readSteps({ ...options, parseThreads: 2 }), whole);
  for (let step = 0; step < whole.positions.length; step += 5) {
    assert.deepEqual((await readSteps(options, whole.positions[step])).hashes, whole.hashes.slice(step), `from step ${step}`);
  }
});

/** Batches of dictionary-coded colours, small integers, truth values and times, as the library writes them. */
function typedBatches(Writer: typeof RecordBatchFileWriter | typeof RecordBatchStreamWriter): Uint8Array {
  const dictionary = vectorFromArray(['red', 'green', 'blue'], new Utf8());
  const color = new Dictionary(new Utf8(), new Int8(), 1);
  const inner = new Struct([new Field('id', new Int32(), true), new Field('when', new TimestampMillisecond(), true)]);
  const schema = new Schema([new Field('y', new Bool(), false), new Field('color', color, true), new Field('user', inner, true)]);
  const writer = new Writer();
  for (let b = 0; b < 2; b++) {
    const children = [
      makeData({ type: new Bool(), length: 4, nullCount: 0, data: Uint8Array.of(0b0101) }),
      makeData({ type: color, length: 4, nullCount: 1, nullBitmap: Uint8Array.of(0b1101), data: Int8Array.of(b, -7, 2, 1), dictionary }),
      makeData({
        type: inner,
        length: 4,
        nullCount: 1,
        nullBitmap: Uint8Array.of(0b0111),
        children: [
          makeData({ type: new Int32(), length: 4, nullCount: 1, nullBitmap: Uint8Array.of(0b1110), data: Int32Array.of(9, 1, -2, 3) }),
          makeData({ type: new TimestampMillisecond(), length: 4, nullCount: 0, data: BigInt64Array.of(1n, 2n, 3n, 4n) }),
        ],
      }),
    ];
    writer.write(new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: 4, nullCount: 0, children })));
  }
  writer.close();
  return writer.toUint8Array(true);
}

test('dictionaries, records within records and nulls at every level are read from files and streams', async () => {
  const line = (color: string): string => `1,${color},,1\n0,,1,2\n1,blue,-2,3\n0,green,,\n`;
  const same = write(folder, 'typed.csv', `y,color,user.id,user.when\n${line('red')}${line('green')}`);
  const schema = {
    label: { column: 'y' },
    features: [
      { name: 'color', type: 'categorical' },
      { name: 'user.id', type: 'numeric', missing: -9 },
      { name: 'user.when', type: 'categorical' },
    ],
  } as const;
  const expected = await readRows({ schema, files: [same], shuffle: 0 });
  for (const Writer of [RecordBatchFileWriter, RecordBatchStreamWriter]) {
    const file = write(folder, `${Writer.name}.arrow`, typedBatches(Writer));
    assert.deepEqual(await readRows({ schema, files: [file], format: 'arrow', shuffle: 0 }), expected);
  }
});

test('an LZ4 match reaches back over blocks, and one that points outside is refused', () => {
  const frame = (...blocks: readonly number[][]): Uint8Array =>
    Uint8Array.from([
      0x04,
      0x22,
      0x4d,
      0x18,
      0x40,
      0x70,
      0xdf,
      ...blocks.flatMap((block) => [block.length, 0, 0, 0, ...block]),
      0,
      0,
      0,
      0,
    ]);
  const first = [0x44, 97, 98, 99, 100, 4, 0, 0x10, 101];
  const second = [0x04, 13, 0, 0x10, 33];
  assert.equal(Buffer.from(decompressLz4Frame(frame(first, second), 22)).toString('latin1'), 'abcdabcdabcdeabcdabcd!');
  assert.throws(() => decompressLz4Frame(frame(second), 9), /points outside/);
  assert.throws(() => decompressLz4Frame(frame(first), 12), /too long/);
});

test('Arrow cut at any byte, or with any byte changed, is refused or read: never a crash, never a hang', async () => {
  const read = async (bytes: Uint8Array): Promise<string> => {
    const file = write(folder, 'broken.arrow', bytes);
    try {
      await readRows({ ...base, files: [file], format: 'arrow', maxBadRecords: 100, allowEmpty: true });
      return 'read';
    } catch (error) {
      assert.ok(error instanceof MonolithError && error.code !== 'Internal', String((error as Error).stack));
      assert.ok(error.message.includes('broken.arrow') || error.code === 'InvalidConfig', error.message);
      return error.code;
    }
  };
  for (const stream of [false, true]) {
    const whole = new Uint8Array(readFileSync(await table('small.arrow', stream, 6, 12)));
    for (let cut = 0; cut < whole.length; cut += 61) {
      const found = await read(whole.subarray(0, cut));
      if (!stream) assert.notEqual(found, 'read', `cut at ${cut}`);
    }
    for (let at = 0; at < whole.length; at += 83) {
      const changed = whole.slice();
      changed[at] ^= 1 << (at % 8);
      await read(changed);
      changed[at] = 0xff;
      await read(changed);
    }
  }
});
