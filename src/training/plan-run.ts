import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import { resolveInitializer } from '../embedding/index.js';
import { completeOptions, type ModelDefinition, type ModelInputs, type ModelPlan, planModel, type TablePlan } from '../models/index.js';
import { checkSchedule, movingAverageOptimizer, type OptimizerSpec, resolveOptimizer } from '../optimizers/index.js';
import { type DenseTensor, planDenseBlocks } from '../ps/index.js';
import type { RunSpec, TableSpec } from '../steps/index.js';
import type { BatchLayout } from '../tensor/index.js';

/** Batches in flight a worker: one computed, one ready, one being filled, and one more so that filling never waits for a hand-over. */
const SLOTS_PER_WORKER = 4;

/** Rows of embeddings start even in ±this where neither model nor config says otherwise. */
const DEFAULT_INIT_RANGE = 0.01;

/** Options of the model: those of the config, with `embedding.dim` filled in where it is set, the model takes an embeddingDim and none is given. */
export function modelOptionsOf(config: TrainingConfig, definition: ModelDefinition): { readonly [name: string]: unknown } {
  const takesDim = config.embedding.dim !== null && Object.hasOwn(definition.options, 'embeddingDim');
  const given = takesDim ? { embeddingDim: config.embedding.dim, ...config.modelOptions } : config.modelOptions;
  return completeOptions(definition, given);
}

/** The model's plan for the inputs of the data. @throws InvalidModel */
export function planOfRun(config: TrainingConfig, definition: ModelDefinition, inputs: ModelInputs): ModelPlan {
  return planModel(definition, modelOptionsOf(config, definition), inputs);
}

/**
 * Resolves everything that the threads of a run must agree on.
 *
 * @param model  what each thread loads the model by: a zoo name or an absolute path.
 * @param layout of the batches that the data pipeline fills; group g belongs to table g of the plan.
 * @throws InvalidConfig for numbers that do not fit each other.
 */
export function planRun(
  config: TrainingConfig,
  model: string,
  definition: ModelDefinition,
  inputs: ModelInputs,
  plan: ModelPlan,
  layout: BatchLayout,
): RunSpec {
  const schedule = { ...config.schedule, decaySteps: config.schedule.kind === 'constant' ? 1 : config.schedule.decaySteps };
  checkSchedule(schedule);
  const async = config.mode === 'async';
  const staleness = async && config.enableEmbeddingPostpush ? config.staleness : 0;
  const prefetch = config.embeddingPrefetchCapacity;
  const tensors = denseTensors(config, plan.parameters);
  const tables = tableSpecs(config, plan.tables);
  return {
    seed: config.seed,
    backend: config.backend,
    precision: config.precision,
    mode: config.mode,
    workers: config.workers,
    ps: config.ps,
    shardWork: config.shardWork,
    staleness,
    prefetch,
    regionsPerWorker: staleness + prefetch + 1,
    slotsPerWorker: SLOTS_PER_WORKER + prefetch,
    stepTimeoutMs: config.stepTimeoutMs,
    model,
    modelOptions: modelOptionsOf(config, definition),
    inputs,
    plan,
    batch: layout,
    tables,
    tensors,
    denseStateLength: planDenseBlocks(tensors).stateLength,
    clip: config.clip,
    schedule,
  };
}

/** The dense parameters of a plan as their shards see them; the manifest of a checkpoint holds all that this needs. @throws InvalidConfig */
export function denseTensors(config: Pick<TrainingConfig, 'optimizer'>, parameters: ModelPlan['parameters']): DenseTensor[] {
  return parameters.map((parameter): DenseTensor => {
    const optimizer = parameter.trainable ? denseOptimizer(config, parameter.decay) : movingAverageOptimizer(parameter.momentum ?? 0.99);
    return { name: parameter.fullName, offset: parameter.offset, length: parameter.length, optimizer, trainable: parameter.trainable };
  });
}

/** What a table's options follow from. */
type TableChoices = Pick<TrainingConfig, 'optimizer' | 'embedding' | 'table' | 'ps'>;

/** The tables of a plan as their shards build them; the manifest of a checkpoint holds all that this needs. @throws InvalidConfig */
export function tableSpecs(config: TableChoices, tables: readonly TablePlan[]): TableSpec[] {
  return tables.map((table): TableSpec => {
    const resolved = table.slices.map((slice) => {
      const linear = slice.role === 'linear' && config.optimizer.linear !== null ? config.optimizer.linear : null;
      return resolveOptimizer(slice.optimizer ?? withoutNulls(linear ?? config.optimizer.sparse));
    });
    return {
      name: table.name,
      slices: table.slices.map((slice, i) => ({
        name: slice.name,
        dim: slice.dim,
        initializer: resolveInitializer(
          slice.role === 'embedding' && config.embedding.initializer !== null
            ? config.embedding.initializer
            : (slice.initializer ?? defaultInitializer(slice.role)),
        ),
        optimizer: { kind: resolved[i].kind, hyper: resolved[i].hyper },
      })),
      sliceRates: resolved.map(({ learningRate }) => learningRate),
      maxRows: Math.ceil(config.table.maxRows / config.ps),
      storage: config.embedding.storage,
      expectedRows: shareOfRows(config.table.expectedRows, config.ps),
    };
  });
}

/** Ids fall on shards evenly, give or take: what one shard prepares for. */
export function shareOfRows(rows: number, shards: number): number {
  return Math.ceil((rows / shards) * (shards === 1 ? 1 : UNEVEN_SHARE));
}

/** How much more than its even share of rows a shard prepares for. */
const UNEVEN_SHARE = 1.05;

/** The dense rule; parameters that must not decay (biases, norms) get it without weight decay. */
function denseOptimizer(config: Pick<TrainingConfig, 'optimizer'>, decay: boolean): DenseTensor['optimizer'] {
  const spec = withoutNulls(config.optimizer.dense);
  const resolved = resolveOptimizer(decay ? spec : { ...spec, weightDecay: 0 });
  if (config.optimizer.dense.kind === 'rowwise-adagrad') {
    throw new MonolithError(
      'InvalidConfig',
      'optimizer.dense.kind: rowwise-adagrad keeps one accumulator a row and is for embedding rows; use adagrad',
    );
  }
  return resolved;
}

function defaultInitializer(role: 'linear' | 'embedding'): { kind: 'zeros' } | { kind: 'uniform'; low: number; high: number } {
  return role === 'linear' ? { kind: 'zeros' } : { kind: 'uniform', low: -DEFAULT_INIT_RANGE, high: DEFAULT_INIT_RANGE };
}

/** Options that nobody set are null in the config; the rule's defaults stand for them. */
function withoutNulls(options: { readonly [name: string]: unknown }): OptimizerSpec {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== null && value !== undefined),
  ) as unknown as OptimizerSpec;
}
