// The TypeScript twin of train-from-code.mjs: the same run, with a model of one's own. Shows: defineModel, typed results, typed errors.
//
//   npx tsc --strict --target es2022 --module nodenext --skipLibCheck false --outDir runs/js examples/train-from-code.ts && node …
import { type BinaryMetrics, Estimator, MonolithError, type PartialRunConfig, type TrainResult } from 'monolith-local';

const categorical = ['user', 'item', 'country'] as const;

/** Trains on CSV files with the columns click, price, user, item and country. */
export async function train(files: string[], evalFiles: string[], modelDir: string, signal?: AbortSignal): Promise<BinaryMetrics> {
  const config: PartialRunConfig = {
    model: 'deepfm',
    modelOptions: { hidden: [64, 32] },
    modelDir,
    data: {
      train: files,
      eval: evalFiles,
      schema: {
        label: { column: 'click' },
        features: [
          { name: 'price', type: 'numeric', transform: 'log1p' },
          ...categorical.map((name) => ({ name, type: 'categorical' as const })),
        ],
      },
    },
  };
  try {
    const result: TrainResult = await new Estimator(config).train(signal === undefined ? {} : { signal });
    if (result.evaluation === null || !('auc' in result.evaluation)) throw new Error('no evaluation');
    return result.evaluation;
  } catch (error) {
    if (error instanceof MonolithError && error.code === 'DataNotFound') console.error(`look at the paths: ${error.message}`);
    throw error;
  }
}
