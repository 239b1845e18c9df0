export {
  bindModel,
  type ModelOnData,
  type SavedTable,
  type TrainHook,
  type TrainResult,
  type WarmStartReport,
  warmStartLines,
} from '../training/index.js';
export { Estimator, type InitializedEstimator, type TrainingRound } from './estimator.js';
export { type EstimatorMode, EstimatorSpec, type EstimatorSpecFields } from './estimator-spec.js';
export type { ExampleInput, FeatureValue } from './explicit-inputs.js';
export type { MoreOptions } from './from-run-config.js';
export type { TrainOptions } from './in-session.js';
export { type JoinOptions, joinJob } from './join-job.js';
export type { ModelFn, ModelFnContext, ModelFnSettings, Predictions } from './model-fn.js';
export type { ModelFnEstimator, ModelFnEvaluation, ModelFnRound } from './model-fn-estimator.js';
export type { RunInfo } from './run-info.js';
export { EventHook } from './run-log-hook.js';
export {
  type DistributedRuntimeOptions,
  initializeRuntimeFromRunConfig,
  initializeRuntimeFromRunnerConfig,
  runDistributedRuntime,
  runDistributedRuntimeFromRunConfig,
} from './runtime.js';
export { openNewest } from './session.js';
export type { StepLimits } from './step-limits.js';
export type { EvaluationResult } from './trained.js';
export type { RunEngine } from './training-session.js';
