import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { PipelineOptions } from '../../src/data/index.js';
import { type ParquetForm, tableCsv, tableParquet, tableRows, tableSchema } from './columnar-table.js';
import { readRows, readSteps, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
const rows = tableRows(1000);
const csv = write(folder, 'table.csv', tableCsv(rows));
const parquet = write(folder, 'table.parquet', tableParquet(rows));
const base: Partial<PipelineOptions> = { schema: tableSchema, batchSize: 64 };

test('the same rows in CSV and in Parquet are the same examples to the bit', async () => {
  const expected = await readRows({ ...base, files: [csv], shuffle: 0 });
  assert.equal(expected.length, 1000);
  assert.deepEqual(await readRows({ ...base, files: [parquet], shuffle: 0 }), expected);
});

const forms: Record<string, ParquetForm> = {
  'one large page a column': { pageSize: 1 << 20, rowGroupSize: 1000 },
  'many row groups of one page': { rowGroupSize: 7 },
  'no compression': { codec: 'UNCOMPRESSED' },
  gzip: { codec: 'GZIP', compressors: { GZIP: gzipSync } },
  brotli: { codec: 'BROTLI', compressors: { BROTLI: brotliCompressSync } },
  'plain texts': { textEncoding: 'PLAIN' },
  'front-coded texts': { textEncoding: 'DELTA_BYTE_ARRAY' },
  'delta-coded lengths': { textEncoding: 'DELTA_LENGTH_BYTE_ARRAY' },
};
for (const [name, form] of Object.entries(forms)) {
  test(`Parquet with ${name} reads the same`, async () => {
    const file = write(folder, `${name}.parquet`, tableParquet(rows, form));
    assert.deepEqual(await readRows({ ...base, files: [file], shuffle: 0 }), await readRows({ ...base, files: [csv], shuffle: 0 }));
  });
}

test('steps do not depend on the number of parse threads', async () => {
  const options = { ...base, files: [parquet], shuffle: 200, epochs: 2, blockBytes: 1024 };
  const one = await readSteps({ ...options, parseThreads: 0 });
  assert.ok(one.positions.some(({ start }) => start.byteOffset > 4));
  assert.deepEqual(await readSteps({ ...options, parseThreads: 3 }), one);
});

test('every position leads to the steps that would have followed it', async () => {
  const options = {
    ...base,
    files: [parquet, write(folder, 'second.parquet', tableParquet(rows.slice(0, 90)))],
    shuffle: 100,
    blockBytes: 512,
  };
  const whole = await readSteps(options);
  for (let step = 0; step < whole.positions.length; step += 3) {
    const rest = await readSteps(options, whole.positions[step]);
    assert.deepEqual(rest.hashes, whole.hashes.slice(step), `from step ${step}`);
  }
});

test('a position of other blocks is refused', async () => {
  const options = { ...base, files: [parquet], shuffle: 100, blockBytes: 512 };
  const { positions } = await readSteps(options);
  const middle = positions.find(({ start }) => start.byteOffset > 4);
  await assert.rejects(readSteps({ ...options, blockBytes: 700 }, middle), { code: 'InvalidArgument', message: /no block begins at/ });
});

test('progress goes to the end of the file', async () => {
  await withPipeline({ ...base, files: [parquet] }, async (pipeline) => {
    const { slotsFor } = await import('./helpers.js');
    const slots = slotsFor(pipeline, 1);
    while ((await pipeline.nextStep(slots)) > 0) assert.ok((pipeline.stats().progress ?? -1) >= 0);
    assert.equal(pipeline.stats().progress, 1);
    assert.equal(pipeline.stats().format, 'parquet');
  });
});

for (const by of [
  { by: 'rows', rows: '301-777' },
  { by: 'column', column: 'part', evalValues: ['eval'] },
  { by: 'fraction', fraction: 0.3 },
] as const) {
  test(`a split by ${by.by} deals the records of Parquet as those of CSV`, async () => {
    for (const part of ['train', 'eval'] as const) {
      const options = { ...base, shuffle: 0, blockBytes: 1024, split: { ...by, part } };
      const expected = await readRows({ ...options, files: [csv] });
      assert.deepEqual(await readRows({ ...options, files: [parquet] }), expected);
    }
  });
}

test('row groups that can hold nothing of the part are not even read', async () => {
  const sorted = [...rows].sort((one, other) => one.part.localeCompare(other.part));
  const bytes = tableParquet(sorted, { rowGroupSize: 100 });
  const { parquetMetadata } = await import('hyparquet');
  const chunk = parquetMetadata(bytes).row_groups[9].columns[1].meta_data;
  bytes.fill(0xff, Number(chunk?.data_page_offset), Number(chunk?.data_page_offset) + 8);
  const file = write(folder, 'broken-end.parquet', bytes);
  const options = { ...base, files: [file], shuffle: 0 };
  await assert.rejects(readRows(options), { code: 'RecordCorrupt', message: /broken-end\.parquet row group 9, column "y"/ });
  assert.equal((await readRows({ ...options, split: { by: 'column', column: 'part', evalValues: ['eval'], part: 'eval' } })).length, 300);
  assert.equal((await readRows({ ...options, split: { by: 'rows', rows: '101-300', part: 'eval' } })).length, 200);
  assert.equal((await readRows({ ...options, split: { by: 'rows', rows: '901-1000', part: 'train' } })).length, 900);
});

test('a cache of Parquet gives the same steps, and is used', async () => {
  const options = { ...base, files: [parquet], shuffle: 200, epochs: 2, blockBytes: 1024 };
  const plain = await readSteps(options);
  const cached = { ...options, cache: temporaryFolder() };
  assert.deepEqual(await readSteps(cached), plain);
  assert.deepEqual(await readSteps(cached), plain);
});

test('a bad record names file, row group, row, column and value', async () => {
  const bad = rows.map((row, i) => (i === 501 ? { ...row, y: 7 } : row));
  const file = write(folder, 'bad.parquet', tableParquet(bad));
  const options = { ...base, files: [file], unitLabels: true, shuffle: 0 };
  await assert.rejects(readRows(options), {
    code: 'DataFormat',
    message: /bad\.parquet record 502 \(row group 1, row 102\): column "y": label 7 is outside 0 to 1/,
  });
  assert.equal((await readRows({ ...options, maxBadRecords: 1 })).length, 999);
});

test('a schema that names no column of the file is refused, with what was meant', async () => {
  const schema = { ...tableSchema, features: [{ name: 'bigg', type: 'categorical' as const }] };
  await assert.rejects(readRows({ ...base, schema, files: [parquet] }), { code: 'InvalidConfig', message: /did you mean big\?/ });
});

test('files that disagree on what is a list are refused', async () => {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const single = parquetWriteBuffer({
    columnData: ['y', 'w', 'x', 'a', 'big', 'tags', 'ids', 'z', 'on'].map((name) => ({ name, data: [1, 0], type: 'INT32' as const })),
  });
  const other = write(folder, 'single.parquet', new Uint8Array(single));
  await assert.rejects(readRows({ ...base, files: [parquet, other] }), {
    code: 'DataFormat',
    message: /single\.parquet, column "tags": it holds single values here/,
  });
});

test('Parquet that comes gzipped or on standard input is refused with what to do', async () => {
  const file = write(folder, 'packed.parquet.gz', gzipSync(tableParquet(rows.slice(0, 5))));
  await assert.rejects(readRows({ ...base, files: [file], format: 'parquet' }), {
    code: 'DataFormat',
    message: /read by position: gunzip it/,
  });
});
