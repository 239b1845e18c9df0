import type { EstimatorMode } from './estimator-spec.js';

/** Where one call of a model function stands. */
export type ModelFnContext = {
  /** Global step: calls for training that were counted before this one. */
  readonly step: number;
  readonly modelDir: string;
  /** What is predicted on, in mode 'predict'; null in the other modes. */
  readonly features: readonly number[] | null;
};

/** Training code of a user's own. Its data, its parameters and their updates are its own business; the estimator counts steps around it. */
export interface ModelFn {
  /**
   * One step of training on the next batch, one batch of an evaluation, or, where there is no `predict`, one prediction.
   * @returns the loss; in mode 'predict' the prediction. A finite number.
   */
  call(mode: EstimatorMode, context: ModelFnContext): number | Promise<number>;
  /** Predictions for one input. Absent: one value, from `call('predict', …)`. */
  predict?(features: readonly number[]): readonly number[] | Promise<readonly number[]>;
  /** What a checkpoint keeps of the model; the bytes must not change afterwards. */
  saveState?(): Uint8Array | Promise<Uint8Array>;
  /** Takes back what {@link saveState} gave: before the first call of an estimator that goes on from a checkpoint. */
  loadState?(state: Uint8Array): void | Promise<void>;
}

/** Settings of an estimator of a model function; a RunConfig's are those of toEstimatorConfig. */
export type ModelFnSettings = {
  /** Run folder: checkpoints; an estimator of a folder that has one goes on from there. */
  readonly modelDir: string;
  /** Step at which a train call without limits of its own ends, counted from the very first start; absent or 0: none. */
  readonly trainSteps?: number;
  /** Calls of one evaluation; default 1. */
  readonly evalSteps?: number;
  /** Steps between checkpoints; absent or 0: at the end of each train call only. */
  readonly checkpointEvery?: number;
  /** Checkpoints that stay, ≥ 1; default 5. */
  readonly keepCheckpoints?: number;
  /** Steps between lines of progress, for `log` of the train options; default 100, 0: none. */
  readonly logStepCountSteps?: number;
  /** A checkpoint, or a folder with one, whose model state a new run starts with; its step count is left. */
  readonly warmStartFrom?: string;
};

/** Predictions for explicit inputs. */
export type Predictions = {
  /** Step of the model. */
  readonly step: number;
  readonly numExamples: number;
  /** [numExamples] one vector an input, in their order. */
  readonly predictions: readonly (readonly number[])[];
};
