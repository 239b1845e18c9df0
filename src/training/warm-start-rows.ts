import type { CheckpointReader } from '../checkpoint/index.js';
import { EmbeddingTable, type RowStorage, rowLayout, type SliceInfo } from '../embedding/index.js';
import type { KernelBackend } from '../kernels/index.js';
import type { SavedTable, TableRows } from '../steps/index.js';
import type { TrainingEngine } from './engine.js';
import { readTableSection } from './snapshot.js';

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
 * @param except fids of the checkpoint to pass over, ascending as unsigned numbers.
 * @returns rows loaded and rows left out because the model does not have their feature.
 */
export async function loadRowsOf(
  engine: TrainingEngine,
  index: number,
  reader: CheckpointReader,
  source: RowSource,
  backend: KernelBackend,
  except: BigUint64Array = new BigUint64Array(0),
): Promise<{ readonly loaded: number; readonly skipped: number }> {
  const fp32: RowStorage = 'fp32';
  const spec = { ...engine.spec.tables[index], maxRows: 0, storage: fp32 };
  const fresh = new EmbeddingTable(backend, spec, engine.spec.seed);
  let loaded = 0;
  let skipped = 0;
  for (const name of source.table.sections) {
    const rows = await readTableSection(reader, source.table, name);
    const { kept, left } = wanted(rows, source, except);
    skipped += left;
    if (kept.length === 0) continue;
    loaded += kept.length;
    await engine.load(index, takenOver(fresh, rows, kept, source));
    fresh.clear();
  }
  return { loaded, skipped };
}

type Kept = { readonly row: number; readonly fid: bigint };

/** All fids of a source, ascending as unsigned numbers. */
export async function fidsOf(reader: CheckpointReader, { table }: RowSource): Promise<BigUint64Array> {
  const parts: BigUint64Array[] = [];
  for (const name of table.sections) {
    const { fids, count } = await readTableSection(reader, table, name);
    parts.push(BigUint64Array.from(fids.subarray(0, count), (fid) => BigInt.asUintN(64, fid)));
  }
  const all = new BigUint64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.sort();
}

function holds(sorted: BigUint64Array, fid: bigint): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < fid) low = middle + 1;
    else high = middle;
  }
  return low < sorted.length && sorted[low] === fid;
}

/** The rows that the model has a feature for, with their fids there, in ascending order of unsigned fid; `left`: how many have none. */
function wanted(rows: TableRows, { slots }: RowSource, except: BigUint64Array): { readonly kept: readonly Kept[]; readonly left: number } {
  const kept: Kept[] = [];
  let left = 0;
  for (let row = 0; row < rows.count; row++) {
    const fid = BigInt.asUintN(64, rows.fids[row]);
    if (holds(except, fid)) continue;
    if (slots === null) kept.push({ row, fid });
    else {
      const slot = slots.get(Number(fid >> SLOT_SHIFT));
      if (slot === undefined) left++;
      else kept.push({ row, fid: (BigInt(slot) << SLOT_SHIFT) | (fid & HASH_MASK) });
    }
  }
  if (slots !== null) kept.sort((a, b) => (a.fid < b.fid ? -1 : a.fid > b.fid ? 1 : 0));
  return { kept, left };
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
