import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Estimator } from '../../src/index.js';
import {
  type ExistingRows,
  exportText,
  exportToFolder,
  importRows,
  openSaved,
  readGivenRows,
  type SavedRun,
  tableNamed,
} from '../../src/rows/index.js';
import { npyHead } from '../../src/rows/npy.js';
import { writeClicks } from '../helpers/click-data.js';
import { DIM, madeRows, over, type Rows, saveRows, temporaryModelDir } from './fixture.js';

const folder = temporaryModelDir();
after(() => folder.remove());
let made = 0;
const newFolder = (): string => {
  const path = join(folder.path, String(made++));
  mkdirSync(path);
  return path;
};

async function textOf(run: SavedRun, format: 'csv' | 'jsonl', state = false): Promise<string> {
  let text = '';
  await exportText(run, tableNamed(run, null), { format, state }, async (part) => {
    text += part;
  });
  return text;
}

async function into(
  run: SavedRun,
  input: string,
  existing: ExistingRows = 'refuse',
  slice: string | null = null,
): ReturnType<typeof importRows> {
  const table = tableNamed(run, null);
  return importRows(run, table, await readGivenRows(input, table.slices, slice), existing);
}

async function rowsOf(path: string): Promise<Map<string, readonly number[]>> {
  const lines = (await textOf(await openSaved(path, { verify: true }), 'csv', true)).trim().split('\n').slice(1);
  return new Map(
    lines.map((line) => [
      line.split(',')[0],
      line
        .split(',')
        .slice(2)
        .map((text) => Math.fround(Number(text))),
    ]),
  );
}

/** Every file below a folder with its bytes. */
function contentOf(path: string): [string, string][] {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((file): [string, string] => [file.name, readFileSync(join(file.parentPath, file.name), 'hex')]).sort();
}

const script = fileURLToPath(new URL('../../../examples/read_checkpoint.py', import.meta.url));
const readByScript = (path: string): ReturnType<typeof spawnSync> => spawnSync('python3', [script, path], { encoding: 'utf8' });

describe('exported rows', () => {
  for (const bits of [0, 3]) {
    test(`of ${2 ** bits} sections are, byte for byte, what the independent reader in Python prints`, async () => {
      const path = await saveRows(newFolder(), 90, { rows: madeRows(700, 1), bits });
      const { stdout, stderr, status } = readByScript(path);
      assert.equal(status, 0, String(stderr));
      assert.equal(stdout, await textOf(await openSaved(path), 'csv'));
      assert.equal(String(stdout).split('\n').length, 702);
    });
  }

  test('of a delta, too; and a damaged byte or another base is found by that reader', async () => {
    const modelDir = newFolder();
    const base = madeRows(300, 1);
    const delta: Rows = new Map([
      ...madeRows(50, 2),
      ...[...base].slice(0, 60).map(([fid, row]) => [fid, { ...row, lastUsed: 95 }] as const),
    ]);
    await saveRows(modelDir, 90, { rows: base, bits: 2 });
    const path = await saveRows(modelDir, 99, { rows: delta, bits: 0, base: { step: 90, total: over(base, delta).size } });
    const { stdout, stderr } = readByScript(path);
    assert.equal(stdout, await textOf(await openSaved(path), 'csv'), String(stderr));
    assert.equal(String(stdout).split('\n').length, 352);

    const section = join(modelDir, 'checkpoint-90', 'table.linear_embedding.00002-of-00004');
    const bytes = readFileSync(section);
    bytes[100] ^= 4;
    writeFileSync(section, bytes);
    assert.match(String(readByScript(path).stderr), /damaged.*00002-of-00004: block 0/);
    await saveRows(modelDir, 90, { rows: madeRows(300, 9), bits: 2 });
    assert.match(String(readByScript(path).stderr), /base was written anew/);
  });

  test('of a run with rows of slices in 16 bits, and of a delta of it, are what that reader prints', async () => {
    const modelDir = newFolder();
    const train = join(modelDir, 'train.csv');
    writeClicks(train, 300, 1);
    const features = ['user', 'item'].map((name) => ({ name, type: 'categorical' as const }));
    await new Estimator({
      ...{ model: 'fm', modelOptions: { embeddingDim: 4 }, modelDir, batchSize: 32, workers: 1, ps: 2, embedding: { storage: 'bf16' } },
      ...{ checkpointEvery: 6, deltaEvery: 4 },
      data: { train: [train], parseThreads: 0, schema: { label: { column: 'click' }, features } },
    }).train({ steps: 8 });
    for (const [name, version] of [
      ['checkpoint-6.json', 1],
      ['checkpoint-8.json', 2],
    ] as const) {
      const path = join(modelDir, name);
      assert.equal(JSON.parse(readFileSync(path, 'utf8')).formatVersion, version);
      const { stdout, stderr } = readByScript(path);
      const run = await openSaved(path);
      assert.deepEqual([run.tables[0].storage, run.tables[0].slices.length], ['bf16', 2]);
      assert.equal(stdout, await textOf(run, 'csv'), String(stderr));
      assert.ok(String(stdout).split('\n').length > 100);
    }
  });

  test('as csv, jsonl and npy are read back exactly: what is imported from each into an empty table is what was exported', async () => {
    const rows = madeRows(400, 3);
    const run = await openSaved(await saveRows(newFolder(), 90, { rows, bits: 2 }));
    const expected = await textOf(run, 'csv');
    const out = newFolder();
    for (const format of ['csv', 'jsonl', 'npy'] as const) await exportToFolder(run, run.tables, { format, state: true }, out);
    assert.deepEqual(readdirSync(out).sort(), ['linear_embedding', 'linear_embedding.csv', 'linear_embedding.jsonl']);
    for (const input of ['linear_embedding', 'linear_embedding.csv', 'linear_embedding.jsonl']) {
      const empty = await openSaved(await saveRows(newFolder(), 5, { rows: new Map(), bits: 0 }));
      const result = await into(empty, join(out, input));
      assert.deepEqual([result.step, result.given, result.added, result.rows], [5, 400, 400, 400]);
      const again = await textOf(await openSaved(result.path, { verify: true }), 'csv');
      const values = (text: string): string[] =>
        text
          .split('\n')
          .map((line) => line.replace(/,\d+,/, ','))
          .sort();
      assert.deepEqual(values(again), values(expected), input);
    }
  });

  test('as npy are what NumPy reads', async (t) => {
    const rows = madeRows(50, 4);
    const run = await openSaved(await saveRows(newFolder(), 90, { rows, bits: 1 }));
    const out = newFolder();
    await exportToFolder(run, run.tables, { format: 'npy', state: true }, out);
    const program =
      'import sys, numpy as n\nf, v, u, s = [n.load(sys.argv[1] + "/linear_embedding/" + x + ".npy") for x in ("fids", "values", "last_used", "state")]\n' +
      'print(f.dtype, v.dtype, u.dtype, f.shape, v.shape, u.shape, s.shape)\nfor i in range(len(f)): print(f[i], u[i], v[i].tobytes().hex())';
    const { status, stdout, stderr } = spawnSync('python3', ['-c', program, out], { encoding: 'utf8' });
    if (status !== 0 && /No module named 'numpy'/.test(stderr)) {
      t.skip('NumPy is not installed here');
      return;
    }
    const [types, ...lines] = stdout.trim().split('\n');
    assert.equal(types, `uint64 float32 uint32 (50,) (50, ${DIM}) (50,) (50, 5)`);
    const expected = [...rows].map(
      ([fid, { lastUsed, record }]) => `${fid} ${lastUsed} ${Buffer.from(record.buffer, 0, 4 * DIM).toString('hex')}`,
    );
    assert.deepEqual(lines.sort(), expected.sort());
  });
});

describe('imported rows', () => {
  test('that are there already are refused, kept or replaced, as asked', async () => {
    const there = madeRows(200, 5);
    const given: Rows = new Map([
      ...madeRows(30, 6),
      ...[...there].slice(0, 20).map(([fid]) => [fid, { lastUsed: 0, record: Float32Array.of(9, 8, 7, 6, 0, 0, 0, 0, 0) }] as const),
    ]);
    const out = newFolder();
    const source = await openSaved(await saveRows(newFolder(), 1, { rows: given, bits: 0 }));
    await exportToFolder(source, source.tables, { format: 'csv', state: false }, out);
    const input = join(out, 'linear_embedding.csv');
    const modelDir = newFolder();
    const path = await saveRows(modelDir, 90, { rows: there, bits: 2 });
    const before = contentOf(modelDir);
    const old = await rowsOf(path);
    await assert.rejects(into(await openSaved(path), input), {
      code: 'InvalidConfig',
      message: /has 20 of the 50 rows .*--existing keep or --existing replace/,
    });
    assert.deepEqual(contentOf(modelDir), before);

    const kept = await into(await openSaved(path), input, 'keep');
    assert.deepEqual([kept.added, kept.kept, kept.replaced, kept.rows], [30, 20, 0, 230]);
    const afterKeep = await rowsOf(modelDir);
    for (const [fid, values] of old) assert.deepEqual(afterKeep.get(fid), values);

    const replaced = await into(await openSaved(modelDir), input, 'replace');
    assert.deepEqual([replaced.added, replaced.kept, replaced.replaced, replaced.rows], [0, 0, 50, 230]);
    const afterReplace = await rowsOf(modelDir);
    // New rows have the values given and the state that training begins with: ftrl 0, 0; adagrad its initialAccumulator.
    const initial = [0, 0, 0.25, 0.25, 0.25];
    for (const [fid, { record }] of given) assert.deepEqual(afterReplace.get(String(fid)), [...record.subarray(0, DIM), ...initial]);
    for (const [fid, values] of old) if (!given.has(BigInt(fid))) assert.deepEqual(afterReplace.get(fid), values);
    assert.deepEqual((await openSaved(modelDir)).metrics, null);
  });

  test('of one slice leave the others: as they were in rows that are there, with their initial values in new ones', async () => {
    const there = madeRows(10, 7);
    const modelDir = newFolder();
    await saveRows(modelDir, 90, { rows: there, bits: 0 });
    const old = await rowsOf(modelDir);
    const [[known]] = there;
    const input = join(newFolder(), 'pretrained.csv');
    writeFileSync(input, `embedding.2,fid,embedding.0,embedding.1\r\n3,${known},1,2\r\n\r\n6,77,4,5\r\n`);
    await into(await openSaved(modelDir), input, 'replace');
    const now = await rowsOf(modelDir);
    const before = old.get(String(known)) ?? [];
    assert.deepEqual(now.get(String(known)), [before[0], 1, 2, 3, before[4], before[5], 0.25, 0.25, 0.25]);
    assert.deepEqual(now.get('77'), [0, 4, 5, 6, 0, 0, 0.25, 0.25, 0.25]);
    writeFileSync(input.replace('.csv', '.jsonl'), '{"fid": "78", "values": [0.5]}\n{"fid": "79", "values": {"linear": [0.25]}}\n');
    await into(await openSaved(modelDir), input.replace('.csv', '.jsonl'), 'refuse', 'linear');
    const [linear, ...embedding] = (await rowsOf(modelDir)).get('78') ?? [];
    assert.equal(linear, 0.5);
    assert.ok(
      embedding.slice(0, 3).every((value) => value !== 0 && Math.abs(value) <= 0.5),
      String(embedding),
    );
  });

  test('go over a delta: what comes of it is whole', async () => {
    const modelDir = newFolder();
    await saveRows(modelDir, 90, { rows: madeRows(40, 1), bits: 1 });
    await saveRows(modelDir, 99, { rows: madeRows(15, 2), bits: 0, base: { step: 90, total: 55 } });
    const old = await rowsOf(modelDir);
    const input = join(newFolder(), 'one.csv');
    writeFileSync(input, 'fid,linear.0\n5,1.5\n');
    assert.equal((await into(await openSaved(modelDir), input)).rows, 56);
    const run = await openSaved(modelDir, { verify: true });
    assert.deepEqual([run.step, run.reader.base, run.tables[0].rows], [99, null, 56]);
    const now = await rowsOf(modelDir);
    for (const [fid, values] of old) assert.deepEqual(now.get(fid), values);
  });

  test('that make the table longer than a section are divided among more of them', async () => {
    const count = 300_000;
    const input = newFolder();
    const fids = BigUint64Array.from({ length: count }, (_, i) => BigInt(i) * 1_000_003n);
    const values = Float32Array.from({ length: count * DIM }, (_, i) => i / 4);
    writeFileSync(join(input, 'fids.npy'), Buffer.concat([npyHead('<u8', [count]), new Uint8Array(fids.buffer)]));
    writeFileSync(join(input, 'values.npy'), Buffer.concat([npyHead('<f4', [count, DIM]), new Uint8Array(values.buffer)]));
    const modelDir = newFolder();
    await saveRows(modelDir, 3, { rows: madeRows(5, 1), bits: 0 });
    const { rows, path } = await into(await openSaved(modelDir), input);
    assert.equal(rows, count + 5);
    const run = await openSaved(path, { verify: true });
    assert.equal(run.tables[0].sections.length, 2);
    const { findRows } = await import('../../src/rows/index.js');
    for (const i of [0, 1, 77_777, count - 1]) {
      const [row] = (await findRows(run, fids[i], null)).rows;
      assert.deepEqual([...row.slices[0].values, ...row.slices[1].values], [...values.subarray(i * DIM, (i + 1) * DIM)]);
    }
  });

  test('that are stored in 16 bits are rounded as the table would', async () => {
    const modelDir = newFolder();
    await saveRows(modelDir, 3, { rows: new Map(), bits: 0, config: { embedding: { storage: 'bf16' } } });
    const input = join(newFolder(), 'one.csv');
    writeFileSync(input, 'fid,linear.0,embedding.0,embedding.1,embedding.2\n5,1,1.00390625,0.1,-3\n');
    await into(await openSaved(modelDir), input);
    assert.deepEqual((await rowsOf(modelDir)).get('5')?.slice(0, 4), [1, 1, 0.10009765625, -3]);
  });

  test('beyond the limit of the table are refused', async () => {
    const modelDir = newFolder();
    await saveRows(modelDir, 3, { rows: madeRows(4, 1), bits: 0, config: { ps: 1, table: { maxRows: 5 } } });
    const input = join(newFolder(), 'two.csv');
    writeFileSync(input, 'fid,linear.0\n5,1\n6,1\n');
    await assert.rejects(into(await openSaved(modelDir), input), { code: 'TableFull', message: /may hold 5 rows.*would have 6/ });
  });

  test('that are wrong are refused with their place, and nothing of the run folder changes', async () => {
    const modelDir = newFolder();
    await saveRows(modelDir, 3, { rows: madeRows(4, 1), bits: 0 });
    const before = contentOf(modelDir);
    const head = 'fid,embedding.0,embedding.1,embedding.2';
    const wrong: readonly (readonly [name: string, text: string, message: RegExp])[] = [
      ['a.csv', '', /is empty/],
      ['a.csv', 'id,embedding.0\n', /line 1: no column "fid"; expected fid and linear\.0, embedding\.0 to embedding\.2/],
      ['a.csv', 'fid,last_used\n', /line 1: no column of values/],
      ['a.csv', `${head},embedding.0\n`, /line 1: column "embedding\.0" stands twice/],
      ['a.csv', `${head},embedding.3\n`, /line 1: slice "embedding" has 3 values a row: column "embedding\.3" is one too many/],
      ['a.csv', 'fid,embedding.0,embedding.2\n', /column "embedding\.1" is missing/],
      ['a.csv', `${head},color\n`, /unknown column "color"/],
      ['a.csv', `${head}\n1,2,3,4\n2,3,4\n`, /line 3: 3 cells, the header has 4/],
      ['a.csv', `${head}\n1,2,3,4\n\n2,3,x,5\n`, /line 4: column "embedding\.1": expected a finite float32, got "x"/],
      ['a.csv', `${head}\n1,2,3,\n`, /line 2: column "embedding\.2".*got ""/],
      ['a.csv', `${head}\n1,2,3,1e39\n`, /line 2: column "embedding\.2".*got "1e39"/],
      ['a.csv', `${head}\n1.5,2,3,4\n`, /line 2: fid: expected a 64-bit number/],
      ['a.csv', `${head}\n1,2,3,4\n2,3,4,5\n1,2,3,4\n`, /fid 1 stands twice: line 2 and line 4/],
      ['a.jsonl', '{"fid": "1", "values": {"embedding": [1, 2]}}\n', /line 1: values\.embedding has 2 numbers, the slice has 3/],
      ['a.jsonl', '{"fid": "1", "values": [1, 2, 3]}\n', /line 1: values has 3 numbers, expected 4 \(linear 1, embedding 3\)/],
      ['a.jsonl', '{"fid": "1", "values": {"color": [1]}}\n', /line 1: values\.color: the table has no such slice/],
      ['a.jsonl', '{"fid": "1", "values": {"linear": [1]}}\n{"fid": "2", "values": {}}\n', /line 2: values\.linear is missing/],
      ['a.jsonl', '{"fid": 9007199254740993, "values": {"linear": [1]}}\n', /line 1: fid: expected a text/],
      ['a.jsonl', '{"fid": "1", "values": {"linear": [null]}}\n', /column "values\.linear\[0\]".*got null/],
      ['a.jsonl', '{"fid": "1"\n', /line 1: /],
    ];
    for (const [name, text, message] of wrong) {
      const input = join(newFolder(), name);
      writeFileSync(input, text);
      await assert.rejects(into(await openSaved(modelDir), input), { code: 'DataFormat', message }, text);
    }
    const arrays: readonly (readonly [fids: Uint8Array, values: Uint8Array, message: RegExp])[] = [
      [
        Buffer.concat([npyHead('<u8', [1]), new Uint8Array(8)]),
        Buffer.concat([npyHead('<f4', [1, 3]), new Uint8Array(12)]),
        /values\.npy: has shape \(1, 3\), expected shape \(1, 4\)/,
      ],
      [Buffer.concat([npyHead('<u8', [1]), new Uint8Array(7)]), new Uint8Array(0), /fids\.npy: 135 bytes, expected 136/],
      [Buffer.concat([npyHead('<f4', [1]), new Uint8Array(4)]), new Uint8Array(0), /fids\.npy: elements of type <f4, expected <u8 or <i8/],
      [Uint8Array.of(1, 2, 3), new Uint8Array(0), /fids\.npy: is no \.npy file/],
      [
        Buffer.concat([npyHead('<u8', [1]), new Uint8Array(8)]),
        Buffer.concat([npyHead('<f4', [1, 4]), new Uint8Array(Float32Array.of(1, 2, Number.NaN, 4).buffer)]),
        /values\.npy: row 0, column 2: not a finite float32/,
      ],
    ];
    for (const [fids, values, message] of arrays) {
      const input = newFolder();
      writeFileSync(join(input, 'fids.npy'), fids);
      writeFileSync(join(input, 'values.npy'), values);
      await assert.rejects(into(await openSaved(modelDir), input), { code: 'DataFormat', message });
    }
    await assert.rejects(into(await openSaved(modelDir), join(folder.path, 'absent.csv')), { code: 'DataNotFound' });
    await assert.rejects(into(await openSaved(modelDir), join(modelDir, 'checkpoint-3.json')), {
      code: 'InvalidConfig',
      message: /expected a \.csv, a \.jsonl, or a folder/,
    });
    assert.deepEqual(contentOf(modelDir), before);
  });
});
