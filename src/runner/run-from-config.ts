import type { Discovery } from '../discovery/index.js';
import { initializeRestoreCheckpointFromRunner } from '../restore/index.js';
import type { RunConfig, RunnerConfig } from '../run-config/index.js';
import { type DistributedRole, distributedConfigFromRunner } from './distributed-config.js';
import { exercisePs, exerciseWorker } from './exercise.js';
import { type RoleBody, type RunDistributedOptions, runDistributed } from './run-distributed.js';

/** How a process that is described by a runner's configuration takes part. */
export type DistributedEntry = RunDistributedOptions & {
  readonly role: DistributedRole;
  /** `host:port` to listen on; port 0 takes a free one. Default 127.0.0.1:0. */
  readonly bindAddress?: string;
  /** The work of the role; the exercise when left out: {@link exercisePs}, {@link exerciseWorker}. */
  readonly body?: RoleBody<void>;
};

/**
 * Runs one process of a distributed run from a runner's configuration: sets the environment variables that it asks for, restores where it
 * names a restoreDir (worker 0 copies, the others wait for it), then {@link runDistributed}.
 * @throws as {@link runDistributed} and {@link initializeRestoreCheckpointFromRunner}
 */
export async function runDistributedFromRunnerConfig(discovery: Discovery, runner: RunnerConfig, entry: DistributedEntry): Promise<void> {
  const { role, bindAddress = '127.0.0.1:0', body = role === 'ps' ? exercisePs : exerciseWorker, ...options } = entry;
  const stop = options.signal === undefined ? {} : { signal: options.signal };
  await initializeRestoreCheckpointFromRunner(runner, { role, ...stop });
  await runDistributed(discovery, distributedConfigFromRunner(runner, role, bindAddress), body, options);
}

/**
 * {@link runDistributedFromRunnerConfig} with a user's configuration merged into `base`.
 * @param base what the launcher says; the defaults of a runner when left out.
 * @throws RunConfig when the two can't be merged; as {@link runDistributed}.
 */
export async function runDistributedFromRunConfig(
  discovery: Discovery,
  config: RunConfig,
  entry: DistributedEntry,
  base?: Partial<RunnerConfig>,
): Promise<void> {
  await runDistributedFromRunnerConfig(discovery, config.toRunnerConfig(base), entry);
}
