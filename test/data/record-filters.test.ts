import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MonolithError } from '../../src/base/index.js';
import { parseFeatureSchema } from '../../src/config/index.js';
import { encodeFrame, encodeMessage, type PipelineOptions } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { anyCsv, parserCase, sameOutcome, skipWithoutNative } from './both-parsers.js';
import { type ExampleValue, example, frames, readRows, readSteps, slotsFor, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
type Filters = NonNullable<FeatureSchema['filters']>;
const withFilters = (...filters: Filters): FeatureSchema => ({
  label: { column: 'y' },
  features: [
    { name: 'n', type: 'numeric' },
    { name: 'a', type: 'categorical' },
  ],
  filters,
});

/** The numbers of the records that stay, and how many were left out, through each backend. */
async function kept(files: string, schema: FeatureSchema, more: Partial<PipelineOptions> = {}): Promise<[number[], number]> {
  const results = [];
  for (const backend of ['auto', 'reference'] as const) {
    const result = await withPipeline({ schema, files: [files], shuffle: 0, backend, allowEmpty: true, ...more }, async (pipeline) => {
      const slots = slotsFor(pipeline, 1);
      const numbers: number[] = [];
      while ((await pipeline.nextStep(slots)) > 0) for (const slot of slots) numbers.push(...slot.dense.subarray(0, slot.numExamples));
      return [numbers, pipeline.stats().leftOutRecords] as [number[], number];
    });
    results.push(result);
  }
  assert.deepEqual(results[0], results[1]);
  return results[0] as [number[], number];
}

const file = write(folder, 'f.csv', 'y,n,a\n1,1,u\n0,2,v\n1,3,\n0,4,12\n1,5,12.0\n');

test('filters keep or leave out records by text, number and bounds; what is missing meets no bound', async () => {
  assert.deepEqual(await kept(file, withFilters({ column: 'a', in: ['u', 'v'] })), [[1, 2], 3]);
  assert.deepEqual(await kept(file, withFilters({ column: 'a', notIn: ['u', 'v'] })), [[3, 4, 5], 2]);
  assert.deepEqual(await kept(file, withFilters({ column: 'a', equals: 12 })), [[4, 5], 3]);
  assert.deepEqual(await kept(file, withFilters({ column: 'a', equals: '12', keep: false })), [[1, 2, 3, 5], 1]);
  assert.deepEqual(await kept(file, withFilters({ column: 'a', in: ['', 'u'] })), [[1, 3], 3]);
  assert.deepEqual(await kept(file, withFilters({ column: 'n', atLeast: 2, atMost: 4 })), [[2, 3, 4], 2]);
  assert.deepEqual(await kept(file, withFilters({ column: 'n', atLeast: 2 }, { label: true, equals: 1 })), [[3, 5], 3]);
  assert.deepEqual(await kept(file, withFilters({ label: true, atMost: 0.5, keep: false })), [[1, 3, 5], 2]);
});

test('a record that a filter leaves out is not looked at further; bounds want numbers', async () => {
  const bad = write(folder, 'bad.csv', 'y,n,a\n1,1,u\nwrong,x,v\n0,3,u\n');
  assert.deepEqual(await kept(bad, withFilters({ column: 'a', equals: 'u' })), [[1, 3], 1]);
  await assert.rejects(kept(bad, withFilters({ column: 'a', atLeast: 1 })), /line 2 .*column "a": "u" is no number/);
});

test('predictions are made for all records, and a file for them needs no column of a filter', async () => {
  const schema = withFilters({ column: 'gone', equals: 'x' }, { sample: { label: 0, rate: 0 } });
  assert.deepEqual(await kept(file, schema, { requireLabel: false }), [[1, 2, 3, 4, 5], 0]);
  await assert.rejects(kept(file, schema), /filter 1 wants column "gone"/);
});

test('TFRecord: one of several values is enough; a feature that is absent is the empty text', async () => {
  const record = (n: number, a: ExampleValue): Uint8Array => example({ y: { floats: [1] }, n: { floats: [n] }, ...(a && { tags: a }) });
  const records = [record(1, { bytes: ['p', 'q'] }), record(2, { ints: [7n, 9n] }), record(3, { floats: [7] }), record(4, null)];
  const path = write(folder, 'f.tfrecord', frames(records));
  const tags = (filter: object): FeatureSchema => ({
    label: { column: 'y' },
    features: [{ name: 'n', type: 'numeric' }],
    filters: [{ column: 'tags', ...filter }],
  });
  assert.deepEqual(await kept(path, tags({ equals: 'q' })), [[1], 3]);
  assert.deepEqual(await kept(path, tags({ in: [7, 'q'] })), [[1, 2, 3], 1]);
  assert.deepEqual(await kept(path, tags({ in: ['7'], keep: false })), [[1, 3, 4], 1]);
  assert.deepEqual(await kept(path, tags({ equals: '' })), [[4], 3]);
});

const rows = Array.from({ length: 4000 }, (_, i) => `${i % 4 === 0 ? 1 : 0},${i},u${i % 7}`);
const many = write(folder, 'many.csv', `y,n,a\n${rows.join('\n')}\n`);
const sampled = withFilters({ sample: { label: 0, rate: 0.1 } }, { column: 'a', equals: 'u6', keep: false });

test('sampling by label keeps all others and a uniform share of those, the same in every epoch, of another seed others', async () => {
  const [numbers, out] = await kept(many, sampled);
  const positives = numbers.filter((n) => n % 4 === 0);
  const negatives = numbers.filter((n) => n % 4 !== 0);
  const all = rows.map((_, i) => i).filter((i) => i % 7 !== 6);
  assert.deepEqual(
    positives,
    all.filter((i) => i % 4 === 0),
  );
  assert.ok(negatives.length > 200 && negatives.length < 320, `${negatives.length} of about 257`);
  const early = negatives.filter((n) => n < 2000).length;
  assert.ok(Math.abs(early - negatives.length / 2) < 40);
  assert.equal(numbers.length + out, 4000);
  const [twice] = await kept(many, sampled, { epochs: 2 });
  assert.deepEqual(twice, [...numbers, ...numbers]);
  assert.notDeepEqual((await kept(many, sampled, { seed: 43 }))[0], numbers);
  assert.deepEqual((await kept(many, sampled, { sampling: false }))[0], all);
});

test('a run goes on from any position bit for bit, and counts what was left out once', async () => {
  const options = { schema: sampled, files: [many], shuffle: 200, batchSize: 50, blockBytes: 2000, epochs: 2 };
  const whole = await readSteps(options);
  for (const at of [1, 7, 15, whole.hashes.length - 1]) {
    assert.deepEqual((await readSteps(options, whole.positions[at])).hashes, whole.hashes.slice(at));
  }
  const last = whole.positions.at(-1);
  assert.equal(last?.leftOutRecords, 8000 - (last?.examples ?? 0));
  const plain = await readSteps({ ...options, schema: { ...sampled, filters: undefined } });
  assert.ok(plain.positions.every((position) => !('leftOutRecords' in position)));
});

test('the parts of a split keep to themselves', async () => {
  const schema = withFilters({ column: 'a', equals: 'u6', keep: false });
  const split = { by: 'fraction', fraction: 0.3 } as const;
  const [train, outOfTrain] = await kept(many, schema, { split: { ...split, part: 'train' } });
  const [evaluation, outOfEval] = await kept(many, schema, { split: { ...split, part: 'eval' } });
  assert.deepEqual(
    [...train, ...evaluation].sort((a, b) => a - b),
    rows.map((_, i) => i).filter((i) => i % 7 !== 6),
  );
  assert.equal(outOfTrain + outOfEval, rows.filter((_, i) => i % 7 === 6).length);
  assert.ok(outOfEval > 100);
});

test('Monolith’s formats filter by fid, as it is stored, and by action', async () => {
  const FID = (7n << 54n) | 12345n;
  const messages = [
    { label: [1], fid: [FID, (9n << 54n) | 1n], line_id: { actions: [1, 2] } },
    { label: [0], fid: [(7n << 54n) | 99n], line_id: { actions: [3] } },
    { label: [1], line_id: {} },
  ];
  const path = write(folder, 'f.pb', Buffer.concat(messages.map((message) => encodeFrame(encodeMessage('Instance', message as never)))));
  const schema = (filter: object): FeatureSchema => ({
    label: { column: 'label' },
    features: [{ name: 'fc_slot_7', type: 'categorical' }],
    filters: [filter],
  });
  const labels = async (filter: object): Promise<number[]> => {
    const read = await readRows({ schema: schema(filter), files: [path], format: 'instance', shuffle: 0, allowEmpty: true });
    return read.map((row) => row.label);
  };
  assert.deepEqual(await labels({ column: 'fc_slot_7', in: [String(FID)] }), [1]);
  assert.deepEqual(await labels({ column: 'fc_slot_7', in: [String(FID)], keep: false }), [0, 1]);
  assert.deepEqual(await labels({ column: 'line_id.actions', in: [2, 3] }), [1, 0]);
  assert.deepEqual(await labels({ column: 'line_id.actions', atLeast: 2, keep: false }), [1]);
  assert.deepEqual(await labels({ label: true, equals: 0 }), [0]);
});

test('both parsers filter any text alike', { skip: skipWithoutNative }, () => {
  const schema = withFilters(
    { column: 'a', in: ['u', '', 3, 17] },
    { column: 'n', atMost: 100 },
    { label: true, notIn: [1, 0.5] },
    { sample: { label: 0, rate: 0.5 } },
  );
  const prepared = parserCase('csv', schema, ['y', 'n', 'a']);
  fc.assert(
    fc.property(anyCsv(3, 'u', '3', '0.5'), (bytes) => sameOutcome(prepared, bytes)),
    { numRuns: 250 },
  );
});

test('both parsers filter any features of tf.train.Example alike', { skip: skipWithoutNative }, () => {
  const prepared = parserCase('tfrecord', withFilters({ column: 'a', notIn: ['u', '', 3, '-1'] }, { column: 'n', atLeast: 0 }), null);
  const value: fc.Arbitrary<ExampleValue> = fc.oneof(
    fc.record({ bytes: fc.array(fc.constantFrom('1', '?', '', 'u', '3'), { maxLength: 3 }) }),
    fc.record({ floats: fc.array(fc.constantFrom(3, -1, Number.NaN, 0.5), { maxLength: 3 }) }),
    fc.record({ ints: fc.array(fc.constantFrom(3n, -1n, 2n ** 63n - 1n), { maxLength: 3 }) }),
    fc.constant(null),
  );
  const payload = fc.dictionary(fc.constantFrom('n', 'a'), value).map((given) => example({ y: { floats: [1] }, ...given }));
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 6 }), (payloads) => sameOutcome(prepared, frames(payloads))),
    { numRuns: 250 },
  );
});

test('the config check names the filter that is wrong', () => {
  const check = (filter: object): string => {
    try {
      parseFeatureSchema({ ...withFilters(), columns: ['y', 'n', 'a'], filters: [{ column: 'a', equals: 'u' }, filter] });
      return '';
    } catch (error) {
      return (error as MonolithError).message;
    }
  };
  assert.equal(check({ label: true, atLeast: 0.5 }), '');
  assert.equal(check({ equals: 1 }), 'schema filters.1: needs either column or label: true');
  assert.match(check({ column: 'n' }), /filters\.1: needs a condition: in, notIn, equals, atLeast or atMost/);
  assert.match(check({ column: 'n', in: [1], equals: 2 }), /filters\.1: has in and equals; give one of them/);
  assert.match(check({ column: 'n', atLeast: 2, atMost: 1 }), /filters\.1: atLeast 2 is above atMost 1/);
  assert.match(check({ column: 'gone', atLeast: 2 }), /filters\.1\.column: column "gone" is not in columns/);
  assert.match(check({ label: true, equals: 'yes' }), /filters\.1: the label is a number: give numbers/);
  assert.match(check({ sample: { label: 0, rate: 2 } }), /filters\.1\.sample\.rate: /);
  assert.match(check({ sample: { label: 0, rate: 0.1 }, column: 'a' }), /filters\.1: has sample and column; write two filters/);
  assert.match(check({ column: 'a', equal: 'u' }), /filters\.1: .*"equal"/);
});
