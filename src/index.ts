/**
 * The public package: train, evaluate and predict from a program. Importing starts nothing.
 */
export { type ErrorCode, MonolithError } from './base/index.js';
export { LocalCluster } from './cluster/index.js';
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
export {
  aggregateGradients,
  type Barrier,
  BarrierError,
  dedupeIds,
  InMemoryBarrier,
  PsBarrier,
  PsClient,
  type PsClientOptions,
  PsError,
  PsServer,
  type PsServerOptions,
  type ReplicatorOptions,
  routeToShards,
  shardForId,
} from './ps/index.js';
export type { EvaluationEvent, EvaluationMetrics, Progress, TrainHook, TrainResult } from './training/index.js';
