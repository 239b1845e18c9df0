import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import avro from 'avsc';
import { MonolithError } from '../../src/base/index.js';
import type { PipelineOptions } from '../../src/data/index.js';
import { tableCsv, tableRows, tableSchema, writeTable } from './columnar-table.js';
import { readRows, readSteps, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const rows = tableRows(1500);
const csv = write(folder, 'table.csv', tableCsv(rows));
const base: Partial<PipelineOptions> = { schema: tableSchema, batchSize: 64 };
const table = (name: string, codec: 'null' | 'deflate' | 'snappy', count = rows.length): Promise<string> =>
  writeTable(join(folder, name), rows.slice(0, count), { format: 'avro', codec });

for (const codec of ['null', 'deflate', 'snappy'] as const) {
  test(`the same rows in CSV and in Avro (${codec}) are the same examples to the bit`, async () => {
    const file = await table(`${codec}.avro`, codec);
    assert.deepEqual(await readRows({ ...base, files: [file], shuffle: 0 }), await readRows({ ...base, files: [csv], shuffle: 0 }));
  });
}

test('steps of Avro do not depend on threads, nor on where they begin', async () => {
  const file = await table('steps.avro', 'deflate');
  const options = { ...base, files: [file, await table('more.avro', 'null', 100)], shuffle: 100, blockBytes: 4096 };
  const whole = await readSteps({ ...options, parseThreads: 0 });
  assert.deepEqual(await readSteps({ ...options, parseThreads: 2 }), whole);
  assert.ok(whole.positions.some(({ start }) => start.byteOffset > 0));
  for (let step = 0; step < whole.positions.length; step += 5) {
    assert.deepEqual((await readSteps(options, whole.positions[step])).hashes, whole.hashes.slice(step), `from step ${step}`);
  }
});

test('a gzipped Avro file is a stream like others, and a cache gives the same steps', async () => {
  const file = await table('plain.avro', 'deflate');
  const packed = write(folder, 'packed.avro.gz', gzipSync(readFileSync(file)));
  const options = { ...base, shuffle: 200, epochs: 2 };
  const { hashes } = await readSteps({ ...options, files: [file] });
  assert.deepEqual((await readSteps({ ...options, files: [packed] })).hashes, hashes);
  const cached = { ...options, files: [file], cache: temporaryFolder() };
  assert.deepEqual((await readSteps(cached)).hashes, hashes);
  assert.deepEqual((await readSteps(cached)).hashes, hashes);
});

/** A file of one block as another implementation writes it. */
function container(schema: avro.Schema, records: readonly unknown[]): Buffer {
  const type = avro.Type.forSchema(schema);
  const body = Buffer.concat(records.map((record) => type.toBuffer(record)));
  const text = avro.Type.forSchema('string');
  const number = avro.Type.forSchema('long');
  const sync = Buffer.alloc(16, 7);
  const head = [
    Buffer.from('Obj\u0001', 'latin1'),
    number.toBuffer(1),
    text.toBuffer('avro.schema'),
    text.toBuffer(JSON.stringify(schema)),
  ];
  return Buffer.concat([...head, number.toBuffer(0), sync, number.toBuffer(records.length), number.toBuffer(body.length), body, sync]);
}

const nested: avro.Schema = {
  type: 'record',
  name: 'Click',
  fields: [
    { name: 'label', type: 'boolean' },
    {
      name: 'user',
      type: {
        type: 'record',
        name: 'User',
        fields: [
          { name: 'id', type: 'long' },
          { name: 'rank', type: ['null', 'int'] },
        ],
      },
    },
    { name: 'color', type: { type: 'enum', name: 'Color', symbols: ['RED', 'GREEN'] } },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 } as never },
    { name: 'items', type: { type: 'array', items: { type: 'record', name: 'Item', fields: [{ name: 'tag', type: 'string' }] } } },
    { name: 'when', type: { type: 'long', logicalType: 'timestamp-millis' } as never },
    { name: 'counts', type: { type: 'map', values: 'int' } },
    { name: 'either', type: ['int', 'string'] },
  ],
};
const clicks = Array.from({ length: 6 }, (_, i) => ({
  label: i % 2 === 0,
  user: { id: i * 1e6, rank: i % 3 === 0 ? null : i },
  color: i % 2 === 0 ? 'RED' : 'GREEN',
  price: Buffer.from([i + 4, 210]),
  items: Array.from({ length: i % 3 }, (_, k) => ({ tag: `t${k}` })),
  when: 1_700_000_000_000 + i,
  counts: { a: i },
  either: i % 2 === 0 ? i : 'x',
}));

test('nested records, enums, decimals, maps and lists of records become columns with dotted names', async () => {
  const file = write(folder, 'nested.avro', container(nested, clicks));
  const text = clicks.map(({ label, user, color, price, items, when, counts }) =>
    [label ? 1 : 0, user.id, user.rank ?? '', color, price.readInt16BE() / 100, items.map(({ tag }) => tag).join('|'), when, counts.a].join(
      ',',
    ),
  );
  const header = 'label,user.id,user.rank,color,price,items.tag,when,counts.value';
  const same = write(folder, 'nested.csv', `${header}\n${text.join('\n')}\n`);
  const schema = {
    label: { column: 'label' },
    features: [
      { name: 'user.id', type: 'categorical' },
      { name: 'user.rank', type: 'numeric', missing: -5 },
      { name: 'color', type: 'categorical' },
      { name: 'price', type: 'numeric' },
      { name: 'items.tag', type: 'categorical', separator: '|' },
      { name: 'when', type: 'categorical' },
      { name: 'counts.value', type: 'categorical', separator: '|' },
    ],
  } as const;
  const read = await readRows({ schema, files: [file], shuffle: 0 });
  assert.deepEqual(read, await readRows({ schema, files: [same], shuffle: 0 }));
  assert.equal(read.length, 6);
});

test('a column that no feature can be made of is refused by name', async () => {
  const file = write(folder, 'nested.avro', container(nested, clicks));
  const schema = { label: { column: 'label' }, features: [{ name: 'either', type: 'categorical' as const }] };
  await assert.rejects(readRows({ schema, files: [file] }), { code: 'InvalidConfig', message: /wants column "either"/ });
});

test('an Avro file cut at any byte, or with any byte changed, is refused or read: never a crash, never a hang', async () => {
  const path = await table('small.avro', 'null', 12);
  const whole = new Uint8Array(readFileSync(path));
  const read = async (bytes: Uint8Array): Promise<string> => {
    const file = write(folder, 'broken.avro', bytes);
    try {
      await readRows({ ...base, files: [file], maxBadRecords: 100 });
      return 'read';
    } catch (error) {
      assert.ok(error instanceof MonolithError && error.code !== 'Internal', String((error as Error).stack));
      assert.ok(error.message.includes('broken.avro'), error.message);
      return error.code;
    }
  };
  for (let cut = 0; cut < whole.length; cut += 19) assert.notEqual(await read(whole.subarray(0, cut)), 'read', `cut at ${cut}`);
  for (let at = 0; at < whole.length; at += 23) {
    const changed = whole.slice();
    changed[at] ^= 1 << (at % 8);
    await read(changed);
    changed[at] = 0xff;
    await read(changed);
  }
});

test('a damaged block is named by its byte', async () => {
  const path = await table('marker.avro', 'deflate', 50);
  const bytes = new Uint8Array(readFileSync(path));
  bytes[bytes.length - 3] ^= 1;
  const file = write(folder, 'marker.avro', bytes);
  await assert.rejects(readRows({ ...base, files: [file] }), {
    code: 'RecordCorrupt',
    message: /marker\.avro block at byte \d+: the marker behind it/,
  });
});
