import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MonolithError } from '../base/index.js';
import { checkpointName, manifestFileName, parseOwnedName } from './format.js';

/** A checkpoint as its manifest's name tells it; says nothing about whether it verifies. */
export type CheckpointEntry = {
  readonly step: number;
  /** `checkpoint-1200` */
  readonly name: string;
  /** The model folder it stands in. */
  readonly modelDir: string;
  /** Path of the manifest. */
  readonly path: string;
};

/** The entry that a step would have. */
export function entryOf(modelDir: string, step: number): CheckpointEntry {
  return { step, name: checkpointName(step), modelDir, path: join(modelDir, manifestFileName(step)) };
}

/**
 * Checkpoints with a manifest, ascending by step; none if the folder does not exist. Reads names only.
 * @throws DataNotFound if the folder can't be read
 */
export async function listCheckpoints(modelDir: string): Promise<CheckpointEntry[]> {
  const steps: number[] = [];
  for (const name of await namesIn(modelDir)) {
    const owned = parseOwnedName(name);
    if (owned?.kind === 'manifest') steps.push(owned.step);
  }
  return steps.sort((a, b) => a - b).map((step) => entryOf(modelDir, step));
}

/** Names in a folder; none if it does not exist. @throws DataNotFound if it can't be read */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOTDIR') {
      throw new MonolithError(
        'InvalidConfig',
        `modelDir: ${folder} is a file, expected a folder; name another one with --model-dir`,
        { path: folder },
        { cause },
      );
    }
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new MonolithError('DataNotFound', `${folder}: can't read the model folder: ${text}`, { path: folder }, { cause });
  }
}
