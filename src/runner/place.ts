import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import { type Discovery, indexOfService, MlpDiscovery, StaticDiscovery, TfConfigDiscovery } from '../discovery/index.js';
import { type DistributedRunConfig, defaultDistributedRunConfig } from './distributed-config.js';

/** What this process is in its job. */
export type Place = {
  /** With role, index and numbers of processes as they are in the job: some discoveries know them better than options do. */
  readonly config: TrainingConfig;
  readonly run: DistributedRunConfig;
  /** The address that the discovery lists for this process without being told; null where it lists none. */
  readonly listed: string | null;
};

/** Signs of life within the time after which a process counts as gone. */
const BEATS = 4;

/**
 * Finds out what this process is: from its options, or from TF_CONFIG or the MLP environment where the discovery is one of these.
 * @throws InvalidConfig, Discovery for a role or place that the job does not have.
 */
export async function placeOf(given: TrainingConfig, discovery: Discovery): Promise<Place> {
  const config = await fromDiscovery(given, discovery);
  const { distributed, discovery: found } = config;
  const role = distributed.role === 'ps' ? 'ps' : 'worker';
  let listed: string | null = null;
  if (listsAll(discovery)) {
    const services = await discovery.discover(role === 'ps' ? found.psType : found.workerType);
    listed = services.find((service) => indexOfService(service) === distributed.index)?.address ?? null;
    if (listed === null) {
      throw new MonolithError(
        'InvalidConfig',
        `--discovery ${found.kind} lists no ${role} ${distributed.index}; it lists ${services.length}`,
        {
          role,
          index: distributed.index,
        },
      );
    }
  }
  const run: DistributedRunConfig = {
    ...defaultDistributedRunConfig,
    role,
    index: distributed.index,
    numPs: config.ps,
    numWorkers: config.workers,
    bindAddress: distributed.bind ?? listed ?? defaultDistributedRunConfig.bindAddress,
    discoveryServiceTypePs: found.psType,
    discoveryServiceTypeWorker: found.workerType,
    connectRetries: distributed.connectRetries ?? Math.ceil(distributed.startTimeoutMs / distributed.retryBackoffMs),
    retryBackoffMs: distributed.retryBackoffMs,
    barrierTimeoutMs: distributed.barrierTimeoutMs ?? distributed.startTimeoutMs,
    heartbeatIntervalMs: heartbeatIntervalMs(config),
    discoveryOperationTimeoutMs: found.operationTimeoutMs,
    discoveryCleanupTimeoutMs: found.cleanupTimeoutMs,
  };
  return { config, run, listed };
}

/** Milliseconds between signs of life; null for none. */
function heartbeatIntervalMs({ distributed, discovery }: TrainingConfig): number | null {
  const { heartbeatIntervalSecs: seconds } = distributed;
  if (seconds === null) return Math.max(100, Math.floor(discovery.lostAfterMs / BEATS));
  return seconds === 0 ? null : seconds * 1000;
}

/** Whether a discovery knows every process before it has started. */
function listsAll(discovery: Discovery): boolean {
  return discovery instanceof StaticDiscovery || discovery instanceof TfConfigDiscovery || discovery instanceof MlpDiscovery;
}

async function fromDiscovery(config: TrainingConfig, discovery: Discovery): Promise<TrainingConfig> {
  if (!(discovery instanceof TfConfigDiscovery) && !(discovery instanceof MlpDiscovery)) {
    const { distributed } = config;
    return distributed.role === 'chief' ? { ...config, distributed: { ...distributed, index: 0 } } : config;
  }
  const { psType, workerType } = config.discovery;
  const type = discovery.serverType;
  if (type !== 'ps' && type !== 'worker') {
    throw new MonolithError(
      'InvalidConfig',
      `--discovery ${config.discovery.kind}: this process has the role ${type ?? 'none'}; expected chief, worker or ps (the chief evaluates: no evaluator is needed)`,
    );
  }
  const { index } = discovery;
  const role = type === 'ps' ? 'ps' : index === 0 ? 'chief' : 'worker';
  const [ps, workers] = await Promise.all([discovery.discover(psType), discovery.discover(workerType)]);
  return { ...config, ps: ps.length, workers: workers.length, distributed: { ...config.distributed, role, index } };
}
