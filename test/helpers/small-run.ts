import { readdirSync } from 'node:fs';
import { parse } from 'yaml';
import { Estimator, type PartialTrainingConfig } from '../../src/index.js';
import { temporaryFolder } from './cli.js';
import { clickConfig, writeClicks } from './click-data.js';

/** Folder with click data, for runs of a fraction of a second. */
export type SmallData = Awaited<ReturnType<typeof temporaryFolder>> & {
  /** An estimator on the data with one worker and one shard, run folder `run`; no checkpoints but at the end unless `values` says otherwise. */
  estimator(run: string, values?: PartialTrainingConfig): Estimator;
  /** Numbers of the checkpoints in a run folder, ascending. */
  checkpoints(run: string): number[];
};

/** @param rows training examples; evaluation has 200. */
export async function smallData(name: string, rows: number): Promise<SmallData> {
  const folder = await temporaryFolder(name);
  writeClicks(folder.in('train.csv'), rows, 1);
  writeClicks(folder.in('test.csv'), 200, 2);
  const base = parse(clickConfig(folder.path)) as PartialTrainingConfig;
  return {
    ...folder,
    estimator: (run, values = {}) =>
      new Estimator({ ...base, epochs: 1, workers: 1, ps: 1, checkpointEvery: 0, modelDir: folder.in(run), ...values }),
    checkpoints: (run) =>
      readdirSync(folder.in(run))
        .flatMap((file) => /^checkpoint-(\d+)\.json$/.exec(file)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b),
  };
}
