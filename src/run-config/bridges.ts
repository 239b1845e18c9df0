import type { PartialTrainingConfig } from '../config/index.js';
import { type RunConfigValues, type RunnerConfig, runnerFields } from './fields.js';
import type { RunConfig } from './run-config.js';

/** What an estimator takes from a run's configuration; everything else is at its default. */
export type EstimatorSettings = {
  readonly modelDir: string;
  readonly logStepCountSteps: number;
  /** The checkpoint to start from; absent unless `restoreCkpt` was given. */
  readonly warmStartFrom?: string;
};

/** modelDir, logStepCountSteps and, as warmStartFrom, restoreCkpt. Of either record. */
export function toEstimatorConfig(config: RunnerConfig | RunConfig): EstimatorSettings {
  const { modelDir, logStepCountSteps, restoreCkpt } = valuesOf(config);
  return { modelDir, logStepCountSteps, ...(restoreCkpt === null ? {} : { warmStartFrom: restoreCkpt }) };
}

function valuesOf(config: RunnerConfig | RunConfig): RunConfigValues {
  return 'toRunnerConfig' in config ? config.values : config;
}

/**
 * Sets TF_GRPC_WORKER_CACHE_THREADS and MONOLITH_GRPC_WORKER_SERVICE_HANDLER_MULTIPLIER to the decimal text of their fields; a field that is
 * null leaves its variable untouched.
 * @param variables where they are set; written.
 */
export function applyRuntimeEnvExports(config: RunnerConfig, variables: Record<string, string | undefined> = process.env): void {
  const { tfGrpcWorkerCacheThreads, monolithGrpcWorkerServiceHandlerMultiplier } = config;
  if (tfGrpcWorkerCacheThreads !== null) variables.TF_GRPC_WORKER_CACHE_THREADS = String(tfGrpcWorkerCacheThreads);
  if (monolithGrpcWorkerServiceHandlerMultiplier !== null) {
    variables.MONOLITH_GRPC_WORKER_SERVICE_HANDLER_MULTIPLIER = String(monolithGrpcWorkerServiceHandlerMultiplier);
  }
}

/** How long a process waits for the chief's restored checkpoint and how often it looks, in ms; at least 1 s and 1 ms. */
export function restoreTimings(config: RunnerConfig): { readonly timeoutMs: number; readonly pollIntervalMs: number } {
  return {
    timeoutMs: Math.max(1, config.restoreSyncTimeoutSecs) * 1000,
    pollIntervalMs: Math.max(1, config.restoreSyncPollIntervalMs),
  };
}

/**
 * The options of docs/configuration.md that a RunnerConfig has a say in; every other option stays with file, environment and flags. A number of
 * processes is raised to 1, the least that a run has.
 */
export function optionsOfRunnerConfig(config: RunnerConfig): PartialTrainingConfig {
  return {
    modelDir: config.modelDir,
    restoreDir: config.restoreDir,
    restoreCkpt: config.restoreCkpt,
    restoreSyncTimeoutSecs: Math.max(1, config.restoreSyncTimeoutSecs),
    restoreSyncPollIntervalMs: Math.max(1, config.restoreSyncPollIntervalMs),
    ps: Math.max(1, config.numPs),
    workers: Math.max(1, config.numWorkers),
    embeddingPrefetchCapacity: config.embeddingPrefetchCapacity,
    enableEmbeddingPostpush: config.enableEmbeddingPostpush,
    distributed: {
      ...unlessDefault('barrierTimeoutMs', config),
      ...unlessDefault('connectRetries', config),
      ...unlessDefault('retryBackoffMs', config),
    },
    discovery: {
      ...discoveryKind(config),
      psType: config.discoveryServiceTypePs,
      workerType: config.discoveryServiceTypeWorker,
      operationTimeoutMs: config.discoveryOperationTimeoutMs,
      cleanupTimeoutMs: config.discoveryCleanupTimeoutMs,
    },
  };
}

/** A wait as the runner has it; at its default there the options' own default holds, which is longer. */
function unlessDefault<K extends 'barrierTimeoutMs' | 'connectRetries' | 'retryBackoffMs'>(
  name: K,
  config: RunnerConfig,
): { [N in K]?: number } {
  return config[name] === runnerFields[name].runnerDefault ? {} : ({ [name]: config[name] } as { [N in K]: number });
}

function discoveryKind(config: RunnerConfig): NonNullable<PartialTrainingConfig['discovery']> {
  if (config.isLocal) return { kind: 'local' };
  switch (config.discoveryType) {
    case 'Primus':
      return { kind: 'tf-config', tfConfig: config.tfConfig };
    case 'Consul':
      return { kind: 'consul', consulServiceName: config.deepInsightName };
    case 'Zk':
      return { kind: 'zookeeper', zkHosts: config.zkServer, zkBasePath: `/monolith/${config.deepInsightName}` };
    case 'Mlp':
      return { kind: 'mlp' };
    default:
      return config.discoveryType satisfies never;
  }
}
