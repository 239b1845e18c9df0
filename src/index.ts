/**
 * The public package: train, evaluate and predict from a program. Importing starts nothing.
 */
export { type ErrorCode, MonolithError } from './base/index.js';
export {
  type BarrierStatus,
  type ClusterConfig,
  type ClusterDiagnostics,
  LocalCluster,
  type LocalClusterOptions,
  type NamedGradients,
  type ParameterServerRole,
  type WorkerRole,
} from './cluster/index.js';
export {
  type ConfigSources,
  type FeatureSchema,
  type PartialRunConfig,
  type ResolvedConfig,
  type RunConfig,
  resolveConfig,
} from './config/index.js';
export { Estimator, type RunInfo, type TrainOptions } from './estimator/index.js';
export type { BinaryMetrics, RegressionMetrics } from './metrics/index.js';
export { checkGradients, defineModel, describe, type ModelBuilder, type ModelDefinition, type Node } from './models/index.js';
export type { EvaluationEvent, EvaluationMetrics, Progress, TrainHook, TrainResult } from './training/index.js';
