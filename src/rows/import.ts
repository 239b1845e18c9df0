import { bucketOf, MonolithError } from '../base/index.js';
import { CheckpointWriter, type ManifestFields } from '../checkpoint/index.js';
import { EmbeddingTable } from '../embedding/index.js';
import { selectBackend } from '../kernels/index.js';
import {
  bucketBitsOf,
  encodeHeader,
  encodeRows,
  type SavedTable,
  type TableRows,
  type TableSpec,
  tableSectionName,
} from '../training/index.js';
import type { GivenRows } from './given-text.js';
import type { SavedRun, SavedSlice, TableOfCheckpoint } from './saved-run.js';
import { overlay, rowsOfBucket, SectionSource, sectionsOf, unsignedFids } from './sections.js';

/** What becomes of rows that the checkpoint has already: nothing is imported (`refuse`), they stay (`keep`), or they give way (`replace`). */
export const existingChoices = ['refuse', 'keep', 'replace'] as const;
export type ExistingRows = (typeof existingChoices)[number];

export type ImportResult = {
  readonly step: number;
  /** Path of the manifest. */
  readonly path: string;
  readonly table: string;
  /** Rows in the input. */
  readonly given: number;
  readonly added: number;
  readonly replaced: number;
  readonly kept: number;
  /** Rows of the table afterwards. */
  readonly rows: number;
};

/**
 * Puts rows into a table of a checkpoint and saves it under the same step; training goes on from there. A new row has the values given for its
 * slices, the initial values of the others and initial optimizer state. A row that is replaced keeps the slices that are not given. All rows
 * count as used at the checkpoint's step. The old checkpoint stays until the new one is whole. Holds the rows given and a section of the
 * table in memory.
 *
 * The caller holds the run folder's lock.
 *
 * @throws DataFormat (a fid twice), InvalidConfig (rows are there already and `existing` is `refuse`), TableFull, CheckpointIncompatible (a
 *   manifest that does not say how the table is built), CheckpointCorrupt, DiskFull, WriteFailed
 */
export async function importRows(run: SavedRun, table: TableOfCheckpoint, given: GivenRows, existing: ExistingRows): Promise<ImportResult> {
  const job = new ImportJob(run, table, given, existing);
  const { already, total } = await job.count();
  if (already > 0 && existing === 'refuse') throw alreadyThere(run, table, given, already, job.firstAlready);
  const { maxRows } = job.spec;
  if (maxRows > 0 && total > maxRows) {
    throw new MonolithError(
      'TableFull',
      `table "${table.name}" may hold ${maxRows} rows (table.maxRows), with the import it would have ${total}`,
      {
        table: table.name,
        maxRows,
        rows: total,
      },
    );
  }
  const writer = await CheckpointWriter.begin(run.reader.entry.modelDir, run.step);
  try {
    for (const name of ['dense.parameters', 'dense.state']) await copySection(run, writer, name);
    const tables: SavedTable[] = [];
    for (const other of run.tables) {
      const isTarget = other.name === table.name;
      const source = isTarget ? job.sections() : sectionsOf(run, other);
      const bits = new SectionSource(run, other).bits;
      const rows = isTarget ? total : other.rows;
      tables.push(await writeTable(writer, other, rows, bits, source));
    }
    const fields = { ...run.reader.manifest.fields, tables, metrics: null } as unknown as ManifestFields;
    const path = await writer.commit(fields);
    const replaced = existing === 'replace' ? already : 0;
    return {
      step: run.step,
      path,
      table: table.name,
      given: given.count,
      added: given.count - already,
      replaced,
      kept: already - replaced,
      rows: total,
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** The rows given, section by section of the table that they go into. */
class ImportJob {
  readonly spec: TableSpec;
  firstAlready = 0n;
  private readonly sources: SectionSource;
  /** Positions in the input of each section's rows, ascending by fid. */
  private readonly order: readonly Uint32Array[];
  private readonly width: number;

  constructor(
    private readonly run: SavedRun,
    private readonly table: TableOfCheckpoint,
    private readonly given: GivenRows,
    private readonly existing: ExistingRows,
  ) {
    if (table.spec === null) {
      const problem = `checkpoint-${run.step} does not say how table "${table.name}" is built (config and model of its manifest)`;
      throw new MonolithError('CheckpointIncompatible', `${problem}; rows can be imported into checkpoints that training wrote`, {
        table: table.name,
      });
    }
    this.spec = table.spec;
    this.width = table.dim + table.stateLength;
    this.sources = new SectionSource(run, table);
    this.order = orderOf(given, this.sources.bits);
  }

  /** Rows that are there already, and how many there will be. */
  async count(): Promise<{ readonly already: number; readonly total: number }> {
    let already = 0;
    let before = 0;
    for (let bucket = 0; bucket < this.sources.count; bucket++) {
      const rows = await this.sources.at(bucket);
      before += rows.count;
      const places = this.placesIn(rows, bucket);
      const found = places.filter((place) => place >= 0);
      if (found.length > 0 && already === 0) this.firstAlready = unsignedFids(rows)[found[0]];
      already += found.length;
    }
    return { already, total: before + this.given.count - already };
  }

  /** Sections of the table with the rows given among its own. */
  async *sections(): AsyncGenerator<{ readonly bucket: number; readonly rows: TableRows }, void, undefined> {
    for (let bucket = 0; bucket < this.sources.count; bucket++) {
      const rows = await this.sources.at(bucket);
      yield { bucket, rows: overlay(rows, this.newRows(rows, bucket), this.width) };
    }
  }

  /** For each row given of a section, its place among the rows that are there; −1: it is new. */
  private placesIn(rows: TableRows, bucket: number): Int32Array {
    const order = this.order[bucket];
    const there = unsignedFids(rows);
    const places = new Int32Array(order.length).fill(-1);
    let place = 0;
    for (let i = 0; i < order.length; i++) {
      const fid = this.given.fids[order[i]];
      while (place < rows.count && there[place] < fid) place++;
      if (place < rows.count && there[place] === fid) places[i] = place;
    }
    return places;
  }

  private newRows(rows: TableRows, bucket: number): TableRows {
    const places = this.placesIn(rows, bucket);
    const taken = [...this.order[bucket].entries()].filter(([i]) => places[i] < 0 || this.existing === 'replace');
    const { given, run, width } = this;
    const fids = BigInt64Array.from(taken, ([, position]) => BigInt.asIntN(64, given.fids[position]));
    const records = initialRecords(this.spec, Number(run.config.seed ?? 0), fids, width);
    const givenWidth = given.slices.reduce((sum, { dim }) => sum + dim, 0);
    for (const [row, [i, position]] of taken.entries()) {
      const record = records.subarray(row * width, (row + 1) * width);
      // What is not given of a row that is there stays as it is, with its optimizer state.
      if (places[i] >= 0) restoreSlices(record, rows.records.subarray(places[i] * width), this.table.slices, given.slices);
      let at = position * givenWidth;
      for (const { offset, dim } of given.slices) {
        record.set(given.values.subarray(at, at + dim), offset);
        at += dim;
      }
    }
    const timestamps = new Uint32Array(taken.length).fill(run.step);
    const made = { count: taken.length, fids, timestamps, records };
    return this.spec.storage === 'fp32' ? made : stored(this.spec, made);
  }
}

/** Positions of the rows of each section, ascending by fid. @throws DataFormat for a fid that stands twice */
function orderOf(given: GivenRows, bits: number): Uint32Array[] {
  const buckets = Array.from({ length: 2 ** bits }, (): number[] => []);
  for (let position = 0; position < given.count; position++) buckets[bucketOf(given.fids[position], bits)].push(position);
  const { fids } = given;
  return buckets.map((positions) => {
    const order = Uint32Array.from(positions).sort((a, b) => (fids[a] < fids[b] ? -1 : fids[a] > fids[b] ? 1 : a - b));
    const again = order.findIndex((position, i) => i > 0 && fids[position] === fids[order[i - 1]]);
    if (again < 0) return order;
    const places = [order[again - 1], order[again]].map((position) => given.placeOf(position));
    throw new MonolithError('DataFormat', `${given.path}: fid ${fids[order[again]]} stands twice: ${places.join(' and ')}`, {
      path: given.path,
      fid: String(fids[order[again]]),
    });
  });
}

/** Records of new rows as training would make them: initial values and state. @param fids ascending as unsigned numbers */
function initialRecords(spec: TableSpec, seed: number, fids: BigInt64Array, width: number): Float32Array {
  const records = new Float32Array(fids.length * width);
  if (fids.length === 0) return records;
  const table = new EmbeddingTable(selectBackend('auto').backend, { ...spec, maxRows: 0 }, seed);
  table.expectRows(fids.length);
  table.lookup(fids, 0, fids.length, true, 0, new Float32Array(fids.length * table.dim), new Int32Array(fids.length));
  table.dump(0, 0, new BigInt64Array(fids.length), new Uint32Array(fids.length), records);
  table.clear();
  return records;
}

/** Rows as a table that keeps 16-bit values holds them. */
function stored(spec: TableSpec, rows: TableRows): TableRows {
  if (rows.count === 0) return rows;
  const table = new EmbeddingTable(selectBackend('auto').backend, { ...spec, maxRows: 0 }, 0);
  table.load(rows.fids, rows.timestamps, rows.records, rows.count);
  const records = new Float32Array(rows.records.length);
  table.dump(0, 0, new BigInt64Array(rows.count), new Uint32Array(rows.count), records);
  table.clear();
  return { ...rows, records };
}

function restoreSlices(record: Float32Array, old: Float32Array, slices: readonly SavedSlice[], except: readonly SavedSlice[]): void {
  for (const { name, offset, dim, stateOffset, state } of slices) {
    if (except.some((slice) => slice.name === name)) continue;
    record.set(old.subarray(offset, offset + dim), offset);
    const stateLength = state.reduce((sum, { length }) => sum + length, 0);
    record.set(old.subarray(stateOffset, stateOffset + stateLength), stateOffset);
  }
}

/** Writes a table in as many sections as its number of rows calls for; `bits`: those of the sections that come. */
async function writeTable(
  writer: CheckpointWriter,
  table: SavedTable,
  rows: number,
  bits: number,
  source: AsyncIterable<{ readonly bucket: number; readonly rows: TableRows }>,
): Promise<SavedTable> {
  const { name, dim, stateLength, storage } = table;
  const width = dim + stateLength;
  const newBits = Math.max(bits, bucketBitsOf(rows));
  const parts = 2 ** (newBits - bits);
  const sections: string[] = [];
  for await (const { bucket, rows: whole } of source) {
    for (let part = 0; part < parts; part++) {
      const own = parts === 1 ? whole : rowsOfBucket(whole, newBits, bucket * parts + part, width);
      const section = await writer.section(tableSectionName(name, newBits, bucket * parts + part));
      await section.append(encodeHeader(own.count, { dim, stateLength }));
      for (const bytes of encodeRows(own, width)) await section.append(bytes);
      await section.close();
      sections.push(section.name);
    }
  }
  return { name, dim, stateLength, rows, ...(storage === undefined ? {} : { storage }), sections };
}

async function copySection(run: SavedRun, writer: CheckpointWriter, name: string): Promise<void> {
  const section = await writer.section(name);
  for await (const piece of run.reader.section(name).pieces()) await section.append(piece);
  await section.close();
}

function alreadyThere(run: SavedRun, table: TableOfCheckpoint, given: GivenRows, already: number, first: bigint): MonolithError {
  const problem = `checkpoint-${run.step} has ${already} of the ${given.count} rows of ${given.path} already, the first fid ${first}`;
  return new MonolithError('InvalidConfig', `rows import: table "${table.name}" of ${problem}; say --existing keep or --existing replace`, {
    table: table.name,
    already,
    fid: String(first),
  });
}
