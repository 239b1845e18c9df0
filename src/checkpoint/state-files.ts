import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint, writeFileDurable } from '../base/index.js';
import { checkpointName, MONOLITH_STATE_FILE, parseOwnedName, TF_STATE_FILE } from './format.js';

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
  const text = await readText(join(modelDir, TF_STATE_FILE));
  const match = /^\s*model_checkpoint_path\s*:\s*"([^"]*)"/m.exec(text);
  const owned = match === null ? null : parseOwnedName(match[1]);
  return owned?.kind === 'folder' ? owned.step : null;
}

function tfState(newest: number, steps: readonly number[]): string {
  const lines = [`model_checkpoint_path: "${checkpointName(newest)}"`];
  for (const step of steps) lines.push(`all_model_checkpoint_paths: "${checkpointName(step)}"`);
  return `${lines.join('\n')}\n`;
}

/**
 * Exempt paths of the form checkpoint-<step> are ours and give way to `best`; everything else in the file stays, one field a line.
 * The field last_checkpoint_save_timestamp is not written: equal runs shall give equal files.
 */
function monolithState(old: string, best: number | null): string {
  const fields: string[] = [];
  let hasType = false;
  // Both text forms: one field a line, or fields separated by spaces, commas or semicolons.
  for (const match of old.matchAll(/([A-Za-z_]\w*)\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.+-]+)/g)) {
    const [, key, value] = match;
    const isOurs = key === 'exempt_model_checkpoint_paths' && parseOwnedName(value.slice(1, -1)) !== null;
    if (!isOurs || best === null) fields.push(`${key}: ${value}`);
    if (key === 'builtin_hash_table_type') hasType = true;
  }
  if (best !== null) fields.push(`exempt_model_checkpoint_paths: "${checkpointName(best)}"`);
  if (!hasType) fields.push('builtin_hash_table_type: CUCKOO_HASH_MAP');
  return `${fields.join('\n')}\n`;
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
