import { MonolithError } from '../base/index.js';
import type { EmbeddingTableSpec } from '../embedding/index.js';
import { InitializerKind, OptimizerKind, RowFormat } from '../kernels/index.js';
import { checkSchedule, type ScheduleSpec } from '../optimizers/index.js';
import { type DenseTensor, planDenseBlocks } from './dense-blocks.js';
import type { DenseClip } from './dense-shard.js';
import type { ExchangeLayout } from './exchange.js';

/** What a shard must know of a run to play its part: the part of the run's spec that concerns tables and dense parameters. Plain JSON. */
export type ShardSpec = {
  readonly seed: number;
  readonly mode: 'sync' | 'async';
  readonly workers: number;
  readonly regionsPerWorker: number;
  readonly layout: ExchangeLayout;
  readonly tables: readonly (EmbeddingTableSpec & { readonly expectedRows: number })[];
  readonly tensors: readonly DenseTensor[];
  readonly denseStateLength: number;
  readonly clip: DenseClip & { readonly rowNorm: number };
  readonly schedule: ScheduleSpec;
};

/** Most workers, shards, tables, regions a worker; far above what anyone has, low enough that a wrong spec can't take the machine. */
const MOST_WORKERS = 4096;
const MOST_SHARDS = 65_536;
const MOST_TABLES = 16_384;
const MOST_REGIONS = 1024;
const MOST_FLOATS = 2 ** 31 - 1;
const MOST_SLICES = 256;
const MOST_DIM = 65_536;

/** Hyper-parameters of each rule, see {@link OptimizerKind}. */
const HYPER_LENGTH: { readonly [kind: number]: number } = {
  [OptimizerKind.sgd]: 1,
  [OptimizerKind.adagrad]: 3,
  [OptimizerKind.rowwiseAdagrad]: 3,
  [OptimizerKind.adam]: 4,
  [OptimizerKind.ftrl]: 5,
  [OptimizerKind.movingAverage]: 1,
};

/**
 * A spec that came over the network or out of a file, checked before anything is built from it.
 * @throws InvalidConfig naming the field, what it is and what was expected.
 */
export function parseShardSpec(json: string): ShardSpec {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new MonolithError('InvalidConfig', `shard spec: not JSON: ${error instanceof Error ? error.message : ''}`, {}, { cause: error });
  }
  const spec = object(value, 'spec');
  integer(spec.seed, 'seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (spec.mode !== 'sync' && spec.mode !== 'async') throw wrong('mode', spec.mode, '"sync" or "async"');
  integer(spec.workers, 'workers', 1, MOST_WORKERS);
  integer(spec.regionsPerWorker, 'regionsPerWorker', 1, MOST_REGIONS);
  const layout = object(spec.layout, 'layout');
  const numShards = integer(layout.numShards, 'layout.numShards', 1, MOST_SHARDS);
  const parametersLength = integer(layout.parametersLength, 'layout.parametersLength', 0, MOST_FLOATS);
  const shapes = list(layout.tables, 'layout.tables', MOST_TABLES);
  const dims = list(spec.tables, 'tables', MOST_TABLES).map(checkTable);
  if (shapes.length !== dims.length) throw wrong('layout.tables', shapes.length, `one entry for each of the ${dims.length} tables`);
  shapes.forEach((entry, t) => {
    const { dim, maxIds } = object(entry, `layout.tables[${t}]`);
    integer(dim, `layout.tables[${t}].dim`, dims[t], dims[t]);
    integer(maxIds, `layout.tables[${t}].maxIds`, 0, MOST_FLOATS);
  });
  list(spec.tensors, 'tensors', MOST_FLOATS).forEach((entry, t) => void checkTensor(entry, t, parametersLength));
  const clip = object(spec.clip, 'clip');
  for (const name of ['value', 'globalNorm', 'rowNorm']) atLeastZero(clip[name], `clip.${name}`);
  checkSchedule(object(spec.schedule, 'schedule') as ScheduleSpec);
  const checked = value as ShardSpec;
  const { stateLength } = planDenseBlocks(checked.tensors);
  integer(spec.denseStateLength, 'denseStateLength', stateLength, stateLength);
  if (numShards > 1 && checked.clip.globalNorm > 0 && checked.mode === 'async') {
    throw new MonolithError(
      'InvalidConfig',
      `clip.globalNorm ${checked.clip.globalNorm}: in async mode shards take pushes in orders of their own, so there is no one norm; use one PS process or sync mode, or clip.value or clip.rowNorm`,
      { globalNorm: checked.clip.globalNorm, numShards },
    );
  }
  return checked;
}

/** @returns values of a row. */
function checkTable(value: unknown, t: number): number {
  const table = object(value, `tables[${t}]`);
  if (typeof table.name !== 'string' || table.name.length > 1024) throw wrong(`tables[${t}].name`, table.name, 'a string of at most 1024');
  integer(table.maxRows, `tables[${t}].maxRows`, 0, MOST_FLOATS);
  atLeastZero(table.expectedRows, `tables[${t}].expectedRows`);
  if (table.storage !== undefined && !Object.keys(RowFormat).includes(String(table.storage))) {
    throw wrong(`tables[${t}].storage`, table.storage, `one of ${Object.keys(RowFormat).join(', ')}`);
  }
  const slices = list(table.slices, `tables[${t}].slices`, MOST_SLICES);
  const rates = list(table.sliceRates, `tables[${t}].sliceRates`, MOST_SLICES);
  rates.forEach((rate, k) => void atLeastZero(rate, `tables[${t}].sliceRates[${k}]`));
  let dim = 0;
  slices.forEach((entry, k) => {
    const at = `tables[${t}].slices[${k}]`;
    const slice = object(entry, at);
    dim += integer(slice.dim, `${at}.dim`, 1, MOST_DIM);
    checkOptimizer(slice.optimizer, `${at}.optimizer`);
    const initializer = object(slice.initializer, `${at}.initializer`);
    if (!(Object.values(InitializerKind) as unknown[]).includes(initializer.kind)) {
      throw wrong(`${at}.initializer.kind`, initializer.kind, `one of ${Object.values(InitializerKind).join(', ')}`);
    }
    finite(initializer.a, `${at}.initializer.a`);
    finite(initializer.b, `${at}.initializer.b`);
  });
  return dim;
}

function checkTensor(value: unknown, t: number, parametersLength: number): void {
  const tensor = object(value, `tensors[${t}]`);
  if (typeof tensor.name !== 'string') throw wrong(`tensors[${t}].name`, tensor.name, 'a string');
  if (typeof tensor.trainable !== 'boolean') throw wrong(`tensors[${t}].trainable`, tensor.trainable, 'true or false');
  const offset = integer(tensor.offset, `tensors[${t}].offset`, 0, parametersLength);
  integer(tensor.length, `tensors[${t}].length`, 0, parametersLength - offset);
  const optimizer = object(tensor.optimizer, `tensors[${t}].optimizer`);
  checkOptimizer(optimizer, `tensors[${t}].optimizer`);
  atLeastZero(optimizer.learningRate, `tensors[${t}].optimizer.learningRate`);
}

function checkOptimizer(value: unknown, at: string): void {
  const { kind, hyper } = object(value, at);
  const length = typeof kind === 'number' ? HYPER_LENGTH[kind] : undefined;
  if (length === undefined) throw wrong(`${at}.kind`, kind, `one of ${Object.keys(HYPER_LENGTH).join(', ')}`);
  const numbers = list(hyper, `${at}.hyper`, 16);
  if (numbers.length !== length) throw wrong(`${at}.hyper`, numbers.length, `${length} numbers`);
  numbers.forEach((number, i) => void finite(number, `${at}.hyper[${i}]`));
}

function wrong(field: string, actual: unknown, expected: string): MonolithError {
  const shown = JSON.stringify(actual) ?? String(actual);
  return new MonolithError('InvalidConfig', `shard spec: ${field} is ${shown.slice(0, 100)}, expected ${expected}`, { field, expected });
}

function object(value: unknown, field: string): { readonly [name: string]: unknown } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as { readonly [name: string]: unknown };
  throw wrong(field, value, 'an object');
}

function list(value: unknown, field: string, most: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= most) return value;
  throw wrong(field, Array.isArray(value) ? value.length : value, `a list of at most ${most}`);
}

function finite(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrong(field, value, 'a finite number');
}

function atLeastZero(value: unknown, field: string): number {
  if (finite(value, field) >= 0) return value as number;
  throw wrong(field, value, 'a number ≥ 0');
}

function integer(value: unknown, field: string, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrong(field, value, least === most ? `${least}` : `a whole number in ${least}..${most}`);
}
