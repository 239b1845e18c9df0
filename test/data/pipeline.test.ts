import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { PipelineOptions } from '../../src/data/index.js';
import { example, frames, readRows, readSteps, smallCsv, smallSchema, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const csv = write(folder, 'small.csv', smallCsv(997));
const zipped = write(folder, 'small2.csv.gz', gzipSync(smallCsv(400)));
/** Every 50th row is bad. */
const withBad = write(
  folder,
  'bad.csv',
  smallCsv(600)
    .split('\n')
    .map((line, i) => (i > 0 && i % 50 === 0 ? 'only,two' : line))
    .join('\n'),
);
const records = write(
  folder,
  'records.tfrecord',
  frames(
    Array.from({ length: 300 }, (_, i) =>
      example({
        y: { floats: [i % 2] },
        x: { ints: [BigInt(i)] },
        a: { bytes: [`user${i % 9}`] },
        tags: { bytes: Array.from({ length: i % 4 }, (_, k) => `t${k}`) },
        z: i % 5 === 0 ? null : { floats: [i] },
      }),
    ),
  ),
);

const base: Partial<PipelineOptions> = { schema: smallSchema, batchSize: 32, workers: 2, blockBytes: 2048, shuffle: 100 };

test('the same batches come from 0, 1, 2 and 3 parse threads and from both backends', async () => {
  const expected = await readSteps({ ...base, files: [csv, zipped], epochs: 2, backend: 'reference' });
  assert.equal(
    expected.sizes.reduce((a, b) => a + b, 0),
    2 * 1397,
  );
  for (const parseThreads of [0, 1, 2, 3]) {
    const steps = await readSteps({ ...base, files: [csv, zipped], epochs: 2, parseThreads });
    assert.deepEqual(steps.hashes, expected.hashes);
  }
});

test('no step mixes epochs: each ends short, and each epoch has another order', async () => {
  const { sizes, hashes } = await readSteps({ ...base, files: [csv], epochs: 2 });
  const perEpoch = [...Array.from({ length: 15 }, () => 64), 37];
  assert.deepEqual(sizes, [...perEpoch, ...perEpoch]);
  assert.notEqual(hashes[0], hashes[16]);
});

for (const [name, files, more] of [
  ['plain and gzip files', [csv, zipped], {}],
  ['bad records that are skipped', [withBad, csv], { maxBadRecords: 20 }],
  ['bad records that are kept', [withBad], { keepBadRecords: true }],
  ['a split by fraction', [csv, zipped], { split: { by: 'fraction', fraction: 0.3, part: 'train' } }],
  ['no shuffling', [zipped, csv], { shuffle: 0 }],
  ['TFRecord', [records], { format: 'tfrecord' }],
] as [string, string[], Partial<PipelineOptions>][]) {
  test(`a run that goes on from any position equals the uninterrupted one: ${name}`, async () => {
    const options = { ...base, ...more, files, epochs: 2 };
    const whole = await readSteps(options);
    for (let step = 0; step < whole.positions.length; step += step < 3 ? 1 : 5) {
      const rest = await readSteps(options, whole.positions[step]);
      assert.deepEqual(rest.hashes, whole.hashes.slice(step), `from step ${step}`);
      assert.equal(rest.bad, whole.bad);
      assert.deepEqual(rest.positions, whole.positions.slice(step));
    }
  });
}

test('train and eval parts of a split share no record and leave none out', async () => {
  const key = (row: { dense: number[]; bags: string[][] }): string => JSON.stringify(row);
  for (const split of [
    { by: 'fraction', fraction: 0.25 },
    { by: 'rows', rows: '100-299' },
    { by: 'column', column: 'a', evalValues: ['user3', 'user5'] },
  ] as const) {
    const part = async (which: 'train' | 'eval' | 'all'): Promise<string[]> =>
      (await readRows({ ...base, files: [csv], split: { ...split, part: which } })).map(key).sort();
    const [train, evaluation, all] = [await part('train'), await part('eval'), await part('all')];
    assert.deepEqual([...train, ...evaluation].sort(), all);
    assert.ok(evaluation.length > 0);
    if (split.by === 'rows') assert.equal(evaluation.length, 200);
    if (split.by === 'fraction') assert.ok(Math.abs(evaluation.length - 249) < 60, `${evaluation.length} of 997`);
  }
});

test('worker 0 is filled first when a step is short', async () => {
  const steps = await readSteps({ ...base, files: [write(folder, 'few.csv', smallCsv(40))], workers: 2, shuffle: 0 });
  assert.deepEqual(steps.sizes, [40]);
});

test('a part without examples is an error, not an endless loop', async () => {
  const split = { by: 'rows', rows: '5000-6000', part: 'eval' } as const;
  await assert.rejects(readSteps({ ...base, files: [csv], epochs: 0, split }), { code: 'DataNotFound' });
});

test('the same values give the same fids from CSV and TFRecord', async () => {
  const text = await readRows({ ...base, shuffle: 0, files: [write(folder, 'one.csv', 'y,x,a,tags,z\n1,5,77,p|q,12.5\n')] });
  const frame = frames([
    example({ y: { ints: [1n] }, x: { floats: [5] }, a: { ints: [77n] }, tags: { bytes: ['p', 'q'] }, z: { floats: [12.5] } }),
  ]);
  const binary = await readRows({ ...base, shuffle: 0, files: [write(folder, 'one.tfrecord', frame)] });
  assert.deepEqual(binary, text);
});
