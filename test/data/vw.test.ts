// Vowpal Wabbit text in training.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { cityHash64 } from '../../src/base/city-hash.js';
import { MonolithError, makeFid } from '../../src/base/index.js';
import { VwLine, VwProblem } from '../../src/data/vw/line.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { type Row, readRows, sharedData, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
const shared = sharedData();
const skip = shared === null ? 'absent: no folder of shared data sets' : false;
const named = (content: string, name = 'f.vw'): string => write(folder, name, content);
const schema: FeatureSchema = {
  label: { column: 'label' },
  weight: { column: 'importance' },
  features: [
    { name: 'user', type: 'categorical' },
    { name: 'rest', column: '|', type: 'categorical', maxLength: 3 },
    { name: 'age', column: 'user^age', type: 'numeric', missing: -1 },
    { name: 'tag', type: 'categorical' },
  ],
};
const base = { schema, shuffle: 0, format: 'vw' as const };
const fid = (slot: number, text: string): string => String(makeFid(slot, cityHash64(Buffer.from(text)) & (2n ** 48n - 1n)));

async function read(text: string): Promise<Row[]> {
  return readRows({ ...base, files: [named(text)] });
}

test('label, importance, tag, namespaces with weights, features with values', async () => {
  const rows = await read(
    "1 2.5 first|user age:30 x |other y | a b:0.5\n-1 'second |user:2 x:3 age:5\t|  a b c d\n\n0.25 |user x |user z\n 1 0 third| \n",
  );
  assert.deepEqual(
    rows.map(({ label, weight, dense }) => [label, weight, ...dense]),
    [
      [1, 2.5, 30],
      [0, 1, 10],
      [0.25, 1, -1],
      [1, 0, -1],
    ],
  );
  assert.deepEqual(rows[0]?.bags, [[fid(1, 'age'), fid(1, 'x')], [fid(2, 'a'), fid(2, 'b')], [fid(4, 'first')]]);
  assert.deepEqual(rows[0]?.values, [30, 1, 1, 0.5, 1]);
  assert.deepEqual(rows[1]?.bags, [[fid(1, 'x'), fid(1, 'age')], ['a', 'b', 'c'].map((text) => fid(2, text)), [fid(4, 'second')]]);
  assert.deepEqual(rows[1]?.values, [6, 10, 1, 1, 1, 1]);
  assert.deepEqual(rows[2]?.bags, [[fid(1, 'x'), fid(1, 'z')], [], []]);
  assert.deepEqual(rows[3]?.bags, [[], [], [fid(4, 'third')]]);
});

test('ids are those of the same texts in CSV', async () => {
  const [vw] = await read('1 |user u17\n');
  const [csv] = await readRows({
    files: [write(folder, 'f.csv', 'label,user\n1,u17\n')],
    schema: { label: { column: 'label' }, features: [{ name: 'user', type: 'categorical' }] },
  });
  assert.deepEqual(vw?.bags[0], csv?.bags[0]);
});

test("files of Vowpal Wabbit's own tests", { skip }, async () => {
  const file = join(shared ?? '', 'formats/vw/0001.dat.gz');
  const features: FeatureSchema = { label: { column: 'label' }, features: [{ name: 'features', type: 'categorical' }] };
  const rows = await readRows({ files: [file], format: 'vw', schema: features, shuffle: 0 });
  assert.equal(rows.length, 200);
  const lines = gunzipSync(readFileSync(file)).toString('latin1').trim().split('\n');
  lines.forEach((line, i) => {
    const words = line
      .slice(line.indexOf('|features') + 9)
      .trim()
      .split(/\s+/);
    assert.deepEqual(
      rows[i]?.bags[0],
      words.map((word) => fid(1, word.split(':')[0] ?? '')),
    );
    assert.deepEqual(
      rows[i]?.values,
      words.map((word) => Math.fround(Number(word.split(':')[1] ?? 1))),
    );
    assert.equal(rows[i]?.label, Number(line.split(' ')[0]));
  });
  const ratings: FeatureSchema = {
    label: { column: 'label' },
    features: ['user', 'item'].map((name) => ({ name, column: name[0] as string, type: 'categorical' })),
  };
  const small = await readRows({ files: [join(shared ?? '', 'formats/vw/ml100k_small_train')], format: 'vw', schema: ratings, shuffle: 0 });
  assert.ok(small.length > 100 && small.every(({ bags }) => bags.every((bag) => bag.length === 1)));
});

test('the format is told by name and by the first line; without a schema it is said what columns there are', async () => {
  const user: FeatureSchema = { label: { column: 'label' }, features: [{ name: 'user', type: 'categorical' }] };
  for (const [name, text] of [
    ['a.vw', '| x\n1 |user a\n'],
    ['b.txt', '1 |user a b:2 c\n'],
    ['c.dat', "-1 0.5 'tag|user a b\n"],
  ] as const)
    assert.equal(await withPipeline({ files: [named(text, name)], schema: user }, async (pipeline) => pipeline.stats().format), 'vw', name);
  await assert.rejects(readRows({ files: [named('1 |user a\n')], format: 'vw' }), {
    code: 'InvalidConfig',
    message: /label, importance, tag and the namespaces/,
  });
  const wrong: FeatureSchema = { ...user, features: [{ name: 'a b', type: 'categorical' }] };
  await assert.rejects(readRows({ files: [named('1 |user a\n')], format: 'vw', schema: wrong }), {
    code: 'InvalidConfig',
    message: /column "a b": in vw a column is/,
  });
});

for (const [name, line, message] of [
  ['no bar', '1 a b', /has no \| between label and features/],
  ['no bar and no words', '1 ', /has no \| between label and features/],
  ['a label that is a word', 'x |user a', /label: "x" is no number\. Labels of other kinds/],
  ['a label of a contextual bandit', '1:2:0.5 |user a', /label: "1:2:0\.5" is no number/],
  ['an importance that is none', '1 heavy |user a', /importance: "heavy" is no number/],
  ['a negative importance', '1 -2 |user a', /weight column "importance": "-2" is no finite number/],
  ['an initial prediction', '1 1 0.5 |user a', /"0\.5" stands before the first \|/],
  ['no label', '|user a', /label column "label" is missing/],
  ['a tag in place of the label', '1|user a', /label column "label" is missing/],
  ['a value that is a text', '1 |user a:b', /"a:b" is no feature:value/],
  ['a value without a name', '1 |user :2', /":2" is a value without a feature's name/],
  ['the weight of a namespace', '1 |user:x a', /"user:x": the weight of a namespace is a number/],
  ['two tags', '1 |user a|tag', null],
  ['several values for one', '1 |user age:1 age:2', /feature "user\^age" holds 2 values/],
] as [string, string, RegExp | null][]) {
  test(`${name}: named with its line, and may be skipped`, async () => {
    const files = [named(`0 |user a\n${line}\n1 |user b\n`)];
    if (message === null) {
      assert.equal((await readRows({ ...base, files })).length, 3);
      return;
    }
    await assert.rejects(readRows({ ...base, files }), (error: Error) => {
      assert.ok(error instanceof MonolithError && error.code === 'DataFormat', String(error));
      assert.match(error.message, /f\.vw line 2 \(record 2, byte 10\): /);
      assert.match(error.message, message);
      return true;
    });
    assert.equal((await readRows({ ...base, files, maxBadRecords: 1 })).length, 2);
  });
}

test('any line is features or a problem, and its places lie in it', () => {
  const piece = fc.constantFrom('|', ':', ' ', "'", '1', '-1', 'a', '0.5', 'ns', '\t', 'é', '\0');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''));
      const line = new VwLine(bytes);
      let features = 0;
      const inside = (start: number, end: number): void => assert.ok(start >= 0 && start <= end && end <= bytes.length);
      const problem = line.read(0, bytes.length, {
        namespace: inside,
        feature(start, end) {
          inside(start, end);
          assert.ok(end > start);
          features++;
        },
      });
      if (problem !== VwProblem.none) inside(line.tokenStart, line.tokenEnd);
      else assert.ok(bytes.includes(124) && features >= 0);
    }),
    { numRuns: 2000 },
  );
});

test('a line cut anywhere is a problem or a shorter line, and lines of a hostile hand cost little', async () => {
  const line = "1 2 'tag |user:2 age:5 x | a b:0.5";
  for (let at = 0; at <= line.length; at++) {
    const result = await read(`${line.slice(0, at)}\n`).catch((error: unknown) => error);
    if (result instanceof Error)
      assert.ok(result instanceof MonolithError && (result.code === 'DataFormat' || result.code === 'DataNotFound'), String(result));
    else assert.ok((result as Row[]).length <= 1);
  }
  for (const bad of ['|'.repeat(500_000), `1 ${'|a '.repeat(200_000)}`, `1 |user ${'x '.repeat(300_000)}`, ':'.repeat(500_000)]) {
    const result = await read(`${bad}\n`).catch((error: unknown) => error);
    assert.ok(Array.isArray(result) || result instanceof MonolithError, String(result).slice(0, 100));
  }
});
