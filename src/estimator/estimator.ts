import { join } from 'node:path';
import type { CheckpointState } from '../checkpoint/index.js';
import { type PartialTrainingConfig, type ResolvedConfig, resolveConfig, type TrainingConfig } from '../config/index.js';
import { LoggingHook } from '../hooks/index.js';
import { describe } from '../models/index.js';
import { type EstimatorSettings, type RunConfig, type RunnerConfig, toEstimatorConfig } from '../run-config/index.js';
import { bindModel, hasEvaluationData, type TrainResult } from '../training/index.js';
import type { ExampleInput } from './explicit-inputs.js';
import { exportRun } from './export.js';
import { type MoreOptions, optionsOfEstimator } from './from-run-config.js';
import { checkOptions, inSession, ledByChief, noData, requireData, type TrainOptions } from './in-session.js';
import type { ModelFn, ModelFnSettings, Predictions } from './model-fn.js';
import { ModelFnEstimator, noRounds } from './model-fn-estimator.js';
import { predictInputs } from './predict-inputs.js';
import { initializeRuntimeFromRunnerConfig } from './runtime.js';
import { check } from './step-limits.js';
import { type EvaluationResult, evaluateTrained, predictTrained, requireTrained } from './trained.js';
import type { TrainingSession } from './training-session.js';

/** Default of a RunConfig. */
const LOG_STEP_COUNT_STEPS = 100;

/** An estimator whose run folder has been restored; `state` is null where nothing was to be restored. */
export type InitializedEstimator = { readonly estimator: Estimator; readonly state: CheckpointState | null };

/** One round of {@link Estimator.trainAndEvaluate}. */
export type TrainingRound = {
  readonly training: TrainResult;
  /** Metrics after the slice, of which `training.evaluation` is the same; null where a signal ended training. */
  readonly evaluation: TrainResult['evaluation'];
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
  /** What Monolith's estimators know of their configuration. */
  readonly settings: EstimatorSettings;
  /** Whether `fresh` has been seen to: later calls of this object go on. */
  private begun = false;

  /**
   * @param config options in the shape of a config file (missing ones take their defaults), or what resolveConfig returned.
   * @throws InvalidConfig naming the option.
   */
  constructor(config: PartialTrainingConfig | ResolvedConfig, settings?: EstimatorSettings) {
    this.config =
      'origins' in config ? (config as ResolvedConfig).config : resolveConfig({ values: config as PartialTrainingConfig }).config;
    const { modelDir, warmStart } = this.config;
    const warm = warmStart.from === null ? {} : { warmStartFrom: warmStart.from };
    this.settings = settings ?? { modelDir, logStepCountSteps: LOG_STEP_COUNT_STEPS, ...warm };
  }

  /**
   * The estimator of a runner's configuration, after its environment variables are set.
   * @param more options that a RunnerConfig has not: model, data and so on.
   * @throws InvalidConfig
   */
  static fromRunnerConfig(runner: RunnerConfig, more: MoreOptions = {}): Estimator {
    return new Estimator(optionsOfEstimator(runner, more, false), toEstimatorConfig(runner));
  }

  /** {@link fromRunnerConfig} of a user's configuration merged into `base`. @throws RunConfig when the two can't be merged; InvalidConfig */
  static fromRunConfig(runConfig: RunConfig, more: MoreOptions = {}, base?: Partial<RunnerConfig>): Estimator {
    return Estimator.fromRunnerConfig(runConfig.toRunnerConfig(base), more);
  }

  /**
   * {@link fromRunnerConfig} after the run folder is restored as the configuration says.
   * @returns the estimator, and what the run folder's `checkpoint` says; null without restoreDir.
   * @throws RunnerUtils when restoring fails: then there is no estimator; InvalidConfig
   */
  static async fromRunnerConfigInitialized(runner: RunnerConfig, more: MoreOptions = {}): Promise<InitializedEstimator> {
    const state = await initializeRuntimeFromRunnerConfig(runner);
    return { estimator: new Estimator(optionsOfEstimator(runner, more, true), toEstimatorConfig(runner)), state };
  }

  /** {@link fromRunnerConfigInitialized} of a user's configuration merged into `base`. @throws RunConfig, RunnerUtils, InvalidConfig */
  static async fromRunConfigInitialized(
    runConfig: RunConfig,
    more: MoreOptions = {},
    base?: Partial<RunnerConfig>,
  ): Promise<InitializedEstimator> {
    return Estimator.fromRunnerConfigInitialized(runConfig.toRunnerConfig(base), more);
  }

  /** The estimator of a run folder or an exported one, with the configuration that stands in it and `more` over it. @throws InvalidConfig */
  static fromFolder(folder: string, more: PartialTrainingConfig = {}): Estimator {
    return new Estimator(resolveConfig({ file: join(folder, 'config.yaml'), values: { ...more, modelDir: folder } }));
  }

  /** The estimator of training code of a user's own: step control, hooks and checkpoints around a model function. @throws InvalidArgument */
  static fromModelFn(settings: ModelFnSettings, model: ModelFn): ModelFnEstimator {
    return new ModelFnEstimator(settings, model);
  }

  /**
   * Trains until the data end, a limit is reached, early stopping or `signal`. Goes on from the newest checkpoint of the run folder, except that
   * the first call starts anew where the config says `fresh`. Ends with an evaluation, where there are data for one, and a checkpoint.
   *
   * With `steps` it makes a slice of so many steps, with `maxSteps` it ends at that step of the whole training, with both at whichever comes
   * first; with neither at `config.maxSteps`. Slices give the bits of one uninterrupted training.
   *
   * With `distributed.enabled` this process takes part in a job on several hosts until that is over. Its figures are the chief's: in other
   * roles the result has the reason 'led by the chief' and NaN for its steps.
   *
   * @throws InvalidConfig, InvalidArgument, DataNotFound, DataFormat, TooManyBadRecords, NonFiniteLoss, WorkerDied, DiskFull, CheckpointCorrupt,
   * RunFolderBusy while another process trains in the folder, …
   */
  async train(options: TrainOptions = {}): Promise<TrainResult> {
    return (await this.inSession(options, (session) => session.run(options))) ?? ledByChief();
  }

  /** {@link train} for `steps` more steps, up to step `maxSteps`, or both. */
  trainWithLimits(steps?: number, maxSteps?: number, options: Omit<TrainOptions, 'steps' | 'maxSteps'> = {}): Promise<TrainResult> {
    return this.train({ ...options, steps, maxSteps });
  }

  /**
   * Rounds of a slice of training and an evaluation each, with threads and data kept from one round to the next. Ends before the last round
   * when training ended early: by early stopping, a hook, a signal, or because the data end or `maxSteps` is reached.
   *
   * @param stepsPerEval steps of one slice, ≥ 1.
   * @param numEvals     rounds, ≥ 1.
   * @returns one entry for each round that was begun.
   * @throws InvalidArgument (`No evaluation was performed`) for 0 rounds; InvalidConfig without evaluation data; what {@link train} throws.
   */
  async trainAndEvaluate(
    stepsPerEval: number,
    numEvals: number,
    options: Omit<TrainOptions, 'steps'> = {},
  ): Promise<readonly TrainingRound[]> {
    check('stepsPerEval', stepsPerEval, 1);
    check('numEvals', numEvals);
    if (numEvals === 0) throw noRounds();
    if (!hasEvaluationData(this.config)) throw noData('trainAndEvaluate', 'data.eval (--eval-data)');
    const { maxSteps } = options;
    const rounds: TrainingRound[] = [];
    await this.inSession(options, async (session) => {
      while (rounds.length < numEvals) {
        const wanted = session.step + stepsPerEval;
        const training = await session.run({ steps: stepsPerEval, maxSteps });
        rounds.push({ training, evaluation: training.evaluation });
        const ended = training.step < wanted || training.step >= (maxSteps ?? Number.POSITIVE_INFINITY);
        if (ended || training.reason !== 'max steps') break;
      }
    });
    return rounds;
  }

  /**
   * Evaluates the newest checkpoint of the run folder, or the one that `restoreCkpt` names, on the evaluation data, all of them or as many as `config.evalSteps` says.
   * @throws CheckpointNotFound when nothing was trained yet.
   */
  evaluate(): Promise<EvaluationResult> {
    return this.evaluateFor(this.config.evalSteps);
  }

  /**
   * Evaluates on the first `steps` steps of the evaluation data, a batch of every worker each, whatever the configuration says.
   * @throws InvalidArgument unless steps ≥ 1; CheckpointNotFound when nothing was trained yet.
   */
  async evaluateWithSteps(steps: number): Promise<EvaluationResult> {
    check('steps', steps, 1);
    return this.evaluateFor(steps);
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
    return predictTrained(config, await requireTrained(config), receive);
  }

  /**
   * Predictions for explicit examples, by the rules of data files: equal to those of {@link predict} for a file with the same examples, bit for
   * bit. Each call starts threads and loads the checkpoint.
   *
   * @param inputs objects with a value for each feature of the schema, by name: a number, a text, a list of them for a bag, null where it is
   * missing; or lists of values in the order of the schema's features.
   * @returns one vector an input.
   * @throws InvalidArgument naming input and feature; CheckpointNotFound when nothing was trained yet.
   */
  async predictWithInputs(inputs: readonly ExampleInput[]): Promise<Predictions> {
    return predictInputs(this.config, await requireTrained(this.config), inputs);
  }

  /**
   * Copies the newest checkpoint, or the one that `restoreCkpt` names, with all that predicting takes to `<folder>/<step>`, which appears whole or
   * not at all. {@link fromFolder} and `monolith-local predict --model-dir` use it.
   * @returns path of the new folder.
   * @throws InvalidConfig when it is there already; CheckpointNotFound, DiskFull, …
   */
  async export(folder: string): Promise<string> {
    return exportRun(this.config, await requireTrained(this.config), folder);
  }

  /** Layers, shapes and parameter counts of the model on the training data, as text. @throws InvalidConfig when no data are named */
  async describe(): Promise<string> {
    requireData(this.config, 'describe');
    const { definition, inputs } = await bindModel(this.config, 'train');
    const { precision } = this.config;
    return `${describe(definition, inputs, this.config.modelOptions)}${precision === 'fp32' ? '' : `matrix products: ${precision}\n`}`;
  }

  private async evaluateFor(steps: number): Promise<EvaluationResult> {
    const { config } = this;
    if (!hasEvaluationData(config)) throw noData('evaluate', 'data.eval (--eval-data)');
    return evaluateTrained(config, await requireTrained(config), steps);
  }

  private async inSession<T>(options: TrainOptions, use: (session: TrainingSession) => Promise<T>): Promise<T | null> {
    checkOptions(options);
    const config = this.begun ? { ...this.config, fresh: false } : this.config;
    const { log, hooks = [] } = options;
    const { logStepCountSteps } = this.settings;
    const logging = log === undefined || logStepCountSteps < 1 ? [] : [new LoggingHook(logStepCountSteps, log)];
    return inSession(config, { ...options, hooks: [...logging, ...hooks] }, async (session) => {
      try {
        return await use(session);
      } finally {
        this.begun ||= session.saved;
      }
    });
  }
}
