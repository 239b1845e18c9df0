import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openRecords, type RecordOptions, recordFormats } from '../../src/records/index.js';
import { sharedData } from './helpers.js';

const folder = sharedData();

/** Files of others with the number of records that their README states; columns are counted in the files. Formats not built yet are left out. */
const files: readonly (readonly [path: string, format: string, rows: number, columns: number | null, options?: RecordOptions])[] = [
  ['ml-100k/ml-100k.inter.gz', 'tsv', 100_000, 4],
  ['ml-100k/ml-100k.item', 'tsv', 1682, 4],
  ['ml-100k/ml-100k.user', 'tsv', 943, 5],
  ['criteo-8k/train.tsv.gz', 'criteo', 7200, 40],
  ['criteo-8k/dev.tsv.gz', 'criteo', 409, 40],
  ['criteo-8k/test.tsv.gz', 'criteo', 391, 40],
  ['ffm-criteo-tiny/small_train.txt', 'libffm', 200, 4],
  ['ffm-criteo-tiny/small_test.txt', 'libffm', 200, 4],
  ['deepctr-samples/criteo_sample.txt', 'csv', 200, 40],
  ['deepctr-samples/avazu_sample.txt', 'csv', 100, 24],
  ['deepctr-samples/movielens_sample.txt', 'csv', 200, 10],
  ['deepctr-samples/criteo_sample.tr.tfrecords', 'tfrecord', 160, 40],
  ['deepctr-samples/criteo_sample.te.tfrecords', 'tfrecord', 40, 40],
  ['adult/adult.data.gz', 'csv', 32_561, 15],
  ['adult/adult.test.gz', 'csv', 16_281, 15],
  ['amazon-musical-instruments/Musical_Instruments_5.json.gz', 'jsonl', 10_261, 9],
  ['open-bandit-men/bts/men.csv.gz', 'csv', 10_000, null],
  ['open-bandit-men/random/men.csv.gz', 'csv', 10_000, null],
  ['stock/AAPL.csv', 'csv', 1259, 7],
  ['stock/AMGN.csv', 'csv', 1259, 7],
  ['stock/AMZN.csv', 'csv', 1259, 7],
  ['stock/BAC.csv', 'csv', 1259, 7],
  ['chicago-taxi/data.csv.gz', 'csv', 15_002, 18],
  ['chicago-taxi/csv_example_gen/Split-train/*.gz', 'tfrecord', 9909, 18],
  ['chicago-taxi/csv_example_gen/Split-eval/*.gz', 'tfrecord', 5091, 18],
  ['fuxictr-tiny/tiny_csv/train_sample.csv', 'csv', 100, null],
  ['fuxictr-tiny/tiny_csv/valid_sample.csv', 'csv', 100, null],
  ['fuxictr-tiny/tiny_csv/test_sample.csv', 'csv', 100, null],
  ['fuxictr-tiny/tiny_parquet/train.parquet', 'parquet', 100, null],
  ['fuxictr-tiny/tiny_parquet/valid.parquet', 'parquet', 100, null],
  ['fuxictr-tiny/tiny_npz/train.npz', 'npz', 100, null],
  ['formats/parquet/spark_ml1m_movies.parquet', 'parquet', 3883, null],
  ['formats/parquet/spark_ml1m_users.parquet', 'parquet', 6040, null],
  ['formats/vw/0001.dat.gz', 'vw', 200, null],
  ['monolith/example_batch.pb', 'example-batch', 51, null, { bareMessage: true }],
];

describe('files of others have the records that their description states', () => {
  const known = new Set(recordFormats.map(({ name }) => name));
  for (const [path, format, rows, columns, options = {}] of files) {
    const skip = folder === null ? 'absent' : known.has(format) ? false : `format ${format} is absent`;
    test(`${path}: ${rows} records`, { skip }, async () => {
      // What the files themselves don't tell has to be said.
      const told = Object.keys(options).length === 0 && !/adult|vw/.test(path);
      const input = await openRecords([join(folder ?? '', path)], { format: told ? 'auto' : format, options });
      assert.equal(input.format.name, format);
      let found = 0;
      for await (const batch of input.batches()) found += batch.rows;
      assert.equal(found, rows);
      if (columns !== null) assert.equal(input.fields.length, columns, input.fields.map(({ name }) => name).join(' '));
    });
  }
});
