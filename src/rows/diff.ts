import { MonolithError } from '../base/index.js';
import type { TableRows } from '../training/index.js';
import type { SavedParameter, SavedRun, TableOfCheckpoint } from './saved-run.js';
import { SectionSource, unsignedFids } from './sections.js';

/** Largest and mean |Δ| of values. */
export type Change = { readonly maxDelta: number; readonly meanDelta: number };

export type TableDiff = Change & {
  readonly name: string;
  /** Rows of the table before and after; null where one of the checkpoints has no such table. */
  readonly rowsBefore: number | null;
  readonly rowsAfter: number | null;
  readonly added: number;
  readonly removed: number;
  /** Rows in both whose values or optimizer state differ. The deltas are those of their values. */
  readonly changed: number;
  readonly unchanged: number;
  /** Set where rows can't be compared: their widths differ. */
  readonly note: string | null;
};

export type ParameterDiff = Change & {
  readonly name: string;
  readonly kind: 'added' | 'removed' | 'reshaped' | 'changed' | 'unchanged';
  readonly shapeBefore: readonly number[] | null;
  readonly shapeAfter: readonly number[] | null;
};

export type OptionDiff = { readonly option: string; readonly before: unknown; readonly after: unknown };

export type CheckpointDiff = {
  readonly before: { readonly step: number; readonly model: string };
  readonly after: { readonly step: number; readonly model: string };
  readonly tables: readonly TableDiff[];
  readonly parameters: readonly ParameterDiff[];
  readonly config: readonly OptionDiff[];
};

const NO_CHANGE: Change = { maxDelta: 0, meanDelta: 0 };

/**
 * What differs between two checkpoints, of the same run or not. Holds one section of each in memory.
 * @throws CheckpointCorrupt
 */
export async function diffCheckpoints(before: SavedRun, after: SavedRun): Promise<CheckpointDiff> {
  const tables: TableDiff[] = [];
  for (const name of namesOf(before.tables, after.tables)) {
    const old = before.tables.find((table) => table.name === name);
    const young = after.tables.find((table) => table.name === name);
    tables.push(await diffTable(name, before, old, after, young));
  }
  return {
    before: { step: before.step, model: before.model },
    after: { step: after.step, model: after.model },
    tables,
    parameters: await diffParameters(before, after),
    config: diffConfig(before.config, after.config),
  };
}

async function diffTable(
  name: string,
  before: SavedRun,
  old: TableOfCheckpoint | undefined,
  after: SavedRun,
  young: TableOfCheckpoint | undefined,
): Promise<TableDiff> {
  const rowsBefore = old?.rows ?? null;
  const rowsAfter = young?.rows ?? null;
  const counts = new RowChanges();
  let note: string | null = null;
  if (old === undefined || young === undefined) {
    counts.added = rowsAfter ?? 0;
    counts.removed = rowsBefore ?? 0;
  } else if (old.dim !== young.dim || old.stateLength !== young.stateLength) {
    note = `rows of ${old.dim} values and ${old.stateLength} of state became rows of ${young.dim} and ${young.stateLength}: not compared`;
  } else {
    await compareSections(before, old, after, young, counts);
  }
  return { name, rowsBefore, rowsAfter, ...counts.summary(young?.dim ?? 0), note };
}

/**
 * Sections hold rows by the first bits of their hash, so one section of the table with fewer of them covers a whole number of the other's.
 */
async function compareSections(
  before: SavedRun,
  old: TableOfCheckpoint,
  after: SavedRun,
  young: TableOfCheckpoint,
  counts: RowChanges,
): Promise<void> {
  const oldSections = new SectionSource(before, old);
  const youngSections = new SectionSource(after, young);
  const oldBits = oldSections.bits;
  const youngBits = youngSections.bits;
  const fineBits = Math.max(oldBits, youngBits);
  let oldRows: TableRows | null = null;
  let youngRows: TableRows | null = null;
  let seen = 0;
  for (let bucket = 0; bucket < 2 ** fineBits; bucket++) {
    const perOld = 2 ** (fineBits - oldBits);
    const perYoung = 2 ** (fineBits - youngBits);
    if (bucket % perOld === 0) oldRows = await oldSections.at(bucket / perOld);
    if (bucket % perYoung === 0) youngRows = await youngSections.at(bucket / perYoung);
    if (oldRows === null || youngRows === null) continue;
    // Rows of the finer side are looked for in the coarser one; what of the coarser one nobody found is left over once it is done with.
    const [fine, coarse]: readonly [TableRows, TableRows] = perOld > perYoung ? [youngRows, oldRows] : [oldRows, youngRows];
    const found = counts.compare(fine, coarse, young.dim, young.dim + young.stateLength);
    seen += found;
    const isLast = (bucket + 1) % Math.max(perOld, perYoung) === 0;
    const missing = fine.count - found;
    if (fine === youngRows) counts.added += missing;
    else counts.removed += missing;
    if (!isLast) continue;
    if (coarse === youngRows) counts.added += coarse.count - seen;
    else counts.removed += coarse.count - seen;
    seen = 0;
  }
}

class RowChanges {
  added = 0;
  removed = 0;
  private changed = 0;
  private unchanged = 0;
  private maxDelta = 0;
  private sumDelta = 0;

  /** Compares rows of `fine` with those of the same fid in `coarse`; returns how many it found there. */
  compare(fine: TableRows, coarse: TableRows, dim: number, width: number): number {
    const fineFids = unsignedFids(fine);
    const coarseFids = unsignedFids(coarse);
    let found = 0;
    let place = 0;
    for (let row = 0; row < fine.count; row++) {
      const fid = fineFids[row];
      while (place < coarse.count && coarseFids[place] < fid) place++;
      if (place === coarse.count) break;
      if (coarseFids[place] !== fid) continue;
      found++;
      const a = row * width;
      const b = place * width;
      let differs = false;
      for (let i = 0; i < width; i++) {
        const delta = Math.abs(fine.records[a + i] - coarse.records[b + i]);
        if (delta === 0) continue;
        differs = true;
        if (i >= dim) break;
        this.sumDelta += delta;
        if (delta > this.maxDelta) this.maxDelta = delta;
      }
      if (differs) this.changed++;
      else this.unchanged++;
    }
    return found;
  }

  summary(dim: number): Pick<TableDiff, 'added' | 'removed' | 'changed' | 'unchanged'> & Change {
    const { added, removed, changed, unchanged, maxDelta, sumDelta } = this;
    return { added, removed, changed, unchanged, maxDelta, meanDelta: changed === 0 ? 0 : sumDelta / (changed * dim) };
  }
}

async function diffParameters(before: SavedRun, after: SavedRun): Promise<ParameterDiff[]> {
  const old = await denseValues(before);
  const young = await denseValues(after);
  return namesOf(before.parameters, after.parameters).map((name): ParameterDiff => {
    const from = before.parameters.find((parameter) => parameter.name === name) ?? null;
    const to = after.parameters.find((parameter) => parameter.name === name) ?? null;
    const shapes = { name, shapeBefore: from?.shape ?? null, shapeAfter: to?.shape ?? null };
    if (from === null || to === null) return { ...shapes, kind: from === null ? 'added' : 'removed', ...NO_CHANGE };
    if (String(from.shape) !== String(to.shape)) return { ...shapes, kind: 'reshaped', ...NO_CHANGE };
    const change = compareValues(valuesOf(old, from), valuesOf(young, to));
    return { ...shapes, kind: change.maxDelta === 0 ? 'unchanged' : 'changed', ...change };
  });
}

/** The flat vector of dense parameters of a checkpoint. @throws CheckpointCorrupt, CheckpointIncompatible (no such section) */
export async function denseValues(run: SavedRun): Promise<Float32Array> {
  const bytes = await run.reader.section('dense.parameters').readAll();
  return new Float32Array(bytes.slice().buffer);
}

/** The part of the flat vector that is one parameter. @throws CheckpointCorrupt when the manifest names a place outside it */
export function valuesOf(values: Float32Array, { name, offset, length }: SavedParameter): Float32Array {
  if (offset + length <= values.length) return values.subarray(offset, offset + length);
  const problem = `the manifest puts it at ${offset} to ${offset + length} of ${values.length} values`;
  throw new MonolithError('CheckpointCorrupt', `dense parameter "${name}": ${problem}`, { parameter: name });
}

function compareValues(old: Float32Array, young: Float32Array): Change {
  let maxDelta = 0;
  let sum = 0;
  for (let i = 0; i < old.length; i++) {
    const delta = Math.abs(old[i] - young[i]);
    sum += delta;
    if (delta > maxDelta) maxDelta = delta;
  }
  return { maxDelta, meanDelta: old.length === 0 ? 0 : sum / old.length };
}

function diffConfig(before: SavedRun['config'], after: SavedRun['config']): OptionDiff[] {
  const old = flatten(before);
  const young = flatten(after);
  return [...new Set([...old.keys(), ...young.keys()])]
    .map((option) => ({ option, before: old.get(option) ?? null, after: young.get(option) ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}

/** Options by dotted name; lists stay whole. */
function flatten(value: { readonly [name: string]: unknown }, prefix = '', into = new Map<string, unknown>()): Map<string, unknown> {
  for (const [key, member] of Object.entries(value)) {
    const name = `${prefix}${key}`;
    const isGroup = typeof member === 'object' && member !== null && !Array.isArray(member);
    if (isGroup) flatten(member as { readonly [name: string]: unknown }, `${name}.`, into);
    else into.set(name, member);
  }
  return into;
}

function namesOf(a: readonly { readonly name: string }[], b: readonly { readonly name: string }[]): string[] {
  return [...new Set([...a, ...b].map(({ name }) => name))];
}
