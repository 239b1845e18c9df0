/** The two kinds of process of a distributed run. Worker 0 is the chief. */
export type DistributedRole = 'ps' | 'worker';

/** How one process of a distributed run finds the others and waits for them. Plain JSON; see {@link checkDistributedConfig}. */
export type DistributedRunConfig = {
  readonly role: DistributedRole;
  /** Its place among the processes of its role, from 0. */
  readonly index: number;
  readonly numPs: number;
  readonly numWorkers: number;
  /** `host:port` to listen on; port 0 takes a free one, and that one is announced. */
  readonly bindAddress: string;
  /** The name under which parameter servers are announced. */
  readonly discoveryServiceTypePs: string;
  readonly discoveryServiceTypeWorker: string;
  /** Table and dimension of {@link exerciseWorker}. */
  readonly tableName: string;
  readonly dim: number;
  /** Looks for the parameter servers after the first one. */
  readonly connectRetries: number;
  readonly retryBackoffMs: number;
  readonly barrierTimeoutMs: number;
  /** null: no heartbeats. */
  readonly heartbeatIntervalMs: number | null;
  /** Longest time of one connect, register or discover. */
  readonly discoveryOperationTimeoutMs: number;
  /** Longest time of deregistering, and of closing the discovery, at the end. */
  readonly discoveryCleanupTimeoutMs: number;
  /** Servers that get rows that changed: `host:port`, or with http:// or https:// before it. */
  readonly parameterSyncTargets: readonly string[];
  readonly parameterSyncIntervalMs: number;
  readonly parameterSyncModelName: string;
  readonly parameterSyncSignatureName: string;
};

/** What a process gets that says nothing. */
export const defaultDistributedRunConfig: DistributedRunConfig = {
  role: 'worker',
  index: 0,
  numPs: 1,
  numWorkers: 1,
  bindAddress: '127.0.0.1:0',
  discoveryServiceTypePs: 'ps',
  discoveryServiceTypeWorker: 'worker',
  tableName: 'emb',
  dim: 64,
  connectRetries: 6,
  retryBackoffMs: 500,
  barrierTimeoutMs: 10_000,
  heartbeatIntervalMs: 10_000,
  discoveryOperationTimeoutMs: 5000,
  discoveryCleanupTimeoutMs: 200,
  parameterSyncTargets: [],
  parameterSyncIntervalMs: 200,
  parameterSyncModelName: 'default',
  parameterSyncSignatureName: 'serving_default',
};

/** What of a runner's configuration a distributed run takes over. */
export type DistributedRunnerSettings = Omit<DistributedRunConfig, 'role' | 'bindAddress' | 'heartbeatIntervalMs'>;

/**
 * The configuration of one process from a runner's. Sizes are taken as they are: a zero is refused by {@link checkDistributedConfig}.
 * @param bindAddress `host:port` to listen on.
 */
export function distributedConfigFromRunner(
  runner: DistributedRunnerSettings,
  role: DistributedRole,
  bindAddress: string,
): DistributedRunConfig {
  return {
    ...defaultDistributedRunConfig,
    role,
    bindAddress,
    index: runner.index,
    numPs: runner.numPs,
    numWorkers: runner.numWorkers,
    discoveryServiceTypePs: runner.discoveryServiceTypePs,
    discoveryServiceTypeWorker: runner.discoveryServiceTypeWorker,
    tableName: runner.tableName,
    dim: runner.dim,
    connectRetries: runner.connectRetries,
    retryBackoffMs: runner.retryBackoffMs,
    barrierTimeoutMs: runner.barrierTimeoutMs,
    discoveryOperationTimeoutMs: runner.discoveryOperationTimeoutMs,
    discoveryCleanupTimeoutMs: runner.discoveryCleanupTimeoutMs,
    parameterSyncTargets: runner.parameterSyncTargets,
    parameterSyncIntervalMs: runner.parameterSyncIntervalMs,
    parameterSyncModelName: runner.parameterSyncModelName,
    parameterSyncSignatureName: runner.parameterSyncSignatureName,
  };
}
