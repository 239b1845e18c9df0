import { Distribution, type DistributionSummary, TopList } from './distribution.js';
import { featuresOfSlot, type SavedRun, type TableOfCheckpoint } from './saved-run.js';
import { sectionsOf, unsignedFids } from './sections.js';

/** A row as lists of rows show it. `norm`: L2 norm of its values; `lastUsed`: step of its last lookup in training. */
export type ListedRow = { readonly fid: string; readonly slot: number; readonly norm: number; readonly lastUsed: number };

export type SliceSummary = { readonly name: string; readonly dim: number; readonly state: readonly string[]; readonly norm: NormSummary };
export type NormSummary = { readonly mean: number; readonly max: number };

/** What the rows of a table are like. */
export type TableSummary = {
  readonly name: string;
  readonly rows: number;
  /** Rows of each section, in their order. */
  readonly sectionRows: readonly number[];
  /** L2 norms of the values of rows, all slices together; null without rows. */
  readonly norm: DistributionSummary | null;
  /** Steps since rows were last looked up in training; null without rows, and where the run did not keep the last use (all are 0 then). */
  readonly age: DistributionSummary | null;
  readonly slices: readonly SliceSummary[];
  /** Rows by slot of their fid, ascending. */
  readonly slots: readonly { readonly slot: number; readonly features: readonly string[]; readonly rows: number }[];
  /** The format counts no lookups: these are the rows used last, not those used most. Empty where the last use was not kept. */
  readonly mostRecent: readonly ListedRow[];
  readonly largestNorm: readonly ListedRow[];
};

/** Slots are 15 bits. */
const NUM_SLOTS = 32768;

/**
 * Reads the rows of a table, one section in memory at a time.
 * @param top rows in each list.
 * @throws CheckpointCorrupt
 */
export async function summariseTable(run: SavedRun, table: TableOfCheckpoint, top: number): Promise<TableSummary> {
  const { dim, stateLength, slices } = table;
  const width = dim + stateLength;
  const norms = new Distribution();
  const ages = new Distribution();
  const slots = new Uint32Array(NUM_SLOTS);
  const sums = new Float64Array(slices.length);
  const maxima = new Float64Array(slices.length);
  const mostRecent = new TopList<ListedRow>(top, (a, b) => a.lastUsed > b.lastUsed || (a.lastUsed === b.lastUsed && a.norm > b.norm));
  const largestNorm = new TopList<ListedRow>(top, (a, b) => a.norm > b.norm);
  const sectionRows: number[] = [];
  let rowCount = 0;
  let isUseKept = false;
  for await (const { rows } of sectionsOf(run, table)) {
    sectionRows.push(rows.count);
    rowCount += rows.count;
    const words = new Uint32Array(rows.fids.buffer, rows.fids.byteOffset, 2 * rows.count);
    const fids = unsignedFids(rows);
    for (let row = 0; row < rows.count; row++) {
      let total = 0;
      for (let s = 0; s < slices.length; s++) {
        let squares = 0;
        const start = row * width + slices[s].offset;
        for (let i = start; i < start + slices[s].dim; i++) squares += rows.records[i] * rows.records[i];
        total += squares;
        const norm = Math.sqrt(squares);
        sums[s] += norm;
        if (norm > maxima[s]) maxima[s] = norm;
      }
      const norm = Math.sqrt(total);
      const lastUsed = rows.timestamps[row];
      const slot = (words[2 * row + 1] >>> 16) & (NUM_SLOTS - 1);
      if (lastUsed > 0) isUseKept = true;
      norms.add(norm);
      ages.add(Math.max(0, run.step - lastUsed));
      slots[slot]++;
      const isListed = enters(largestNorm.entries, top, (last) => norm > last.norm);
      const isRecent = enters(mostRecent.entries, top, (last) => lastUsed >= last.lastUsed);
      if (!isListed && !isRecent) continue;
      const entry = { fid: String(fids[row]), slot, norm, lastUsed };
      mostRecent.add(entry);
      largestNorm.add(entry);
    }
  }
  return {
    name: table.name,
    rows: rowCount,
    sectionRows,
    norm: norms.summary(),
    age: isUseKept ? ages.summary() : null,
    slices: slices.map(({ name, dim, state }, s) => ({
      name,
      dim,
      state: state.map((array) => array.name),
      norm: { mean: rowCount === 0 ? 0 : sums[s] / rowCount, max: maxima[s] },
    })),
    slots: Array.from(slots.entries())
      .filter(([, rows]) => rows > 0)
      .map(([slot, rows]) => ({ slot, features: featuresOfSlot(run, slot), rows })),
    mostRecent: isUseKept ? mostRecent.entries : [],
    largestNorm: largestNorm.entries,
  };
}

/** Whether a row may enter a list: saves making an entry for each of millions of rows. */
function enters(entries: readonly ListedRow[], size: number, before: (last: ListedRow) => boolean): boolean {
  return entries.length < size || (size > 0 && before(entries[size - 1]));
}
