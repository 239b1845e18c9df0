import { MonolithError } from '../base/index.js';
import { RunLock } from '../checkpoint/index.js';
import type { TrainResult } from '../training/index.js';
import type { TrainOptions } from './in-session.js';
import type { ModelFn, ModelFnSettings, Predictions } from './model-fn.js';
import { loadModelFn } from './model-fn-checkpoint.js';
import { finite, ModelFnTraining, type Standing } from './model-fn-training.js';
import { check, targetStep } from './step-limits.js';

/** An evaluation of a model function: the mean of the losses of its calls. */
export type ModelFnEvaluation = { readonly step: number; readonly evalSteps: number; readonly metrics: { readonly loss: number } };

/** One round of {@link ModelFnEstimator.trainAndEvaluate}. */
export type ModelFnRound = { readonly training: TrainResult; readonly evaluation: ModelFnEvaluation };

/**
 * The estimator of training code of a user's own: step control, hooks and checkpoints around a {@link ModelFn}. Made by
 * `Estimator.fromModelFn`. One object is one model: what it has learnt stays between calls and, through checkpoints, between processes.
 *
 * Around step g: `beforeStep(g)`, the call, `afterStep(g)`, g + 1. A hook that asks to stop leaves the global step at g, and in `beforeStep` also
 * keeps the call from being made.
 */
export class ModelFnEstimator {
  private standing: Standing | null = null;

  /** @throws InvalidArgument for settings that are no counts. */
  constructor(
    readonly settings: ModelFnSettings,
    private readonly model: ModelFn,
  ) {
    const { trainSteps, evalSteps, checkpointEvery, keepCheckpoints, logStepCountSteps } = settings;
    check('trainSteps', trainSteps);
    check('evalSteps', evalSteps, 1);
    check('checkpointEvery', checkpointEvery);
    check('keepCheckpoints', keepCheckpoints, 1);
    check('logStepCountSteps', logStepCountSteps);
  }

  /** The global step; that of the newest checkpoint once something was called. */
  get step(): number {
    return this.standing?.step ?? 0;
  }

  /**
   * Calls the model function until the limits are reached, a hook asks to stop or the signal fires; writes a checkpoint at the end. Limits as for
   * {@link Estimator.train}; with none and no `trainSteps` it goes on until a hook or the signal ends it.
   *
   * @throws InvalidArgument, RunFolderBusy, NonFiniteLoss, HookFailed, what the model function throws, DiskFull, …
   */
  async train(options: TrainOptions = {}): Promise<TrainResult> {
    targetStep(0, options, 0);
    const lock = await RunLock.take(this.settings.modelDir);
    try {
      const start = await this.load();
      const training = new ModelFnTraining(this.settings, this.model, options, start);
      try {
        return await training.run(targetStep(start.step, options, this.settings.trainSteps ?? 0));
      } finally {
        this.standing = training.standing;
      }
    } finally {
      await lock.close();
    }
  }

  /** {@link train} for `steps` more steps, up to step `maxSteps`, or both. */
  trainWithLimits(steps?: number, maxSteps?: number, options: Omit<TrainOptions, 'steps' | 'maxSteps'> = {}): Promise<TrainResult> {
    return this.train({ ...options, steps, maxSteps });
  }

  /** The mean loss of as many calls as the settings say. */
  evaluate(): Promise<ModelFnEvaluation> {
    return this.evaluateWithSteps(this.settings.evalSteps ?? 1);
  }

  /** The mean loss of `steps` calls, whatever the settings say. @throws InvalidArgument unless steps ≥ 1 */
  async evaluateWithSteps(steps: number): Promise<ModelFnEvaluation> {
    check('steps', steps, 1);
    const { step } = await this.load();
    let sum = 0;
    for (let i = 0; i < steps; i++) {
      sum += finite('eval', step, await this.model.call('eval', { step, modelDir: this.settings.modelDir, features: null }));
    }
    return { step, evalSteps: steps, metrics: { loss: sum / steps } };
  }

  /**
   * Rounds of a slice of training and an evaluation each; the last one is that in which training stopped early or `maxSteps` was reached.
   * @throws InvalidArgument (`No evaluation was performed`) for 0 rounds.
   */
  async trainAndEvaluate(
    stepsPerEval: number,
    numEvals: number,
    options: Omit<TrainOptions, 'steps'> = {},
  ): Promise<readonly ModelFnRound[]> {
    check('stepsPerEval', stepsPerEval, 1);
    check('numEvals', numEvals);
    if (numEvals === 0) throw noRounds();
    const rounds: ModelFnRound[] = [];
    while (rounds.length < numEvals) {
      const training = await this.train({ ...options, steps: stepsPerEval });
      rounds.push({ training, evaluation: await this.evaluate() });
      if (training.stoppedEarly || training.step >= (options.maxSteps ?? Number.POSITIVE_INFINITY)) break;
    }
    return rounds;
  }

  /** {@link predictWithInputs} on `count` empty vectors. */
  async predict(count: number): Promise<Predictions> {
    check('count', count);
    return this.predictWithInputs(Array.from({ length: count }, () => []));
  }

  /**
   * One vector an input: what `predict` of the model function returns, or the one value of its call in mode 'predict'.
   * @throws InvalidModel for what is no list of numbers.
   */
  async predictWithInputs(inputs: readonly (readonly number[])[]): Promise<Predictions> {
    const { step } = await this.load();
    const predictions: (readonly number[])[] = [];
    for (const [i, features] of inputs.entries()) predictions.push(await this.predictOne(features, i, step));
    return { step, numExamples: predictions.length, predictions };
  }

  private async predictOne(features: readonly number[], index: number, step: number): Promise<readonly number[]> {
    const { model } = this;
    const { modelDir } = this.settings;
    if (model.predict === undefined) return [finite('predict', step, await model.call('predict', { step, modelDir, features }))];
    const values = await model.predict(features);
    if (Array.isArray(values) && values.every((value) => typeof value === 'number')) return [...values];
    throw new MonolithError('InvalidModel', `predict of the model function, input ${index}: expected a list of numbers`, { input: index });
  }

  /** Where training stands: loads the newest checkpoint of the folder once. */
  private async load(): Promise<Standing> {
    if (this.standing === null) {
      const { modelDir, warmStartFrom } = this.settings;
      const loaded = await loadModelFn(modelDir, this.model, warmStartFrom);
      this.standing = {
        step: loaded?.state.step ?? 0,
        hooks: loaded?.state.hooks,
        checkpoint: loaded?.path ?? null,
        saved: loaded !== null,
      };
    }
    return this.standing;
  }
}

/** The error of rounds of which there are none. */
export function noRounds(): MonolithError {
  return new MonolithError('InvalidArgument', 'No evaluation was performed: numEvals is 0, expected at least 1', { argument: 'numEvals' });
}
