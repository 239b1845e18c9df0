import type { CheckpointReader } from '../checkpoint/index.js';
import type { FeatureSchema } from '../features/index.js';
import { selectBackend } from '../kernels/index.js';
import { type DenseTensor, planDenseBlocks } from '../ps/index.js';
import type { TrainingEngine } from './engine.js';
import { slotFeatures } from './warm-start-names.js';
import { type Left, planWarmStart, type SavedModel, savedModel, type WarmStartSettings } from './warm-start-plan.js';
import { fidsOf, loadRowsOf, type RowSource } from './warm-start-rows.js';

/** What a warm start took over and what it left alone. */
export type WarmStartReport = {
  /** Path of the checkpoint's manifest, and its step. */
  readonly from: string;
  readonly step: number;
  /** [table with loaded rows] */
  readonly rows: readonly {
    readonly table: string;
    readonly from: string;
    readonly rows: number;
    /** Rows of the checkpoint's table whose feature this table does not have. */
    readonly otherFeatures: number;
  }[];
  /** Slices whose values were taken over, as `table, slice`. */
  readonly slices: readonly string[];
  /** Names of dense parameters that were taken over. */
  readonly parameters: readonly string[];
  /** What stays at its start, and what of the checkpoint has no place here, each with the reason. */
  readonly left: readonly Left[];
};

/**
 * Gives an engine that has just been started the rows and dense parameters of a checkpoint whose names it knows. Rows are taken slice by slice
 * and feature by feature; whatever is not taken over starts as without a warm start.
 *
 * @param schema of the data that are trained on; null: that of the format.
 * @throws CheckpointIncompatible naming what differs in size; InvalidConfig when nothing fits; CheckpointCorrupt.
 */
export async function warmStart(
  engine: TrainingEngine,
  reader: CheckpointReader,
  schema: FeatureSchema | null,
  settings: WarmStartSettings,
): Promise<WarmStartReport> {
  const { spec } = engine;
  const { tables, tensors, plan } = spec;
  const saved = savedModel(reader);
  const model = { tables, tensors, plans: plan.tables, parameters: plan.parameters, features: slotFeatures(schema) };
  const planned = planWarmStart(reader, saved, model, settings);
  await takeParameters(engine, reader, saved, planned.parameters, settings.optimizerState);
  const rows: WarmStartReport['rows'][number][] = [];
  const { backend } = selectBackend(spec.backend);
  for (const [t, sources] of planned.rows.entries()) {
    const expected = sources.reduce((sum, { table }) => sum + table.rows, 0);
    if (expected > 0) await engine.expectRows(t, expected);
    for (const source of sources) {
      const { loaded, skipped } = await loadRowsOf(engine, t, reader, source, backend);
      // A delta is its base with the delta's rows over it: of the base, the others.
      const base = reader.base === null ? null : sourceIn(reader.base, source);
      const under =
        reader.base === null || base === null
          ? { loaded: 0, skipped: 0 }
          : await loadRowsOf(engine, t, reader.base, base, backend, await fidsOf(reader, source));
      const counts = { rows: loaded + under.loaded, otherFeatures: skipped + under.skipped };
      rows.push({ table: tables[t].name, from: source.table.name, ...counts });
    }
  }
  return {
    from: reader.entry.path,
    step: reader.step,
    rows,
    slices: planned.slices,
    parameters: planned.parameters.map(([, p]) => plan.parameters[p].fullName),
    left: planned.left,
  };
}

/** A report as lines for people. */
export function warmStartLines({ from, step, rows, slices, parameters, left }: WarmStartReport): string[] {
  const counts = rows.map(({ table, from: source, rows: count }) => `${count} of ${source}${source === table ? '' : ` into ${table}`}`);
  return [
    `warm start from ${from} (step ${step}): rows ${counts.length === 0 ? 'none' : counts.join(', ')}; slices ${listed(slices)}; dense parameters ${listed(parameters)}`,
    ...left.map(({ name, reason }) => `left alone: ${name}: ${reason}`),
  ];
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(' · ');
}

function sourceIn(base: CheckpointReader, source: RowSource): RowSource | null {
  const tables = (base.manifest.fields.tables ?? []) as unknown as readonly RowSource['table'][];
  const table = tables.find(({ name }) => name === source.table.name);
  return table === undefined ? null : { ...source, table };
}

async function takeParameters(
  engine: TrainingEngine,
  reader: CheckpointReader,
  saved: SavedModel,
  pairs: readonly (readonly [number, number])[],
  withState: boolean,
): Promise<void> {
  if (pairs.length === 0) return;
  const values = floats(await reader.section('dense.parameters').readAll());
  const state = withState ? floats(await reader.section('dense.state').readAll()) : null;
  const { tensors } = engine.spec;
  for (const [from, to] of pairs) {
    const source = saved.tensors[from];
    engine.parameters.set(values.subarray(source.offset, source.offset + source.length), tensors[to].offset);
    if (state === null || source.optimizer.kind !== tensors[to].optimizer.kind) continue;
    const there = blocksOf(saved.tensors, from);
    blocksOf(tensors, to).forEach(({ stateOffset, stateLength }, b) => {
      const at = there[b].stateOffset;
      engine.denseState.set(state.subarray(at, at + stateLength), stateOffset);
    });
  }
}

function blocksOf(tensors: readonly DenseTensor[], tensor: number): ReturnType<typeof planDenseBlocks>['blocks'] {
  return planDenseBlocks(tensors).blocks.filter((block) => block.tensor === tensor);
}

function floats(bytes: Uint8Array): Float32Array {
  const own = bytes.slice();
  return new Float32Array(own.buffer, 0, own.length / 4);
}
