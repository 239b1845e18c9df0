import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MonolithError } from '../base/index.js';
import {
  type CheckpointEntry,
  type CheckpointState,
  checkpointAt,
  checkpointName,
  listCheckpoints,
  TF_STATE_FILE,
} from '../checkpoint/index.js';
import { baseName, pathIn, readStateFile } from './state.js';

/** The checkpoint that an unreadable state file counts as naming. */
const UNREADABLE_PICK = 'model.ckpt-0';

/** The checkpoint that a restore starts from. */
export type Pick = {
  /** Absolute, as the state file means it. */
  readonly path: string;
  /** The same as a checkpoint of this format; null when it is none, or is not there. */
  readonly entry: CheckpointEntry | null;
};

/**
 * The listed path that `restoreCkpt` means: that path itself, else the first one with the same last part. (The last part beside
 * model_checkpoint_path, the third rule of Monolith, is among the second.) null when there is none.
 * @param folder where the state was written.
 */
export function matchingPath(state: CheckpointState, restoreCkpt: string, folder: string): string | null {
  const { allModelCheckpointPaths: all } = state;
  const exact = pathIn(folder, restoreCkpt);
  const name = baseName(restoreCkpt);
  return all.find((path) => path === restoreCkpt || path === exact) ?? all.find((path) => baseName(path) === name) ?? null;
}

/**
 * The checkpoint of `restoreDir` to start from: the one that `restoreCkpt` means, else the one its state file calls the last. A state file that
 * can't be parsed counts as naming model.ckpt-0 and listing nothing. A folder of this format's checkpoints needs no state file: manifests decide.
 * @throws MissingCheckpoint, RestoreCkptNotFound
 */
export async function pickFrom(restoreDir: string, restoreCkpt: string | null): Promise<Pick> {
  const state = await restorableState(restoreDir);
  if (restoreCkpt === null) return pickAt(state.modelCheckpointPath);
  const listed = matchingPath(state, restoreCkpt, restoreDir);
  if (listed !== null) return pickAt(listed);
  // The state file is a hint: a checkpoint of ours that it does not list, but that is there, will do.
  const unlisted = await checkpointAt(pathIn(restoreDir, baseName(restoreCkpt)));
  if (unlisted !== null) return { path: join(unlisted.modelDir, unlisted.name), entry: unlisted };
  throw restoreCkptNotFound(restoreCkpt, restoreDir, state.allModelCheckpointPaths);
}

export function restoreCkptNotFound(restoreCkpt: string, folder: string, listed: readonly string[]): MonolithError {
  const there = listed.length === 0 ? 'which lists none' : `which lists ${listed.map(baseName).join(', ')}`;
  return new MonolithError(
    'RestoreCkptNotFound',
    `restore_ckpt ${restoreCkpt} is not in checkpoint.all_model_checkpoint_paths of ${folder}, ${there}; name one of them with --restore-ckpt, or leave it out`,
    { restoreCkpt, path: folder, listed },
  );
}

async function pickAt(path: string): Promise<Pick> {
  return { path, entry: await checkpointAt(path) };
}

async function restorableState(restoreDir: string): Promise<CheckpointState> {
  const file = await readStateFile(restoreDir);
  if (file.kind === 'state') return file.state;
  const paths = (await listCheckpoints(restoreDir).catch(() => [])).map(({ step }) => pathIn(restoreDir, checkpointName(step)));
  const newest = paths.at(-1);
  if (newest !== undefined) return { modelCheckpointPath: newest, allModelCheckpointPaths: paths };
  if (file.kind === 'unreadable') return { modelCheckpointPath: pathIn(restoreDir, UNREADABLE_PICK), allModelCheckpointPaths: [] };
  const path = join(restoreDir, TF_STATE_FILE);
  throw new MonolithError(
    'MissingCheckpoint',
    `restore_dir does not contain checkpoint file: ${path}; name the folder that a run wrote its checkpoints into with --restore-dir`,
    { path },
  );
}

/** Refuses a pick that this program can't load, saying what it is. */
export async function notOurs({ path }: Pick, restoreDir: string): Promise<MonolithError> {
  if ((await readStateFile(restoreDir)).kind === 'unreadable') {
    const file = join(restoreDir, TF_STATE_FILE);
    return new MonolithError('ReadCheckpointFailed', `read ckpt error! ${file} is no checkpoint state in text form`, { path: file });
  }
  const isTensorFlow = await stat(`${path}.index`).then(
    () => true,
    () => /(^|[./_-])ckpt-\d+$/.test(baseName(path)),
  );
  const what = isTensorFlow
    ? 'is a checkpoint of TensorFlow, whose variables and tables this program does not read; only those that a run of this program wrote (checkpoint-<step>.json) can be trained further'
    : 'is no checkpoint of this program: there is no such checkpoint-<step>.json';
  return new MonolithError('CheckpointIncompatible', `${path} ${what}. Choose another one with --restore-dir and --restore-ckpt`, { path });
}
