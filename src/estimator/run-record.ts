import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MonolithError } from '../base/index.js';
import type { CheckpointReader, ManifestFields } from '../checkpoint/index.js';
import type { BadBatch } from '../cluster/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { DataPosition, TrainData } from '../data/index.js';
import type { EvaluationMetrics, ModelOnData, TrainerState, TrainingEngine } from '../training/index.js';
import { restoreCluster } from './session.js';

/** State of a resumed run. */
export type Resumed = { readonly state: TrainerState; readonly newData: boolean };

/** Loads a checkpoint and puts the data pipeline where it stood, when the data are the same. */
export async function resume(
  cluster: TrainingEngine,
  checkpoint: CheckpointReader,
  train: TrainData,
  config: TrainingConfig,
): Promise<Resumed> {
  await restoreCluster(cluster, checkpoint);
  const { trainer, data } = checkpoint.manifest.fields as unknown as {
    trainer: TrainerState;
    data: { fingerprint: string; position: DataPosition };
  };
  // A pipe that was read to its end can't come again: what it brings now is new.
  const pipeDone = train.files.includes('-') && data.position.epoch >= 1;
  // Offsets of a stream mean the same place whatever else is said of the data.
  const inStream = data.position.stream !== undefined && train.stream !== undefined;
  const newData = !inStream && (pipeDone || data.fingerprint !== dataFingerprint(config, train));
  if (newData) return { state: { ...trainer, finished: false }, newData };
  await train.seek(data.position);
  return { state: trainer, newData };
}

/** What must be equal for a position in the data to mean the same place. */
function dataFingerprint(config: TrainingConfig, train: TrainData): string {
  const {
    train: _train,
    eval: _eval,
    parseThreads,
    cache,
    hasSortId,
    kafkaDump,
    kafkaDumpPrefix,
    lagrangexHeader,
    bareMessage,
    ...read
  } = config.data;
  const framing = { hasSortId, kafkaDump, kafkaDumpPrefix, lagrangexHeader, bareMessage };
  // Checkpoints from before there was a framing name none.
  const isDefault = hasSortId && !(kafkaDump || kafkaDumpPrefix || lagrangexHeader || bareMessage);
  const framed = isDefault ? {} : { framing };
  return JSON.stringify({ files: train.identity, read, seed: config.seed, ...framed });
}

/** What a checkpoint's manifest says of the run that made it. */
export function manifestFields(
  config: TrainingConfig,
  bound: ModelOnData,
  train: TrainData,
  position: DataPosition,
  state: TrainerState,
  metrics: EvaluationMetrics | null,
): ManifestFields {
  const {
    modelDir,
    checkpointMode,
    json,
    quiet,
    fresh,
    logEvery,
    profileSteps,
    stopFile,
    hooks,
    warmStart,
    data,
    distributed,
    discovery,
    ...rest
  } = config;
  const { restoreDir, restoreCkpt, restoreSyncTimeoutSecs, restoreSyncPollIntervalMs, ...kept } = rest;
  const { train: trainFiles, eval: evalFiles, cache, ...keptData } = data;
  const fields = {
    model: {
      name: bound.plan.name,
      tables: bound.plan.tables,
      parameters: bound.plan.parameters,
      parametersLength: bound.plan.parametersLength,
    },
    trainer: state,
    data: { fingerprint: dataFingerprint(config, train), position, format: train.stats().format },
    metrics,
    config: { ...kept, data: keptData },
  };
  // Through JSON: undefined members go, and what the manifest says is what a reader gets.
  return JSON.parse(JSON.stringify(fields)) as ManifestFields;
}

/** The configuration as a later `eval` or `predict` wants it: without how this one call reports, and where it started. */
export function lasting(config: TrainingConfig): TrainingConfig {
  const distributed = { ...config.distributed, enabled: false, localHosts: 0 };
  const report = { json: false, quiet: false, profileSteps: null, stopFile: null, hooks: [] };
  const start = { fresh: false, restoreDir: null, restoreCkpt: null, warmStart: { ...config.warmStart, from: null } };
  return { ...config, ...report, ...start, distributed };
}

/** Adds the input that is to blame, where the batch is, and what to do. */
export async function withBadBatch(
  error: unknown,
  badBatch: BadBatch | null,
  modelDir: string,
  dense: readonly string[],
): Promise<unknown> {
  if (!(error instanceof MonolithError) || error.code !== 'NonFiniteLoss' || badBatch === null) return error;
  const path = join(modelDir, `bad-batch-${badBatch.step}.json`);
  const saved = await writeFile(path, `${JSON.stringify(badBatch)}\n`).then(
    () => true,
    () => false,
  );
  // Values that are not finite stand as texts in the batch.
  const example = badBatch.dense.findIndex((row) => row.some((value) => typeof value === 'string'));
  const feature = example < 0 ? -1 : badBatch.dense[example].findIndex((value) => typeof value === 'string');
  const blamed = feature < 0 ? '' : `: feature "${dense[feature]}" of example ${example} is ${badBatch.dense[example][feature]}`;
  const place = saved ? `. Batch saved to ${path}` : '';
  const advice = feature < 0 ? 'Lower the learning rate, or clip gradients' : 'Clean that column, or leave the feature out';
  const details = { ...error.details, ...(saved ? { batch: path } : {}), ...(feature < 0 ? {} : { feature: dense[feature], example }) };
  return new MonolithError('NonFiniteLoss', `${error.message}${blamed}${place}. ${advice}`, details);
}
