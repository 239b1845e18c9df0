// Features that the schema makes out of columns: what is trained with them predicts with them, from the run folder alone.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Estimator, type ExampleInput } from '../../src/index.js';
import { temporaryFolder } from '../helpers/cli.js';
import { clickLines, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const lines = clickLines(24, 9);

before(async () => {
  folder = await temporaryFolder('engineered-features');
  writeClicks(folder.in('train.csv'), 300, 1);
  writeFileSync(folder.in('test.csv'), `click,price,user,item,tags\n${lines.join('\n')}\n`);
});
after(() => folder.remove());

test('a model trained with features of the schema predicts with them, and from given inputs alike', async () => {
  const estimator = new Estimator({
    model: 'fm',
    modelOptions: { embeddingDim: 4 },
    batchSize: 32,
    workers: 1,
    ps: 1,
    modelDir: folder.in('run'),
    data: {
      train: [folder.in('train.csv')],
      parseThreads: 0,
      schema: {
        label: { column: 'click' },
        filters: [{ column: 'price', atMost: 35 }, { sample: { label: 0, rate: 0.8 } }],
        features: [
          { name: 'price_bucket', type: 'bucketized', column: 'price', boundaries: [5, 10, 20] },
          { name: 'user', type: 'categorical' },
          { name: 'user_by_price', type: 'cross', of: ['user', 'price_bucket'] },
          { name: 'user_by_item', type: 'cross', of: ['user', 'item'] },
        ],
      },
    },
  });
  await estimator.train({ steps: 8 });
  const trained = Estimator.fromFolder(folder.in('run'), { data: { eval: [folder.in('test.csv')] } });
  const file: number[] = [];
  await trained.predict((values) => void file.push(...values));
  assert.equal(file.length, lines.length);
  assert.ok(new Set(file).size > 12);
  const inputs = lines.map((line): ExampleInput => {
    const [, price, user, item] = line.split(',');
    return { price: Number(price), user: String(user), item: String(item) };
  });
  const { predictions } = await trained.predictWithInputs(inputs);
  assert.deepEqual(predictions.flat(), file);
});
