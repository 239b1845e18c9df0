import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../src/checkpoint/index.js';
import { readTableSection, savedTables } from '../../src/training/index.js';
import { sharedData } from '../data/helpers.js';
import { callCli, lastEvent, temporaryFolder } from '../helpers/cli.js';

// The whole table of reference sets, three seeds each, is `node examples/accuracy.mjs DATA-FOLDER`.
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('accuracy');
});
after(() => folder.remove());

const example = (name: string): string => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));

type Done = { readonly checkpoint: string; readonly eval: { readonly auc: number; readonly logloss: number; readonly examples: number } };

async function train(name: string, ...flags: string[]): Promise<Done> {
  const result = await callCli(['train', example(name), '--json', '--fresh', '--model-dir', folder.in(name), ...flags]);
  assert.equal(result.code, 0, result.stderr);
  return lastEvent(result) as unknown as Done;
}

test('logistic regression on the census data that ship here reaches its AUC', async () => {
  const done = await train('adult-lr.yaml', '--seed', '1');
  assert.equal(done.eval.examples, 16281);
  assert.ok(done.eval.auc >= 0.91, `AUC ${done.eval.auc}`);
});

/** Σ w² over dense parameters and all rows of all tables. */
async function squaredNorm(checkpoint: string): Promise<number> {
  const reader = await openCheckpoint(checkpoint);
  let sum = 0;
  const bytes = await reader.section('dense.parameters').readAll();
  for (const value of new Float32Array(bytes.slice().buffer)) sum += value * value;
  for (const table of savedTables(reader)) {
    for (const section of table.sections) {
      const { records, count } = await readTableSection(reader, table, section);
      const width = table.dim + table.stateLength;
      for (let i = 0; i < count; i++) for (let d = 0; d < table.dim; d++) sum += (records[i * width + d] as number) ** 2;
    }
  }
  return sum;
}

const shared = sharedData();

test('L2 logistic regression on LibFFM rows ends at the only minimum', {
  skip: shared === null ? 'absent: no folder of shared data sets' : false,
}, async () => {
  const file = join(shared ?? '', 'ffm-criteo-tiny/small_train.txt');
  const done = await train('ffm-criteo-tiny-lr.yaml', '--data', file, '--eval-data', file);
  const objective = done.eval.logloss * done.eval.examples + (await squaredNorm(done.checkpoint)) / 2;
  // 95.322113 by Newton's method in double precision, gradient below 1e-15. Ids of (field, index) pairs would end at 95.0253.
  assert.ok(Math.abs(objective - 95.322113) < 1e-3, `objective ${objective}`);
});
