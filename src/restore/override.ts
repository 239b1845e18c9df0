import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MonolithError, writeFileDurable } from '../base/index.js';
import { type CheckpointState, TF_STATE_FILE } from '../checkpoint/index.js';
import { matchingPath } from './pick.js';
import { RESTORE_MARKER, readStateFile, stateText, textOf } from './state.js';

/** What a checkpoint is wanted for. */
export type RunnerMode = 'train' | 'eval' | 'predict';

export type RestoreOverride = {
  /** Path or last part of the checkpoint wanted instead of the last one; null or absent: none. */
  readonly restoreCkpt?: string | null;
  /** Default train. */
  readonly mode?: RunnerMode;
  /** Reads after a first one that could not be parsed; default 5. */
  readonly maxRetries?: number;
  /** Pause between two reads, ms; default 100. */
  readonly retryIntervalMs?: number;
};

/**
 * Monolith's get_checkpoint_state: the state file of a run folder, with `restoreCkpt` in the place of the last checkpoint. A pick that is not
 * listed changes nothing, nor does one for another file than `checkpoint`.
 *
 * - train: once. Without the marker `restore_ckpt` the pick becomes the state on disk, and the marker is written; with it, nothing changes.
 * - eval, predict: always, and in what is returned only: what a training goes on from stays as it is.
 *
 * @param latestFilename `checkpoint`, or another state file.
 * @returns paths absolute; null when there is no such file.
 * @throws ReadCheckpointFailed when no read could be parsed; DiskFull, WriteFailed
 */
export async function getCheckpointStateWithRestoreOverride(
  modelDir: string,
  latestFilename: string = TF_STATE_FILE,
  override: RestoreOverride = {},
): Promise<CheckpointState | null> {
  const { restoreCkpt = null, mode = 'train', maxRetries = 5, retryIntervalMs = 100 } = override;
  const state = await readWithRetry(modelDir, latestFilename, maxRetries, retryIntervalMs);
  if (state === null || restoreCkpt === null || latestFilename !== TF_STATE_FILE) return state;
  const pick = matchingPath(state, restoreCkpt, modelDir);
  if (pick === null) return state;
  const picked: CheckpointState =
    pick === state.modelCheckpointPath ? state : { modelCheckpointPath: pick, allModelCheckpointPaths: [pick] };
  if (mode !== 'train') return picked;
  const marker = join(modelDir, RESTORE_MARKER);
  if ((await textOf(marker)) !== null) return state;
  if (picked !== state) await writeFileDurable(join(modelDir, TF_STATE_FILE), stateText(modelDir, picked));
  await writeFileDurable(marker, pick);
  return picked;
}

async function readWithRetry(
  modelDir: string,
  fileName: string,
  maxRetries: number,
  retryIntervalMs: number,
): Promise<CheckpointState | null> {
  for (let read = 0; ; read++) {
    const file = await readStateFile(modelDir, fileName);
    if (file.kind === 'absent') return null;
    if (file.kind === 'state') return file.state;
    if (read >= maxRetries) {
      throw new MonolithError('ReadCheckpointFailed', 'read ckpt error!', { path: join(modelDir, fileName), reads: read + 1 });
    }
    await sleep(retryIntervalMs);
  }
}
