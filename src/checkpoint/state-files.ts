import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint, writeFileDurable } from '../base/index.js';
import { checkpointName, MONOLITH_STATE_FILE, parseOwnedName, TF_STATE_FILE } from './format.js';
import { amendMonolithState, formatCheckpointState, parseCheckpointState } from './state-text.js';

/**
 * Brings `checkpoint` and `monolith_checkpoint` up to date, each atomically. Both are for other tools and people; loading here goes by
 * the manifests. A file that already says the right thing is left alone.
 *
 * @param newest the step last written.
 * @param steps  all steps with a manifest, ascending.
 * @param best   the step that is kept beside the newest ones; null leaves the exempt list as it is.
 * @throws DiskFull, WriteFailed
 */
export async function writeStateFiles(modelDir: string, newest: number, steps: readonly number[], best: number | null): Promise<void> {
  failpoint('checkpoint.beforeState');
  await writeIfChanged(join(modelDir, TF_STATE_FILE), () => tfState(newest, steps));
  failpoint('checkpoint.beforeMonolithState');
  await writeIfChanged(join(modelDir, MONOLITH_STATE_FILE), (old) => monolithState(old, best));
  failpoint('checkpoint.afterState');
}

/** The step that the `checkpoint` file calls the one last written; null if there is none or it can't be read. */
export async function lastWrittenStep(modelDir: string): Promise<number | null> {
  const state = parseCheckpointState(await readText(join(modelDir, TF_STATE_FILE)));
  const owned = state === null ? null : parseOwnedName(state.modelCheckpointPath);
  return owned?.kind === 'folder' ? owned.step : null;
}

function tfState(newest: number, steps: readonly number[]): string {
  return formatCheckpointState({ modelCheckpointPath: checkpointName(newest), allModelCheckpointPaths: steps.map(checkpointName) });
}

/**
 * Exempt paths of the form checkpoint-<step> are ours and give way to `best`; everything else in the file stays, one field a line.
 * The field last_checkpoint_save_timestamp is not written: equal runs shall give equal files.
 */
function monolithState(old: string, best: number | null): string {
  if (best === null) return amendMonolithState(old, () => false, null);
  return amendMonolithState(old, (path) => parseOwnedName(path) !== null, checkpointName(best));
}

async function writeIfChanged(path: string, make: (old: string) => string): Promise<void> {
  const old = await readText(path);
  const text = make(old);
  if (text !== old) await writeFileDurable(path, text);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
