import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PipelineOptions } from '../../src/data/index.js';
import { example, frames, readRows, smallCsv, smallSchema, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const lines = smallCsv(9).trimEnd().split('\n');
lines[5] = `7${lines[5].slice(1)}`;
const csv = write(folder, 'label.csv', `${lines.join('\n')}\n`);
const svm = write(folder, 'label.svm', '1 1:1\n-1 2:1\n2 3:1\n');
const record = Buffer.alloc(160);
record.writeFloatLE(-0.5, 0);
const bin = write(folder, 'label.bin', Buffer.concat([Buffer.alloc(320), record]));
const tfrecord = write(
  folder,
  'label.tfrecord',
  frames([1, 3].map((y) => example({ y: { floats: [y] }, x: { floats: [1] }, a: { bytes: ['u'] } }))),
);

for (const backend of ['auto', 'reference'] as const) {
  for (const [name, options, message, good] of [
    ['csv', { files: [csv], schema: smallSchema }, /label\.csv line 6 \(record 5, byte \d+\): column "y": label 7 is outside 0 to 1/, 8],
    ['libsvm', { files: [svm] }, /label\.svm line 3 \(record 3, byte 13\): column "label": label 2 is outside 0 to 1/, 2],
    ['criteo-bin', { files: [bin], labelType: 'float32' }, /label\.bin record 3 at byte 320: .*label -0\.5 is outside 0 to 1/, 2],
    [
      'tfrecord',
      { files: [tfrecord], schema: smallSchema },
      /label\.tfrecord record 2 at byte \d+: column "y": label is outside 0 to 1/,
      1,
    ],
  ] as [string, Partial<PipelineOptions>, RegExp, number][]) {
    test(`a label that is no probability names its file and place: ${name}, ${backend}`, async () => {
      const base = { ...options, backend };
      await assert.rejects(readRows({ ...base, unitLabels: true }), { code: 'DataFormat', message });
      assert.equal((await readRows({ ...base, unitLabels: true, maxBadRecords: 1 })).length, good);
      assert.equal((await readRows(base)).length, good + 1);
    });
  }
}

test('data without records have no steps where that is allowed, and are an error elsewhere', async () => {
  const files = [write(folder, 'header.csv', 'y,x,a,tags,z\n')];
  assert.deepEqual(await readRows({ files, schema: smallSchema, allowEmpty: true }), []);
  await assert.rejects(readRows({ files, schema: smallSchema }), { code: 'DataNotFound' });
});

test('a batch with more ids than can be addressed names what to make smaller', async () => {
  await assert.rejects(readRows({ files: [svm], batchSize: 1 << 20, maxIdsPerExample: 1 << 20 }), {
    code: 'InvalidConfig',
    message: /batchSize 1048576: .*maxIdsPerExample 1048576.* needs 8796093022208 bytes/,
  });
});
