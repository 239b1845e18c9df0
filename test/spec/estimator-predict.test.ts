// Prediction with explicit inputs on real models, and exported folders.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Estimator, type ExampleInput, type PartialTrainingConfig } from '../../src/index.js';
import { frames, example as tfExample } from '../data/helpers.js';
import { runCli, temporaryFolder } from '../helpers/cli.js';
import { clickLines, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('estimator-predict');
  writeClicks(folder.in('train.csv'), 600, 1);
  writeFileSync(folder.in('test.csv'), `click,price,user,item,tags\n${lines.join('\n')}\n`);
  await estimator().train({ steps: 12 });
});
after(() => folder.remove());

/** Quotes, separators, spaces, what is missing, numbers in several forms, ids never seen. */
const lines = [...clickLines(40, 9), '1,1e2,"u ""7"", or 8",i3,', '0,,?, i4 ,t1|t2|t3|t4|t5', '1,-3.25,u1,,t1'];

/** One column of a line as the parser splits it, by hand. */
function example(line: string): { price: number | string | null; user: string; item: string; tags: string | string[] } {
  const quoted = /^(\d),([^,]*),"(.*)",([^,]*),(.*)$/.exec(line);
  const [, price, user, item, tags] =
    quoted === null ? line.split(',') : [0, quoted[2], quoted[3].replaceAll('""', '"'), quoted[4], quoted[5]];
  return { price: price === '' ? null : Number(price), user: String(user), item: String(item), tags: String(tags).split('|') };
}

const common: PartialTrainingConfig = {
  model: 'deepfm',
  modelOptions: { hidden: [8], embeddingDim: 4 },
  batchSize: 16,
  workers: 2,
  ps: 1,
};

function estimator(more: PartialTrainingConfig = {}): Estimator {
  return new Estimator({
    ...common,
    modelDir: folder.in('clicks'),
    data: {
      train: [folder.in('train.csv')],
      eval: [folder.in('test.csv')],
      parseThreads: 0,
      schema: {
        label: { column: 'click' },
        features: [
          { name: 'price', type: 'numeric', transform: 'log1p' },
          { name: 'price_bucket', type: 'bucketized', column: 'price', boundaries: [5, 10, 20] },
          { name: 'user', type: 'categorical' },
          { name: 'article', type: 'categorical', column: 'item' },
          { name: 'tags', type: 'categorical', separator: '|', maxLength: 4 },
        ],
      },
    },
    ...more,
  });
}

async function predicted(own: Estimator): Promise<number[]> {
  const all: number[] = [];
  await own.predict((values) => void all.push(...values));
  return all;
}

describe('#5b prediction with inputs on real models', () => {
  test('#5b examples by feature name give what a file with the same examples gives, bit for bit', async () => {
    const file = await predicted(estimator());
    assert.equal(file.length, lines.length);
    assert.ok(new Set(file).size > 20);
    // By feature name, and by the column that two features read.
    const byName = lines.map(example).map(({ item, ...rest }): ExampleInput => ({ ...rest, article: item }));
    const { predictions, numExamples, step } = await estimator().predictWithInputs(byName);
    assert.deepEqual(
      predictions,
      file.map((value) => [value]),
    );
    assert.deepEqual([numExamples, step], [lines.length, 12]);
  });

  test('#5b examples as lists, in the order of the schema', async () => {
    const file = await predicted(estimator());
    const lists = lines.map(example).map(({ price, user, item, tags }): ExampleInput => [price, price, user, item, tags]);
    assert.deepEqual((await estimator().predictWithInputs(lists)).predictions.flat(), file);
  });

  test('#5b no inputs, no predictions', async () => {
    assert.deepEqual(await estimator().predictWithInputs([]), { step: 12, numExamples: 0, predictions: [] });
  });

  test('#5b errors name the input and the feature', async () => {
    const good = { price: 1, user: 'u1', article: 'i1', tags: [] };
    const wrong: [ExampleInput, RegExp][] = [
      [{ ...good, price: 'cheap' }, /input 1, feature "price": expected a finite number, got "cheap"/],
      [{ ...good, price: Number.NaN }, /input 1, feature "price": .*NaN/],
      [{ ...good, user: ['u1', 'u2'] }, /input 1, feature "user": takes one value/],
      [{ ...good, tags: ['a|b'] }, /input 1, feature "tags": "a\|b" holds the separator/],
      [{ ...good, usr: 'u1' } as ExampleInput, /input 1, feature "usr": .*did you mean "user"\?/],
      [{ price: 1, article: 'i1', tags: [] }, /input 1, feature "user": is not given/],
      [[1, 2], /input 1: has 2 values, the schema has 5 features/],
    ];
    for (const [input, message] of wrong) {
      await assert.rejects(estimator().predictWithInputs([good, input]), { code: 'InvalidArgument', message });
    }
    const big = { ...good, user: 5n } as unknown as ExampleInput;
    await assert.rejects(estimator().predictWithInputs([big]), { code: 'InvalidArgument', message: /feature "user": .* got 5$/ });
    const single = good as unknown as ExampleInput[];
    await assert.rejects(estimator().predictWithInputs(single), { code: 'InvalidArgument', message: /expected a list of inputs/ });
  });

  test('#5b ratings as MovieLens has them: tab-separated with a header of names and types', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => [
      `${(i * 7) % 30}`,
      `${(i * 11) % 40}`,
      `${1 + ((i * i) % 5)}`,
      String(880000000 + i),
    ]);
    const text = `user_id:token\titem_id:token\trating:float\ttimestamp:float\n${rows.map((row) => row.join('\t')).join('\n')}\n`;
    writeFileSync(folder.in('ratings.inter'), text);
    const ratings = new Estimator({
      ...common,
      model: 'fm',
      modelOptions: { embeddingDim: 4 },
      modelDir: folder.in('ratings'),
      data: {
        train: [folder.in('ratings.inter')],
        eval: [folder.in('ratings.inter')],
        parseThreads: 0,
        schema: {
          label: { column: 'rating', positive: { atLeast: 4 } },
          features: [
            { name: 'user_id', type: 'categorical' },
            { name: 'item_id', type: 'categorical' },
          ],
        },
      },
    });
    await ratings.train({ steps: 5 });
    const { predictions } = await ratings.predictWithInputs(rows.map(([user, item]) => ({ user_id: Number(user), item_id: item })));
    assert.deepEqual(predictions.flat(), await predicted(ratings));
  });
});

describe('#5b prediction with inputs of formats that have indices, and of TFRecord', () => {
  /** Trains a moment on a file of such data, and compares inputs given by a program with those of the file. */
  async function comparesWithFile(
    name: string,
    content: string | Uint8Array,
    data: NonNullable<PartialTrainingConfig['data']>,
    inputs: readonly ExampleInput[],
  ): Promise<Estimator> {
    writeFileSync(folder.in(name), content);
    const own = new Estimator({
      ...common,
      workers: 1,
      model: 'fm',
      modelOptions: { embeddingDim: 4 },
      modelDir: folder.in(`run-${name}`),
      data: { train: [folder.in(name)], eval: [folder.in(name)], parseThreads: 0, ...data },
    });
    await own.train({ steps: 4 });
    const { predictions } = await own.predictWithInputs(inputs);
    assert.ok(new Set(predictions.flat()).size > 20);
    assert.deepEqual(predictions.flat(), await predicted(own));
    return own;
  }
  const numbers = Array.from({ length: 80 }, (_, i) => i);

  test('#5b LibSVM: values by index', async () => {
    const pairs = numbers.map((i): [number, number][] => [
      [1 + (i % 7), 1],
      [10 + ((i * 3) % 11), 0.25 * (i % 5) - 0.5],
    ]);
    const text = pairs.map((list, i) => `${i % 3 === 0 ? 1 : 0} ${list.map((pair) => pair.join(':')).join(' ')}`).join('\n');
    const own = await comparesWithFile('data.libsvm', `${text}\n`, { format: 'libsvm' }, pairs.map(Object.fromEntries));
    await assert.rejects(own.predictWithInputs([{ 1: 1 }, { price: 2 }]), {
      code: 'InvalidArgument',
      message: /input 1, feature "price": expected a whole number as index/,
    });
    await assert.rejects(own.predictWithInputs([{ 1: 'one' }]), { code: 'InvalidArgument', message: /input 0, feature "1": .*"one"/ });
  });

  test('#5b LibFFM: values by field and index', async () => {
    const fields = numbers.map((i) => [{ [i % 7]: 1 }, { [20 + ((i * 3) % 11)]: 0.5 + (i % 4) }]);
    const line = (list: readonly object[]): string =>
      list.map((values, field) => Object.entries(values).map(([index, value]) => `${field}:${index}:${value}`)).join(' ');
    const text = fields.map((list, i) => `${i % 3 === 0 ? 1 : 0} ${line(list)}`).join('\n');
    const inputs = fields.map(([f0, f1]): ExampleInput => ({ f0, f1 }));
    const own = await comparesWithFile('data.libffm', `${text}\n`, { format: 'libffm', numFields: 2 }, inputs);
    await assert.rejects(own.predictWithInputs([{ f2: { 1: 1 } }]), { message: /input 0, feature "f2": expected a field f0 … f1/ });
    await assert.rejects(own.predictWithInputs([{ f1: 3 }]), { message: /input 0, feature "f1": expected an object of values by index/ });
  });

  test('#5b TFRecord: names that hold the characters of text formats, and numbers as float32', async () => {
    const rows = numbers.map((i) => ({
      x: i % 9 === 0 ? null : i * 0.1,
      a: [`a ${i % 7}, "quoted"`, ' b\n', 'c|d', ''][i % 4],
      tags: Array.from({ length: i % 4 }, (_, k) => `t|${(i + k) % 5}`),
    }));
    const records = rows.map(({ x, a, tags }, i) =>
      tfExample({
        y: { floats: [i % 3 === 0 ? 1 : 0] },
        x: x === null ? null : { floats: [x] },
        a: { bytes: [a] },
        tags: { bytes: tags },
      }),
    );
    const schema = {
      label: { column: 'y' },
      features: [
        { name: 'x', type: 'numeric' as const },
        { name: 'a', type: 'categorical' as const },
        { name: 'tags', type: 'categorical' as const, maxLength: 4 },
      ],
    };
    await comparesWithFile('data.tfrecord', frames(records), { format: 'tfrecord', schema }, rows);
  });
});

describe('exported folders', () => {
  test('are whole, say all that predicting takes, and are not overwritten', async () => {
    const own = estimator();
    const path = await own.export(folder.in('exports'));
    assert.equal(path, join(folder.in('exports'), '12'));
    await assert.rejects(own.export(folder.in('exports')), { code: 'InvalidConfig', message: /is there already/ });
    assert.deepEqual(readdirSync(folder.in('exports')), ['12']);
    assert.equal(JSON.parse(readFileSync(join(path, 'schema.json'), 'utf8')).features.length, 5);
    // Somewhere else, without the run it came from.
    mkdirSync(folder.in('elsewhere'));
    const moved = folder.in('elsewhere/model');
    const { renameSync } = await import('node:fs');
    renameSync(path, moved);
    const file = await predicted(own);
    const inputs = lines.map(example).map(({ item, ...rest }): ExampleInput => ({ ...rest, article: item }));
    assert.deepEqual((await Estimator.fromFolder(moved).predictWithInputs(inputs)).predictions.flat(), file);
    const cli = await runCli(['predict', '--model-dir', moved, '--data', folder.in('test.csv'), '--quiet']);
    assert.equal(cli.code, 0, cli.stderr);
    assert.deepEqual(
      cli.stdout
        .trim()
        .split('\n')
        .map((line) => Math.fround(Number(line))),
      file,
    );
  });

  test('take the file of a model of the user along, and leave nothing behind where that does not load', async () => {
    const source =
      "import { defineModel } from 'monolith-local/models';\nexport const model = defineModel({ name: 'own', options: {}, build: (b) => b.add([b.linear(), b.bias(1, 'bias')], 'logit') });\n";
    const root = new URL('../../../', import.meta.url).pathname;
    const file = join(root, 'dist', `own-model-${process.pid}.mjs`);
    writeFileSync(file, source);
    try {
      const own = estimator({ model: file, modelOptions: {}, modelDir: folder.in('own') });
      await own.train({ steps: 2 });
      // Outside of the package its name means nothing.
      await assert.rejects(own.export(folder.in('outside')), { code: 'InvalidConfig', message: /does not load from another folder/ });
      assert.deepEqual(readdirSync(folder.in('outside')), []);
      const inside = join(root, 'dist', `exports-${process.pid}`);
      const path = await own.export(inside);
      try {
        const before = (await own.predictWithInputs([{ price: 1, user: 'u1', article: 'i1', tags: 't1' }])).predictions;
        rmSync(file);
        const after = await Estimator.fromFolder(path).predictWithInputs([{ price: 1, user: 'u1', article: 'i1', tags: 't1' }]);
        assert.deepEqual(after.predictions, before);
      } finally {
        rmSync(inside, { recursive: true });
      }
    } finally {
      rmSync(file, { force: true });
    }
  });
});
