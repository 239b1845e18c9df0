import { MonolithError } from '../base/index.js';
import type { EmbeddingPiece } from '../layers/index.js';
import type { OptimizerSpec } from '../optimizers/index.js';
import type { ModelInputs, RowInitializer, SlicePlan, TablePlan } from './model.js';

/** A slice that a model asked for, with the features that carry it. */
export type SliceDeclaration = {
  readonly name: string;
  readonly dim: number;
  readonly role: 'linear' | 'embedding';
  readonly initializer: RowInitializer | null;
  readonly optimizer: OptimizerSpec | null;
  /** Feature numbers in the order of the output's rows. */
  readonly features: readonly number[];
};

/** Batch slots have room for this many groups (see BatchSlot). */
const MAX_TABLES = 56;

/**
 * Lays the declared slices out in physical tables: features with the same slices share a table, so that one lookup per id brings all its
 * values. Slices keep the order of declaration; tables stand in the order of their first feature and are named after their slices.
 */
export function layOutTables(slices: readonly SliceDeclaration[], numFeatures: number): TablePlan[] {
  const byKey = new Map<string, { features: number[]; slices: SliceDeclaration[] }>();
  for (let feature = 0; feature < numFeatures; feature++) {
    const own = slices.filter((slice) => slice.features.includes(feature));
    if (own.length === 0) continue;
    const key = own.map((slice) => slice.name).join('+');
    const table = byKey.get(key);
    if (table === undefined) byKey.set(key, { features: [feature], slices: own });
    else table.features.push(feature);
  }
  if (byKey.size > MAX_TABLES) {
    throw new MonolithError('InvalidModel', `the model needs ${byKey.size} embedding tables, at most ${MAX_TABLES} are possible`);
  }
  return [...byKey].map(([name, table]) => ({
    name,
    features: table.features,
    slices: table.slices.map(planOf),
    dim: table.slices.reduce((dim, slice) => dim + slice.dim, 0),
  }));
}

function planOf(slice: SliceDeclaration): SlicePlan {
  return { name: slice.name, dim: slice.dim, role: slice.role, initializer: slice.initializer, optimizer: slice.optimizer };
}

/** Where each table holds its part of one slice, and which output columns it fills. */
export function piecesOf(slice: SliceDeclaration, tables: readonly TablePlan[], inputs: ModelInputs): EmbeddingPiece[] {
  const pieces: EmbeddingPiece[] = [];
  tables.forEach((table, number) => {
    const at = table.slices.findIndex(({ name }) => name === slice.name);
    if (at < 0) return;
    const sliceOffset = table.slices.slice(0, at).reduce((sum, { dim }) => sum + dim, 0);
    const combiners = Uint8Array.from(table.features, (feature) => inputs.sparse[feature]?.combiner ?? 0);
    const outColumns = Int32Array.from(table.features, (feature) => {
      const row = slice.features.indexOf(feature);
      return row < 0 ? -1 : row * slice.dim;
    });
    pieces.push({ table: number, numFeatures: table.features.length, sliceOffset, combiners, outColumns });
  });
  return pieces;
}
