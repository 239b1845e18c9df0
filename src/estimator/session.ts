import { type CheckpointReader, checkpointName, listCheckpoints, openCheckpoint, verify } from '../checkpoint/index.js';
import { loadSnapshot, type TrainingEngine } from '../training/index.js';

/**
 * The newest checkpoint of a run folder, every byte of it verified; null when there is none.
 * @throws CheckpointCorrupt when the newest one is damaged, naming the newest good one: nobody falls back unseen.
 */
export async function openNewest(modelDir: string): Promise<CheckpointReader | null> {
  const newest = (await listCheckpoints(modelDir)).at(-1);
  if (newest === undefined) return null;
  await verify(newest.path);
  return openCheckpoint(newest.path);
}

/** Fills a fresh cluster with a checkpoint; the name is for messages. */
export async function restoreCluster(cluster: TrainingEngine, reader: CheckpointReader): Promise<string> {
  await loadSnapshot(cluster, reader);
  return checkpointName(reader.step);
}
