import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import {
  cell,
  type FieldValue,
  formatNamed,
  openRecords,
  type RecordBatch,
  type RecordField,
  type RecordOptions,
} from '../../src/records/index.js';

export { sharedData } from '../data/helpers.js';

/** A folder that is gone after the file's tests. */
export function temporaryFolder(): {
  readonly path: string;
  in(name: string): string;
  write(name: string, content: string | Uint8Array): string;
} {
  const path = mkdtempSync(join(tmpdir(), 'monolith-records-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    in: (name) => join(path, name),
    write: (name, content) => {
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
  };
}

export type Cell = FieldValue | FieldValue[] | null;
export type Table = { readonly fields: readonly RecordField[]; readonly rows: Cell[][] };

/** All records of files as plain values. */
export async function readTable(
  path: string | readonly string[],
  format = 'auto',
  options: RecordOptions = {},
): Promise<Table & { findings: readonly string[] }> {
  const input = await openRecords(typeof path === 'string' ? [path] : path, { format, options });
  const rows: Cell[][] = [];
  for await (const batch of input.batches()) for (let r = 0; r < batch.rows; r++) rows.push(batch.columns.map((column) => cell(column, r)));
  return { fields: input.fields, rows, findings: input.findings };
}

/** The values of one column of a table. */
export function column({ fields, rows }: Table, name: string): Cell[] {
  const at = fields.findIndex((field) => field.name === name);
  return rows.map((row) => (at < 0 ? null : row[at]));
}

/** Writes batches with a format's own sink. */
export async function writeTable(
  format: string,
  path: string,
  batches: readonly RecordBatch[],
  options: RecordOptions = {},
): Promise<void> {
  const { create } = formatNamed(format);
  if (create === null) throw new Error(`${format} is read only`);
  const sink = await create(path, batches[0].columns, options);
  try {
    for (const batch of batches) await sink.write(batch);
    await sink.close();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}
