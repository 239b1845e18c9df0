// JSON lines in training.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MonolithError } from '../../src/base/index.js';
import { JsonScanner } from '../../src/data/jsonl/scanner.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { type Row, readRows, smallCsv, smallSchema, temporaryFolder, withPipeline, write } from './helpers.js';

const folder = temporaryFolder();
const named = (content: string, name = 'f.jsonl'): string => write(folder, name, content);
const base = { schema: smallSchema, shuffle: 0, format: 'jsonl' as const };

const csv = async (text: string): Promise<Row[]> => readRows({ ...base, format: 'csv', files: [write(folder, 'same.csv', text)] });

test('JSON lines, CSV with the same values: the same examples', async () => {
  const text = smallCsv(200);
  const lines = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line, i) => {
      const [y, x, a, tags, z] = line.split(',') as [string, string, string, string, string];
      const list = tags === '' ? [] : tags.split('|');
      const object = {
        z: Number(z),
        y: i % 2 === 0 ? Number(y) : y === '1',
        more: { deep: [1, { x: 'no' }] },
        tags: i % 3 === 0 ? list.join('|') : list,
        a,
        x: Number(x),
      };
      return JSON.stringify(object, null, i % 5 === 0 ? undefined : '').replaceAll('\n', ' ');
    });
  assert.deepEqual(await readRows({ ...base, files: [named(`\ufeff${lines.join('\r\n')}\n\n  \n`)] }), await csv(text));
});

test('the format is told by name and by the first line', async () => {
  for (const [name, text] of [
    ['a.jsonl', '\n{"y":1}\n'],
    ['b.ndjson.gz', '{}\n{"y":1}'],
    ['c.txt', '{"y": 1, "x": 2}\n'],
    ['d', '{ "y": 1 }'],
  ] as const)
    assert.equal(
      await withPipeline({ files: [named(text, name)], schema: smallSchema }, async (pipeline) => pipeline.stats().format),
      'jsonl',
    );
});

test('integers of 64 bits, floats and words are ids by their text; escapes are undone', async () => {
  const same = async (json: string, cell: string): Promise<void> => {
    const [one] = await readRows({ ...base, files: [named(`{"y":1,"x":0,"a":${json},"tags":[],"z":0}\n`)] });
    assert.deepEqual([one], await csv(`y,x,a,tags,z\n1,0,${cell},,0\n`), json);
  };
  await same('9007199254740993', '9007199254740993');
  await same('-9223372036854775808', '-9223372036854775808');
  await same('18446744073709551615', '18446744073709551615');
  await same('1.50', '1.50');
  await same('true', 'true');
  await same('null', '');
  await same('""', '');
  await same('[]', '');
  await same('["x"]', 'x');
  await same('"\\u00e4\\ud83d\\ude00\\/\\b"', 'ä😀/\b');
  await same('"\\ud800"', '\ufffd');
});

test('nested objects are dotted names, objects in lists are lists', async () => {
  const schema: FeatureSchema = {
    label: { column: 'event.click', positive: ['true'] },
    weight: { column: 'event.weight' },
    features: [
      { name: 'user', column: 'user.id', type: 'categorical' },
      { name: 'items', column: 'items.id', type: 'categorical', maxLength: 3 },
      { name: 'age', column: 'user.age', type: 'numeric' },
    ],
  };
  const read = (line: string): Promise<Row[]> => readRows({ ...base, schema, files: [named(`${line}\n`)] });
  const [row] = await read(
    '{"event":{"click":true,"weight":2.5},"user":{"id":7,"age":30},"items":[{"id":"a"},{"no":1},{"id":["b","c"]},{"id":"d"}]}',
  );
  assert.ok(row !== undefined);
  assert.deepEqual([row.label, row.weight, row.dense], [1, 2.5, [30]]);
  assert.equal(row.bags[1]?.length, 3);
  assert.deepEqual(await read('{"items.id":["a","b","c"],"user.id":"7","user":{"age":30},"event.click":"true","event":{"weight":"2.5"}}'), [
    row,
  ]);
});

for (const [name, line, message] of [
  ['a cut line', '{"y":1,"x":', /line 2 \(record 2, byte 8\): is no JSON at byte 11 of the line/],
  ['no object', '[1,2]', /line 2 .*is no JSON object but "\[1,2\]"/],
  ['text behind the object', '{"y":1} x', /is no JSON at byte 8 of the line: "x"/],
  ['a word', '{"y":yes}', /is no JSON at byte 5/],
  ['zeros in front', '{"y":1,"x":01}', /is no JSON at byte 11/],
  ['a control character', '{"y":1,"x":"a\tb"}', /a string is never closed, holds a control character/],
  ['a wrong escape', '{"y":1,"x":"\\x"}', /wrong escape, at byte 12/],
  ['a name twice', '{"y":1,"x":1,"x":2}', /column "x" stands twice in one object, at byte 17/],
  ['a name twice, nested', '{"y":1,"x":1,"o":{},"y":2}', /column "y" stands twice/],
  ['depth', `{"y":1,"o":${'['.repeat(70)}${']'.repeat(70)}}`, /more than 64 deep/],
  ['a label that is a word', '{"y":"yes"}', /label column "y": "yes" is no finite number/],
  ['a missing label', '{"x":1}', /label column "y" is missing/],
  ['a null label', '{"y":null}', /label column "y" is missing/],
  ['a number that is none', '{"y":1,"x":"2x"}', /column "x": "2x" is no number/],
  ['a list for one value', '{"y":1,"x":[1,2]}', /feature "x" holds 2 values, one was expected/],
  ['two values for one id', '{"y":1,"a":[1,2]}', /feature "a" holds 2 values, one was expected\. For a bag set maxLength/],
] as [string, string, RegExp][]) {
  test(`${name} is named with line, byte and field, and may be skipped`, async () => {
    const files = [named(`{"y":1}\n${line}\n{"y":0}\n`)];
    await assert.rejects(readRows({ ...base, files }), (error: Error) => {
      assert.ok(error instanceof MonolithError && error.code === 'DataFormat', String(error));
      assert.match(error.message, /f\.jsonl line 2 \(record 2, byte 8\)/);
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(
      (await readRows({ ...base, files, maxBadRecords: 1 })).map((row) => row.label),
      [1, 0],
    );
  });
}

/** What is found for columns by the scanner, as texts. */
function scan(line: string, names: readonly string[]): string[][] | null {
  const bytes = Buffer.from(line);
  const scanner = new JsonScanner(bytes, names);
  if (!scanner.scan(0, bytes.length)) return null;
  return scanner.values.map((values) =>
    Array.from({ length: values.count }, (_, i) =>
      Buffer.from((values.kinds[i] === 1 ? scanner.scratch : bytes).subarray(values.starts[i], values.ends[i])).toString(),
    ),
  );
}

const leaf = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
);

test('what JSON.parse takes is taken, with the same values', () => {
  const key = fc.constantFrom('a', 'b', 'ä', 'c d', '', 'a"b', '\\');
  const tree = fc.letrec<{ any: unknown; list: unknown[]; object: Record<string, unknown> }>((tie) => ({
    any: fc.oneof({ weight: 4, arbitrary: leaf }, { weight: 1, arbitrary: tie('list') }, { weight: 1, arbitrary: tie('object') }),
    list: fc.array(tie('any'), { maxLength: 3 }),
    object: fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  }));
  const flat = (value: unknown): unknown[] =>
    Array.isArray(value) ? value.flatMap(flat) : value === null || typeof value === 'object' ? [] : [value];
  fc.assert(
    fc.property(tree.object, fc.nat(3), (object, indent) => {
      const text = JSON.stringify(object, null, indent).replaceAll('\n', '\t');
      // What the text says: JSON has no -0.
      const said = JSON.parse(text) as Record<string, unknown>;
      const names = Object.keys(said);
      const found = scan(text, names);
      assert.ok(found !== null, text);
      names.forEach((name, i) => {
        const value = said[name];
        const direct = Array.isArray(value)
          ? value.flatMap((one) => (Array.isArray(one) || one === null || typeof one !== 'object' ? flat(one) : []))
          : flat(value);
        if (name.includes('.')) return;
        assert.deepEqual(
          found[i]?.map((one, k) => (typeof direct[k] === 'string' ? one : JSON.parse(one))),
          direct.map((one) => (typeof one === 'string' ? Buffer.from(one).toString() : one)),
          text,
        );
      });
    }),
    { numRuns: 600 },
  );
});

test('a line cut or changed anywhere is taken exactly where JSON.parse takes it', () => {
  const line = '{"a":[1,-2.5e+3,"x\\u00e4\\n",true,null,{"b":{}}],"c":"é","d":0,"e":false}';
  const bytes = Buffer.from(line);
  const agrees = (changed: Buffer): void => {
    const text = changed.toString('utf8');
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    const found = scan(text, ['a', 'c', 'd', 'e']);
    // Line breaks end a line, and a name that stands twice is refused.
    if (text.includes('\n') || (isObject && found === null && /"([acde])".*"\1":/.test(text))) return;
    assert.equal(found !== null, isObject, JSON.stringify(text));
  };
  for (let at = 0; at <= bytes.length; at++) agrees(bytes.subarray(0, at));
  for (let at = 0; at < bytes.length; at++) {
    for (const xor of [1, 2, 4, 8, 16, 32, 64]) {
      const changed = Buffer.from(bytes);
      changed[at] ^= xor;
      agrees(changed);
    }
  }
});

test('hostile lines: long, deep and full of escapes are errors or values, in little memory and time', async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const line of [
    '['.repeat(300_000),
    `{"a":${'['.repeat(300_000)}`,
    `{"y":1,"a":"${'\\u0041'.repeat(100_000)}"}`,
    `{"y":1,"tags":[${'1,'.repeat(200_000)}1]}`,
    '{"y":1'.repeat(50_000),
  ]) {
    const result = await readRows({ ...base, files: [named(`${line}\n`)], maxBadRecords: 0 }).catch((error: unknown) => error);
    assert.ok(Array.isArray(result) || (result instanceof MonolithError && result.code === 'DataFormat'), String(result).slice(0, 200));
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 << 20);
});
