import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { parseFeatureSchema } from '../../src/config/index.js';
import type { PipelineOptions } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { type ExampleValue, example, frames, readRows, sharedData, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const schema: FeatureSchema = {
  label: { column: 'tips', greaterThan: { column: 'fare', times: 0.2 } },
  features: [
    { name: 'fare', type: 'numeric' },
    { name: 'company', type: 'categorical' },
  ],
};

/** Labels through each backend, which must agree; NaN is a bad record that was kept. */
async function labels(file: string, more: Partial<PipelineOptions> = {}): Promise<number[]> {
  const options = { schema, shuffle: 0, files: [file], ...more };
  const [native, reference] = [
    (await readRows({ ...options, backend: 'auto' })).map((row) => row.label),
    (await readRows({ ...options, backend: 'reference' })).map((row) => row.label),
  ];
  assert.deepEqual(native, reference);
  return native;
}

async function failure(file: string): Promise<string> {
  const messages: string[] = [];
  for (const backend of ['auto', 'reference'] as const) {
    await assert.rejects(readRows({ schema, shuffle: 0, files: [file], backend }), (error: unknown) => {
      assert.ok(error instanceof MonolithError);
      messages.push(error.message);
      return true;
    });
  }
  assert.equal(messages[0], messages[1]);
  return messages[0] as string;
}

const csv = (name: string, ...rows: string[]): string => write(folder, name, `${['company,tips,fare', ...rows].join('\n')}\n`);

test('a label may compare two columns: greater, not equal; a missing limit is not exceeded', async () => {
  const file = csv('taxi.csv', 'a,2.1,10', 'a,2,10', 'a,1.9,10', 'a,0,0', 'a,0.01,0', 'a,5,', 'a,5,?', 'a,5,nan', 'a,inf,10', 'a,5,-inf');
  assert.deepEqual(await labels(file), [1, 0, 0, 0, 1, 0, 0, 0, 1, 1]);
});

test('the order of the two columns and of the fields makes no difference', async () => {
  assert.deepEqual(await labels(write(folder, 'order.csv', 'fare,company,tips\n10,a,3\n10,a,1\n')), [1, 0]);
});

test('without a factor the two numbers are compared as they are', async () => {
  const plain = { ...schema, label: { column: 'tips', greaterThan: { column: 'fare' } } };
  assert.deepEqual(await labels(csv('plain.csv', 'a,3,2', 'a,2,2', 'a,1,2'), { schema: plain }), [1, 0, 0]);
});

test('nothing of a row reaches the next: a missing limit after a present one', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? 'a,3,10' : 'a,3,'));
  assert.deepEqual(
    await labels(csv('alternating.csv', ...rows)),
    rows.map((_, i) => (i % 2 === 0 ? 1 : 0)),
  );
});

test('the compared column itself must be there and both must be numbers', async () => {
  assert.match(await failure(csv('gone.csv', 'a,,10')), /line 2 .*label column "tips" is missing/);
  assert.match(await failure(csv('nan.csv', 'a,nan,10')), /line 2 .*label column "tips"/);
  assert.match(await failure(csv('word.csv', 'a,many,10')), /line 2 .*label column "tips"/);
  assert.match(await failure(csv('limit.csv', 'a,1,many')), /line 2 .*label column "fare"/);
  const kept = await labels(csv('kept.csv', 'a,3,10', 'a,,10', 'a,3,10'), { maxBadRecords: 1, keepBadRecords: true });
  assert.deepEqual(kept, [1, Number.NaN, 1]);
});

test('a file without the limit column is refused, unless it is only predicted on', async () => {
  const file = write(folder, 'lacks.csv', 'company,tips\na,1\n');
  const more: FeatureSchema = { ...schema, features: [{ name: 'company', type: 'categorical' }] };
  await assert.rejects(labels(file, { schema: more }), /label wants column "fare"/);
  const bare = write(folder, 'bare.csv', 'company\na\n');
  assert.deepEqual(await labels(bare, { schema: more, requireLabel: false }), [Number.NaN]);
  const missing = csv('unlabelled.csv', 'a,,10');
  assert.deepEqual(await labels(missing, { requireLabel: false }), [Number.NaN]);
});

test('Examples hold the two numbers as floats, integers or texts', async () => {
  const of = (tips: ExampleValue, fare: ExampleValue): Uint8Array => example({ tips, fare, company: { bytes: ['a'] } });
  const file = write(
    folder,
    'taxi.tfrecord',
    frames([
      of({ floats: [2.5] }, { floats: [10] }),
      of({ floats: [1.5] }, { ints: [10n] }),
      of({ ints: [3n] }, { ints: [10n] }),
      of({ bytes: ['2.5'] }, { bytes: ['10'] }),
      of({ floats: [2.5] }, null),
      example({ tips: { floats: [2.5] }, company: { bytes: ['a'] } }),
      of({ floats: [2.5] }, { floats: [Number.NaN] }),
    ]),
  );
  assert.deepEqual(await labels(file), [1, 0, 1, 1, 0, 0, 0]);
});

test('numbers are compared as floats: exactly a fifth is not more, read from text or from floats', async () => {
  // As doubles, the floats nearest to 2.45 and 12.25 have 2.45 > 0.2 · 12.25.
  const text = csv('fifth.csv', 'a,2.45,12.25', 'a,2.49,12.45', 'a,2.46,12.25');
  const floats = [
    [2.45, 12.25],
    [2.49, 12.45],
    [2.46, 12.25],
  ].map(([tips, fare]) => example({ tips: { floats: [tips as number] }, fare: { floats: [fare as number] }, company: { bytes: ['a'] } }));
  assert.deepEqual(await labels(text), [0, 0, 1]);
  assert.deepEqual(await labels(write(folder, 'fifth.tfrecord', frames(floats))), [0, 0, 1]);
});

test('a label is either by its own values or by a comparison', () => {
  const both = { ...schema, label: { ...schema.label, positive: { atLeast: 1 } } };
  assert.throws(() => parseFeatureSchema(both, 's.yaml'), /s\.yaml label: has positive and greaterThan; give one of them/);
  assert.doesNotThrow(() => parseFeatureSchema(schema));
});

const shared = sharedData();
const skip = shared === null ? 'absent: no folder of shared data sets' : false;

test('the Chicago trips have the same labels in both their forms', { skip }, async () => {
  const taxi = `${shared}/chicago-taxi`;
  const positives = async (file: string): Promise<number> =>
    (await readRows({ schema, shuffle: 0, files: [file] })).reduce((sum, row) => sum + row.label, 0);
  assert.equal(await positives(`${taxi}/data.csv.gz`), 3382);
  assert.equal(await positives(`${taxi}/csv_example_gen/Split-*/*.gz`), 3382);
});
