// JSON lines, Vowpal Wabbit text and .npz files as records: what is written is read again, what is read is written again, and errors have their place.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { MonolithError } from '../../src/base/index.js';
import { jsonlFormat } from '../../src/records/jsonl.js';
import { npzFormat } from '../../src/records/npz.js';
import type { RecordField, RecordFormat, RecordOptions } from '../../src/records/record-batch.js';
import { vwFormat } from '../../src/records/vw.js';
import { sharedData, temporaryFolder, write } from '../data/helpers.js';
import { int64, readTable, type Table, writeTable } from './tables.js';

const folder = temporaryFolder();
const shared = sharedData();
const skip = shared === null ? 'absent: no folder of shared data sets' : false;
const skipNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0 ? false : 'absent: python3 has no numpy';

async function refused(work: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof MonolithError && error.code === code, String(error));
    assert.match(error.message, message);
    return true;
  });
}

/** Reads a file, writes it, reads that: both times the same; the text of the second file. */
async function twice(format: RecordFormat, path: string, options: RecordOptions = {}): Promise<{ table: Table; written: Buffer }> {
  const table = await readTable(format, path, options);
  const copy = join(folder, `copy${format.extensions[0]}`);
  await writeTable(format, copy, table);
  assert.deepEqual(await readTable(format, copy, options), table);
  return { table, written: readFileSync(copy) };
}

test('JSON lines: 64-bit integers, floats, lists, words and nesting come back as they were', async () => {
  const lines = [
    '{"id":9007199254740993,"user":{"name":"ä\\n","tags":["a","b"],"old":true},"x":0.1,"big":18446744073709551615,"mixed":[1,"a",{"b":null}]}',
    '{"id":-9223372036854775808,"user":{"name":"","tags":[],"old":false},"x":-2.0,"big":1,"mixed":null}',
    '{"user":{"tags":["c"]},"x":1e300,"big":2,"mixed":"t"}',
  ];
  const { table, written } = await twice(jsonlFormat, write(folder, 'nested.jsonl', `\ufeff${lines.join('\r\n')}\n\n`));
  assert.deepEqual(
    table.fields.map(({ name, kind, isList, as }) => [name, kind, isList, as]),
    [
      ['id', 'int64', false, undefined],
      ['user.name', 'text', false, undefined],
      ['user.tags', 'text', true, undefined],
      ['user.old', 'int64', false, 'bool'],
      ['x', 'float64', false, undefined],
      ['big', 'text', false, 'json-number'],
      ['mixed', 'text', false, 'json'],
    ],
  );
  assert.deepEqual(table.rows[0], [9007199254740993n, 'ä\n', ['a', 'b'], 1n, 0.1, '18446744073709551615', '[1,"a",{"b":null}]']);
  assert.deepEqual(table.rows[2], [null, null, ['c'], null, 1e300, '2', '"t"']);
  assert.equal(written.toString(), `${lines.map((line) => line.replace('1e300', '1e+300').replace(',"mixed":null', '')).join('\n')}\n`);
});

test('JSON lines: any table without bytes comes back', async () => {
  const one = { int64, float64: fc.double(), text: fc.string({ unit: 'grapheme', maxLength: 8 }) };
  const kinds = ['int64', 'float64', 'text'] as const;
  const table = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.boolean()), { minLength: 1, maxLength: 5 }).chain((columns) => {
    const cells = columns.map(([kind, isList]) =>
      fc.option(isList ? fc.array<unknown>(one[kind], { maxLength: 3 }) : (one[kind] as fc.Arbitrary<unknown>), { freq: 6 }),
    );
    // The first row settles the kinds: a float that is no integer, a list.
    const first = columns.map(([kind, isList]) => {
      const value = kind === 'int64' ? 1n : kind === 'float64' ? 0.5 : 'x';
      return isList ? [value, value] : value;
    });
    return fc.array(fc.tuple(...cells), { maxLength: 12 }).map(
      (rows): Table => ({
        fields: columns.map(([kind, isList], i) => ({ name: i % 2 === 0 ? `f${i}` : `o.p.f${i}`, kind, isList })),
        rows: [first, ...rows] as unknown[][],
      }),
    );
  });
  await fc.assert(
    fc.asyncProperty(table, async (made) => {
      const path = join(folder, 'any.jsonl.gz');
      await writeTable(jsonlFormat, path, made);
      const read = await readTable(jsonlFormat, path);
      // Names with dots are grouped in the file, so the order may be another.
      const order = made.fields.map(({ name }) => read.fields.findIndex((field) => field.name === name));
      assert.deepEqual(
        order.map((i) => read.fields[i]),
        made.fields,
      );
      assert.deepEqual(
        read.rows.map((row) => order.map((i) => row[i])),
        made.rows,
      );
    }),
    { numRuns: 60 },
  );
});

test('JSON lines of reviews: as many as there are, with their fields', { skip }, async () => {
  const path = join(shared ?? '', 'amazon-musical-instruments/Musical_Instruments_5.json.gz');
  const { fields, rows } = await readTable(jsonlFormat, path, { scan: 0 });
  assert.equal(rows.length, 10261);
  assert.deepEqual(
    fields.map(({ name, kind, isList }) => `${name} ${kind}${isList ? '[]' : ''}`),
    [
      'reviewerID text',
      'asin text',
      'reviewerName text',
      'helpful int64[]',
      'reviewText text',
      'overall float64',
      'summary text',
      'unixReviewTime int64',
      'reviewTime text',
    ],
  );
  const first = JSON.parse(gunzipSync(readFileSync(path)).toString().split('\n')[0] ?? '') as { helpful: number[]; overall: number };
  assert.deepEqual([rows[0]?.[3], rows[0]?.[5]], [first.helpful.map(BigInt), first.overall]);
});

test('JSON lines: errors name line, byte and field, and may be told instead', async () => {
  for (const [line, message] of [
    ['{"a":1', /line 2 \(byte 8\): is no JSON at character 6 of the line: the end of the line/],
    ['[1]', /line 2 \(byte 8\): is no JSON object but "\[1\]"/],
    ['{"a":1,"a":2}', /the name "a" stands twice/],
    ['{"a":"x\u0001"}', /a string with a control character or a wrong escape at character 5/],
    ['{"b":1}', /field "b" is new, unlike in the first 1 lines.*scan=0/],
    ['{"a":"t"}', /field "a" holds "t", no int64/],
    ['{"a":[1]}', /field "a" is a list/],
    ['{"a":9223372036854775808}', /field "a" holds 9223372036854775808, no int64/],
    [`{"a":${'['.repeat(80)}`, /more than 64 deep/],
  ] as [string, RegExp][]) {
    const path = write(folder, 'bad.jsonl', `{"a":1}\n${line}\n{"a":3}\n`);
    await refused(readTable(jsonlFormat, path, { scan: 1 }), 'DataFormat', message);
    const source = await jsonlFormat.open(path, { scan: 1 });
    const told: MonolithError[] = [];
    source.tolerate?.((problem) => told.push(problem));
    let rows = 0;
    for await (const batch of source.batches()) rows += batch.rows;
    assert.deepEqual([rows, told.length], [2, 1]);
  }
  const bytes: Table = { fields: [{ name: 'b', kind: 'bytes', isList: false }], rows: [[Buffer.of(255)]] };
  await refused(writeTable(jsonlFormat, join(folder, 'b.jsonl'), bytes), 'InvalidConfig', /no bytes: b\. .*base64=true/);
});

test('JSON lines: cut anywhere or with a byte changed, it is records or a DataFormat error', async () => {
  const line = '{"a":[1,2],"b":{"c":"x\\u00e4"},"d":1.5}\n';
  const bytes = Buffer.from(line.repeat(2));
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped[at] ^= 1 << (at % 7);
    for (const changed of [bytes.subarray(0, at), flipped]) {
      const result = await readTable(jsonlFormat, write(folder, 'x.jsonl', changed)).catch((error: unknown) => error);
      if (result instanceof Error) assert.ok(result instanceof MonolithError && result.code === 'DataFormat', String(result));
    }
  }
});

test('Vowpal Wabbit: files of its own tests come back', { skip }, async () => {
  const { table } = await twice(vwFormat, join(shared ?? '', 'formats/vw/0001.dat.gz'));
  assert.equal(table.rows.length, 200);
  assert.deepEqual(
    table.fields.map(({ name }) => name),
    ['label', 'features', 'features:values'],
  );
  const small = join(shared ?? '', 'formats/vw/ml100k_small_train');
  const { written } = await twice(vwFormat, small);
  assert.equal(written.toString(), readFileSync(small, 'utf8'));
});

test('Vowpal Wabbit: tags, importance, weights of namespaces and values', async () => {
  const text = "1 0.5 'one|u:2 a b:0.5 | x\n-1 two|v c\n| y|u a\n";
  const { table, written } = await twice(vwFormat, write(folder, 'w.vw', text));
  assert.deepEqual(
    table.fields.map(({ name, kind, isList }) => `${name} ${kind}${isList ? '[]' : ''}`),
    ['label float64', 'importance float64', 'tag text', 'u text[]', 'u:values float64[]', '| text[]', 'v text[]'],
  );
  assert.deepEqual(table.rows, [
    [1, 0.5, 'one', ['a', 'b'], [2, 1], ['x'], null],
    [-1, null, 'two', null, null, null, ['c']],
    [null, null, null, ['a'], [1], ['y'], null],
  ]);
  assert.equal(written.toString(), "1 0.5 'one|u a:2 b | x\n-1 'two|v c\n|u a | y\n");
});

test('Vowpal Wabbit: a table becomes namespaces; what does not fit is refused', async () => {
  const fields: RecordField[] = [
    { name: 'y', kind: 'int64', isList: false },
    { name: 'user', kind: 'text', isList: false },
    { name: 'age', kind: 'float32', isList: false },
    { name: 'tags', kind: 'text', isList: true },
  ];
  const path = join(folder, 't.vw');
  await writeTable(
    vwFormat,
    path,
    {
      fields,
      rows: [
        [1n, 'u1', Math.fround(0.1), ['a', 'b']],
        [0n, null, 3, []],
      ],
    },
    { label: 'y' },
  );
  assert.equal(readFileSync(path, 'utf8'), '1 |user u1 |age age:0.1 |tags a b\n0 |age age:3 |tags\n');
  await refused(
    writeTable(vwFormat, path, { fields, rows: [] }),
    'InvalidConfig',
    /needs a label; there is no column "label" among y, user, age, tags: name it with the option label=NAME/,
  );
  await refused(
    writeTable(vwFormat, path, { fields, rows: [[1n, 'two words', 1, []]] }, { label: 'y' }),
    'InvalidConfig',
    /record 1: "two words" of "user" can't be written/,
  );
  await refused(
    readTable(vwFormat, write(folder, 'bad.vw', '1 |u a\nx |u b\n')),
    'DataFormat',
    /bad\.vw line 2 \(byte 7\): label: "x" is no number/,
  );
  await refused(
    readTable(vwFormat, write(folder, 'new.vw', '1 |u a\n1 |v b\n'), { scan: 1 }),
    'DataFormat',
    /line 2 .*namespace "v" is new.*scan=0/,
  );
});

const npzColumns: readonly (readonly [string, fc.Arbitrary<unknown>, RecordField['kind']])[] = [
  ['<i8', int64, 'int64'],
  ['|i1', fc.bigInt({ min: -128n, max: 127n }), 'int64'],
  ['<u4', fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), 'int64'],
  ['|b1', fc.bigInt({ min: 0n, max: 1n }), 'int64'],
  ['<f4', fc.float(), 'float32'],
  ['<f8', fc.double(), 'float64'],
  ['<f2', fc.constantFrom(0, -0, 1.5, 65504, 2 ** -24, Number.POSITIVE_INFINITY, Number.NaN, 2 ** -14, 0.333251953125), 'float32'],
  ['<U', fc.string({ unit: 'grapheme', maxLength: 6 }).filter((text) => !text.endsWith('\0')), 'text'],
  ['|S', fc.string({ maxLength: 6 }).filter((text) => !text.endsWith('\0')), 'text'],
];
const npzTable = fc
  .array(fc.tuple(fc.constantFrom(...npzColumns), fc.nat(3)), { minLength: 1, maxLength: 6 })
  .chain((columns) =>
    fc
      .array(fc.tuple(...columns.map(([[, one], width]) => (width === 0 ? one : fc.array(one, { minLength: width, maxLength: width })))), {
        minLength: 1,
        maxLength: 14,
      })
      .map(
        (rows): Table => ({
          fields: columns.map(([[as, , kind], width], i) => ({ name: `a${i}`, kind, isList: width > 0, as })),
          rows: rows as unknown[][],
        }),
      ),
  );

test('.npz: any table of numbers and texts comes back with its types, stored and compressed', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(npzTable, async (table) => {
      const path = join(folder, 'any.npz');
      await writeTable(npzFormat, path, table, { compressed: run++ % 2 === 0 });
      assert.deepEqual(await readTable(npzFormat, path, { text: true }), table);
    }),
    { numRuns: 50 },
  );
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  );
});

test('.npz: numpy reads what is written, with the types it had', { skip: skipNumpy }, async () => {
  const fields: RecordField[] = [
    { name: 'id', kind: 'int64', isList: false },
    { name: 'small', kind: 'int64', isList: false, as: '|u1' },
    { name: 'x', kind: 'float32', isList: true },
    { name: 'name', kind: 'text', isList: false },
    { name: 'raw', kind: 'bytes', isList: false },
    { name: 'half', kind: 'float32', isList: false, as: '<f2' },
  ];
  const rows = [
    [2n ** 62n, 255n, [1, Math.fround(0.1)], 'ü😀', Buffer.of(255), 0.5],
    [-1n, 0n, [2, 3], '', Buffer.from('abc'), -2],
  ];
  for (const compressed of [false, true]) {
    const path = join(folder, `numpy-${compressed}.npz`);
    await writeTable(npzFormat, path, { fields, rows }, { compressed });
    const script = `
import numpy as np, sys
d = np.load(sys.argv[1])
print([(k, str(d[k].dtype), d[k].shape, d[k].tolist()) for k in d.files])`;
    assert.equal(
      execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }).trim(),
      "[('id', 'int64', (2,), [4611686018427387904, -1]), ('small', 'uint8', (2,), [255, 0]), ('x', 'float32', (2, 2), [[1.0, 0.10000000149011612], [2.0, 3.0]]), ('name', '<U2', (2,), ['ü😀', '']), ('raw', '|S3', (2,), [b'\\xff', b'abc']), ('half', 'float16', (2,), [0.5, -2.0])]",
    );
    assert.deepEqual((await readTable(npzFormat, path)).rows, rows);
    await refused(readTable(npzFormat, path, { text: true }), 'DataFormat', /record 1: array raw: bytes that are no text/);
  }
});

test('.npz: missing values, lists of several lengths and numbers beyond the type are refused, and nothing is left', async () => {
  const path = join(folder, 'refused.npz');
  const list: RecordField = { name: 'l', kind: 'int64', isList: true };
  const one: RecordField = { name: 'o', kind: 'int64', isList: false, as: '|i1' };
  await refused(
    writeTable(npzFormat, path, { fields: [list], rows: [[[1n]], [[1n, 2n]]] }),
    'InvalidConfig',
    /record 2: field "l" has 2 values, those before have 1/,
  );
  await refused(writeTable(npzFormat, path, { fields: [one], rows: [[1n], [null]] }), 'InvalidConfig', /record 2: field "o" is missing/);
  await refused(
    writeTable(npzFormat, path, { fields: [one], rows: [[128n]] }),
    'InvalidConfig',
    /field "o" is 128, which i1 does not hold/,
  );
  await refused(npzFormat.open(write(folder, 'no.npz', 'text'), {}), 'DataFormat', /is no \.npz file/);
});
