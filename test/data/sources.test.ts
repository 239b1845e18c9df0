import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { makeFid } from '../../src/base/index.js';
import { inspectInputs } from '../../src/data/index.js';
import { expandFiles } from '../../src/data/paths.js';
import { readRows, smallCsv, smallSchema, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();

test('globs, braces, comma lists and folders name files in order, each once', async () => {
  const root = join(folder, 'glob');
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  for (const name of ['b.csv', 'a.csv', 'c.tsv', '.hidden.csv', 'x[1].csv', 'deep/d.csv', 'deep/er/e.csv']) write(root, name, 'x');
  const found = async (...patterns: string[]): Promise<string[]> =>
    (await expandFiles(patterns.map((pattern) => join(root, pattern)))).map((path) => relative(root, path));
  assert.deepEqual(await found('*.csv'), ['a.csv', 'b.csv', 'x[1].csv']);
  assert.deepEqual(await found('{c.tsv,a.csv}'), ['a.csv', 'c.tsv']);
  assert.deepEqual(await found('**/*.csv'), ['a.csv', 'b.csv', 'deep/d.csv', 'deep/er/e.csv', 'x[1].csv']);
  assert.deepEqual(await found('?.[ct]sv', 'deep'), ['a.csv', 'b.csv', 'c.tsv', 'deep/d.csv']);
  assert.deepEqual(await found('x[1].csv', '*.csv'), ['x[1].csv', 'a.csv', 'b.csv']);
  assert.deepEqual(await expandFiles([`${join(root, 'b.csv')}, ${join(root, 'a.csv')}`]), [join(root, 'b.csv'), join(root, 'a.csv')]);
  await assert.rejects(found('*.json'), { code: 'DataNotFound' });
  assert.deepEqual(await found('*.csv', 'a.csv'), ['a.csv', 'b.csv', 'x[1].csv']);
  await assert.rejects(found('a.csv', 'b.csv', './a.csv'), { code: 'InvalidConfig', message: /a\.csv is named twice/ });
});

test('the format is told by magic bytes, names and content', async () => {
  const cells = Array.from({ length: 39 }, (_, i) => `${i}`).join('\t');
  const format = (name: string, content: string | Uint8Array, schema = smallSchema as typeof smallSchema | null): Promise<string> =>
    withPipeline({ files: [write(folder, name, content)], schema, numFields: null }, async (pipeline) => pipeline.stats().format);
  assert.equal(await format('criteo.any', `1\t${cells}\n`, null), 'criteo');
  assert.equal(await format('svm.txt', '1 1:0.5 7:2\n', null), 'libsvm');
  assert.equal(await format('ffm.txt', '1 0:1:0.5 1:7:2\n', null), 'libffm');
  assert.equal(await format('table.txt', smallCsv(3)), 'csv');
  assert.equal(await format('table2.txt.gz', gzipSync(smallCsv(3).replaceAll(',', '\t'))), 'tsv');
  assert.equal(await format('magic.dat', Buffer.concat([Buffer.from('CRLK0001'), Buffer.alloc(56 + 160)]), null), 'criteo-bin');
});

test('Criteo binary: dense numbers through log1p, ids with the slot of their field', async () => {
  const record = Buffer.alloc(160);
  record.writeInt32LE(1, 0);
  record.writeInt32LE(20, 4);
  record.writeInt32LE(-3, 8);
  for (let field = 0; field < 26; field++) record.writeUInt32LE(4_000_000_000 + field, 56 + field * 4);
  const files = [write(folder, 'one.bin', Buffer.concat([Buffer.alloc(10), record]))];
  const [row] = await readRows({ files, format: 'criteo-bin', headerBytes: 10, criteoIntegers: 'both' });
  assert.equal(row?.label, 1);
  assert.equal(row?.dense[0], Math.fround(Math.log1p(20)));
  assert.deepEqual(
    row?.dense.slice(1),
    Array.from({ length: 12 }, () => 0),
  );
  assert.deepEqual(row?.bags[25], [String(makeFid(26, 4_000_000_025n))]);
  // 20 → ⌊ln(20)²⌋ = 8; −3 as it is.
  assert.deepEqual(row?.bags[26], [String(makeFid(27, 1024n + 8n))]);
  assert.deepEqual(row?.bags[27], [String(makeFid(28, 997n))]);
});

test('LibFFM fields may come in any order and repeat; ids are the indices, as in LibSVM', async () => {
  const ffm = { files: [write(folder, 'order.ffm', '1 2:5:0.5 0:3:1 2:6:2\n-1 1:9:1\n')], shuffle: 0 };
  assert.deepEqual(
    (await inspectInputs(ffm)).sparse.map((feature) => feature.name),
    ['f0', 'f1', 'f2'],
  );
  const rows = await readRows(ffm);
  assert.deepEqual(rows[0]?.bags, [['3'], [], ['5', '6']]);
  assert.deepEqual(rows[0]?.values, [1, 0.5, 2]);
  assert.deepEqual(
    rows.map((row) => row.label),
    [1, 0],
  );
  const svm = await readRows({ files: [write(folder, 'x.libsvm', '+1 3:1 10:2.5 # note\n')] });
  assert.deepEqual(svm[0]?.bags, [['3', '10']]);
  assert.deepEqual(svm[0]?.values, [1, 2.5]);
});

test('groups deal the features to tables; files with their own column order agree', async () => {
  const first = write(folder, 'first.csv', 'y,x,a,tags,z\n1,2,u,p|q,5\n');
  const second = write(folder, 'second.csv', 'z,tags,a,more,x,y\n5,p|q,u,,2,1\n');
  const rows = await readRows({
    files: [first, second],
    schema: smallSchema,
    shuffle: 0,
    groups: [{ features: [2] }, { features: [0, 1] }],
  });
  assert.deepEqual(rows[0], rows[1]);
  assert.deepEqual(rows[0]?.bags[0], [String(makeFid(4, 1n))]);
  assert.equal(rows[0]?.bags[2]?.length, 2);
});

test('standard input is read like a file, also when its head has been looked at before', () => {
  const module = fileURLToPath(new URL('./helpers.js', import.meta.url));
  const script = `
    const { readRows, smallSchema } = await import(${JSON.stringify(module)});
    const { inspectInputs } = await import(${JSON.stringify(fileURLToPath(new URL('../../src/data/index.js', import.meta.url)))});
    const options = { files: ['-'], schema: smallSchema, shuffle: 0 };
    await inspectInputs(options);
    console.log((await readRows(options)).length);`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    input: smallCsv(70000),
    encoding: 'utf8',
    timeout: 20000,
  });
  assert.equal(stderr, '');
  assert.equal(stdout.trim(), '70000');
  assert.equal(status, 0);
});
