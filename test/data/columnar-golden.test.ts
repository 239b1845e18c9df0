// Files of pyarrow 25: one table in many forms, and as text (test/golden/columnar).
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FeatureSchema } from '../../src/features/index.js';
import { readRows } from './helpers.js';

const folder = fileURLToPath(new URL('../../../test/golden/columnar', import.meta.url));
const categories = ['big', 'unsigned', 'color', 'day', 'when', 'on', 'user.id', 'user.name'] as const;
const schema: FeatureSchema = {
  label: { column: 'y' },
  features: [
    ...categories.map((name) => ({ name, type: 'categorical' as const })),
    { name: 'tags', type: 'categorical', separator: '|' },
    { name: 'price text', column: 'price', type: 'categorical' },
    ...(['x', 'price', 'day'] as const).map((name) => ({ name: `${name} number`, column: name, type: 'numeric' as const, missing: -3 })),
  ],
};
const files = readdirSync(folder).filter((name) => !name.endsWith('.csv'));

test('the golden files are there', () => assert.equal(files.length, 8));

for (const name of files) {
  test(`${name} of pyarrow holds the rows of the CSV`, async () => {
    const expected = await readRows({ schema, files: [join(folder, 'rows.csv')], shuffle: 0 });
    const format = name.endsWith('.parquet') ? 'parquet' : 'arrow';
    const options = { schema, files: [join(folder, name)], format, shuffle: 0, blockBytes: 1024 } as const;
    assert.deepEqual(await readRows(options), expected);
    assert.equal(expected.length, 600);
  });
}
