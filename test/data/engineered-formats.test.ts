// What a parser does not know is refused, not passed over.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { planStream } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { slotsFor, withPipeline } from './helpers.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-engineered-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const plain: FeatureSchema = {
  label: { column: 'click' },
  features: [
    { name: 'a', type: 'categorical' },
    { name: 'b', type: 'categorical' },
  ],
};
const crossed: FeatureSchema = { ...plain, features: [...plain.features, { name: 'ab', type: 'cross', of: ['a', 'b'] }] };
const filtered: FeatureSchema = { ...plain, filters: [{ column: 'a', equals: 'x', keep: true }] };

const files = { jsonl: '{"click":1,"a":"x","b":"y"}\n{"click":0,"a":"z","b":"y"}\n', csv: 'click,a,b\n1,x,y\n0,z,y\n' };
const paths = Object.fromEntries(
  Object.entries(files).map(([format, text]) => {
    const path = join(folder, `data.${format}`);
    writeFileSync(path, text);
    return [format, path];
  }),
);

function examples(format: 'jsonl' | 'csv', schema: FeatureSchema): Promise<number> {
  return withPipeline({ files: [paths[format]], format, schema, batchSize: 4, shuffle: 0 }, (pipeline) =>
    pipeline.nextStep(slotsFor(pipeline, 1)),
  );
}

test('a cross or a filter of a format whose parser does not know it is refused, and both hold where it does', async () => {
  assert.deepEqual([await examples('csv', crossed), await examples('csv', filtered), await examples('jsonl', plain)], [2, 1, 2]);
  const refused = { code: 'InvalidConfig' } as const;
  await assert.rejects(examples('jsonl', crossed), { ...refused, message: /feature "ab" is a cross, and data of the format jsonl/ });
  await assert.rejects(examples('jsonl', filtered), { ...refused, message: /the schema has filters, and data of the format jsonl/ });
});

test('filters are refused in a stream', async () => {
  await assert.rejects(planStream({ format: 'csv', schema: filtered }, [`tail:${paths.csv}`]), {
    code: 'InvalidConfig',
    message: /filters of the schema do not hold in a stream/,
  });
});
