import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { BatchBuilder, type FieldValue, type RecordBatch, type RecordField, recordFormats } from '../../src/records/index.js';
import { type Cell, readTable, temporaryFolder, writeTable } from './helpers.js';

// What every format must do that is written, those to come included: give back what it took, or refuse it by name.

const folder = temporaryFolder();

function field(name: string, kind: RecordField['kind'], isList = false): RecordField {
  return { name, kind, isList };
}

const criteoNames = Array.from({ length: 26 }, (_, i) => `C${i + 1}`);
const criteoNumbers = Array.from({ length: 13 }, (_, i) => `I${i + 1}`);
const most = 2n ** 63n - 1n;

/** Tables of all shapes; each format holds those that it can. */
const tables: Readonly<Record<string, { readonly fields: readonly RecordField[]; readonly rows: readonly (readonly Cell[])[] }>> = {
  plain: {
    fields: [field('user', 'int64'), field('score', 'float64'), field('rate', 'float32'), field('city', 'text')],
    rows: [
      [most, 0.1, Math.fround(0.1), 'Zürich'],
      [-most - 1n, -1e300, 3.5, 'São "Paulo", BR'],
      [0n, 5e-324, -2.25, ' x '],
    ],
  },
  'missing values': {
    fields: [field('id', 'int64'), field('age', 'int64'), field('rate', 'float32'), field('name', 'text')],
    rows: [
      [1n, 33n, null, 'a'],
      [2n, null, 1.5, null],
      [3n, null, null, ''],
    ],
  },
  lists: {
    fields: [field('id', 'int64'), field('items', 'int64', true), field('tags', 'text', true), field('weights', 'float32', true)],
    rows: [
      [1n, [5n, 6n], ['a', 'b'], [0.5, 1.5]],
      [2n, [7n], ['c'], [2.5]],
      [3n, [most, -1n, 0n], ['d', 'e', 'f'], [Math.fround(0.3), 4.25, 5]],
    ],
  },
  'empty lists': {
    fields: [field('id', 'int64'), field('items', 'int64', true)],
    rows: [
      [1n, [5n, 6n]],
      [2n, []],
      [3n, null],
    ],
  },
  bytes: {
    fields: [field('id', 'int64'), field('raw', 'bytes')],
    rows: [
      [1n, Uint8Array.of(0, 255, 128)],
      [2n, Uint8Array.of(200)],
    ],
  },
  numbers: {
    fields: [field('label', 'float32'), field('x', 'float32'), field('n', 'int64')],
    rows: [
      [1, 0.5, 3n],
      [0, -2.5, -4n],
    ],
  },
  'Criteo text': {
    fields: [
      field('label', 'int64'),
      ...criteoNumbers.map((name) => field(name, 'int64')),
      ...criteoNames.map((name) => field(name, 'text')),
    ],
    rows: [1n, 0n].map((label) => [
      label,
      ...criteoNumbers.map((_, i) => (i === 3 ? null : BigInt(i) - 2n)),
      ...criteoNames.map((name) => `0${name}ab`),
    ]),
  },
  'Criteo words': {
    fields: [
      field('label', 'float32'),
      ...criteoNumbers.map((name) => field(name, 'float32')),
      ...criteoNames.map((name) => field(name, 'int64')),
    ],
    rows: [1, 0].map((label) => [label, ...criteoNumbers.map((_, i) => i / 4), ...criteoNames.map((_, i) => 2n ** 32n - 1n - BigInt(i))]),
  },
  pairs: {
    fields: [field('label', 'float64'), field('index', 'int64', true), field('value', 'float64', true)],
    rows: [
      [1, [1n, 70000n], [0.1, 2]],
      [-1, [3n], [1e-7]],
    ],
  },
  'lists of namespaces': {
    fields: [field('label', 'float64'), field('u', 'text', true), field('u:values', 'float64', true)],
    rows: [
      [1, ['a', 'b'], [1, 0.5]],
      [0, ['c', 'd'], [2, 1]],
    ],
  },
  'pairs with fields': {
    fields: [field('label', 'float64'), field('field', 'int64', true), field('index', 'int64', true), field('value', 'float64', true)],
    rows: [[1, [0n, 1n], [1n, 70000n], [0.1, 2]]],
  },
};

function batchesOf({ fields, rows }: (typeof tables)[string]): RecordBatch[] {
  const builder = new BatchBuilder(fields);
  const batches: RecordBatch[] = [];
  rows.forEach((row, r) => {
    row.forEach((value, c) => {
      if (value === null) return;
      builder.setPresent(c);
      for (const one of Array.isArray(value) ? value : [value]) builder.add(c, one as FieldValue);
    });
    builder.endRow();
    // More than one batch.
    if (r === 0) batches.push(builder.take());
  });
  if (builder.rows > 0) batches.push(builder.take());
  return batches;
}

/** Values as they must come back, whatever kind a format that does not keep kinds takes them for. */
function comparable(value: Cell | undefined, { kind, isList }: RecordField): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value))
    return isList
      ? value.map((one) => comparable(one, { name: '', kind, isList: false }))
      : comparable(value[0], { name: '', kind, isList: false });
  if (isList) return [comparable(value, { name: '', kind, isList: false })];
  switch (kind) {
    case 'int64':
      return String(value);
    case 'float32':
      return Math.fround(Number(value));
    case 'float64':
      return Number(value);
    default:
      return Buffer.from(typeof value === 'object' ? value : String(value)).toString('hex');
  }
}

/** What a format needs to be told to hold everything. */
const options: Readonly<Record<string, { readonly write: Record<string, string>; readonly read: Record<string, string> }>> = {
  csv: { write: { listSeparator: '|' }, read: { listSeparator: '|' } },
  tsv: { write: { listSeparator: '|' }, read: { listSeparator: '|' } },
};

describe('records written are read again', () => {
  for (const format of recordFormats.filter(({ create }) => create !== null)) {
    test(`as ${format.name}: the same values, or a refusal that names fields`, async () => {
      const held: string[] = [];
      for (const [name, table] of Object.entries(tables)) {
        const path = folder.in(`${format.name}-${name.replaceAll(' ', '-')}${format.extensions[0] ?? ''}`);
        const { write = {}, read = {} } = options[format.name] ?? {};
        try {
          await writeTable(format.name, path, batchesOf(table), name.includes('list') ? write : {});
        } catch (error) {
          assert.ok(error instanceof MonolithError && error.code === 'InvalidConfig', `${name}: ${String(error)}`);
          // Tables of pairs have three lists; others name at least one column, or the record.
          assert.ok(
            table.fields.some((one) => error.message.includes(one.name)) || /record \d+/.test(error.message),
            `${name}: ${error.message}`,
          );
          continue;
        }
        // A label and numbers become index:value there, which is another table; in vw columns become namespaces.
        if (format.name.startsWith('lib') && !name.startsWith('pairs')) continue;
        if (format.name === 'vw' && name !== 'lists of namespaces') continue;
        held.push(name);
        const found = await readTable(path, format.name, name.includes('list') ? read : {});
        assert.equal(found.rows.length, table.rows.length, name);
        table.fields.forEach((one, c) => {
          const at = found.fields.findIndex((other) => other.name === one.name);
          const values = found.rows.map((row) => comparable(at < 0 ? null : row[at], one));
          assert.deepEqual(
            values,
            table.rows.map((row) => comparable(row[c], one)),
            `${format.name}: ${name}, field ${one.name}`,
          );
        });
      }
      assert.ok(held.length > 0, `${format.name} holds none of the tables`);
    });
  }

  test('gzip is told by the ending when writing, by the bytes when reading', async () => {
    const path = folder.in('packed.csv.gz');
    await writeTable('csv', path, batchesOf(tables.plain));
    assert.deepEqual((await readTable(path)).rows.length, 3);
  });
});
