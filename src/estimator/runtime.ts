import { MonolithError } from '../base/index.js';
import type { CheckpointState } from '../checkpoint/index.js';
import type { Discovery } from '../discovery/index.js';
import { type InitializeRestoreOptions, initializeRestoreCheckpointFromRunner } from '../restore/index.js';
import type { RunConfig, RunnerConfig } from '../run-config/index.js';
import type { DistributedEntry, DistributedRole } from '../runner/index.js';

export type DistributedRuntimeOptions = Omit<DistributedEntry, 'role' | 'bindAddress'>;

/**
 * Runs one process of a distributed run as a runner's configuration says: restores, joins through the discovery, does the role's work, leaves.
 *
 * @param bindAddress `host:port` to listen on; port 0 takes a free one.
 * @throws Distributed for whatever fails, with the code of the failure in the details as `inner`.
 */
export async function runDistributedRuntime(
  discovery: Discovery,
  runner: RunnerConfig,
  role: DistributedRole,
  bindAddress = '127.0.0.1:0',
  options: DistributedRuntimeOptions = {},
): Promise<void> {
  try {
    const { runDistributedFromRunnerConfig } = await import('../runner/index.js');
    await runDistributedFromRunnerConfig(discovery, runner, { ...options, role, bindAddress });
  } catch (error) {
    throw wrapped('Distributed', 'Distributed runtime error', error);
  }
}

/**
 * {@link runDistributedRuntime} with a user's configuration merged into `base`.
 * @throws Distributed, also when the two can't be merged.
 */
export async function runDistributedRuntimeFromRunConfig(
  discovery: Discovery,
  runConfig: RunConfig,
  role: DistributedRole,
  bindAddress = '127.0.0.1:0',
  { base, ...options }: DistributedRuntimeOptions & { readonly base?: Partial<RunnerConfig> } = {},
): Promise<void> {
  let runner: RunnerConfig;
  try {
    runner = runConfig.toRunnerConfig(base);
  } catch (error) {
    throw wrapped('Distributed', 'Distributed runtime error', error);
  }
  await runDistributedRuntime(discovery, runner, role, bindAddress, options);
}

/**
 * What a run does before anything else: sets the environment variables that its configuration asks for and restores its folder.
 * @returns what the run folder's `checkpoint` says; null without restoreDir.
 * @throws RunnerUtils, with the code of the failure in the details as `inner`.
 */
export async function initializeRuntimeFromRunnerConfig(
  runner: RunnerConfig,
  options: InitializeRestoreOptions = {},
): Promise<CheckpointState | null> {
  try {
    return await initializeRestoreCheckpointFromRunner(runner, options);
  } catch (error) {
    throw wrapped('RunnerUtils', 'Runner utils error', error);
  }
}

/** {@link initializeRuntimeFromRunnerConfig} with a user's configuration merged into `base`. @throws RunConfig when the two can't be merged */
export async function initializeRuntimeFromRunConfig(
  runConfig: RunConfig,
  base?: Partial<RunnerConfig>,
  options: InitializeRestoreOptions = {},
): Promise<CheckpointState | null> {
  return initializeRuntimeFromRunnerConfig(runConfig.toRunnerConfig(base), options);
}

function wrapped(code: 'Distributed' | 'RunnerUtils', prefix: string, error: unknown): MonolithError {
  const known = MonolithError.from(error);
  const text = error instanceof Error ? error.message : String(error);
  return new MonolithError(code, `${prefix}: ${text}`, { ...known.details, inner: known.code }, { cause: error });
}
