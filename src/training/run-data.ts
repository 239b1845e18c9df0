import type { TrainingConfig } from '../config/index.js';
import {
  BatchPipeline,
  inspectInputs,
  openStreamData,
  type PipelineOptions,
  planStream,
  readingOptions,
  type StreamOptions,
  splitSources,
  type TrainData,
} from '../data/index.js';
import { loadModel, type ModelDefinition, type ModelInputs, type ModelPlan } from '../models/index.js';
import type { RunSpec } from '../steps/index.js';
import { planOfRun, planRun } from './plan-run.js';

/** Which part of the data, and how it is read. */
export type DataUse = 'train' | 'evaluate' | 'predict';

/** A model bound to its data: what a run is planned from. */
export type ModelOnData = {
  readonly model: string;
  readonly definition: ModelDefinition;
  readonly inputs: ModelInputs;
  readonly plan: ModelPlan;
};

/** Pipeline options of one use of the data; `groups` come from the model's plan. */
function pipelineOptions(config: TrainingConfig, use: DataUse, plan: ModelPlan | null): Partial<PipelineOptions> {
  const { data } = config;
  const split = data.split.by === 'none' ? 'all' : use === 'train' ? 'train' : 'eval';
  const fromTrain = use === 'train' || (use === 'evaluate' && data.eval.length === 0);
  return {
    files: fromTrain ? data.train : data.eval,
    ...readingOptions(data),
    groups: plan === null ? [] : plan.tables.map((table) => ({ features: table.features })),
    batchSize: config.batchSize,
    workers: config.workers,
    epochs: use === 'train' ? config.epochs : 1,
    shuffle: use === 'train' ? data.shuffle : 0,
    seed: config.seed,
    split: {
      by: data.split.by,
      fraction: data.split.fraction,
      column: data.split.column ?? undefined,
      evalValues: data.split.evalValues,
      rows: data.split.rows ?? undefined,
      part: fromTrain ? split : 'all',
    },
    maxBadRecords: data.maxBadRecords,
    parseThreads: data.parseThreads,
    requireLabel: use !== 'predict',
    sampling: use === 'train',
    unitLabels: use !== 'predict' && plan?.loss === 'bce',
    allowEmpty: use === 'predict',
    keepBadRecords: use === 'predict',
    backend: config.backend,
    // What is predicted on is as a rule read once.
    cache: data.cache === 'off' || use === 'predict' ? null : data.cache,
  };
}

/** Whether a run has examples to evaluate on. */
export function hasEvaluationData(config: TrainingConfig): boolean {
  return config.data.eval.length > 0 || config.data.split.by !== 'none';
}

/** Loads the model and fits it to the inputs that the data offer. @throws UnknownModel, InvalidModel, DataNotFound, DataFormat */
export async function bindModel(config: TrainingConfig, use: DataUse): Promise<ModelOnData> {
  const definition = await loadModel(config.model);
  const options = pipelineOptions(config, use, null);
  const inputs = use === 'train' && config.stream.enabled ? await streamInputs(options) : await inspectInputs(options);
  return { model: config.model, definition, inputs, plan: planOfRun(config, definition, inputs) };
}

/**
 * Opens a pipeline for a bound model.
 * @param fillWorker the one worker that gets examples here; null: all.
 */
export function openPipeline(
  config: TrainingConfig,
  use: DataUse,
  bound: ModelOnData,
  fillWorker: number | null = null,
): Promise<BatchPipeline> {
  return BatchPipeline.open({ ...pipelineOptions(config, use, bound.plan), fillWorker });
}

/**
 * Opens the data that a bound model is trained on: files, a stream, or the one and then the other.
 * @param fillWorker the one worker that gets examples here; null: all.
 */
export function openTrainData(config: TrainingConfig, bound: ModelOnData, fillWorker: number | null = null): Promise<TrainData> {
  if (!config.stream.enabled) return openPipeline(config, 'train', bound, fillWorker);
  return openStreamData(pipelineOptions(config, 'train', bound.plan), streamOptions(config));
}

/** What a stream offers to a model: as its files say, where some are read before it. */
async function streamInputs(options: Partial<PipelineOptions>): Promise<ModelInputs> {
  const { files, specs } = splitSources(options.files ?? []);
  return files.length > 0 ? inspectInputs({ ...options, files }) : (await planStream(options, specs)).data.inputs;
}

function streamOptions({ stream }: TrainingConfig): StreamOptions {
  const { order, start, lost, idleSeconds, flushMs, eventTime, windowSeconds, sessionTimeoutMs } = stream;
  const known = start === 'earliest' || start === 'latest' || start === 'committed';
  return {
    order,
    start: known ? start : Date.parse(start),
    lost,
    idleSeconds,
    flushMs,
    eventTime: windowSeconds > 0 ? eventTime : null,
    timed: windowSeconds > 0,
    sessionTimeoutMs,
  };
}

/** The run of a bound model on batches of the pipeline's layout. */
export function specOfRun(config: TrainingConfig, bound: ModelOnData, pipeline: Pick<TrainData, 'layout'>): RunSpec {
  return planRun(config, bound.model, bound.definition, bound.inputs, bound.plan, pipeline.layout);
}
