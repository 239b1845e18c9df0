import { type PartialTrainingConfig, type ResolvedConfig, resolveConfig, type TrainingConfig } from '../config/index.js';
import { describe } from '../models/index.js';
import { bindModel, hasEvaluationData, type TrainResult } from '../training/index.js';
import { inSession, ledByChief, noData, requireData, type TrainOptions } from './in-session.js';
import type { ModelFn, ModelFnSettings } from './model-fn.js';
import { ModelFnEstimator, noRounds } from './model-fn-estimator.js';
import { check } from './step-limits.js';
import { type EvaluationResult, evaluateTrained, predictTrained, requireTrained } from './trained.js';
import type { TrainingSession } from './training-session.js';

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
  /** Whether `fresh` has been seen to: later calls of this object go on. */
  private begun = false;

  /**
   * @param config options in the shape of a config file (missing ones take their defaults), or what resolveConfig returned.
   * @throws InvalidConfig naming the option.
   */
  constructor(config: PartialTrainingConfig | ResolvedConfig) {
    this.config =
      'origins' in config ? (config as ResolvedConfig).config : resolveConfig({ values: config as PartialTrainingConfig }).config;
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

  private inSession<T>(options: TrainOptions, use: (session: TrainingSession) => Promise<T>): Promise<T | null> {
    const config = this.begun ? { ...this.config, fresh: false } : this.config;
    return inSession(config, options, async (session) => {
      try {
        return await use(session);
      } finally {
        this.begun ||= session.saved;
      }
    });
  }
}
