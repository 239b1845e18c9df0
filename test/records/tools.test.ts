import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { resolveConfig } from '../../src/config/index.js';
import { BatchPipeline } from '../../src/data/index.js';
import { Estimator } from '../../src/estimator/index.js';
import {
  convertRecords,
  generateRecords,
  inspectPage,
  inspectRecords,
  inspectText,
  splitRecords,
  statsText,
  suggestConfig,
  validateRecords,
} from '../../src/records/index.js';
import { readRows } from '../data/helpers.js';
import { runCli } from '../helpers/cli.js';
import { column, readTable, sharedData, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();
const shared = sharedData();
const skip = shared === null ? 'absent' : false;
/** The first trips of Chicago's, and all their columns. */
const taxi = shared === null ? '' : folder.write('taxi.csv', firstLines(join(shared, 'chicago-taxi/data.csv.gz'), 600));

function firstLines(path: string, lines: number): string {
  return gunzipSync(readFileSync(path)).toString('utf8').split('\n', lines).join('\n');
}

function clicks(rows: number): string {
  const lines = Array.from(
    { length: rows },
    (_, i) => `${i % 3 === 0 ? 1 : 0},user${i % 37},${1_700_000_000 + ((i * 7919) % rows)},${(i % 11) / 4 + 0.1},ad${(i * i) % 23}`,
  );
  return `click,user,time,price,ad\n${lines.join('\n')}\n`;
}
const clickFile = folder.write('clicks.csv', clicks(3000));
const write = {};

describe('data convert', () => {
  for (const to of ['tfrecord', 'parquet', 'avro', 'example', 'example-batch', 'example-batch-row-major', 'instance', 'tsv']) {
    test(`trips as ${to} and back are the same trips`, { skip }, async () => {
      // These have no doubles.
      const doubles = 'fare,pickup_latitude,pickup_longitude,dropoff_latitude,dropoff_longitude,trip_miles,tips'.split(',');
      const kinds = to === 'instance' || to === 'tfrecord' ? doubles.map((name) => `${name}=float32`).join(',') : undefined;
      const there = folder.in(`trips-${to}`);
      const result = await convertRecords({ files: [taxi], out: there, write: { to }, kinds });
      assert.deepEqual([result.rows, result.from, result.to], [599, 'csv', to]);
      const back = folder.in(`back-${to}.csv`);
      await convertRecords({ files: [there], format: to, out: back, write });
      const before = await readTable(taxi);
      const after = await readTable(back);
      for (const { name, kind } of before.fields) {
        const values = column(before, name);
        const comparable = (value: unknown): unknown =>
          value === null ? null : kind === 'float64' ? Math.fround(Number(value)) : String(value);
        assert.deepEqual(column(after, name).map(comparable), values.map(comparable), name);
      }
    });
  }

  test('training sees the same examples in CSV, TFRecord and Parquet', { skip }, async () => {
    const schema = {
      label: { column: 'tips', greaterThan: { column: 'fare', times: 0.2 } },
      features: [
        // Transformed, a double and its float32 may differ in the last bit; whole numbers do not.
        { name: 'fare', type: 'numeric' },
        { name: 'trip_start_day', type: 'numeric', transform: 'log1p' },
        { name: 'pickup_latitude', type: 'numeric' },
        { name: 'payment_type', type: 'categorical' },
        { name: 'company', type: 'categorical' },
        { name: 'trip_start_hour', type: 'categorical' },
        { name: 'trip_seconds', type: 'bucketized', method: 'log2-squared' },
      ],
    } as const;
    const read = (file: string): ReturnType<typeof readRows> => readRows({ files: [file], schema, shuffle: 0 });
    const wanted = await read(taxi);
    assert.equal(wanted.length, 599);
    const floats = 'fare,pickup_latitude,pickup_longitude,dropoff_latitude,dropoff_longitude,trip_miles,tips'.split(',');
    for (const [name, kinds] of [
      ['same.tfrecord', floats.map((column) => `${column}=float32`).join(',')],
      ['same.parquet', undefined],
    ] as const) {
      await convertRecords({ files: [taxi], out: folder.in(name), write, kinds });
      assert.deepEqual(await read(folder.in(name)), wanted, name);
    }
  });

  test('a table as LibSVM trains: numbers are index:value, texts the index of their hash', async () => {
    const out = folder.in('clicks.libsvm');
    await assert.rejects(convertRecords({ files: [clickFile], out, write: { options: { label: 'click' } } }), {
      code: 'InvalidConfig',
      message: /user, ad.*hashBits/,
    });
    assert.equal(existsSync(out), false);
    await convertRecords({ files: [clickFile], out, write: { options: { label: 'click', hashBits: 20 } } });
    assert.match(readFileSync(out, 'utf8'), /^1 \d+:1 2:1700000000 3:0\.1 \d+:1\n/);
    const pipeline = await BatchPipeline.open({ files: [out], parseThreads: 0 });
    assert.equal(pipeline.stats().format, 'libsvm');
    await pipeline.close();
  });

  test('columns, names, kinds, rows and shards', async () => {
    const out = folder.in('parts/some.csv');
    const options = {
      columns: ['ad', 'price', 'click'],
      drop: ['click'],
      rename: ['ad=advert'],
      kinds: 'price=text',
      rows: '11-15',
      shards: 2,
    };
    const result = await convertRecords({ files: [clickFile], out, write, ...options });
    assert.deepEqual(
      result.files.map(({ path, rows }) => [path.slice(folder.path.length + 1), rows]),
      [
        ['parts/some-00000-of-00002.csv', 3],
        ['parts/some-00001-of-00002.csv', 2],
      ],
    );
    assert.equal(readFileSync(result.files[0].path, 'utf8'), 'advert,price\nad8,2.6\nad6,0.35\nad12,0.85\n');
    assert.deepEqual(readdirSync(folder.in('parts')).sort(), ['some-00000-of-00002.csv', 'some-00001-of-00002.csv']);
  });

  test('what goes wrong in the middle leaves no file, and files that are there are kept', async () => {
    const bad = folder.write('bad.csv', `${clicks(5000)}1,2\n`);
    const out = folder.in('never.csv.gz');
    await assert.rejects(convertRecords({ files: [bad], out, write }), { code: 'DataFormat', message: /line 5002 .*2 fields, expected 5/ });
    assert.deepEqual(
      readdirSync(folder.path).filter((name) => name.includes('never')),
      [],
    );
    await assert.rejects(convertRecords({ files: [bad], out: clickFile, write }), {
      code: 'InvalidConfig',
      message: /there already; --force/,
    });
    await assert.rejects(convertRecords({ files: [clickFile], out: clickFile, write: { force: true } }), {
      code: 'InvalidConfig',
      message: /is read and would be written/,
    });
    await assert.rejects(convertRecords({ files: ['-'], out, write }), {
      code: 'InvalidConfig',
      message: /standard input can be read once/,
    });
    await assert.rejects(convertRecords({ files: [clickFile], out, write, columns: ['usr'] }), {
      code: 'InvalidConfig',
      message: /did you mean user\?/,
    });
    assert.equal(readFileSync(clickFile, 'utf8'), clicks(3000));
  });
});

describe('data split', () => {
  const parts = 'train=0.7,valid=0.1,test=0.2';
  const splitBy = (
    by: 'random' | 'user' | 'time',
    out: string,
    more: { column?: string; seed?: number } = {},
  ): ReturnType<typeof splitRecords> =>
    splitRecords({ files: [clickFile], parts, by, out: folder.in(out), write: { force: true }, ...more });

  test('at random: every record once, near the shares, the same for the same seed', async () => {
    const result = await splitBy('random', 'random');
    assert.deepEqual(
      result.parts.map(({ name }) => name),
      ['train', 'valid', 'test'],
    );
    const lines = result.parts.flatMap(({ path }) => readFileSync(path, 'utf8').trim().split('\n').slice(1));
    assert.deepEqual(lines.sort(), clicks(3000).trim().split('\n').slice(1).sort());
    for (const [i, share] of [0.7, 0.1, 0.2].entries())
      assert.ok(Math.abs(result.parts[i].rows / 3000 - share) < 0.03, String(result.parts[i].rows));
    const first = readFileSync(folder.in('random/valid.csv'), 'utf8');
    await splitBy('random', 'random');
    assert.equal(readFileSync(folder.in('random/valid.csv'), 'utf8'), first);
    await splitBy('random', 'random', { seed: 7 });
    assert.notEqual(readFileSync(folder.in('random/valid.csv'), 'utf8'), first);
  });

  test('by user: no user is in two parts', async () => {
    const result = await splitBy('user', 'user', { column: 'user' });
    const users = await Promise.all(result.parts.map(async ({ path }) => new Set(column(await readTable(path), 'user'))));
    assert.equal(users[0].size + users[1].size + users[2].size, 37);
    assert.equal(new Set(users.flatMap((set) => [...set])).size, 37);
  });

  test('by time: the earliest first, exact shares where times differ, equal times together', async () => {
    const result = await splitBy('time', 'time', { column: 'time' });
    assert.deepEqual(
      result.parts.map(({ rows }) => rows),
      [2100, 300, 600],
    );
    const times = await Promise.all(result.parts.map(async ({ path }) => column(await readTable(path), 'time').map(Number)));
    assert.ok(Math.max(...times[0]) < Math.min(...times[1]) && Math.max(...times[1]) < Math.min(...times[2]));
    const days = folder.write(
      'days.csv',
      `day,x\n${Array.from({ length: 100 }, (_, i) => `2024-01-${String(1 + (i % 10)).padStart(2, '0')},${i}`).join('\n')}\n`,
    );
    const dated = await splitRecords({ files: [days], parts: 'a=0.25,b=0.75', by: 'time', column: 'day', out: folder.in('days'), write });
    assert.deepEqual(
      dated.parts.map(({ rows }) => rows),
      [30, 70],
    );
  });

  test('refuses shares that are no whole, and a column that is not there', async () => {
    const request = { files: [clickFile], by: 'user' as const, out: folder.in('no'), write };
    await assert.rejects(splitRecords({ ...request, parts: 'a=0.5,b=0.4', column: 'user' }), { message: /add up to 0\.9, not to 1/ });
    await assert.rejects(splitRecords({ ...request, parts: 'a=0.5,b=0.5', column: 'usr' }), { message: /no column "usr"/ });
    assert.equal(existsSync(folder.in('no')), false);
  });
});

describe('data generate', () => {
  // Of the files that the documented generator writes for these parameters, compiled with -ffp-contract=off against glibc 2.36.
  for (const [preset, to, hash, truth] of [
    [
      'uniform',
      'criteo-bin',
      'ef4c9ddee6b5d9098205ce023edf38f98947091b1b128a290072c4df5c3c9a8b',
      '5f18410058dbf6a217b8e4fcc5a3f17f6694a10b34f81e07e936d150c661ffd0',
    ],
    [
      'uniform',
      'criteo',
      '311411d9f2253bf05a197bb0ccb37e4e2affb38649e0ac47101353f24d3a3c04',
      '5f18410058dbf6a217b8e4fcc5a3f17f6694a10b34f81e07e936d150c661ffd0',
    ],
    [
      'kaggle',
      'criteo-bin',
      'a75dcea4e05b8b4037af10b26daed1fe32456fd5895b96b9e051d75447023cfe',
      '7556e9514d35b68026fe24481f9120dea8ba587a436eb1252538364aedc2f1ce',
    ],
    [
      'kaggle',
      'criteo',
      'efc62b077b35826645d15719f51706b1c316ed0b8e320b171335f15303dab755',
      '7556e9514d35b68026fe24481f9120dea8ba587a436eb1252538364aedc2f1ce',
    ],
  ] as const) {
    test(`${preset} as ${to}: the bytes of the definition`, async () => {
      const out = folder.in(`made-${preset}-${to}`);
      const clicks = { preset, rows: 5000, zipf: 1.1, seed: 9 };
      await generateRecords({ out, write: { to }, start: 1000, count: 500, clicks, truth: `${out}.truth` });
      const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
      assert.deepEqual([hashOf(out), hashOf(`${out}.truth`)], [hash, truth]);
      assert.equal((await readTable(out)).rows.length, 500);
    });
  }

  test('records of a schema can be trained on and hang on the seed and their number alone', async () => {
    const schema = {
      label: { column: 'bought', positive: ['yes'] },
      features: [
        { name: 'shop', type: 'categorical' },
        { name: 'tags', type: 'categorical', separator: '|', maxLength: 4 },
        { name: 'price', type: 'numeric', transform: 'log1p' },
      ],
    } as const;
    const make = (name: string, start: number, count: number): ReturnType<typeof generateRecords> =>
      generateRecords({ out: folder.in(name), write, start, count, schema, clicks: { preset: 'uniform', rows: 1, zipf: 1, seed: 3 } });
    const { positive } = await make('made.csv', 0, 400);
    await make('later.csv', 300, 100);
    const lines = readFileSync(folder.in('made.csv'), 'utf8').trim().split('\n');
    assert.deepEqual(readFileSync(folder.in('later.csv'), 'utf8').trim().split('\n').slice(1), lines.slice(301));
    assert.ok(positive > 0.1 && positive < 0.6, String(positive));
    const pipeline = await BatchPipeline.open({ files: [folder.in('made.csv')], schema, parseThreads: 0 });
    await pipeline.close();
  });
});

describe('data inspect and stats', () => {
  test('figures of columns: missing, distinct, range, the most frequent', async () => {
    const path = folder.write(
      'figures.csv',
      `id,n,word\n${Array.from({ length: 2000 }, (_, i) => `${i},${i % 5 === 0 ? '' : i % 7},${i % 4 === 0 ? 'often' : `w${i}`}`).join('\n')}\n`,
    );
    const { columns, rows } = await inspectRecords({ files: [path] });
    const [id, n, word] = columns;
    assert.equal(rows, 2000);
    assert.deepEqual([id.kind, id.min, id.max, id.mean, id.missing], ['int64', 0, 1999, 999.5, 0]);
    assert.ok(Math.abs(id.distinct - 2000) < 100, String(id.distinct));
    assert.deepEqual([n.distinct, n.missing, n.min, n.max, n.topIsExact], [7, 400, 0, 6, true]);
    assert.deepEqual([word.top[0].value, word.top[0].count - word.top[0].error <= 500, word.top[0].count >= 500], ['often', true, true]);
    assert.ok(Math.abs(word.distinct - 1501) < 75, String(word.distinct));
    const text = inspectText(await inspectRecords({ files: [path] }));
    assert.match(text, /2000 records, 3 columns[\s\S]*separator comma[\s\S]*often 25 %/);
  });

  test('drift: none between halves at random, a large one where values move, new categories by name', async () => {
    const rows = (from: number, shift: number, word: string): string =>
      folder.write(
        `drift-${from}.csv`,
        `x,kind\n${Array.from({ length: 4000 }, (_, i) => `${((i * 7919 + from) % 1000) / 10 + shift},${i % 10 === 0 ? word : `k${i % 3}`}`).join('\n')}\n`,
      );
    const result = await inspectRecords({ files: [rows(0, 0, 'old')], against: [rows(1, 0, 'old')] });
    for (const { psi, newShare } of result.against?.drift ?? []) assert.ok(psi < 0.02 && newShare === 0, `${psi} ${newShare}`);
    const moved = await inspectRecords({ files: [rows(0, 0, 'old')], against: [rows(2, 60, 'new')] });
    const [x, kind] = moved.against?.drift ?? [];
    assert.ok(x.psi > 1, String(x.psi));
    assert.deepEqual([kind.newCategories, Math.abs(kind.newShare - 0.1) < 0.01], [['new'], true]);
    assert.match(statsText(moved), /x +\d\.\d+ large/);
  });

  test('the page holds what files say as text and never as markup', async () => {
    const evil = '<script>alert(1)</script>';
    const path = folder.write('evil.csv', `"${evil}","a""onload=x"\n${`${evil},'&amp;'\n`.repeat(3)}1,2\n`);
    const page = inspectPage(await inspectRecords({ files: [path], options: { header: true } }));
    assert.ok(!page.includes('<script'), page);
    assert.ok(page.includes('&lt;script&gt;alert(1)&lt;/script&gt;') && page.includes('a&quot;onload=x'));
    assert.ok(!/https?:\/\/|src=|href=/.test(page.replace(/<title>.*<\/title>/, '')), 'it needs nothing from elsewhere');
  });

  test('the suggested configuration trains', { skip }, async () => {
    const { input, columns } = await inspectRecords({ files: [taxi] });
    assert.throws(() => suggestConfig(input, columns, null, null), { code: 'InvalidConfig', message: /name it with --label/ });
    const file = folder.write('taxi.yaml', suggestConfig(input, columns, 'tips', null));
    const config = resolveConfig({
      file,
      values: { modelDir: folder.in('run'), maxSteps: 3, batchSize: 100, modelOptions: { hidden: [8] } },
    });
    assert.equal((await new Estimator(config).train()).step, 3);
  });
});

describe('data validate', () => {
  const broken = folder.write('broken.csv', `${clicks(2500)}1,user1,many,1,ad1\n0,user\n${clicks(3).split('\n').slice(1).join('\n')}`);

  test('counts bad records and names the first ones with line, byte and field', async () => {
    const result = await validateRecords({ files: [clickFile, broken], options: { kinds: 'time=int64' } });
    assert.deepEqual([result.good, result.bad], [5503, 2]);
    const [many, short] = result.problems;
    assert.deepEqual([many.line, many.record, many.field], [2502, 2501, 'time']);
    assert.equal(
      readFileSync(broken, 'utf8')
        .slice(many.byte ?? 0)
        .split('\n')[0],
      '1,user1,many,1,ad1',
    );
    assert.deepEqual([short.line, short.field], [2503, null]);
  });

  test('against a schema, by the parsers that train; the command ends with 1', async () => {
    const config = folder.write(
      'schema.yaml',
      'data:\n  schema:\n    label: {column: click}\n    features:\n      - {name: time, type: numeric}\n      - {name: ad, type: categorical}\n',
    );
    const { code, stdout, stderr } = await runCli(['data', 'validate', clickFile, broken, '--schema', config, '--json']);
    assert.equal(code, 1, stderr);
    const result = JSON.parse(stdout) as Awaited<ReturnType<typeof validateRecords>>;
    assert.deepEqual([result.good, result.bad, result.problems.map(({ line }) => line)], [5503, 2, [2502, 2503]]);
    assert.equal((await validateRecords({ files: [clickFile], config: resolveConfig({ file: config }).config })).bad, 0);
  });
});
