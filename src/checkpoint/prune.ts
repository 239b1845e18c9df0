import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint, fsyncFolder, MonolithError, removeQuietly } from '../base/index.js';
import { MONOLITH_STATE_FILE, manifestFileName, parseOwnedName, TF_STATE_FILE } from './format.js';
import { referencedFolder } from './leftovers.js';
import { type CheckpointEntry, listCheckpoints, namesIn } from './list.js';
import { openEntry, readManifest } from './reader.js';
import { lastWrittenStep, writeStateFiles } from './state-files.js';

/** What {@link prune} deleted. */
export type PruneResult = {
  /** Steps of deleted checkpoints, ascending. */
  readonly steps: readonly number[];
  /** Names of deleted leftovers: temporary files and folders, sections without a manifest. */
  readonly leftovers: readonly string[];
};

/**
 * Deletes old checkpoints and what crashed saves left behind; only names that this format owns. Kept are the `keep` newest whose
 * manifest and footers are sound, anything newer than those even if damaged, the one last written, `keepBest`, and the bases of all deltas
 * among these. The state files stop naming a checkpoint before it goes, and its manifest goes durably before its sections do.
 * Call it between saves, not during one.
 *
 * @param keep     how many of the newest to keep, ≥ 1.
 * @param keepBest step to keep besides, e.g. of the best evaluation; it is also listed as exempt in `monolith_checkpoint`.
 * @throws InvalidArgument, DiskFull, WriteFailed
 */
export async function prune(modelDir: string, keep: number, keepBest: number | null = null): Promise<PruneResult> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new MonolithError('InvalidArgument', `checkpoint prune: keep must be an integer ≥ 1, got ${keep}`, { keep });
  }
  const entries = await listCheckpoints(modelDir);
  failpoint('checkpoint.beforePrune');
  if (entries.length > 0) await pruneCheckpoints(modelDir, entries, keep, keepBest);
  const leftovers = await removeLeftovers(modelDir);
  failpoint('checkpoint.afterPrune');
  const left = new Set((await listCheckpoints(modelDir)).map((entry) => entry.step));
  return { steps: entries.map((entry) => entry.step).filter((step) => !left.has(step)), leftovers };
}

/**
 * Deletes all checkpoints of a model folder, for a run that starts afresh: otherwise a later resume could pick up an older run's.
 * @throws WriteFailed
 */
export async function removeAllCheckpoints(modelDir: string): Promise<PruneResult> {
  const entries = await listCheckpoints(modelDir);
  await removeQuietly(join(modelDir, TF_STATE_FILE));
  await removeQuietly(join(modelDir, MONOLITH_STATE_FILE));
  await deleteManifests(modelDir, entries);
  return { steps: entries.map((entry) => entry.step), leftovers: await removeLeftovers(modelDir) };
}

async function pruneCheckpoints(
  modelDir: string,
  entries: readonly CheckpointEntry[],
  keep: number,
  keepBest: number | null,
): Promise<void> {
  const lastWritten = (await lastWrittenStep(modelDir)) ?? entries[entries.length - 1].step;
  const kept = new Set<number>();
  let sound = 0;
  for (const entry of [...entries].reverse()) {
    if (sound < keep) {
      kept.add(entry.step);
      if (await isSound(entry)) sound++;
    } else if (entry.step === lastWritten || entry.step === keepBest) {
      kept.add(entry.step);
    }
  }
  for (const entry of entries.filter(({ step }) => kept.has(step))) {
    const base = await baseStepOf(entry);
    if (base !== null) kept.add(base);
  }
  const steps = entries.map((entry) => entry.step).filter((step) => kept.has(step));
  const newest = kept.has(lastWritten) ? lastWritten : steps[steps.length - 1];
  await writeStateFiles(modelDir, newest, steps, keepBest !== null && kept.has(keepBest) ? keepBest : null);
  await deleteManifests(
    modelDir,
    entries.filter((entry) => !kept.has(entry.step)),
  );
}

/** The step of a delta's base; null for a whole checkpoint, and for one whose manifest can't be read. */
async function baseStepOf(entry: CheckpointEntry): Promise<number | null> {
  return await readManifest(entry).then(
    ({ base }) => base?.step ?? null,
    () => null,
  );
}

async function isSound(entry: CheckpointEntry): Promise<boolean> {
  return await openEntry(entry, {}).then(
    () => true,
    () => false,
  );
}

/** From here on the sections have no manifest, and {@link removeLeftovers} takes them. Newest first: no delta outlives its base. */
async function deleteManifests(modelDir: string, entries: readonly CheckpointEntry[]): Promise<void> {
  if (entries.length === 0) return;
  for (const entry of [...entries].reverse()) {
    failpoint('checkpoint.beforeManifestDelete');
    try {
      await unlink(entry.path);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new MonolithError(
        'WriteFailed',
        `${entry.path}: can't delete: ${text}. Check the permissions of the folder`,
        { path: entry.path },
        { cause },
      );
    }
  }
  await fsyncFolder(modelDir);
}

async function removeLeftovers(modelDir: string): Promise<string[]> {
  const names = await namesIn(modelDir);
  const present = new Set(names);
  const leftovers: string[] = [];
  for (const name of names.sort()) {
    const owned = parseOwnedName(name);
    const isStateLeftover = name === `${TF_STATE_FILE}.tmp` || name === `${MONOLITH_STATE_FILE}.tmp`;
    if (!isStateLeftover && owned === null) continue;
    if (owned?.kind === 'manifest') continue;
    if (owned?.kind === 'folder' && present.has(manifestFileName(owned.step))) {
      const current = await referencedFolder(modelDir, owned.step);
      if (current.kind !== 'none' && (current.kind === 'unknown' || current.folder === name)) continue;
    }
    failpoint('checkpoint.beforeLeftoverDelete');
    await removeQuietly(join(modelDir, name));
    leftovers.push(name);
  }
  return leftovers;
}
