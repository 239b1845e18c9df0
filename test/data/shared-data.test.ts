import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectInputs, type PipelineOptions } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { readRows, sharedData } from './helpers.js';

const folder = sharedData();
const skip = folder === null ? 'absent: no folder of shared data sets' : false;
const at = (name: string): string => join(folder ?? '', name);

const adultColumns =
  'age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,capital-gain,capital-loss,hours-per-week,native-country,income'.split(
    ',',
  );
const adultNumbers = new Set(['age', 'fnlwgt', 'education-num', 'capital-gain', 'capital-loss', 'hours-per-week']);
const adult: FeatureSchema = {
  columns: adultColumns,
  label: { column: 'income', positive: ['>50K', '>50K.'] },
  features: adultColumns.slice(0, 14).map((name) => ({ name, type: adultNumbers.has(name) ? 'numeric' : 'categorical' })),
};
const taxi: FeatureSchema = {
  label: { column: 'tips', positive: { atLeast: 1 } },
  features: [
    { name: 'company', type: 'categorical' },
    { name: 'payment_type', type: 'categorical' },
    { name: 'trip_start_hour', type: 'categorical' },
    { name: 'fare', type: 'numeric' },
  ],
};
const ratings: FeatureSchema = {
  label: { column: 'rating', positive: { atLeast: 4 } },
  features: [
    { name: 'user_id', type: 'categorical' },
    { name: 'item_id', type: 'categorical' },
  ],
};
/** The columns of a real ranking request. */
const ranking: FeatureSchema = {
  label: { column: 'label[0]' },
  features: ['f_goods_test30_bool', 'f_user_province', 'line_id.item_id'].map((column) => ({ name: column, column, type: 'categorical' })),
};
const byHeader = (label: string, ...names: string[]): FeatureSchema => ({
  label: { column: label },
  features: names.map((name) => ({ name, type: 'categorical' })),
});

/** File, options, rows, positives (null: not counted): from the data sets' README. */
const cases: readonly [string, Partial<PipelineOptions>, number, number | null][] = [
  ['criteo-8k/train.tsv.gz', {}, 7200, 1549],
  ['criteo-8k/dev.tsv.gz', {}, 409, 93],
  ['criteo-8k/test.tsv.gz', { criteoIntegers: 'both' }, 391, 86],
  ['adult/adult.data.gz', { schema: adult }, 32561, 7841],
  ['adult/adult.test.gz', { schema: adult }, 16281, 3846],
  ['ml-100k/ml-100k.inter.gz', { schema: ratings }, 100000, 55375],
  ['ffm-criteo-tiny/small_train.txt', {}, 200, null],
  ['ffm-criteo-tiny/small_test.txt', {}, 200, null],
  ['deepctr-samples/criteo_sample.txt', { schema: byHeader('label', 'C1', 'C26') }, 200, null],
  ['deepctr-samples/avazu_sample.txt', { schema: byHeader('click', 'site_id', 'device_ip') }, 100, null],
  ['deepctr-samples/movielens_sample.txt', { schema: byHeader('rating', 'user_id', 'title', 'genres') }, 200, null],
  ['deepctr-samples/criteo_sample.tr.tfrecords', { schema: byHeader('label', 'C14', 'C26') }, 160, null],
  ['deepctr-samples/criteo_sample.te.tfrecords', { schema: byHeader('label', 'C14', 'C26') }, 40, null],
  ['chicago-taxi/csv_example_gen/Split-train', { schema: taxi }, 9909, null],
  ['chicago-taxi/csv_example_gen/Split-eval/*.gz', { schema: taxi }, 5091, null],
  ['chicago-taxi/data.csv.gz', { schema: taxi }, 15002, null],
  ['formats/libsvm/agaricus_train.txt.gz', {}, 6513, null],
  ['formats/libsvm/agaricus_test.txt.gz', {}, 1611, null],
  ['fuxictr-tiny/tiny_csv/train_sample.csv', { schema: byHeader('clk', 'userid', 'click_sequence') }, 100, null],
  ['fuxictr-tiny/tiny_tfrecord/train.tfrecord', { schema: byHeader('clk', 'userid', 'brand') }, 100, null],
  ['monolith/example_batch.pb', { schema: ranking, format: 'example-batch', bareMessage: true }, 51, null],
];

for (const [name, options, rows, positives] of cases) {
  test(`${name} has ${rows} records, the same through both backends`, { skip }, async () => {
    const all = { ...options, files: [at(name)], shuffle: 0 };
    const read = await readRows({ ...all, backend: 'auto' });
    assert.equal(read.length, rows);
    if (positives !== null) assert.equal(read.filter((row) => row.label === 1).length, positives);
    if (rows < 20000) assert.deepEqual(await readRows({ ...all, backend: 'reference' }), read);
  });
}

test('the two forms of the Chicago trips agree: the Examples are the rows of the CSV', { skip }, async () => {
  const key = (row: { label: number; dense: number[]; bags: string[][] }): string => JSON.stringify([row.label, row.dense, row.bags]);
  const text = (await readRows({ files: [at('chicago-taxi/data.csv.gz')], schema: taxi })).map(key).sort();
  const folders = ['train', 'eval'].map((part) => at(`chicago-taxi/csv_example_gen/Split-${part}`));
  const examples = (await readRows({ files: folders, schema: taxi })).map(key).sort();
  // Two rows of the CSV did not become Examples (README: 15,002 trips, 9,909 + 5,091 Examples).
  assert.equal(examples.length, 15000);
  const rest = new Map<string, number>();
  for (const row of text) rest.set(row, (rest.get(row) ?? 0) + 1);
  for (const row of examples) rest.set(row, (rest.get(row) ?? 0) - 1);
  assert.deepEqual(
    [...rest.values()].filter((count) => count !== 0).reduce((a, b) => a + Math.abs(b), 0),
    2,
  );
});

test('LibFFM fields are counted, RecBole column types are dropped', { skip }, async () => {
  const inputs = await inspectInputs({ files: [at('ffm-criteo-tiny/small_train.txt'), at('ffm-criteo-tiny/small_test.txt')] });
  assert.equal(inputs.sparse.length, 18);
});
