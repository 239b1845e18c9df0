import { MonolithError } from '../base/index.js';

/** The roles of a cluster in one process. Addresses are names here: they must differ within a list, nothing is bound to them. */
export type ClusterConfig = {
  /** One parameter server (a shard and its thread) for each. */
  readonly psAddrs: readonly string[];
  /** One worker for each. */
  readonly workerAddrs: readonly string[];
  /** This task's place in its list. */
  readonly taskIndex: number;
  /** Whether this task is a parameter server; otherwise it is a worker. */
  readonly isPs: boolean;
};

export type LocalClusterOptions = {
  /** Step size of {@link LocalCluster.trainStep}: finite, ≥ 0. */
  readonly learningRate: number;
};

/** The code of a cluster that is set up or driven the wrong way. */
export function invalidConfiguration(message: string, details: Record<string, string | number> = {}): MonolithError {
  return new MonolithError('InvalidConfiguration', message, details);
}

/** @throws InvalidConfiguration for the first rule that is broken, in the order in which they stand here. */
export function checkClusterConfig(config: ClusterConfig, options: LocalClusterOptions): void {
  const { psAddrs, workerAddrs, taskIndex, isPs } = config;
  if (psAddrs.length === 0) throw invalidConfiguration('At least one parameter server is required');
  if (workerAddrs.length === 0) throw invalidConfiguration('At least one worker is required');
  requireUnique(psAddrs, 'Parameter server');
  requireUnique(workerAddrs, 'Worker');
  const roles = isPs ? psAddrs.length : workerAddrs.length;
  if (!Number.isInteger(taskIndex) || taskIndex < 0 || taskIndex >= roles) {
    throw invalidConfiguration(`Task index ${taskIndex} is out of range (max: ${roles - 1})`, { taskIndex, max: roles - 1 });
  }
  const { learningRate } = options;
  if (!Number.isFinite(learningRate)) throw invalidConfiguration(`learning_rate must be finite, got ${learningRate}`);
  if (learningRate < 0) throw invalidConfiguration(`learning_rate must be non-negative, got ${learningRate}`, { learningRate });
}

function requireUnique(addresses: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const address of addresses) {
    if (seen.has(address)) throw invalidConfiguration(`${what} addresses must be unique; "${address}" stands there twice`, { address });
    seen.add(address);
  }
}
