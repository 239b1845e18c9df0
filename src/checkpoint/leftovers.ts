import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeQuietly } from '../base/index.js';
import { checkpointName, manifestFileName, parseOwnedName, temporaryFolderName } from './format.js';
import { namesIn } from './list.js';
import { decodeManifest } from './manifest.js';

/** Which folder the manifest of a step names: none without a manifest, unknown if it can't be read. */
export type ReferencedFolder =
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'named'; readonly folder: string };

export async function referencedFolder(modelDir: string, step: number): Promise<ReferencedFolder> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(modelDir, manifestFileName(step)));
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { kind: missing ? 'none' : 'unknown' };
  }
  try {
    return { kind: 'named', folder: decodeManifest(bytes, step).folder };
  } catch {
    return { kind: 'unknown' };
  }
}

/** Folders of sections of one step: `checkpoint-N`, `checkpoint-N.1` … */
export async function foldersOfStep(modelDir: string, step: number): Promise<string[]> {
  const owned = (await namesIn(modelDir)).filter((name) => {
    const parsed = parseOwnedName(name);
    return parsed?.kind === 'folder' && parsed.step === step;
  });
  return owned.sort();
}

/**
 * Clears away what crashed saves of this step left, and chooses a folder name for a new one. Folders that a manifest names, or may
 * name since it can't be read, are left alone: a step that is saved again gets `checkpoint-N.1`, and its manifest replaces the old one.
 */
export async function claimFolderName(modelDir: string, step: number): Promise<string> {
  await removeQuietly(join(modelDir, temporaryFolderName(step)));
  await removeQuietly(join(modelDir, `${manifestFileName(step)}.tmp`));
  const current = await referencedFolder(modelDir, step);
  for (const name of await foldersOfStep(modelDir, step)) {
    const isOrphan = current.kind === 'none' || (current.kind === 'named' && current.folder !== name);
    if (isOrphan) await removeQuietly(join(modelDir, name));
  }
  const taken = new Set(await foldersOfStep(modelDir, step));
  let name = checkpointName(step);
  for (let attempt = 1; taken.has(name); attempt++) name = `${checkpointName(step)}.${attempt}`;
  return name;
}
