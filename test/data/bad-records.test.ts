import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MonolithError, maskedCrc32c } from '../../src/base/index.js';
import type { PipelineOptions } from '../../src/data/index.js';
import { BatchPipeline, inspectInputs } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { example, frames, readRows, readSteps, smallCsv, smallSchema, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const base: Partial<PipelineOptions> = { schema: smallSchema, shuffle: 0, batchSize: 16 };

async function failure(options: Partial<PipelineOptions>): Promise<MonolithError> {
  try {
    await readRows(options);
  } catch (error) {
    assert.ok(error instanceof MonolithError, String(error));
    return error;
  }
  assert.fail('no error');
}

const head = 'y,x,a,tags,z';
const named = (content: string | Uint8Array, name = 'f.csv'): string => write(folder, name, content);

for (const [name, content, code, message] of [
  ['a short row', `${head}\n1,2,3,4,5\n1,2\n`, 'DataFormat', /f\.csv line 3 \(record 2, byte 23\): found 2 columns, expected 5/],
  ['a long row', `${head}\n1,2,3,4,5,6\n`, 'DataFormat', /line 2 .*found 6 columns, expected 5\..*separator without quotes/],
  ['another separator in a row', `${head}\n1;2;3;4;5\n`, 'DataFormat', /found 1 column, expected 5\. .*semicolons: set `separator`/],
  [
    'another separator in the header',
    'y\tx\ta\ttags\tz\n1\t2\t3\t4\t5\n',
    'DataFormat',
    /f\.csv line 1: none of the schema's columns.*tabs: set `separator`/,
  ],
  ['a label that is a word', `${head}\nyes,2,3,4,5\n`, 'DataFormat', /line 2 .*label column "y": "yes" is no finite number/],
  ['a label that is missing', `${head}\n,2,3,4,5\n`, 'DataFormat', /line 2 .*label column "y" is missing/],
  ['a label that is not finite', `${head}\ninf,2,3,4,5\n`, 'DataFormat', /label column "y"/],
  ['a number that is none', `${head}\r\n1,2x,3,4,5\r\n`, 'DataFormat', /line 2 .*column "x": "2x" is no number/],
  ['a number with a NUL', `${head}\n1,2\0,3,4,5\n`, 'DataFormat', /column "x": "2\\u0000" is no number/],
  ['a quote that is never closed', `${head}\n1,2,"3,4,5\n1,2,3,4,5\n`, 'DataFormat', /line 2 .*quoted field is not closed/],
  ['text after a closing quote', `${head}\n1,2,"3"x,4,5\n`, 'DataFormat', /line 2 .*closing quote/],
  ['line numbers behind quoted line breaks', `${head}\n1,2,"a\nb",4,5\n1,x,3,4,5\n`, 'DataFormat', /line 4 \(record 2, /],
] as [string, string, string, RegExp][]) {
  test(`${name} is named with its place and cause`, async () => {
    const error = await failure({ ...base, files: [named(content)] });
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.deepEqual(await failure({ ...base, files: [named(content)], backend: 'reference' }).then((e) => e.message), error.message);
  });
}

test('quotes, doubled quotes, BOM, CRLF, blank lines and spaces are read as meant', async () => {
  const plain = await readRows({ ...base, files: [named(`${head}\n1,2,"a ""b"", c",p|q,5\n0,3,d,,6\n`)] });
  const dressed = `\ufeff y , "x",a,tags,z\r\n1, 2 , "a ""b"", c" ,p| q,"5"\r\n\r\n0,3,"d",?,6`;
  assert.deepEqual(await readRows({ ...base, files: [named(dressed)] }), plain);
});

test('maxBadRecords skips and counts that many; one more is an error', async () => {
  const lines = smallCsv(50).split('\n');
  for (const i of [5, 20, 33]) lines[i] = 'x';
  const files = [named(lines.join('\n'))];
  const { sizes, bad } = await readSteps({ ...base, files, maxBadRecords: 3 });
  assert.equal(
    sizes.reduce((a, b) => a + b, 0),
    47,
  );
  assert.equal(bad, 3);
  const error = await failure({ ...base, files, maxBadRecords: 2 });
  assert.equal(error.code, 'TooManyBadRecords');
  assert.match(error.message, /more than 2 bad records.*line 34 /);
});

test('kept bad records stand in their places with label NaN, weight 0 and no ids', async () => {
  const rows = await readRows({ ...base, files: [named(`${head}\n1,2,3,4,5\nbad\n0,2,3,4,5\n`)], keepBadRecords: true });
  assert.deepEqual(
    rows.map((row) => [row.label, row.weight, row.bags.flat().length]),
    [
      [1, 1, 3],
      [Number.NaN, 0, 0],
      [0, 1, 3],
    ],
  );
});

test('files without labels serve prediction: CSV without the column, Criteo with 39 columns', async () => {
  const csv = await readRows({ ...base, files: [named('x,a,tags,z\n2,u,p,5\n')], requireLabel: false });
  assert.ok(Number.isNaN(csv[0]?.label));
  const cells = [...Array.from({ length: 13 }, (_, i) => String(i)), ...Array.from({ length: 26 }, (_, i) => `c${i}`)];
  const criteo = { shuffle: 0, batchSize: 4, requireLabel: false, files: [named(`${cells.join('\t')}\n`, 'test.txt')] };
  const labelled = { ...criteo, files: [named(`1\t${cells.join('\t')}\n`, 'train.txt')] };
  const [without, with1] = [await readRows(criteo), await readRows(labelled)];
  assert.deepEqual(without[0]?.bags, with1[0]?.bags);
  assert.deepEqual(without[0]?.dense, with1[0]?.dense);
});

test('a weight below zero is a bad record, one above scales the example', async () => {
  const schema: FeatureSchema = { ...smallSchema, weight: { column: 'z' } };
  assert.equal((await readRows({ ...base, schema, files: [named(`${head}\n1,2,3,4,2.5\n`)] }))[0]?.weight, 2.5);
  assert.match((await failure({ ...base, schema, files: [named(`${head}\n1,2,3,4,-1\n`)] })).message, /weight column "z": "-1"/);
});

test('a long line grows the block up to maxRecordBytes, then is an error that says why', async () => {
  const long = `${head}\n1,2,${'v'.repeat(100_000)},4,5\n0,2,3,4,5\n`;
  const rows = await readRows({ ...base, files: [named(long)], blockBytes: 1024 });
  assert.equal(rows.length, 2);
  const error = await failure({ ...base, files: [named(long)], blockBytes: 1024, maxRecordBytes: 50_000 });
  assert.match(error.message, /record that starts at byte 13 is longer than 50000 bytes \(maxRecordBytes\)/);
});

test('too many ids in an example are a bad record that names the limit', async () => {
  const schema: FeatureSchema = { label: { column: 'y' }, features: [{ name: 'a', type: 'categorical', separator: '|' }] };
  const content = `y,a\n1,${Array.from({ length: 5000 }, (_, i) => i).join('|')}\n0,1|2\n`;
  const error = await failure({ ...base, schema, files: [named(content)], maxIdsPerExample: 100 });
  assert.match(error.message, /column "a": 101 ids in one example, at most 100 \(maxIdsPerExample\)/);
  const rows = await readRows({ ...base, schema, files: [named(content)], maxIdsPerExample: 5000, blockBytes: 32768 });
  assert.equal(rows[0]?.bags[0]?.length, 5000);
});

test('LibSVM and LibFFM files taken for each other are told apart in the message', async () => {
  const svm = await failure({ files: [named('1 0:3:1 1:4:1\n', 'x.txt')], format: 'libsvm', shuffle: 0 });
  assert.match(svm.message, /line 1 .*"0:3:1".*(LibFFM|number)/);
  const ffm = await failure({ files: [named('1 3:1 4:1\n', 'x.txt')], format: 'libffm', numFields: 5, shuffle: 0 });
  assert.match(ffm.message, /"3:1" is no field:index:value.*LibSVM/);
  const field = await failure({ files: [named('1 9:1:1\n', 'x.txt')], format: 'libffm', numFields: 5, shuffle: 0 });
  assert.match(field.message, /field 9, the data have fields 0\.\.4\. Set numFields/);
});

test('paths that match nothing, schemas with unknown columns, data of unknown form are errors before the first step', async () => {
  await assert.rejects(BatchPipeline.open({ ...base, files: ['no/such/*.csv'] }), { code: 'DataNotFound', message: /no\/such\/\*\.csv/ });
  await assert.rejects(BatchPipeline.open({ ...base, files: [named('y,x,a,z\n1,2,3,4\n')] }), {
    code: 'InvalidConfig',
    message: /column "tags"/,
  });
  await assert.rejects(inspectInputs({ ...base, files: [named('just words\n', 'words')] }), {
    code: 'DataFormat',
    message: /can't be told/,
  });
  await assert.rejects(inspectInputs({ files: [named('a,b\n1,2\n')] }), { code: 'InvalidConfig', message: /feature schema/ });
});

test('a cut or damaged gzip file is named with the place', async () => {
  const whole = gzipSync(smallCsv(5000));
  const cut = await failure({ ...base, files: [named(whole.subarray(0, whole.length >> 1), 'cut.csv.gz')], maxBadRecords: 100 });
  assert.equal(cut.code, 'RecordCorrupt');
  assert.match(cut.message, /cut\.csv\.gz: the gzip file is cut off after byte \d+ of the decompressed stream/);
  const damaged = Uint8Array.from(whole);
  damaged[whole.length >> 1] ^= 0xff;
  assert.equal((await failure({ ...base, files: [named(damaged, 'damaged.csv.gz')], maxBadRecords: 10000 })).code, 'RecordCorrupt');
});

// --- TFRecord ------------------------------------------------------------------------------------------------------------------------------

const payloads = Array.from({ length: 6 }, (_, i) =>
  example({ y: { ints: [BigInt(i % 2)] }, x: { floats: [i] }, a: { bytes: [`v${i}`] }, tags: null, z: { floats: [i] } }),
);
const whole = frames(payloads);
/** Where each frame starts; the last entry is the end. */
const starts = [0];
for (const payload of payloads) starts.push((starts.at(-1) ?? 0) + payload.length + 16);
const tf: Partial<PipelineOptions> = { ...base, format: 'tfrecord' };

for (const backend of ['auto', 'reference'] as const) {
  test(`a flip of any byte is found at the right record and costs exactly that record (${backend})`, async () => {
    const good = await readRows({ ...tf, files: [named(whole, 'whole.tfrecord')], backend });
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      const files = [named(bytes, 'flip.tfrecord')];
      const record = starts.findLastIndex((start) => start <= at);
      const error = await failure({ ...tf, files, backend });
      assert.equal(error.code, 'RecordCorrupt');
      assert.match(error.message, new RegExp(`flip\\.tfrecord record ${record + 1} at byte ${starts[record]}: `));
      const rows = await readRows({ ...tf, files, backend, maxBadRecords: 1 });
      assert.deepEqual(rows, good.toSpliced(record, 1), `flip at byte ${at}`);
    }
  });
}

test('a file cut at any byte is found at the right record', async () => {
  for (let end = 1; end < whole.length; end++) {
    const files = [named(whole.subarray(0, end), 'cut.tfrecord')];
    if (starts.includes(end)) {
      assert.equal((await readRows({ ...tf, files })).length, starts.indexOf(end));
      continue;
    }
    const record = starts.findLastIndex((start) => start <= end);
    const error = await failure({ ...tf, files });
    assert.match(error.message, new RegExp(`record ${record + 1} at byte ${starts[record]}: (length \\d+ exceeds the|the file ends)`));
    if (record > 0) assert.equal((await readRows({ ...tf, files, maxBadRecords: 1 })).length, record);
  }
});

test('lengths of 2^32 − 1 and 2^63 with right checksums are refused, the next record is found', async () => {
  for (const length of [2n ** 32n - 1n, 2n ** 63n]) {
    const bytes = Buffer.from(whole);
    const at = starts[2] as number;
    bytes.writeBigUInt64LE(length, at);
    bytes.writeUInt32LE(maskedCrc32c(bytes.subarray(at, at + 8)), at + 8);
    const files = [named(bytes, 'long.tfrecord')];
    assert.match((await failure({ ...tf, files })).message, new RegExp(`record 3 at byte ${at}: length ${length} exceeds`));
    assert.equal((await readRows({ ...tf, files, maxBadRecords: 1 })).length, 5);
  }
});

test('features of a wrong kind or with several values say what to change', async () => {
  const message = async (features: Parameters<typeof example>[0]): Promise<string> => {
    const all = { y: { ints: [1n] }, ...features };
    return (await failure({ ...tf, files: [named(frames([example(all)]), 'kind.tfrecord')] })).message;
  };
  assert.match(await message({ a: { floats: [1] } }), /feature "a" holds floats.*numeric or bucketized/);
  assert.match(await message({ a: { bytes: ['u', 'v'] } }), /feature "a" holds 2 values, one was expected.*maxLength/);
  assert.match(await message({ x: { bytes: ['u'] } }), /column "x": .* is no number/);
  assert.match(await message({ y: null }), /label column "y" is missing/);
  assert.match(await message({ y: { floats: [Number.NaN] } }), /label column "y"/);
});

test('a Criteo binary file that ends inside a record says so', async () => {
  const bytes = Buffer.alloc(160 * 3 + 7);
  const error = await failure({ shuffle: 0, format: 'criteo-bin', files: [named(bytes, 'c.bin')] });
  assert.match(error.message, /record 4 at byte 480: the file ends 7 bytes into a record of 160 bytes/);
});
