import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MonolithError, monotonicMs } from '../base/index.js';
import { type CheckpointState, MONOLITH_STATE_FILE } from '../checkpoint/index.js';
import { copyCheckpointFromRestoreDir } from './chief.js';
import { lookIntoRunFolder } from './state.js';

/** How long to wait for the chief, and how often to look. */
export type RestoreWait = {
  readonly timeoutMs: number;
  /** Longest pause between two looks. The first ones come sooner: a wait is never a quarter longer than it need be. */
  readonly pollIntervalMs: number;
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal;
};

/** Shortest pause between two looks. */
const LEAST_PAUSE_MS = 10;

/**
 * Waits until the chief has restored the run folder: both `checkpoint` and `monolith_checkpoint`, which is written last, are there, and the
 * former can be parsed. A folder that was restored before is ready at once.
 * @returns what `checkpoint` says, paths absolute.
 * @throws RestoreSyncTimeout; the signal's reason
 */
export async function waitForRestoredCheckpoint(
  modelDir: string,
  { timeoutMs, pollIntervalMs, signal }: RestoreWait,
): Promise<CheckpointState> {
  const started = monotonicMs();
  for (;;) {
    signal?.throwIfAborted();
    const { checkpoint, monolith } = await lookIntoRunFolder(modelDir);
    if (monolith && checkpoint.kind === 'state') return checkpoint.state;
    const waited = monotonicMs() - started;
    if (waited >= timeoutMs) throw syncTimeout(modelDir, timeoutMs, checkpoint.kind, monolith);
    const pause = Math.min(pollIntervalMs, Math.max(LEAST_PAUSE_MS, waited / 4), timeoutMs - waited);
    await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted === true ? signal.reason : error;
    });
  }
}

function syncTimeout(modelDir: string, timeoutMs: number, checkpoint: string, monolith: boolean): MonolithError {
  const path = join(modelDir, MONOLITH_STATE_FILE);
  const seen = `checkpoint is ${checkpoint === 'state' ? 'there' : checkpoint}, monolith_checkpoint ${monolith ? 'there' : 'absent'}`;
  return new MonolithError(
    'RestoreSyncTimeout',
    `Timed out waiting for restore synchronization file: ${path} after ${timeoutMs} ms (${seen}); see whether the chief runs and has the same --model-dir`,
    { path, timeoutMs },
  );
}

export type PrepareRestoreOptions = RestoreWait & {
  readonly restoreDir: string;
  readonly modelDir: string;
  /** Path or last part of the checkpoint that the chief picks; null or absent: the last one. */
  readonly restoreCkpt?: string | null;
  /** The chief copies, everybody else waits for it. */
  readonly isChief: boolean;
};

/**
 * Monolith's prepare_restore_checkpoint: the chief copies, the others wait for what it picked.
 * @returns what the run folder's `checkpoint` says, paths absolute; the same for all.
 * @throws as {@link copyCheckpointFromRestoreDir} and {@link waitForRestoredCheckpoint}
 */
export async function prepareRestoreCheckpoint(options: PrepareRestoreOptions): Promise<CheckpointState> {
  const { restoreDir, modelDir, restoreCkpt = null, isChief } = options;
  return isChief ? copyCheckpointFromRestoreDir(restoreDir, modelDir, restoreCkpt) : waitForRestoredCheckpoint(modelDir, options);
}
