import {
  type Environment,
  getDiscovery,
  type MonolithDiscoveryGuard,
  monolithDiscovery,
  type RunnerDiscovery,
} from '../discovery/index.js';
import type { RunnerConfig } from './fields.js';
import type { RunConfig } from './run-config.js';

/** Options of the two functions here. */
export type FromRunConfigOptions = {
  /** What the RunConfig is merged into; the defaults of a runner when left out. */
  readonly base?: Partial<RunnerConfig>;
  /** Name of the job's services in Consul. */
  readonly psm?: string | null;
  /** Environment variables; process.env when left out. */
  readonly variables?: Environment;
};

/**
 * The discovery that a RunConfig asks for once it is merged into its base; null for a local run. A RunConfig's Consul becomes Zk by the merge.
 * @throws RunConfig, MissingTfConfig, MissingPsm, Discovery
 */
export async function getDiscoveryFromRunConfig(
  runConfig: RunConfig,
  { base = {}, psm = null, variables = process.env }: FromRunConfigOptions = {},
): Promise<RunnerDiscovery | null> {
  return getDiscovery(runConfig.toRunnerConfig(base), psm, variables);
}

/**
 * {@link getDiscoveryFromRunConfig} in a guard that closes it.
 * @throws RunConfig, MissingTfConfig, Discovery
 */
export async function monolithDiscoveryFromRunConfig(
  runConfig: RunConfig,
  { base = {}, psm = null, variables = process.env }: FromRunConfigOptions = {},
): Promise<MonolithDiscoveryGuard> {
  return monolithDiscovery(runConfig.toRunnerConfig(base), psm, variables);
}
