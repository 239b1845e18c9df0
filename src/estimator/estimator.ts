import { MonolithError } from '../base/index.js';
import type { LocalCluster } from '../cluster/index.js';
import { type PartialTrainingConfig, type ResolvedConfig, resolveConfig, type TrainingConfig } from '../config/index.js';
import type { BatchPipeline } from '../data/index.js';
import { describe } from '../models/index.js';
import {
  bindModel,
  type EvaluationMetrics,
  evaluate,
  hasEvaluationData,
  openPipeline,
  scoreAll,
  type TrainResult,
} from '../training/index.js';
import { closeAll } from './close-all.js';
import { openForUse } from './restored-start.js';
import { restoreCluster, startCluster } from './session.js';
import type { StepLimits } from './step-limits.js';
import { type SessionOptions, TrainingSession } from './training-session.js';

/** Hooks, a signal to stop and how far to go: `steps` from here, `maxSteps` from the very first start; neither: as the configuration says. */
export type TrainOptions = SessionOptions & StepLimits;

/**
 * Trains, evaluates and predicts as a configuration says: the public object. It keeps no threads between calls; what was learnt lies in
 * the run folder `modelDir`, from where every call goes on.
 *
 * ```ts
 * const estimator = new Estimator({ model: 'deepfm', modelDir: 'run', data: { train: ['train.tsv'], eval: ['test.tsv'], format: 'criteo' } });
 * const { evaluation } = await estimator.train();
 * ```
 */
export class Estimator {
  readonly config: TrainingConfig;

  /**
   * @param config options in the shape of a config file (missing ones take their defaults), or what resolveConfig returned.
   * @throws InvalidConfig naming the option.
   */
  constructor(config: PartialTrainingConfig | ResolvedConfig) {
    this.config =
      'origins' in config ? (config as ResolvedConfig).config : resolveConfig({ values: config as PartialTrainingConfig }).config;
  }

  /**
   * Trains until the data end, a limit is reached, early stopping or `signal`. Goes on from the newest checkpoint of the run folder unless the
   * config says `fresh`. Ends with an evaluation, where there are data for one, and a checkpoint.
   *
   * @throws InvalidConfig, DataNotFound, DataFormat, TooManyBadRecords, NonFiniteLoss, WorkerDied, DiskFull, CheckpointCorrupt,
   * RunFolderBusy while another process trains in the folder, …
   */
  async train(options: TrainOptions = {}): Promise<TrainResult> {
    const { config } = this;
    requireData(config, 'train');
    if (config.distributed.enabled && options.startEngine === undefined) {
      throw new MonolithError('InvalidConfig', 'distributed.enabled: this process is one of several, so call joinJob instead of train');
    }
    const session = await TrainingSession.open(config, options);
    try {
      return await session.run(options);
    } finally {
      await session.close();
    }
  }

  /**
   * Evaluates the newest checkpoint of the run folder, or the one that `restoreCkpt` names, on the evaluation data.
   * @throws CheckpointNotFound when nothing was trained yet.
   */
  async evaluate(): Promise<{ readonly step: number; readonly metrics: EvaluationMetrics }> {
    const { config } = this;
    if (!hasEvaluationData(config)) throw noData('evaluate', 'data.eval (--eval-data)');
    return this.withTrained('evaluate', async (cluster, pipeline, step) => ({ step, metrics: await evaluate(cluster, pipeline) }));
  }

  /**
   * Predictions of the newest checkpoint, or the one that `restoreCkpt` names, for `config.data.eval`, in the order of the records: exactly one call of `receive` value a record.
   * A record that can't be read gives NaN.
   *
   * @param receive gets probabilities (models with a logistic loss) or values; the view is valid only during the call.
   * @returns number of records.
   */
  async predict(receive: (predictions: Float32Array) => void | Promise<void>): Promise<number> {
    const { config } = this;
    if (config.data.eval.length === 0) throw noData('predict', 'data.eval (--eval-data), or --data');
    return this.withTrained('predict', async (cluster, pipeline) => {
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

  /** Layers, shapes and parameter counts of the model on the training data, as text. @throws InvalidConfig when no data are named */
  async describe(): Promise<string> {
    requireData(this.config, 'describe');
    const { definition, inputs } = await bindModel(this.config, 'train');
    const { precision } = this.config;
    return `${describe(definition, inputs, this.config.modelOptions)}${precision === 'fp32' ? '' : `matrix products: ${precision}\n`}`;
  }

  private async withTrained<T>(
    use: 'evaluate' | 'predict',
    run: (cluster: LocalCluster, pipeline: BatchPipeline, step: number) => Promise<T>,
  ): Promise<T> {
    const { config } = this;
    const checkpoint = await openForUse(config);
    if (checkpoint === null) {
      throw new MonolithError(
        'CheckpointNotFound',
        `${config.modelDir} has no checkpoint; train first, or name another folder with --model-dir`,
        {
          modelDir: config.modelDir,
        },
      );
    }
    const bound = await bindModel(config, use);
    const open: { close(): Promise<void> }[] = [];
    try {
      const pipeline = await openPipeline(config, use, bound);
      open.push(pipeline);
      const cluster = await startCluster(config, bound, pipeline);
      open.push(cluster);
      await restoreCluster(cluster, checkpoint);
      return await run(cluster, pipeline, checkpoint.step);
    } finally {
      await closeAll(open);
    }
  }
}

function requireData(config: TrainingConfig, command: string): void {
  if (config.data.train.length === 0) throw noData(command, 'data.train (--data)');
}

function noData(command: string, option: string): MonolithError {
  return new MonolithError('InvalidConfig', `${command}: no data given; set ${option}`, { option });
}
