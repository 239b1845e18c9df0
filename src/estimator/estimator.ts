import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MonolithError } from '../base/index.js';
import { type CheckpointReader, type ManifestFields, RunLock, removeAllCheckpoints } from '../checkpoint/index.js';
import { type BadBatch, LocalCluster } from '../cluster/index.js';
import { configToYaml, type PartialTrainingConfig, type ResolvedConfig, resolveConfig, type TrainingConfig } from '../config/index.js';
import type { BatchPipeline, DataPosition } from '../data/index.js';
import { hooksOf } from '../hooks/index.js';
import { describe } from '../models/index.js';
import { RunLog } from '../telemetry/index.js';
import {
  bindModel,
  type EvaluationMetrics,
  evaluate,
  hasEvaluationData,
  type ModelOnData,
  openPipeline,
  type RunSpec,
  roundedFrom,
  saveSnapshot,
  scoreAll,
  specOfRun,
  type TrainerState,
  type TrainHook,
  type TrainingEngine,
  TrainLoop,
  type TrainResult,
} from '../training/index.js';
import type { RunInfo } from './run-info.js';
import { RunLogHook } from './run-log-hook.js';
import { openNewest, restoreCluster, startCluster } from './session.js';

/** What trains a run: its workers and shards, wherever they are. */
export type RunEngine = TrainingEngine & {
  readonly backend: RunInfo['backend'];
  readonly badBatch: BadBatch | null;
};

/** Starts workers and shards for a run whose data files have these names and sizes; no evaluation data: ''. */
export type StartEngine = (spec: RunSpec, identity: { readonly train: string; readonly evaluation: string }) => Promise<RunEngine>;

export type TrainOptions = {
  readonly hooks?: readonly TrainHook[];
  /** Ends training after the step in hand; a checkpoint is written. */
  readonly signal?: AbortSignal;
  /** Told once everything is ready, before the first step. */
  readonly onReady?: (info: RunInfo) => void | Promise<void>;
  /** Starts workers and shards that are not threads of this process; here runs worker 0. It is closed at the end. */
  readonly startEngine?: StartEngine;
};

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
    const started = performance.now();
    const hooks = await hooksOf(config);
    const bound = await bindModel(config, 'train');
    const open: { close(): Promise<void> }[] = [await RunLock.take(config.modelDir)];
    try {
      const checkpoint = config.fresh ? null : await openNewest(config.modelDir);
      const train = await openPipeline(config, 'train', bound, options.startEngine === undefined ? null : 0);
      open.push(train);
      const evaluation = hasEvaluationData(config) ? await openPipeline(config, 'evaluate', bound) : null;
      if (evaluation !== null) open.push(evaluation);
      const start: StartEngine = options.startEngine ?? ((spec) => LocalCluster.start(spec));
      const cluster: RunEngine = await start(specOfRun(config, bound, train), {
        train: train.identity,
        evaluation: evaluation?.identity ?? '',
      });
      open.push(cluster);
      const saved = checkpoint === null ? null : await resume(cluster, checkpoint, train, config);
      const log = await RunLog.open({
        folder: config.modelDir,
        configYaml: configToYaml(lasting(config)),
        resumedStep: saved?.state.step ?? null,
      });
      open.push(log);
      const info = {
        config,
        bound,
        backend: cluster.backend,
        resumedStep: saved?.state.step ?? null,
        newData: saved?.newData ?? false,
        roundedFrom: checkpoint === null ? null : roundedFrom(checkpoint, config.embedding.storage),
        startupMs: performance.now() - started,
        trainFiles: train.files,
        evalFiles: evaluation === null ? [] : evaluation.files,
        trainBytes: train.stats().totalBytes,
        format: train.stats().format,
      };
      const logHook = new RunLogHook(log, info);
      await cluster.begin(train.position);
      await options.onReady?.(info);
      let cleared = !config.fresh;
      const loop = new TrainLoop({
        engine: cluster,
        train,
        evaluation,
        settings: {
          maxSteps: config.maxSteps,
          checkpointEvery: config.checkpointEvery,
          evalEvery: config.evalEvery,
          checkpointEverySeconds: config.checkpointEverySeconds,
          evalEverySeconds: config.evalEverySeconds,
          logEverySeconds: config.logEvery,
          retention: { newest: config.keepCheckpoints, best: config.keepBest === 'none' ? null : config.keepBest },
          earlyStop: config.earlyStop,
        },
        state: saved?.state ?? null,
        resumedFrom: checkpoint?.entry.path ?? null,
        save: async (state, metrics, bestStep, position, keep) => {
          // Older checkpoints go when there is something to take their place, not before the new data have shown to be good.
          if (!cleared) await removeAllCheckpoints(config.modelDir);
          cleared = true;
          return saveSnapshot(cluster, {
            modelDir: config.modelDir,
            step: state.step,
            keep,
            keepStep: bestStep,
            fields: manifestFields(config, bound, train, position, state, metrics),
          });
        },
        modelDir: config.modelDir,
        hooks: [logHook, ...hooks, ...(options.hooks ?? [])],
        stop: options.signal ?? null,
        now: () => performance.now(),
      });
      try {
        return await loop.run();
      } catch (error) {
        throw await withBadBatch(error, cluster, config.modelDir, bound.inputs.dense);
      }
    } finally {
      await closeAll(open);
    }
  }

  /**
   * Evaluates the newest checkpoint of the run folder on the evaluation data.
   * @throws CheckpointNotFound when nothing was trained yet.
   */
  async evaluate(): Promise<{ readonly step: number; readonly metrics: EvaluationMetrics }> {
    const { config } = this;
    if (!hasEvaluationData(config)) throw noData('evaluate', 'data.eval (--eval-data)');
    return this.withTrained('evaluate', async (cluster, pipeline, step) => ({ step, metrics: await evaluate(cluster, pipeline) }));
  }

  /**
   * Predictions of the newest checkpoint for `config.data.eval`, in the order of the records: exactly one call of `receive` value a record.
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
    const checkpoint = await openNewest(config.modelDir);
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

/** State of a resumed run. */
type Resumed = { readonly state: TrainerState; readonly newData: boolean };

/** Loads a checkpoint and puts the data pipeline where it stood, when the data are the same. */
async function resume(
  cluster: TrainingEngine,
  checkpoint: CheckpointReader,
  train: BatchPipeline,
  config: TrainingConfig,
): Promise<Resumed> {
  await restoreCluster(cluster, checkpoint);
  const { trainer, data } = checkpoint.manifest.fields as unknown as {
    trainer: TrainerState;
    data: { fingerprint: string; position: DataPosition };
  };
  // A pipe that was read to its end can't come again: what it brings now is new.
  const pipeDone = train.files.includes('-') && data.position.epoch >= 1;
  const newData = pipeDone || data.fingerprint !== dataFingerprint(config, train);
  if (newData) return { state: { ...trainer, finished: false }, newData };
  await train.seek(data.position);
  return { state: trainer, newData };
}

/** What must be equal for a position in the data to mean the same place. */
function dataFingerprint(config: TrainingConfig, train: BatchPipeline): string {
  const { train: _train, eval: _eval, parseThreads, cache, ...read } = config.data;
  return JSON.stringify({ files: train.identity, read, seed: config.seed });
}

function manifestFields(
  config: TrainingConfig,
  bound: ModelOnData,
  train: BatchPipeline,
  position: DataPosition,
  state: TrainerState,
  metrics: EvaluationMetrics | null,
): ManifestFields {
  const { modelDir, json, quiet, fresh, logEvery, profileSteps, stopFile, hooks, data, distributed, discovery, ...kept } = config;
  const { train: trainFiles, eval: evalFiles, cache, ...keptData } = data;
  const fields = {
    model: {
      name: bound.plan.name,
      tables: bound.plan.tables,
      parameters: bound.plan.parameters,
      parametersLength: bound.plan.parametersLength,
    },
    trainer: state,
    data: { fingerprint: dataFingerprint(config, train), position },
    metrics,
    config: { ...kept, data: keptData },
  };
  // Through JSON: undefined members go, and what the manifest says is what a reader gets.
  return JSON.parse(JSON.stringify(fields)) as ManifestFields;
}

/** The configuration as a later `eval` or `predict` wants it: without how this one call reports and whether it started anew. */
function lasting(config: TrainingConfig): TrainingConfig {
  const thisCall = { json: false, quiet: false, fresh: false, profileSteps: null, stopFile: null, hooks: [] };
  return { ...config, ...thisCall, distributed: { ...config.distributed, enabled: false, localHosts: 0 } };
}

/** Adds the input that is to blame, where the batch is, and what to do. */
async function withBadBatch(error: unknown, cluster: RunEngine, modelDir: string, dense: readonly string[]): Promise<unknown> {
  const { badBatch } = cluster;
  if (!(error instanceof MonolithError) || error.code !== 'NonFiniteLoss' || badBatch === null) return error;
  const path = join(modelDir, `bad-batch-${badBatch.step}.json`);
  const saved = await writeFile(path, `${JSON.stringify(badBatch)}\n`).then(
    () => true,
    () => false,
  );
  // Values that are not finite stand as texts in the batch.
  const example = badBatch.dense.findIndex((row) => row.some((value) => typeof value === 'string'));
  const feature = example < 0 ? -1 : badBatch.dense[example].findIndex((value) => typeof value === 'string');
  const blamed = feature < 0 ? '' : `: feature "${dense[feature]}" of example ${example} is ${badBatch.dense[example][feature]}`;
  const place = saved ? `. Batch saved to ${path}` : '';
  const advice = feature < 0 ? 'Lower the learning rate, or clip gradients' : 'Clean that column, or leave the feature out';
  const details = { ...error.details, ...(saved ? { batch: path } : {}), ...(feature < 0 ? {} : { feature: dense[feature], example }) };
  return new MonolithError('NonFiniteLoss', `${error.message}${blamed}${place}. ${advice}`, details);
}

function requireData(config: TrainingConfig, command: string): void {
  if (config.data.train.length === 0) throw noData(command, 'data.train (--data)');
}

function noData(command: string, option: string): MonolithError {
  return new MonolithError('InvalidConfig', `${command}: no data given; set ${option}`, { option });
}

/** Closes in reverse order; the first error is thrown after all were closed. */
async function closeAll(open: readonly { close(): Promise<void> }[]): Promise<void> {
  const errors: unknown[] = [];
  for (const resource of [...open].reverse()) {
    try {
      await resource.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
