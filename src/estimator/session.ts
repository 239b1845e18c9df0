import { type CheckpointReader, checkpointName, listCheckpoints, openCheckpoint, verify } from '../checkpoint/index.js';
import { LocalCluster } from '../cluster/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { BatchPipeline } from '../data/index.js';
import { loadSnapshot, type ModelOnData, specOfRun, type TrainingEngine } from '../training/index.js';

/** Starts the threads for a bound model on batches of the pipeline's layout. */
export function startCluster(config: TrainingConfig, bound: ModelOnData, pipeline: BatchPipeline): Promise<LocalCluster> {
  return LocalCluster.start(specOfRun(config, bound, pipeline));
}

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
