import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { arrowFormat } from '../../src/records/arrow.js';
import { avroFormat } from '../../src/records/avro.js';
import type { RecordBatch, RecordColumn, RecordField } from '../../src/records/index.js';
import { parquetFormat } from '../../src/records/parquet.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-records-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const int64s = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n];
const floats = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, -1.5, 2 ** -149];
const doubles = [0, -0, Number.NaN, Number.NEGATIVE_INFINITY, 0.1, Number.MIN_VALUE, Number.MAX_VALUE];
const texts = ['', 'a', 'ünï', '日本語', '😀', 'line\nbreak', 'x'.repeat(300), ' spaces ', '?'];
const blobs = [[], [0], [255, 254, 0, 128], [0xc3, 0x28]].map((bytes) => Uint8Array.from(bytes));

const cell: Record<RecordField['kind'], (i: number) => unknown> = {
  int64: (i) => int64s[i % int64s.length],
  float32: (i) => Math.fround(floats[i % floats.length]),
  float64: (i) => doubles[i % doubles.length],
  text: (i) => texts[i % texts.length],
  bytes: (i) => blobs[i % blobs.length],
};
const kinds = Object.keys(cell) as RecordField['kind'][];
const fields: RecordField[] = kinds.flatMap((kind) => [
  { name: kind, kind, isList: false },
  { name: `${kind}_list`, kind, isList: true },
  { name: `${kind}_full`, kind, isList: false },
]);

/** null: missing; []: an empty list. */
function rowValue({ name, kind, isList }: RecordField, row: number): unknown {
  if (name.endsWith('_full')) return cell[kind](row);
  if (row % 5 === 4) return null;
  return isList ? Array.from({ length: row % 4 }, (_, k) => cell[kind](row + k)) : cell[kind](row);
}

function columnOf(field: RecordField, first: number, rows: number): RecordColumn {
  const wanted = Array.from({ length: rows }, (_, r) => rowValue(field, first + r));
  const flat = wanted.flatMap((value) => (value === null ? [] : Array.isArray(value) ? value : [value]));
  const offsets = new Uint32Array(rows + 1);
  wanted.forEach((value, r) => {
    offsets[r + 1] = offsets[r] + (value === null ? 0 : Array.isArray(value) ? value.length : 1);
  });
  const missing = Uint8Array.from(wanted, (value) => (value === null ? 1 : 0));
  const values =
    field.kind === 'int64'
      ? BigInt64Array.from(flat as bigint[])
      : field.kind === 'float32'
        ? Float32Array.from(flat as number[])
        : field.kind === 'float64'
          ? Float64Array.from(flat as number[])
          : (flat as string[]);
  const whole = missing.every((byte) => byte === 0);
  return { ...field, offsets: whole && !field.isList ? null : offsets, missing: whole ? null : missing, values };
}

function rowsOf({ rows, columns }: RecordBatch): unknown[][] {
  return Array.from({ length: rows }, (_, r) =>
    columns.map(({ offsets, missing, values, isList }) => {
      if (missing !== null && missing[r] === 1) return null;
      const [from, to] = offsets === null ? [r, r + 1] : [offsets[r], offsets[r + 1]];
      const found = Array.from({ length: to - from }, (_, i) => values[from + i]);
      return isList ? found : found.length === 0 ? null : found[0];
    }),
  );
}

/** Rows, with −0 and byte strings told apart. */
function plain(rows: readonly unknown[][]): string {
  return JSON.stringify(rows, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
    return value instanceof Uint8Array ? `0x${Buffer.from(value).toString('hex')}` : value;
  });
}

for (const { format, options } of [
  { format: parquetFormat, options: {} },
  { format: parquetFormat, options: { codec: 'gzip', rowGroupRows: 13 } },
  { format: arrowFormat, options: {} },
  { format: arrowFormat, options: { stream: true, batchRows: 7 } },
  { format: avroFormat, options: {} },
  { format: avroFormat, options: { codec: 'snappy' } },
  { format: avroFormat, options: { codec: 'null' } },
]) {
  const name = `${format.name} ${JSON.stringify(options)}`;

  test(`${name}: everything that is written is read back`, async () => {
    const path = join(folder, `${name.replace(/\W/g, '')}${format.extensions[0]}`);
    assert.ok(format.create !== null);
    const sink = await format.create(path, fields, options);
    const batches = [40, 0, 1, 59];
    let first = 0;
    for (const rows of batches) {
      await sink.write({ rows, columns: fields.map((field) => columnOf(field, first, rows)) });
      first += rows;
    }
    assert.equal(existsSync(path), false, 'not there before it is whole');
    await sink.close();
    const source = await format.open(path, {});
    assert.deepEqual(source.fields, fields);
    const read: unknown[][] = [];
    for await (const batch of source.batches()) read.push(...rowsOf(batch));
    await source.close();
    assert.equal(plain(read), plain(Array.from({ length: 100 }, (_, row) => fields.map((field) => rowValue(field, row)))));
  });

  test(`${name}: no rows are written and read`, async () => {
    const path = join(folder, `empty${format.extensions[0]}`);
    const sink = await format.create?.(path, fields, options);
    await sink?.close();
    const source = await format.open(path, {});
    assert.deepEqual(source.fields, fields);
    for await (const { rows } of source.batches()) assert.equal(rows, 0);
  });

  test(`${name}: an aborted file leaves nothing behind`, async () => {
    const path = join(folder, `aborted${format.extensions[0]}`);
    const sink = await format.create?.(path, fields, options);
    await sink?.write({ rows: 3, columns: fields.map((field) => columnOf(field, 0, 3)) });
    await sink?.abort();
    assert.deepEqual(
      readdirSync(folder).filter((entry) => entry.includes('aborted')),
      [],
    );
  });

  test(`${name}: an option that it does not know is refused`, async () => {
    await assert.rejects(async () => format.open('x', { codek: 1 }), { code: 'InvalidConfig', message: /no option codek/ });
    await assert.rejects(async () => format.create?.('x', fields, { codec: 1 }), { code: 'InvalidConfig' });
  });
}
