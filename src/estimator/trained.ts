import { MonolithError } from '../base/index.js';
import type { CheckpointReader } from '../checkpoint/index.js';
import { LocalCluster } from '../cluster/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { BatchPipeline } from '../data/index.js';
import { bindModel, type EvaluationMetrics, evaluate, openPipeline, scoreAll, specOfRun } from '../training/index.js';
import { closeAll } from './close-all.js';
import { openForUse } from './restored-start.js';
import { restoreCluster } from './session.js';

/** An evaluation of a checkpoint. */
export type EvaluationResult = {
  /** Step of the checkpoint. */
  readonly step: number;
  /** Steps of the evaluation, a batch of every worker each. */
  readonly evalSteps: number;
  readonly metrics: EvaluationMetrics;
};

/** The checkpoint to evaluate or predict with. @throws CheckpointNotFound, CheckpointCorrupt, RestoreCkptNotFound, … */
export async function requireTrained(config: TrainingConfig): Promise<CheckpointReader> {
  const checkpoint = await openForUse(config);
  if (checkpoint !== null) return checkpoint;
  const { modelDir } = config;
  const message = `${modelDir} has no checkpoint; train first, or name another folder with --model-dir`;
  throw new MonolithError('CheckpointNotFound', message, { modelDir });
}

/** Metrics of a checkpoint on the evaluation data. @param steps at the most; 0: all data. */
export function evaluateTrained(config: TrainingConfig, checkpoint: CheckpointReader, steps: number): Promise<EvaluationResult> {
  return withTrained(config, checkpoint, 'evaluate', async (cluster, pipeline) => {
    const before = cluster.rounds;
    const metrics = await evaluate(cluster, pipeline, null, steps === 0 ? Number.POSITIVE_INFINITY : steps);
    return { step: checkpoint.step, evalSteps: cluster.rounds - before, metrics };
  });
}

/** Predictions of a checkpoint for `config.data.eval`, in the order of the records; NaN for a record that can't be read. @returns their number */
export function predictTrained(
  config: TrainingConfig,
  checkpoint: CheckpointReader,
  receive: (predictions: Float32Array) => void | Promise<void>,
): Promise<number> {
  return withTrained(config, checkpoint, 'predict', async (cluster, pipeline) => {
    const logistic = cluster.spec.plan.loss === 'bce';
    const predictions = new Float32Array(config.batchSize);
    let count = 0;
    await scoreAll(cluster, pipeline, (logits, labels, weights, n) => {
      for (let i = 0; i < n; i++) {
        const bad = weights[i] === 0 && Number.isNaN(labels[i]);
        predictions[i] = bad ? Number.NaN : logistic ? 1 / (1 + Math.exp(-logits[i])) : logits[i];
      }
      count += n;
      return receive(predictions.subarray(0, n));
    });
    return count;
  });
}

async function withTrained<T>(
  config: TrainingConfig,
  checkpoint: CheckpointReader,
  use: 'evaluate' | 'predict',
  run: (cluster: LocalCluster, pipeline: BatchPipeline) => Promise<T>,
): Promise<T> {
  const bound = await bindModel(config, use);
  const open: { close(): Promise<void> }[] = [];
  try {
    const pipeline = await openPipeline(config, use, bound);
    open.push(pipeline);
    const cluster = await LocalCluster.start(specOfRun(config, bound, pipeline));
    open.push(cluster);
    await restoreCluster(cluster, checkpoint);
    return await run(cluster, pipeline);
  } finally {
    await closeAll(open);
  }
}
