import type { CheckpointReader } from '../checkpoint/index.js';
import { EmbeddingTable, type RowStorage, rowLayout, type SliceInfo } from '../embedding/index.js';
import type { KernelBackend } from '../kernels/index.js';
import type { TableRows, TrainingEngine } from './engine.js';
import { readTableSection, type SavedTable } from './snapshot.js';

/** Where the floats of one slice lie in a record of the checkpoint and in one of the model, and how many. */
export type SliceCopy = { readonly from: number; readonly to: number; readonly length: number };

/** A table of the checkpoint from which a table of the model takes rows. */
export type RowSource = {
  readonly table: SavedTable;
  /** Slots of fids in the checkpoint to those in the model; null: all fids as they are. */
  readonly slots: ReadonlyMap<number, number> | null;
  readonly copies: readonly SliceCopy[];
};

/** A fid's slot stands in its high bits. */
const SLOT_SHIFT = 48n;
const HASH_MASK = (1n << SLOT_SHIFT) - 1n;

/** The slices of a table with their places in a record. */
export function placesOf(table: { readonly name: string; readonly slices: Parameters<typeof rowLayout>[1] }): readonly SliceInfo[] {
  return rowLayout(table.name, table.slices);
}

/**
 * Loads the rows of one source into table `index` of an engine. What a row does not take over starts as in a new row: the values are a function
 * of seed, table and fid, the optimizer state is that of its rule.
 *
 * @returns rows loaded and rows left out because the model does not have their feature.
 */
export async function loadRowsOf(
  engine: TrainingEngine,
  index: number,
  reader: CheckpointReader,
  source: RowSource,
  backend: KernelBackend,
): Promise<{ readonly loaded: number; readonly skipped: number }> {
  const fp32: RowStorage = 'fp32';
  const spec = { ...engine.spec.tables[index], maxRows: 0, storage: fp32 };
  const fresh = new EmbeddingTable(backend, spec, engine.spec.seed);
  let loaded = 0;
  let skipped = 0;
  for (const name of source.table.sections) {
    const rows = await readTableSection(reader, source.table, name);
    const kept = wanted(rows, source);
    skipped += rows.count - kept.length;
    if (kept.length === 0) continue;
    loaded += kept.length;
    await engine.load(index, takenOver(fresh, rows, kept, source));
    fresh.clear();
  }
  return { loaded, skipped };
}

type Kept = { readonly row: number; readonly fid: bigint };

/** The rows that the model has a feature for, with their fids there, in ascending order of unsigned fid. */
function wanted(rows: TableRows, { slots }: RowSource): readonly Kept[] {
  const kept: Kept[] = [];
  for (let row = 0; row < rows.count; row++) {
    const fid = BigInt.asUintN(64, rows.fids[row]);
    if (slots === null) kept.push({ row, fid });
    else {
      const slot = slots.get(Number(fid >> SLOT_SHIFT));
      if (slot !== undefined) kept.push({ row, fid: (BigInt(slot) << SLOT_SHIFT) | (fid & HASH_MASK) });
    }
  }
  if (slots !== null) kept.sort((a, b) => (a.fid < b.fid ? -1 : a.fid > b.fid ? 1 : 0));
  return kept;
}

/** New rows for the fids, with the slices of the checkpoint's rows in place. */
function takenOver(fresh: EmbeddingTable, rows: TableRows, kept: readonly Kept[], { table, copies }: RowSource): TableRows {
  const count = kept.length;
  const made = BigInt64Array.from(kept, ({ fid }) => BigInt.asIntN(64, fid));
  fresh.lookup(made, 0, count, true, 0, new Float32Array(count * fresh.dim), new Int32Array(count));
  const width = fresh.dim + fresh.stateLength;
  const savedWidth = table.dim + table.stateLength;
  // Shared memory: rows go to shards in other threads.
  const fids = new BigInt64Array(new SharedArrayBuffer(count * 8));
  const timestamps = new Uint32Array(new SharedArrayBuffer(count * 4));
  const records = new Float32Array(new SharedArrayBuffer(count * width * 4));
  fresh.dump(0, 0, fids, timestamps, records);
  kept.forEach(({ row }, i) => {
    for (const { from, to, length } of copies) {
      const start = row * savedWidth + from;
      records.set(rows.records.subarray(start, start + length), i * width + to);
    }
  });
  timestamps.fill(0);
  return { count, fids, timestamps, records };
}
