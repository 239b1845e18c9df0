import { realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { failpoint, MonolithError, makeFolderDurable, writeFileDurable } from '../base/index.js';
import {
  adoptCheckpoint,
  amendMonolithState,
  type CheckpointEntry,
  type CheckpointState,
  checkpointAt,
  MONOLITH_STATE_FILE,
  parseOwnedName,
  prune,
  RunLock,
  removeAllCheckpoints,
  TF_STATE_FILE,
  verify,
} from '../checkpoint/index.js';
import { notOurs, type Pick, pickFrom } from './pick.js';
import { lookIntoRunFolder, pathIn, RESTORE_MARKER, type RunFolderState, readStateFile, stateText, textOf } from './state.js';

// What the chief writes into a run folder, in this order, each file whole or not at all. Whatever it is killed between, the next start knows
// how far it came, and nobody who waits takes half of it for the whole:
//
//   sections of the checkpoint    in checkpoint-N.tmp, where nobody looks; every byte checked
//   restore_ckpt                  "a restore from this path has begun"; over once monolith_checkpoint is there
//   checkpoint-N, its manifest    the commit of a checkpoint, as after every save
//   checkpoint                    names it
//   monolith_checkpoint           the last one: the others wait for it
//
// A checkpoint of another program leaves sections and manifest out; `checkpoint` then names it where it lies.

/** What a restore is to do. */
export type RestoreRequest = {
  readonly restoreDir: string;
  readonly modelDir: string;
  /** Path or last part of the checkpoint; null takes the one that the folder's state calls the last. */
  readonly restoreCkpt: string | null;
};

export type RestoreResult = {
  /** What the run folder's `checkpoint` says now: every process comes up with that. */
  readonly state: CheckpointState;
  /** Path of the checkpoint that was restored now; null when the folder had been restored before or has checkpoints of its own. */
  readonly restored: string | null;
};

type ChiefOptions = {
  /** Replace what the run folder has. */
  readonly fresh: boolean;
  /** Refuse a checkpoint that this program can't train further. */
  readonly mustLoad: boolean;
  /** The caller holds the lock of the run folder. */
  readonly locked: boolean;
};

/**
 * The chief's part of a restore: makes the checkpoint that it picks the start of the run folder, once. A folder that was restored before, or
 * has checkpoints of its own, keeps what it has.
 * @throws MissingCheckpoint, RestoreCkptNotFound, CheckpointIncompatible, CheckpointCorrupt, RunFolderBusy, InvalidConfig, DiskFull, WriteFailed
 */
export async function restoreRunFolder(request: RestoreRequest, options: ChiefOptions): Promise<RestoreResult> {
  const { modelDir, restoreDir } = request;
  if (!options.fresh) {
    const done = finished(await lookIntoRunFolder(modelDir), options.mustLoad);
    if (done !== null) return { state: done, restored: null };
  }
  await refuseItself(restoreDir, modelDir);
  const pick = await pickFrom(restoreDir, request.restoreCkpt);
  if (options.mustLoad && pick.entry === null) throw await notOurs(pick, restoreDir);
  if (options.locked) return apply(pick, modelDir, options.fresh);
  const lock = await RunLock.take(modelDir);
  try {
    return await apply(pick, modelDir, options.fresh);
  } finally {
    await lock.close();
  }
}

/** The state of a folder whose restore is over; null while there is something to do, such as when nothing is left to go on from. */
function finished({ checkpoint, marker, monolith, steps }: RunFolderState, mustLoad: boolean): CheckpointState | null {
  if (checkpoint.kind !== 'state' || marker === null || !monolith) return null;
  return mustLoad && steps.length === 0 ? null : checkpoint.state;
}

/** Whether a restore was begun here and not brought to its end, and nothing was trained since. */
function isInterrupted(here: RunFolderState): boolean {
  const { marker, steps, checkpoint, monolith } = here;
  if (marker === null || monolith) return false;
  // A delta came with its base, whose step is lower.
  const last = parseOwnedName(basename(marker))?.step ?? -1;
  if (steps.some((step) => step > last)) return false;
  return checkpoint.kind !== 'state' || basename(checkpoint.state.modelCheckpointPath) === basename(marker);
}

async function apply(pick: Pick, modelDir: string, fresh: boolean): Promise<RestoreResult> {
  const here = await lookIntoRunFolder(modelDir);
  const again = isInterrupted(here);
  const marker = (): Promise<void> => writeFileDurable(join(modelDir, RESTORE_MARKER), pick.path);
  let restored: string | null = null;
  await makeFolderDurable(modelDir);
  if (pick.entry !== null && (fresh || again || here.steps.length === 0)) {
    await adopt(pick.entry, modelDir, fresh || again, marker);
    restored = pick.path;
  } else {
    failpoint('restore.beforeMarker');
    if (here.marker === null || again) await marker();
    failpoint('restore.beforeCheckpoint');
    if (here.checkpoint.kind !== 'state' || again) {
      const state = { modelCheckpointPath: pick.path, allModelCheckpointPaths: [pick.path] };
      await writeFileDurable(join(modelDir, TF_STATE_FILE), stateText(modelDir, state));
      restored = pick.path;
    }
  }
  failpoint('restore.beforeMonolith');
  await exempt(modelDir, pick.path);
  failpoint('restore.afterMonolith');
  const now = await readStateFile(modelDir);
  if (now.kind !== 'state') {
    throw new MonolithError(
      'WriteFailed',
      `${join(modelDir, TF_STATE_FILE)} was written and is not there any more; is another run at work there?`,
      {
        path: modelDir,
      },
    );
  }
  return { state: now.state, restored };
}

/** A checkpoint of this format, as the only one of the folder. */
async function adopt(source: CheckpointEntry, modelDir: string, alone: boolean, marker: () => Promise<void>): Promise<void> {
  if (alone) {
    // What takes the place of the old is known to be whole before the old goes.
    await verify(source.path);
    await removeAllCheckpoints(modelDir);
  } else {
    // What a save or a restore left that was killed before anything counted.
    await prune(modelDir, 1);
  }
  await adoptCheckpoint(source, modelDir, async () => {
    failpoint('restore.beforeMarker');
    await marker();
    failpoint('restore.beforeCommit');
  });
}

async function exempt(modelDir: string, path: string): Promise<void> {
  const file = join(modelDir, MONOLITH_STATE_FILE);
  const old = await textOf(file);
  const text = amendMonolithState(old ?? '', () => false, path);
  if (text !== old) await writeFileDurable(file, text);
}

async function refuseItself(restoreDir: string, modelDir: string): Promise<void> {
  const real = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));
  const [from, to] = await Promise.all([real(pathIn('.', restoreDir)), real(modelDir)]);
  if (from !== to) return;
  throw new MonolithError(
    'InvalidConfig',
    `restoreDir and modelDir are the same folder, ${modelDir}; a run goes on from its own checkpoints without --restore-dir`,
    { restoreDir, modelDir },
  );
}

/**
 * Monolith's copy_checkpoint_from_restore_dir: the chief's part of a restore, whatever wrote the checkpoint. Writes `checkpoint`, `restore_ckpt`
 * and `monolith_checkpoint` into `modelDir`, which is made if need be; a checkpoint of this format comes along.
 *
 * @param restoreCkpt path or last part of the checkpoint to pick; null: the one that the folder's state calls the last.
 * @returns what the run folder's `checkpoint` says, paths absolute.
 * @throws MissingCheckpoint, RestoreCkptNotFound, CheckpointCorrupt, RunFolderBusy, DiskFull, WriteFailed
 */
export async function copyCheckpointFromRestoreDir(
  restoreDir: string,
  modelDir: string,
  restoreCkpt: string | null = null,
): Promise<CheckpointState> {
  const request = { restoreDir, modelDir, restoreCkpt };
  return (await restoreRunFolder(request, { fresh: false, mustLoad: false, locked: false })).state;
}

/**
 * The checkpoint that `restoreCkpt` means for evaluation and prediction: a path to one, else one of the run folder, else one of `restoreDir`.
 * Nothing is copied.
 * @returns path of its manifest.
 * @throws RestoreCkptNotFound, MissingCheckpoint, CheckpointIncompatible
 */
export async function restoreCheckpointFor(modelDir: string, restoreDir: string | null, restoreCkpt: string): Promise<string> {
  const named = restoreCkpt.includes('/') ? await checkpointAt(restoreCkpt) : null;
  const own = named ?? (await checkpointAt(join(modelDir, basename(restoreCkpt))));
  if (own !== null) return own.path;
  const folder = restoreDir ?? modelDir;
  const pick = await pickFrom(folder, restoreCkpt);
  if (pick.entry === null) throw await notOurs(pick, folder);
  return pick.entry.path;
}
