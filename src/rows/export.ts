import { join } from 'node:path';
import { DurableWriter, fsyncFolder, MonolithError, makeFolderDurable, renameFile } from '../base/index.js';
import type { TableRows } from '../training/index.js';
import { float32Text } from './float-text.js';
import { npyHead } from './npy.js';
import type { SavedRun, SavedSlice, TableOfCheckpoint } from './saved-run.js';
import { sectionsOf, unsignedFids } from './sections.js';

export const exportFormats = ['csv', 'jsonl', 'npy'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export type ExportOptions = {
  readonly format: ExportFormat;
  /** Optimizer state, too. */
  readonly state: boolean;
};

/** What was written of one table. */
export type ExportedTable = { readonly table: string; readonly rows: number; readonly files: readonly string[] };

/** Rows whose text is made at once. */
const ROWS_AT_ONCE = 2048;

/**
 * Rows of one table as text, in the order of the checkpoint: a header and a line a row (csv), or an object a line (jsonl). Floats have the
 * fewest digits that read back as the same float32. One section is in memory at a time.
 *
 * @returns number of rows.
 * @throws CheckpointCorrupt
 */
export async function exportText(
  run: SavedRun,
  table: TableOfCheckpoint,
  options: { readonly format: 'csv' | 'jsonl'; readonly state: boolean },
  write: (text: string) => Promise<void>,
): Promise<number> {
  const columns = columnsOf(table, options.state);
  const lineOf = options.format === 'csv' ? csvLine : jsonLine;
  if (options.format === 'csv') await write(`${['fid', 'last_used', ...columns.flatMap(columnNames)].map(quoted).join(',')}\n`);
  let count = 0;
  for await (const { rows } of sectionsOf(run, table)) {
    const fids = unsignedFids(rows);
    for (let start = 0; start < rows.count; start += ROWS_AT_ONCE) {
      let text = '';
      for (let row = start; row < Math.min(start + ROWS_AT_ONCE, rows.count); row++) text += lineOf(table, columns, fids[row], rows, row);
      await write(text);
    }
    count += rows.count;
  }
  return count;
}

/**
 * Writes rows of tables into a folder: `<table>.csv` or `<table>.jsonl`, or `<table>/fids.npy` (uint64), `last_used.npy` (uint32),
 * `values.npy` (float32, [rows, dim]) and, with state, `state.npy`. Files appear under their names once they are whole.
 *
 * @throws CheckpointCorrupt, DiskFull, WriteFailed
 */
export async function exportToFolder(
  run: SavedRun,
  tables: readonly TableOfCheckpoint[],
  options: ExportOptions,
  folder: string,
): Promise<ExportedTable[]> {
  const exported: ExportedTable[] = [];
  for (const table of tables) {
    const name = table.name.replaceAll(/[^A-Za-z0-9_-]/g, '_');
    const { format, state } = options;
    const written =
      format === 'npy'
        ? await exportNpy(run, table, state, join(folder, name))
        : await exportTextFile(run, table, { format, state }, folder, `${name}.${format}`);
    exported.push({ table: table.name, ...written });
  }
  return exported;
}

type Written = Omit<ExportedTable, 'table'>;

async function exportTextFile(
  run: SavedRun,
  table: TableOfCheckpoint,
  options: Parameters<typeof exportText>[2],
  folder: string,
  name: string,
): Promise<Written> {
  const path = join(folder, name);
  const encoder = new TextEncoder();
  let rows = 0;
  await writeWhole(folder, [path], async ([file]) => {
    rows = await exportText(run, table, options, (text) => file.append(encoder.encode(text)));
  });
  return { rows, files: [path] };
}

async function exportNpy(run: SavedRun, table: TableOfCheckpoint, withState: boolean, folder: string): Promise<Written> {
  const { dim, stateLength, rows: count } = table;
  const names = ['fids.npy', 'last_used.npy', 'values.npy', ...(withState ? ['state.npy'] : [])];
  const paths = names.map((name) => join(folder, name));
  await writeWhole(folder, paths, async ([fids, lastUsed, values, state]) => {
    await fids.append(npyHead('<u8', [count]));
    await lastUsed.append(npyHead('<u4', [count]));
    await values.append(npyHead('<f4', [count, dim]));
    if (withState) await state.append(npyHead('<f4', [count, stateLength]));
    let written = 0;
    for await (const { rows } of sectionsOf(run, table)) {
      await fids.append(bytesOf(unsignedFids(rows)));
      await lastUsed.append(bytesOf(rows.timestamps));
      await values.append(bytesOf(columnsFrom(rows, 0, dim, dim + stateLength)));
      if (withState) await state.append(bytesOf(columnsFrom(rows, dim, stateLength, dim + stateLength)));
      written += rows.count;
    }
    if (written !== count) {
      const problem = `the manifest says ${count} rows, its sections hold ${written}`;
      throw new MonolithError('CheckpointCorrupt', `table "${table.name}": ${problem}`, {
        table: table.name,
        expected: count,
        actual: written,
      });
    }
  });
  return { rows: count, files: paths };
}

/** Writes files side by side under temporary names; they get their own once all are whole, and none does if anything fails. */
async function writeWhole(folder: string, paths: readonly string[], write: (files: DurableWriter[]) => Promise<void>): Promise<void> {
  await makeFolderDurable(folder);
  const files: DurableWriter[] = [];
  try {
    for (const path of paths) files.push(await DurableWriter.create(`${path}.tmp`));
    await write(files);
    for (const file of files) await file.close();
  } catch (error) {
    for (const file of files) await file.discard();
    throw error;
  }
  for (const path of paths) await renameFile(`${path}.tmp`, path);
  await fsyncFolder(folder);
}

/** A run of values of a record under one name. */
type Column = { readonly slice: string; readonly array: string | null; readonly offset: number; readonly length: number };

function columnsOf(table: TableOfCheckpoint, withState: boolean): Column[] {
  const values = table.slices.map((slice): Column => ({ slice: slice.name, array: null, offset: slice.offset, length: slice.dim }));
  return withState ? [...values, ...table.slices.flatMap(stateColumns)] : values;
}

function stateColumns({ name, stateOffset, state }: SavedSlice): Column[] {
  let offset = stateOffset;
  return state.map((array): Column => {
    const column = { slice: name, array: array.name, offset, length: array.length };
    offset += array.length;
    return column;
  });
}

function columnNames({ slice, array, length }: Column): string[] {
  const prefix = array === null ? slice : `${slice}.${array}`;
  return Array.from({ length }, (_, i) => `${prefix}.${i}`);
}

function csvLine(table: TableOfCheckpoint, columns: readonly Column[], fid: bigint, rows: TableRows, row: number): string {
  const start = row * (table.dim + table.stateLength);
  let line = `${fid},${rows.timestamps[row]}`;
  for (const { offset, length } of columns) {
    for (let i = start + offset; i < start + offset + length; i++) line += `,${float32Text(rows.records[i])}`;
  }
  return `${line}\n`;
}

function jsonLine(table: TableOfCheckpoint, columns: readonly Column[], fid: bigint, rows: TableRows, row: number): string {
  const start = row * (table.dim + table.stateLength);
  const listOf = ({ offset, length }: Column): string =>
    `[${Array.from(rows.records.subarray(start + offset, start + offset + length), jsonNumber).join(',')}]`;
  const values = columns.filter(({ array }) => array === null).map((column) => `${JSON.stringify(column.slice)}:${listOf(column)}`);
  const state = columns
    .filter(({ array }) => array !== null)
    .map((column) => `${JSON.stringify(`${column.slice}.${column.array}`)}:${listOf(column)}`);
  const stateText = state.length === 0 ? '' : `,"state":{${state.join(',')}}`;
  return `{"fid":"${fid}","last_used":${rows.timestamps[row]},"values":{${values.join(',')}}${stateText}}\n`;
}

/** JSON has no word for what is not finite. */
function jsonNumber(value: number): string {
  return Number.isFinite(value) ? float32Text(value) : 'null';
}

function quoted(name: string): string {
  return /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

/** Floats [offset, offset + length) of every record. */
function columnsFrom(rows: TableRows, offset: number, length: number, width: number): Float32Array {
  const values = new Float32Array(rows.count * length);
  for (let row = 0; row < rows.count; row++) {
    const start = row * width + offset;
    values.set(rows.records.subarray(start, start + length), row * length);
  }
  return values;
}

function bytesOf(array: BigUint64Array | Uint32Array | Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
