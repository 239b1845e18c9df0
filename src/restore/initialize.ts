import type { CheckpointState } from '../checkpoint/index.js';
import { applyRuntimeEnvExports, type RunConfig, type RunnerConfig, restoreTimings } from '../run-config/index.js';
import { prepareRestoreCheckpoint, type RestoreWait } from './follow.js';

export type InitializeRestoreOptions = Partial<RestoreWait> & {
  /**
   * What this process is in a run on several hosts, where worker 0 alone is the chief. Left out: a local run is its own chief, else index 0 is.
   */
  readonly role?: 'worker' | 'ps';
  /** Where environment variables are set; process.env when left out. */
  readonly variables?: Record<string, string | undefined>;
};

/**
 * Restores as a runner's configuration says: sets the environment variables that it asks for; without restoreDir that is all. The chief
 * copies, others wait for it, for as long as the configuration says unless `options` do.
 * @returns what the run folder's `checkpoint` says; null without restoreDir.
 * @throws MissingCheckpoint, RestoreCkptNotFound, RestoreSyncTimeout, CheckpointCorrupt, RunFolderBusy, DiskFull, WriteFailed
 */
export async function initializeRestoreCheckpointFromRunner(
  runner: RunnerConfig,
  options: InitializeRestoreOptions = {},
): Promise<CheckpointState | null> {
  const { role, variables, ...wait } = options;
  applyRuntimeEnvExports(runner, variables);
  const { restoreDir, restoreCkpt, modelDir, index, isLocal } = runner;
  if (restoreDir === null) return null;
  const isChief = role === undefined ? isLocal || index === 0 : role === 'worker' && index === 0;
  return prepareRestoreCheckpoint({ ...restoreTimings(runner), ...wait, restoreDir, modelDir, restoreCkpt, isChief });
}

/** {@link initializeRestoreCheckpointFromRunner} with the times of the configuration, each at least 1 s and 1 ms. */
export function initializeRestoreCheckpointFromRunnerDefaults(runner: RunnerConfig): Promise<CheckpointState | null> {
  return initializeRestoreCheckpointFromRunner(runner);
}

/**
 * {@link initializeRestoreCheckpointFromRunner} with a user's configuration merged into `base`.
 * @param base what the launcher says; the defaults of a runner when left out.
 * @throws RunConfig when the two can't be merged; as {@link initializeRestoreCheckpointFromRunner}
 */
export async function initializeRestoreCheckpointFromRunConfig(
  runConfig: RunConfig,
  base?: Partial<RunnerConfig>,
  options: InitializeRestoreOptions = {},
): Promise<CheckpointState | null> {
  return initializeRestoreCheckpointFromRunner(runConfig.toRunnerConfig(base), options);
}

/** {@link initializeRestoreCheckpointFromRunConfig} with the times of the merged configuration, each at least 1 s and 1 ms. */
export function initializeRestoreCheckpointFromRunConfigDefaults(
  runConfig: RunConfig,
  base?: Partial<RunnerConfig>,
): Promise<CheckpointState | null> {
  return initializeRestoreCheckpointFromRunConfig(runConfig, base);
}
