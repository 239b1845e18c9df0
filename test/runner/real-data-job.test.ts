import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sharedData } from '../data/helpers.js';
import { clickSchema, writeClicks } from '../helpers/click-data.js';
import { Job, sectionsOf, trainedLocally } from '../helpers/job.js';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'monolith-local-real-job-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The sections of a job of two workers and two parameter servers on this machine must be those of threads. */
async function sameAsThreads(name: string, config: string, flags: readonly string[]): Promise<void> {
  const expected = await trainedLocally(folder, config, ['--workers', '2', '--ps', '2', ...flags]);
  const job = new Job({ folder: join(folder, name), config, workers: 2, ps: 2, flags });
  try {
    job.startAll();
    const codes = await job.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0, 0, 0], job.said());
    assert.deepEqual(sectionsOf(job.modelDir), expected);
  } finally {
    await job.kill();
  }
}

test('DLRM on clicks with a known truth', async () => {
  writeClicks(join(folder, 'train.csv'), 6000, 11);
  writeClicks(join(folder, 'test.csv'), 600, 12);
  const config = join(folder, 'dlrm.yaml');
  writeFileSync(
    config,
    `
model: dlrm
modelOptions: {bottom: [32], top: [32, 16]}
embedding: {dim: 8}
batchSize: 128
data: {train: [${folder}/train.csv], eval: [${folder}/test.csv], schema: ${clickSchema}, shuffle: 2000}
`,
  );
  await sameAsThreads('dlrm', config, ['--epochs', '2']);
});

const shared = sharedData();

test('the factorization machine on MovieLens 100K', { skip: shared === null && 'no shared data' }, async () => {
  const data = join(folder, 'ml-100k');
  execFileSync(process.execPath, [join(examples, 'ml-100k-prepare.mjs'), join(shared ?? '', 'ml-100k'), data]);
  const files = ['--data', join(data, 'u1.base.tsv'), '--eval-data', join(data, 'u1.test.tsv')];
  await sameAsThreads('fm', join(examples, 'ml-100k-fm.yaml'), [...files, '--epochs', '1']);
});
