// Trains, evaluates and predicts from a program, without the command line. Shows: the public API, a hook, the config as an object.
//
//   node examples/train-from-code.mjs
import { fileURLToPath } from 'node:url';
import { Estimator } from 'monolith-local';

const file = (name) => fileURLToPath(new URL(`adult/${name}`, import.meta.url));
const columns =
  'age workclass fnlwgt education education-num marital-status occupation relationship race sex gain loss hours country income';
const categorical = ['workclass', 'education', 'marital-status', 'occupation', 'relationship', 'race', 'sex', 'country'];
const estimator = new Estimator({
  model: 'deepfm',
  modelOptions: { hidden: [64, 32] },
  modelDir: 'runs/train-from-code',
  fresh: true,
  data: {
    train: [file('adult.data.gz')],
    eval: [file('adult.test.gz')],
    format: 'csv',
    header: false,
    trim: true,
    schema: {
      columns: columns.split(' '),
      label: { column: 'income', positive: ['>50K', '>50K.'] },
      features: categorical.map((name) => ({ name, type: 'categorical' })),
    },
  },
});
const { step, evaluation } = await estimator.train({ hooks: [{ onCheckpoint: ({ path }) => console.log(`saved ${path}`) }] });
console.log(`after ${step} steps: ${JSON.stringify(evaluation)}`);
