// Models and data that people have, as jobs of four processes. MONOLITH_TEST_LONG=1 trains the DLRM on 262,144 clicks, the factorization
// machine on all of its data.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeClicks } from '../../src/bench/made-data.js';
import { trainingPlans } from '../../src/bench/training-plan.js';
import { sharedData } from '../data/helpers.js';
import { isLong } from '../helpers/board.js';
import { Job, sectionsOf, trainedLocally } from '../helpers/job.js';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'monolith-local-real-job-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The sections of a job of two workers and two parameter servers on this machine must be those of threads. */
async function sameAsThreads(name: string, config: string, flags: readonly string[], timeoutMs = 60_000): Promise<void> {
  const expected = await trainedLocally(folder, config, ['--workers', '2', '--ps', '2', ...flags]);
  const job = new Job({ folder: join(folder, name), config, workers: 2, ps: 2, flags });
  try {
    job.startAll();
    const codes = await job.ended(timeoutMs);
    assert.deepEqual([...codes.values()], [0, 0, 0, 0], job.said());
    assert.deepEqual(sectionsOf(job.modelDir), expected);
  } finally {
    await job.kill();
  }
}

test(`the whole DLRM of the benchmarks on ${isLong ? 262_144 : 6144} clicks with a planted truth`, async () => {
  const samples = isLong ? 262_144 : 6144;
  const file = join(folder, 'clicks.bin');
  await makeClicks(file, 'bin', samples, 11);
  const plan = trainingPlans(2).find(({ name }) => name === 'ours dlrm fp32 batch 2048 W=2');
  assert.ok(plan !== undefined);
  const config = join(folder, 'dlrm.yaml');
  writeFileSync(config, `data: {train: [${file}]}\n`);
  await sameAsThreads('dlrm', config, [...plan.flags, '--batch-size', isLong ? '2048' : '512', '--epochs', '1'], isLong ? 900_000 : 60_000);
});

const shared = sharedData();

test('the factorization machine on MovieLens 100K', { skip: shared === null && 'no shared data' }, async () => {
  const data = join(folder, 'ml-100k');
  execFileSync(process.execPath, [join(examples, 'ml-100k-prepare.mjs'), join(shared ?? '', 'ml-100k'), data]);
  const files = ['--data', join(data, 'u1.base.tsv'), '--eval-data', join(data, 'u1.test.tsv')];
  await sameAsThreads('fm', join(examples, 'ml-100k-fm.yaml'), [...files, '--epochs', '1', ...(isLong ? [] : ['--max-steps', '40'])]);
});
