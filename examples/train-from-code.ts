// train-from-code.mjs in TypeScript, every type from the package alone.
//
//   npx tsc --strict --target es2022 --module nodenext --outDir runs/js examples/train-from-code.ts && node runs/js/train-from-code.js
import { Estimator, MonolithError, type PartialTrainingConfig } from 'monolith-local';

const columns =
  'age workclass fnlwgt education education-num marital-status occupation relationship race sex gain loss hours country income';
const categorical = ['workclass', 'education', 'marital-status', 'occupation', 'relationship', 'race', 'sex', 'country'];
const config: PartialTrainingConfig = {
  model: 'deepfm',
  modelOptions: { hidden: [64, 32] },
  modelDir: 'runs/train-from-code',
  fresh: true,
  data: {
    train: ['examples/adult/adult.data.gz'],
    eval: ['examples/adult/adult.test.gz'],
    format: 'csv',
    header: false,
    trim: true,
    schema: {
      columns: columns.split(' '),
      label: { column: 'income', positive: ['>50K', '>50K.'] },
      features: categorical.map((name) => ({ name, type: 'categorical' })),
    },
  },
};
try {
  const { step, evaluation } = await new Estimator(config).train({ signal: AbortSignal.timeout(60_000) });
  if (evaluation !== null && 'auc' in evaluation) console.log(`after ${step} steps: AUC ${evaluation.auc.toFixed(4)}`);
} catch (error) {
  if (error instanceof MonolithError) console.error(`${error.code}: ${error.message}`);
  else throw error;
}
