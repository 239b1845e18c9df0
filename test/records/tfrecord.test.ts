// TFRecord files of Examples: what goes in comes out, bytes of TensorFlow's own files, damage and differences with their place.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { MonolithError } from '../../src/base/index.js';
import { BatchBuilder, cell } from '../../src/records/batch-builder.js';
import { decodeExample, type ExampleFeature, encodeExample, readTfRecords, TfRecordWriter } from '../../src/records/index.js';
import type { RecordBatch, RecordField, RecordOptions, ValueKind } from '../../src/records/record-batch.js';
import { tfrecordFormat } from '../../src/records/tfrecord.js';
import { example, frames, sequenceExample, sharedData, temporaryFolder, write } from '../data/helpers.js';

const folder = temporaryFolder();
const shared = sharedData();
const skip = shared === null ? 'absent: no folder of shared data sets' : false;

type Table = { fields: RecordField[]; rows: unknown[][] };

async function readTable(path: string, options: RecordOptions = {}): Promise<Table> {
  const source = await tfrecordFormat.open(path, options);
  const rows: unknown[][] = [];
  for await (const batch of source.batches())
    for (let r = 0; r < batch.rows; r++) rows.push(batch.columns.map((column) => cell(column, r)));
  await source.close();
  return { fields: source.fields.map(({ name, kind, isList }) => ({ name, kind, isList })), rows };
}

function batchOf(fields: readonly RecordField[], rows: readonly (readonly unknown[])[]): RecordBatch {
  const builder = new BatchBuilder(fields);
  for (const row of rows) {
    row.forEach((value, c) => {
      if (value === null) return;
      builder.setPresent(c);
      for (const one of Array.isArray(value) ? value : [value]) builder.add(c, one as bigint);
    });
    builder.endRow();
  }
  return builder.take();
}

async function writeTable(path: string, { fields, rows }: Table, options: RecordOptions = {}): Promise<void> {
  const sink = await tfrecordFormat.create?.(path, fields, options);
  assert.ok(sink !== undefined);
  await sink.write(batchOf(fields, rows));
  await sink.close();
}

const one: Readonly<Record<Exclude<ValueKind, 'float64'>, fc.Arbitrary<unknown>>> = {
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float(),
  text: fc.string({ maxLength: 9, unit: 'grapheme' }),
  bytes: fc.uint8Array({ maxLength: 5 }).map((bytes) => Uint8Array.from([0xff, ...bytes])),
};
const kinds = Object.keys(one) as (keyof typeof one)[];
const table: fc.Arbitrary<Table> = fc
  .array(fc.record({ kind: fc.constantFrom(...kinds), isList: fc.boolean() }), { minLength: 1, maxLength: 5 })
  .chain((columns) => {
    const cells = columns.map(({ kind, isList }) => fc.option(isList ? fc.array(one[kind], { maxLength: 4 }) : one[kind], { freq: 6 }));
    const first = columns.map(({ kind, isList }) => (isList ? fc.array(one[kind], { minLength: 2, maxLength: 4 }) : one[kind]));
    return fc.tuple(fc.tuple(...first), fc.array(fc.tuple(...cells), { maxLength: 12 })).map(([full, rest]) => ({
      fields: columns.map((column, i) => ({ name: `f${i}`, ...column })),
      rows: [full, ...rest] as unknown[][],
    }));
  });

test('what is written is read again: every kind, lists, missing and empty ones, plain and compressed', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(table, async (made) => {
      const path = join(folder, `round.tfrecord${['', '.gz', '.zz'][run++ % 3]}`);
      await writeTable(path, made);
      assert.deepEqual(await readTable(path), made);
    }),
    { numRuns: 60 },
  );
});

test("TensorFlow's own files: every record is encoded again byte by byte", { skip }, async () => {
  const files = [
    ...readdirSync(join(shared ?? '', 'chicago-taxi/csv_example_gen/Split-eval'))
      .slice(0, 2)
      .map((name) => `chicago-taxi/csv_example_gen/Split-eval/${name}`),
    'deepctr-samples/criteo_sample.tr.tfrecords',
    'fuxictr-tiny/tiny_tfrecord/train.tfrecord',
    'formats/tfrecord/next_page.tfrecord.gz',
  ];
  for (const name of files) {
    let records = 0;
    for await (const { payload } of readTfRecords(join(shared ?? '', name))) {
      const features = new Map<string, ExampleFeature>();
      for (const [key, { kind, values }] of decodeExample(payload).features)
        features.set(key, kind === 'none' ? null : ({ [kind]: values } as ExampleFeature));
      assert.ok(encodeExample(features).equals(payload), `${name} record ${records}`);
      records++;
    }
    assert.ok(records >= 100, name);
  }
});

test('a file of TFX is the same file after reading and writing', { skip }, async () => {
  const name = join(shared ?? '', 'chicago-taxi/csv_example_gen/Split-eval/data_tfrecord-00003-of-00012.gz');
  const source = await tfrecordFormat.open(name, {});
  const sink = await tfrecordFormat.create?.(join(folder, 'taxi.tfrecord'), source.fields, {});
  let rows = 0;
  for await (const batch of source.batches()) {
    rows += batch.rows;
    await sink?.write(batch);
  }
  await sink?.close();
  assert.ok(readFileSync(join(folder, 'taxi.tfrecord')).equals(gunzipSync(readFileSync(name))));
  assert.ok(rows > 400);
  const kindOf = new Map(source.fields.map((field) => [field.name, field.kind]));
  assert.deepEqual(
    ['company', 'fare', 'trip_start_timestamp', 'dropoff_census_tract'].map((field) => kindOf.get(field)),
    ['text', 'float32', 'int64', 'int64'],
  );
});

test('a SequenceExample becomes lists, its steps one after another', async () => {
  const payload = sequenceExample({ y: { floats: [1] } }, { items: [{ ints: [3n] }, null, { ints: [5n, 7n] }], none: [] });
  const path = write(folder, 's.tfrecord', frames([payload, sequenceExample({ y: { floats: [0] } }, { items: [] })]));
  const { fields, rows } = await readTable(path);
  assert.deepEqual(fields, [
    { name: 'y', kind: 'float32', isList: false },
    { name: 'items', kind: 'int64', isList: true },
    { name: 'none', kind: 'text', isList: true },
  ]);
  assert.deepEqual(rows, [
    [1, [3n, 5n, 7n], []],
    [0, [], null],
  ]);
});

test('a file has its name only when it is whole; giving up leaves nothing', async () => {
  const path = join(folder, 'sub/atomic.tfrecord');
  const writer = await TfRecordWriter.open(path);
  for (let i = 0; i < 3000; i++) await writer.appendExample({ i: { ints: [BigInt(i)] }, text: { bytes: ['x'.repeat(200)] } });
  assert.ok(!existsSync(path));
  await writer.close();
  await writer.close();
  assert.equal(writer.records, 3000);
  assert.equal((await readTable(path)).rows.length, 3000);
  await assert.rejects(writer.append(new Uint8Array(1)), { code: 'BrokenPipe' });
  for (const name of ['given-up.tfrecord', 'given-up.tfrecord.gz']) {
    const other = await TfRecordWriter.open(join(folder, 'sub', name));
    for (let i = 0; i < 3000; i++) await other.appendExample({ text: { bytes: ['y'.repeat(200)] } });
    await other.abort();
    await assert.rejects(other.close(), { code: 'BrokenPipe' });
  }
  assert.deepEqual(readdirSync(join(folder, 'sub')), ['atomic.tfrecord']);
  const zlib = await TfRecordWriter.open(join(folder, 'named.any'), { compression: 'zlib' });
  await zlib.append(Buffer.from('abc'));
  await zlib.close();
  assert.ok(inflateSync(readFileSync(join(folder, 'named.any'))).equals(frames([Buffer.from('abc')])));
});

test('what TFRecord can not hold is refused with the option that would help', async () => {
  const doubles: RecordField[] = [{ name: 'price', kind: 'float64', isList: false }];
  await assert.rejects(writeTable(join(folder, 'd.tfrecord'), { fields: doubles, rows: [[0.1]] }), {
    code: 'InvalidConfig',
    message: /price.*float32=true/,
  });
  await writeTable(join(folder, 'd.tfrecord'), { fields: doubles, rows: [[0.1]] }, { float32: true });
  assert.deepEqual((await readTable(join(folder, 'd.tfrecord'))).rows, [[Math.fround(0.1)]]);
  await assert.rejects(tfrecordFormat.open(join(folder, 'd.tfrecord'), { scann: 1 }), { message: /did you mean scan/ });
  assert.throws(() => encodeExample({ id: { ints: [2n ** 63n] } }), {
    code: 'InvalidArgument',
    message: /feature "id": 9223372036854775808/,
  });
});

test('a record unlike those looked at is an error with record, byte and feature, or is told and left out', async () => {
  const usual = example({ a: { ints: [1n] }, t: { bytes: ['x'] } });
  for (const [payload, pattern] of [
    [example({ a: { ints: [1n, 2n] } }), /feature "a" has 2 values/],
    [example({ a: { floats: [1] } }), /feature "a" holds floats, not int64/],
    [example({ b: { floats: [1] } }), /feature "b" is new/],
    [Uint8Array.from([10, 200]), /is no tf\.train\.Example/],
  ] as [Uint8Array, RegExp][]) {
    const path = write(folder, 'odd.tfrecord', frames([usual, usual, payload, usual]));
    await assert.rejects(readTable(path, { scan: 2 }), (error: Error) => {
      assert.ok(error instanceof MonolithError && error.code === 'DataFormat');
      assert.match(error.message, /odd\.tfrecord record 3 at byte \d+: /);
      return pattern.test(error.message);
    });
    const source = await tfrecordFormat.open(path, { scan: 2 });
    const told: MonolithError[] = [];
    source.tolerate?.((problem) => told.push(problem));
    let rows = 0;
    for await (const batch of source.batches()) rows += batch.rows;
    assert.deepEqual([rows, told.length], [3, 1]);
  }
});

test('a flip of any byte costs exactly its record', async () => {
  const bytes = frames(Array.from({ length: 5 }, (_, i) => example({ a: { ints: [BigInt(i)] } })));
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] ^= 0x10;
    const path = write(folder, 'flip.tfrecord', damaged);
    const bad: MonolithError[] = [];
    let records = 0;
    for await (const _ of readTfRecords(path, { onBad: (problem) => bad.push(problem) })) records++;
    assert.deepEqual([records, bad.length], [4, 1], `byte ${at}`);
    assert.equal(bad[0]?.details.byte, Math.floor(at / (bytes.length / 5)) * (bytes.length / 5));
  }
});

test('damaged payloads give values or RecordCorrupt, and lengths of a hostile hand take no memory', async () => {
  const usual = example({ a: { ints: [1n, 300n] }, t: { bytes: ['x', 'yz'] }, f: { floats: [1, 2] } });
  for (let at = 0; at < usual.length; at++) {
    for (const cut of [false, true]) {
      const changed = Uint8Array.from(cut ? usual.subarray(0, at) : usual);
      if (!cut) changed[at] ^= 0xff;
      try {
        decodeExample(changed);
      } catch (error) {
        assert.ok(error instanceof MonolithError && error.code === 'RecordCorrupt', String(error));
      }
    }
  }
  const before = process.memoryUsage().arrayBuffers;
  for (const length of [2n ** 32n - 1n, 2n ** 63n, 2n ** 63n - 1n, 255n << 20n]) {
    const header = frames([new Uint8Array(0)]).subarray(0, 12);
    header.writeBigUInt64LE(length);
    const { maskedCrc32c } = await import('../../src/base/index.js');
    header.writeUInt32LE(maskedCrc32c(header.subarray(0, 8)), 8);
    await assert.rejects(readTable(write(folder, 'hostile.tfrecord', header)), { code: 'RecordCorrupt', message: /length \d+ exceeds/ });
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
});
