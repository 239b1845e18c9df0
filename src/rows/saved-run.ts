import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { MonolithError } from '../base/index.js';
import { type CheckpointReader, listCheckpoints, openCheckpoint, verify } from '../checkpoint/index.js';
import type { TrainingConfig } from '../config/index.js';
import { rowLayout } from '../embedding/index.js';
import type { FeatureSchema } from '../features/index.js';
import type { TablePlan } from '../models/index.js';
import { type StateArray, stateArrays } from '../optimizers/index.js';
import { type RowShape, type SavedTable, savedTables, type TableSpec, tableSpecs } from '../training/index.js';

/** A slice of a saved table: where its values and its optimizer state lie in a record, in floats. */
export type SavedSlice = {
  readonly name: string;
  readonly dim: number;
  readonly offset: number;
  readonly stateOffset: number;
  readonly state: readonly StateArray[];
};

/**
 * A table of a checkpoint with its slices by name. `spec`: how its shards build it; null where the manifest does not tell. `base`: the table in
 * the base of a delta; null in a whole checkpoint.
 */
export type TableOfCheckpoint = SavedTable & {
  readonly slices: readonly SavedSlice[];
  readonly spec: TableSpec | null;
  readonly base: SavedTable | null;
};

export type SavedParameter = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
};

/** What a checkpoint says of itself, without its rows. */
export type SavedRun = {
  readonly reader: CheckpointReader;
  readonly step: number;
  readonly model: string;
  readonly examples: number;
  readonly metrics: { readonly [name: string]: unknown } | null;
  readonly config: { readonly [name: string]: unknown };
  readonly tables: readonly TableOfCheckpoint[];
  readonly parameters: readonly SavedParameter[];
};

/** Fields of the manifest that are read here; a checkpoint of a test or of another writer may lack any of them. */
type Fields = {
  readonly model?: { readonly name?: string; readonly tables?: readonly TablePlan[]; readonly parameters?: readonly ParameterField[] };
  readonly trainer?: { readonly examples?: number };
  readonly metrics?: SavedRun['metrics'];
  readonly config?: Partial<TrainingConfig> & SavedRun['config'];
};
type ParameterField = { readonly fullName: string; readonly shape: readonly number[]; readonly offset: number; readonly length: number };

/**
 * Opens a checkpoint for looking at it.
 *
 * @param path a run folder (its newest checkpoint), `checkpoint-<step>.json`, or the folder of its sections.
 * @param options.verify reads and checks every byte first.
 * @throws CheckpointNotFound, InvalidConfig (a path of something else), CheckpointCorrupt, CheckpointIncompatible
 */
export async function openSaved(path: string, options: { readonly verify?: boolean } = {}): Promise<SavedRun> {
  const manifest = await manifestOf(path);
  if (options.verify === true) await verify(manifest);
  return savedRun(await openCheckpoint(manifest));
}

/** What the manifest of an opened checkpoint says. */
export function savedRun(reader: CheckpointReader): SavedRun {
  const { model, trainer, metrics, config } = reader.manifest.fields as unknown as Fields;
  const specs = specsOf(config, model?.tables);
  const baseTables = reader.base === null ? [] : savedTables(reader.base);
  return {
    reader,
    step: reader.step,
    model: model?.name ?? '(not named)',
    examples: trainer?.examples ?? 0,
    metrics: metrics ?? null,
    config: config ?? {},
    tables: savedTables(reader).map((table) => {
      const spec = specs.find(({ name }) => name === table.name) ?? null;
      const base = baseTables.find(({ name }) => name === table.name) ?? null;
      if (reader.base !== null && base === null) throw baseLacks(reader, table.name);
      return { ...table, spec, base, slices: spec === null ? [wholeRow(table)] : slicesOf(spec) };
    }),
    parameters: (model?.parameters ?? []).map(({ fullName, shape, offset, length }) => ({ name: fullName, shape, offset, length })),
  };
}

/** The table of that name; without a name the only one. @throws InvalidConfig naming those that there are */
export function tableNamed(run: SavedRun, name: string | null): TableOfCheckpoint {
  const table = name === null && run.tables.length === 1 ? run.tables[0] : run.tables.find((candidate) => candidate.name === name);
  if (table !== undefined) return table;
  const names = run.tables.map((candidate) => candidate.name).join(', ');
  const problem = name === null ? 'the checkpoint has several tables: name one with --table' : `no table "${name}" in the checkpoint`;
  throw new MonolithError('InvalidConfig', `${problem}; it has ${names}`, { table: name, tables: names });
}

/** Slices that a table of a model will have; without a name, the only table's. @throws InvalidConfig naming the tables that there are */
export function slicesOfPlan(config: TrainingConfig, tables: readonly TablePlan[], name: string | null): readonly SavedSlice[] {
  const specs = tableSpecs(config, tables);
  const spec = name === null && specs.length === 1 ? specs[0] : specs.find((candidate) => candidate.name === name);
  if (spec !== undefined) return slicesOf(spec);
  const problem = name === null ? 'the model has several tables: name one with --table' : `the model has no table "${name}"`;
  throw new MonolithError('InvalidConfig', `${problem}; it has ${specs.map((candidate) => candidate.name).join(', ')}`, { table: name });
}

/** Names of the features whose ids have this slot, as the schema of the run says; none where it does not. */
export function featuresOfSlot(run: SavedRun, slot: number): readonly string[] {
  const { schema } = (run.config.data ?? {}) as { readonly schema?: FeatureSchema | null };
  return (schema?.features ?? [])
    .map((feature, i) => ({ name: feature.name, slot: feature.type === 'numeric' ? -1 : (feature.slot ?? i + 1) }))
    .filter((feature) => feature.slot === slot)
    .map(({ name }) => name);
}

function specsOf(config: Fields['config'], tables: readonly TablePlan[] | undefined): readonly TableSpec[] {
  if (config === undefined || tables === undefined) return [];
  const { optimizer, embedding, table, ps } = config;
  if (optimizer === undefined || embedding === undefined || table === undefined || ps === undefined) return [];
  return tableSpecs({ optimizer, embedding, table, ps }, tables);
}

function slicesOf(spec: TableSpec): SavedSlice[] {
  return rowLayout(spec.name, spec.slices).map(({ name, dim, offset, stateOffset }, i) => ({
    name,
    dim,
    offset,
    stateOffset,
    state: stateArrays(spec.slices[i].optimizer.kind, dim),
  }));
}

function baseLacks(reader: CheckpointReader, table: string): MonolithError {
  const problem = `checkpoint-${reader.step} has rows of table "${table}", its base checkpoint-${reader.base?.step ?? ''} has no such table`;
  return new MonolithError('CheckpointCorrupt', problem, { table });
}

/** A table whose slices are not known is one slice. */
function wholeRow({ dim, stateLength }: RowShape): SavedSlice {
  const state = stateLength === 0 ? [] : [{ name: 'state', length: stateLength }];
  return { name: 'row', dim, offset: 0, stateOffset: dim, state };
}

async function manifestOf(path: string): Promise<string> {
  const there = await stat(path).catch(() => null);
  if (there === null)
    throw new MonolithError(
      'CheckpointNotFound',
      `${path}: there is no such file or folder; name a run folder or a checkpoint-<step>.json`,
      { path },
    );
  if (!there.isDirectory()) {
    if (/^checkpoint-\d+\.json$/.test(basename(path))) return path;
    throw new MonolithError('InvalidConfig', `inspect: ${path} is no checkpoint; name a run folder or a checkpoint-<step>.json`, { path });
  }
  // The folder of a checkpoint's sections stands beside its manifest.
  if (/^checkpoint-\d+$/.test(basename(path)) && existsSync(`${resolve(path)}.json`)) return `${resolve(path)}.json`;
  const newest = (await listCheckpoints(path)).at(-1);
  if (newest === undefined)
    throw new MonolithError('CheckpointNotFound', `${path} has no checkpoint; name a run folder or a checkpoint-<step>.json`, { path });
  return newest.path;
}
