import { bucketOf, MonolithError } from '../base/index.js';
import { readTableSection, type TableRows } from '../training/index.js';
import type { SavedRun, TableOfCheckpoint } from './saved-run.js';

/** Rows of one section of a table: those whose fid's hash begins with the bits of `bucket`. */
export type SectionRows = { readonly bucket: number; readonly rows: TableRows };

/**
 * Bits of the bucket numbers of a table's sections; of a delta, those of its base.
 * @throws CheckpointCorrupt unless their number is a power of two
 */
export function sectionBits({ name, base, sections }: TableOfCheckpoint): number {
  const count = (base ?? { sections }).sections.length;
  const bits = Math.log2(count);
  if (Number.isInteger(bits)) return bits;
  throw new MonolithError('CheckpointCorrupt', `table "${name}": the manifest lists ${count} sections, expected a power of two`, {
    table: name,
  });
}

/** The rows of a table, one section in memory at a time. @throws CheckpointCorrupt */
export async function* sectionsOf(run: SavedRun, table: TableOfCheckpoint): AsyncGenerator<SectionRows, void, undefined> {
  const sections = new SectionSource(run, table);
  for (let bucket = 0; bucket < sections.count; bucket++) yield { bucket, rows: await sections.at(bucket) };
}

/**
 * Sections of one table. Those of a delta are the base's with the delta's rows over them; the delta's section in use stays in memory, since
 * it may lie over several of the base's.
 */
export class SectionSource {
  readonly bits: number;
  private kept: { readonly bucket: number; readonly rows: TableRows } | null = null;

  constructor(
    private readonly run: SavedRun,
    private readonly table: TableOfCheckpoint,
  ) {
    this.bits = sectionBits(table);
  }

  get count(): number {
    return 2 ** this.bits;
  }

  /** @throws CheckpointCorrupt */
  async at(bucket: number): Promise<TableRows> {
    const { run, table } = this;
    const { base } = table;
    const baseReader = run.reader.base;
    if (base === null || baseReader === null) return readTableSection(run.reader, table, table.sections[bucket]);
    let rows = await readTableSection(baseReader, base, base.sections[bucket]);
    const width = table.dim + table.stateLength;
    const deltaBits = Math.log2(table.sections.length);
    const perSection = 2 ** Math.max(0, deltaBits - this.bits);
    for (let i = 0; i < perSection; i++) {
      const delta = await this.deltaAt(deltaBits < this.bits ? bucket >> (this.bits - deltaBits) : bucket * perSection + i);
      rows = overlay(rows, deltaBits < this.bits ? rowsOfBucket(delta, this.bits, bucket, width) : delta, width);
    }
    return rows;
  }

  private async deltaAt(bucket: number): Promise<TableRows> {
    if (this.kept?.bucket === bucket) return this.kept.rows;
    this.kept = null;
    const rows = await readTableSection(this.run.reader, this.table, this.table.sections[bucket]);
    this.kept = { bucket, rows };
    return rows;
  }
}

/** Fids as unsigned numbers, the order in which a section has them. */
export function unsignedFids(rows: TableRows): BigUint64Array {
  return new BigUint64Array(rows.fids.buffer, rows.fids.byteOffset, rows.count);
}

/** Place of a fid among ascending ones; −1: it is not there. */
export function placeOf(fids: BigUint64Array, fid: bigint): number {
  let low = 0;
  let high = fids.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (fids[middle] === fid) return middle;
    if (fids[middle] < fid) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The rows of `over` and, of those of `under`, the ones that it lacks; in ascending order like both. @param width floats of a record */
export function overlay(under: TableRows, over: TableRows, width: number): TableRows {
  if (over.count === 0) return under;
  if (under.count === 0) return over;
  const merged = emptyRows(under.count + over.count, width);
  const underFids = unsignedFids(under);
  const overFids = unsignedFids(over);
  let count = 0;
  for (let u = 0, o = 0; u < under.count || o < over.count; count++) {
    const takeOver = o < over.count && (u === under.count || overFids[o] <= underFids[u]);
    if (takeOver && u < under.count && overFids[o] === underFids[u]) u++;
    copyRow(takeOver ? over : under, takeOver ? o++ : u++, merged, count, width);
  }
  return firstRows(merged, count, width);
}

/** The rows whose bucket among 2^bits is `bucket`. */
export function rowsOfBucket(rows: TableRows, bits: number, bucket: number, width: number): TableRows {
  const chosen = emptyRows(rows.count, width);
  let count = 0;
  for (let row = 0; row < rows.count; row++) {
    if (bucketOf(rows.fids[row], bits) === bucket) copyRow(rows, row, chosen, count++, width);
  }
  return firstRows(chosen, count, width);
}

function emptyRows(count: number, width: number): TableRows {
  return { count, fids: new BigInt64Array(count), timestamps: new Uint32Array(count), records: new Float32Array(count * width) };
}

function firstRows({ fids, timestamps, records }: TableRows, count: number, width: number): TableRows {
  return {
    count,
    fids: fids.subarray(0, count),
    timestamps: timestamps.subarray(0, count),
    records: records.subarray(0, count * width),
  };
}

function copyRow(from: TableRows, row: number, to: TableRows, place: number, width: number): void {
  to.fids[place] = from.fids[row];
  to.timestamps[place] = from.timestamps[row];
  to.records.set(from.records.subarray(row * width, (row + 1) * width), place * width);
}
