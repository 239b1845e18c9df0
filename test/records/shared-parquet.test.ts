// Parquet files that others wrote, with the rows and values that their descriptions give.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { RecordColumn } from '../../src/records/index.js';
import { parquetFormat } from '../../src/records/parquet.js';
import { sharedData } from '../data/helpers.js';

const folder = sharedData();
const skip = folder === null ? 'absent: no folder of shared data sets' : false;
const at = (name: string): string => join(folder ?? '', name);

/** All values of a file: one map a row; missing values are left out. */
async function readAll(name: string, options = {}): Promise<Record<string, unknown>[]> {
  const source = await parquetFormat.open(at(name), options);
  const rows: Record<string, unknown>[] = [];
  for await (const batch of source.batches()) {
    for (let row = 0; row < batch.rows; row++) {
      const found: Record<string, unknown> = {};
      for (const column of batch.columns) {
        const value = cellOf(column, row);
        if (value !== null) found[column.name] = value;
      }
      rows.push(found);
    }
  }
  await source.close();
  return rows;
}

function cellOf({ offsets, missing, values, isList }: RecordColumn, row: number): unknown {
  if (missing !== null && missing[row] === 1) return null;
  const [from, to] = offsets === null ? [row, row + 1] : [offsets[row], offsets[row + 1]];
  const found = Array.from({ length: to - from }, (_, i) => values[from + i]);
  return isList ? found : (found[0] ?? null);
}

/** File, rows, columns. */
const counts: readonly (readonly [string, number, number])[] = [
  ['formats/parquet/alltypes_plain.parquet', 8, 11],
  ['formats/parquet/alltypes_plain.snappy.parquet', 2, 11],
  ['formats/parquet/alltypes_dictionary.parquet', 2, 11],
  ['formats/parquet/datapage_v2.snappy.parquet', 5, 5],
  ['formats/parquet/delta_binary_packed.parquet', 200, 66],
  ['formats/parquet/int64_decimal.parquet', 24, 1],
  ['formats/parquet/nulls.snappy.parquet', 8, 1],
  ['formats/parquet/rle_boolean_encoding.parquet', 68, 1],
  ['formats/parquet/spark_ml1m_movies.parquet', 3883, 3],
  ['formats/parquet/spark_ml1m_users.parquet', 6040, 5],
  ['fuxictr-tiny/tiny_parquet/train.parquet', 100, 15],
  ['fuxictr-tiny/tiny_parquet/valid.parquet', 100, 15],
  ['fuxictr-tiny/tiny_parquet/test.parquet', 100, 15],
];
for (const [name, rows, columns] of counts) {
  test(`${name} has ${rows} rows of ${columns} columns`, { skip }, async () => {
    const source = await parquetFormat.open(at(name), {});
    assert.equal(source.fields.length, columns);
    assert.equal((await readAll(name)).length, rows);
  });
}

test('delta-coded numbers are those of the expected CSV, to the last bit', { skip }, async () => {
  const text = gunzipSync(readFileSync(at('formats/parquet/delta_binary_packed_expect.csv.gz'))).toString('utf8');
  const [header, ...lines] = text.trim().split('\n');
  const names = header.split(',').map((name) => name.replaceAll('"', '').trim());
  const rows = await readAll('formats/parquet/delta_binary_packed.parquet');
  assert.equal(lines.length, rows.length);
  lines.forEach((line, r) => {
    assert.deepEqual(
      names.map((name) => String(rows[r][name])),
      line.split(',').map((cell) => cell.trim()),
    );
  });
});

test('the values of the small files are as described', { skip }, async () => {
  const types = await readAll('formats/parquet/alltypes_plain.parquet');
  assert.deepEqual(types.map((row) => row.id).sort(), [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  // 2009-03-01 in nanoseconds.
  assert.equal(types[0].timestamp_col, 1235865600000000000n);
  const decimals = await readAll('formats/parquet/int64_decimal.parquet');
  assert.deepEqual(
    decimals.map((row) => row.value),
    Array.from({ length: 24 }, (_, i) => `${i + 1}.00`),
  );
  assert.ok((await readAll('formats/parquet/nulls.snappy.parquet')).every((row) => Object.keys(row).length === 0));
  const flags = await readAll('formats/parquet/rle_boolean_encoding.parquet');
  assert.equal(new Set(flags.map((row) => row.datatype_boolean)).size, 3);
  const users = await readAll('formats/parquet/spark_ml1m_users.parquet');
  assert.deepEqual([...new Set(users.map((row) => row.gender))].sort(), ['F', 'M']);
  assert.equal(new Set(users.map((row) => row.userID)).size, 6040);
});

test('null elements and lists of lists are refused until one asks for flat lists', { skip }, async () => {
  await assert.rejects(readAll('formats/parquet/list_columns.parquet'), {
    code: 'DataFormat',
    message: /elements of its lists are null.*flatten/,
  });
  const flat = await readAll('formats/parquet/list_columns.parquet', { flatten: true });
  assert.deepEqual(flat, [
    { int64_list: [1n, 2n, 3n], utf8_list: ['abc', 'efg', 'hij'] },
    { int64_list: [1n] },
    { int64_list: [4n], utf8_list: ['efg', 'hij', 'xyz'] },
  ]);
  await assert.rejects(readAll('formats/parquet/nested_lists.snappy.parquet'), { code: 'DataFormat', message: /lists of lists/ });
  assert.equal((await readAll('formats/parquet/nested_lists.snappy.parquet', { flatten: true })).length, 3);
});
