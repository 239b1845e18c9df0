/**
 * The public package: train, evaluate and predict from a program. Importing starts nothing.
 */
export { type ErrorCode, type FolderSources, findMain, getLibopsPath, MonolithError } from './base/index.js';
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
export {
  BackendDiscovery,
  type ConsulOptions,
  type Discovery,
  type DiscoveryKind,
  type DiscoveryReason,
  type DiscoveryType,
  discoveryTypes,
  type EndWatch,
  generatePsmFromUuid,
  getDiscovery,
  HostFileDiscovery,
  type HostFileOptions,
  MemoryDiscovery,
  MlpDiscovery,
  MonolithDiscoveryGuard,
  monolithDiscovery,
  openConsul,
  openDiscovery,
  openZooKeeper,
  parseStaticList,
  parseTfConfig,
  type RunnerDiscovery,
  type RunnerDiscoverySettings,
  type ServiceHealth,
  type ServiceInfo,
  StaticDiscovery,
  serviceAt,
  serviceChanges,
  type TfConfig,
  TfConfigDiscovery,
  type ZkConfig,
  ZooKeeperDescriptor,
  type ZooKeeperOptions,
} from './discovery/index.js';
export { Estimator, type JoinOptions, joinJob, type RunInfo, type TrainOptions } from './estimator/index.js';
export type { BinaryMetrics, RegressionMetrics } from './metrics/index.js';
export { checkGradients, defineModel, describe, type ModelBuilder, type ModelDefinition, type Node } from './models/index.js';
export {
  applyRuntimeEnvExports,
  type EstimatorSettings,
  getDiscoveryFromRunConfig,
  monolithDiscoveryFromRunConfig,
  optionsOfRunnerConfig,
  type RunConfigValues,
  type RunnerConfig,
  restoreTimings,
  runnerConfig,
  runnerConfigFromJson,
  toEstimatorConfig,
  UserRunConfig,
} from './run-config/index.js';
export {
  canonicalSyncTarget,
  checkDistributedConfig,
  type DistributedRole,
  type DistributedRunConfig,
  type DistributedRunnerSettings,
  defaultDistributedRunConfig,
  distributedConfigFromRunner,
  orderPsAddresses,
  type PsOrderIssue,
  type RoleBody,
  type RoleContext,
  type RunDistributedOptions,
  runDistributed,
} from './runner/index.js';
export type { EvaluationEvent, EvaluationMetrics, Progress, TrainHook, TrainResult } from './training/index.js';
