import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isabs, isHdfsPath, MonolithError } from '../base/index.js';
import {
  type CheckpointState,
  formatCheckpointState,
  listCheckpoints,
  MONOLITH_STATE_FILE,
  parseCheckpointState,
  TF_STATE_FILE,
} from '../checkpoint/index.js';

/** The file that says which checkpoint a run folder was restored from; its content is that checkpoint's path. */
export const RESTORE_MARKER = 'restore_ckpt';

/** What a look at a checkpoint-state file gives. */
export type StateFile =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'state'; readonly state: CheckpointState };

/**
 * Reads a checkpoint-state file in TensorFlow's text form. Relative paths in it are relative to the folder in which it lies, and come out
 * absolute.
 */
export async function readStateFile(folder: string, fileName: string = TF_STATE_FILE): Promise<StateFile> {
  const text = await textOf(join(folder, fileName));
  if (text === null) return { kind: 'absent' };
  const state = parseCheckpointState(text);
  if (state === null) return { kind: 'unreadable' };
  const path = (given: string): string => pathIn(folder, given);
  return {
    kind: 'state',
    state: { modelCheckpointPath: path(state.modelCheckpointPath), allModelCheckpointPaths: state.allModelCheckpointPaths.map(path) },
  };
}

/** The text of a checkpoint-state file in `folder`: what lies there is named relative to it, so that the folder can be moved. */
export function stateText(folder: string, state: CheckpointState): string {
  const home = resolve(folder);
  const shortened = (path: string): string =>
    isAbsolute(path) && dirname(path) === home ? path.slice(home.length).replace(/^\//, '') : path;
  return formatCheckpointState({
    modelCheckpointPath: shortened(state.modelCheckpointPath),
    allModelCheckpointPaths: state.allModelCheckpointPaths.map(shortened),
  });
}

/** A path as a state file of `folder` means it. */
export function pathIn(folder: string, path: string): string {
  if (isabs(path)) return path;
  return isHdfsPath(folder) ? `${folder.replace(/\/+$/, '')}/${path}` : resolve(folder, path);
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What a run folder says about a restore. */
export type RunFolderState = {
  readonly checkpoint: StateFile;
  /** The checkpoint that it was restored from; null without a marker. */
  readonly marker: string | null;
  /** Whether `monolith_checkpoint` is there, which is written last. */
  readonly monolith: boolean;
  /** Steps of the checkpoints of this format, ascending. */
  readonly steps: readonly number[];
};

/** `monolith_checkpoint` is looked for first: what is written before it is then as it was when it appeared, or later. */
export async function lookIntoRunFolder(modelDir: string): Promise<RunFolderState> {
  const monolith = await isThere(join(modelDir, MONOLITH_STATE_FILE));
  const checkpoint = await readStateFile(modelDir);
  const marker = await textOf(join(modelDir, RESTORE_MARKER));
  const entries = await listCheckpoints(modelDir);
  return { checkpoint, marker: marker?.trim() ?? null, monolith, steps: entries.map(({ step }) => step) };
}

/** A file's text; null when it is not there. @throws DataNotFound when it can't be read */
export async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new MonolithError('DataNotFound', `${path}: can't read: ${message}. Check the permissions`, { path }, { cause });
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
