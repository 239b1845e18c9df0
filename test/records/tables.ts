import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BatchBuilder, cell } from '../../src/records/batch-builder.js';
import type { RecordBatch, RecordField, RecordFormat, RecordOptions } from '../../src/records/record-batch.js';

/** Records as plain values: null is missing, lists are arrays. */
export type Table = { fields: RecordField[]; rows: unknown[][] };

export async function readTable(format: RecordFormat, path: string, options: RecordOptions = {}): Promise<Table> {
  const source = await format.open(path, options);
  const rows: unknown[][] = [];
  for await (const batch of source.batches())
    for (let r = 0; r < batch.rows; r++) rows.push(batch.columns.map((column) => cell(column, r)));
  await source.close();
  return { fields: source.fields.map((field) => ({ ...field })), rows };
}

export function batchOf(fields: readonly RecordField[], rows: readonly (readonly unknown[])[]): RecordBatch {
  const builder = new BatchBuilder(fields);
  for (const row of rows) {
    row.forEach((value, c) => {
      if (value === null) return;
      builder.setPresent(c);
      for (const one of Array.isArray(value) ? value : [value]) builder.add(c, one as bigint);
    });
    builder.endRow();
  }
  return builder.take();
}

/** Writes in batches of a few rows. */
export async function writeTable(format: RecordFormat, path: string, { fields, rows }: Table, options: RecordOptions = {}): Promise<void> {
  const sink = await format.create?.(path, fields, options);
  assert.ok(sink !== undefined);
  try {
    for (let at = 0; at < rows.length; at += 5) await sink.write(batchOf(fields, rows.slice(at, at + 5)));
    await sink.close();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

export const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
