import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRows, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
const schema = {
  label: { column: 'click' },
  features: [
    { name: 'user', type: 'categorical' },
    { name: 'price', type: 'numeric' },
  ],
} as const;
const text = 'click,user,price\n1,"a, b",0.5\n0,c,1.5\n';

test('format auto finds the separator that the schema fits, and says so', async () => {
  const usual = await readRows({ files: [write(folder, 'comma.csv', text)], schema, shuffle: 0 });
  for (const separator of [';', '|']) {
    const other = text.replaceAll(',', separator).replace(`a${separator} b`, 'a, b');
    const file = write(folder, `other-${separator.charCodeAt(0)}.csv`, other);
    assert.deepEqual(await readRows({ files: [file], schema, shuffle: 0 }), usual);
    await withPipeline({ files: [file], schema }, async (pipeline) => {
      assert.equal(pipeline.stats().found, `separator "${separator}", a header`);
    });
    await assert.rejects(readRows({ files: [file], schema, format: 'csv' }), { code: 'DataFormat', message: /set `separator`/ });
  }
});

test('UTF-16 is refused with what it is and the command that converts it', async () => {
  for (const [name, mark] of [
    ['marked', '\ufeff'],
    ['plain', ''],
  ]) {
    const little = Buffer.from(mark + text, 'utf16le');
    for (const [order, bytes] of [
      ['LE', little],
      ['BE', Buffer.from(little).swap16()],
    ] as const) {
      const file = write(folder, `${name}-${order}.csv`, bytes);
      await assert.rejects(readRows({ files: [file], schema }), {
        code: 'DataFormat',
        message: new RegExp(`${name}-${order}\\.csv line 1: .*is UTF-16${order}.*data convert .*iconv -f UTF-16${order}`, 's'),
      });
    }
  }
});

test('bytes that are no UTF-8 are read as they are, and that is said', async () => {
  const file = write(folder, 'latin.csv', Buffer.from('click,user,price\n1,Zürich,0.5\n', 'latin1'));
  await withPipeline({ files: [file], schema }, async (pipeline) => {
    assert.match(pipeline.stats().found, /bytes that are no UTF-8 are taken as they are/);
  });
});
