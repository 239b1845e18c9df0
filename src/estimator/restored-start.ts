import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MonolithError } from '../base/index.js';
import { type CheckpointReader, checkpointAt, listCheckpoints, openCheckpoint, verify } from '../checkpoint/index.js';
import type { TrainingConfig } from '../config/index.js';
import { restoreCheckpointFor, restoreRunFolder } from '../restore/index.js';
import { openNewest } from './session.js';

/** Where a training starts. */
export type TrainingStart = {
  /** null: at the beginning. */
  readonly checkpoint: CheckpointReader | null;
  /** The folder's older checkpoints go with the first save. */
  readonly replaceOlder: boolean;
  /** What a restore did, or why it did nothing; null where none was asked for. */
  readonly note: string | null;
};

/**
 * The checkpoint that a training goes on from: the newest of the run folder, into which one of `restoreDir` is copied first, once, where the
 * configuration says so. `fresh` begins anew, or restores anew. The caller holds the lock of the run folder.
 * @throws CheckpointCorrupt, CheckpointIncompatible, MissingCheckpoint, RestoreCkptNotFound, InvalidConfig, DiskFull, WriteFailed
 */
export async function openStart(config: TrainingConfig): Promise<TrainingStart> {
  const { modelDir, restoreDir, restoreCkpt, fresh } = config;
  if (restoreDir === null) {
    const checkpoint = fresh ? null : await openNewest(modelDir);
    if (restoreCkpt !== null) await requireNewest(modelDir, restoreCkpt, checkpoint);
    return { checkpoint, replaceOlder: fresh, note: null };
  }
  const { restored } = await restoreRunFolder({ restoreDir, modelDir, restoreCkpt }, { fresh, mustLoad: true, locked: true });
  const checkpoint = await openNewest(modelDir);
  const note =
    restored === null
      ? `not restored again: ${modelDir} has checkpoints already and goes on from the newest; --fresh restores anew`
      : `restored from ${restored}`;
  return { checkpoint, replaceOlder: false, note };
}

/**
 * The checkpoint to evaluate or predict with: `restoreCkpt`, else the newest of the run folder, every byte of it verified; null when there is none.
 * @throws CheckpointCorrupt, CheckpointIncompatible, RestoreCkptNotFound, MissingCheckpoint
 */
export async function openForUse({ modelDir, restoreDir, restoreCkpt }: TrainingConfig): Promise<CheckpointReader | null> {
  if (restoreCkpt === null) return openNewest(modelDir);
  const path = await restoreCheckpointFor(modelDir, restoreDir, restoreCkpt);
  await verify(path);
  return openCheckpoint(path);
}

/** The checkpoint to start warm from, every byte of it verified; null where none is asked for. @throws CheckpointNotFound, CheckpointCorrupt */
export async function openWarmStart({ warmStart }: TrainingConfig): Promise<CheckpointReader | null> {
  const { from } = warmStart;
  if (from === null) return null;
  if ((await listCheckpoints(from).catch(() => [])).length > 0) return openNewest(from);
  if ((await stat(from).catch(() => null))?.isFile() === true && (await checkpointAt(from)) === null) {
    throw new MonolithError(
      'CheckpointNotFound',
      `warmStart.from (--warm-start): ${from} is a file, and no manifest of a checkpoint; name checkpoint-<step>.json or the folder of a run`,
      { path: from },
    );
  }
  await verify(from);
  return openCheckpoint(from);
}

/** A run folder is never taken back behind its newest checkpoint: what was trained since would be lost. */
async function requireNewest(modelDir: string, restoreCkpt: string, newest: CheckpointReader | null): Promise<void> {
  const path = await restoreCheckpointFor(modelDir, null, restoreCkpt);
  if (newest !== null && resolve(path) === resolve(newest.entry.path)) return;
  throw new MonolithError(
    'InvalidConfig',
    `--restore-ckpt ${restoreCkpt}: training goes on from ${newest === null ? 'the beginning' : `the newest checkpoint of ${modelDir}, ${newest.entry.name}`}; to start from another one, give a new --model-dir, and --restore-dir with the folder that has it`,
    { restoreCkpt, modelDir },
  );
}
