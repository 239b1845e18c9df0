import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PsClient, type PsError } from '../../src/index.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, newestStep, sectionsOf, trainedLocally } from '../helpers/job.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-local-job-'));
const config = join(folder, 'config.yaml');
const epochs = ['--epochs', '3'];
const sizes = ['--workers', '2', '--ps', '2'];
let expected: Record<string, string> = {};

before(async () => {
  writeClicks(join(folder, 'train.csv'), 3000, 1);
  writeClicks(join(folder, 'test.csv'), 400, 2);
  writeFileSync(config, clickConfig(folder));
  expected = await trainedLocally(folder, config, [...sizes, ...epochs]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function jobIn(name: string, flags: readonly string[], own: (role: string, index: number) => readonly string[], ps: number): Job {
  return new Job({ folder: join(folder, name), config, workers: 2, ps, flags: ['--start-timeout-ms', '30000', ...flags], own });
}

test('two workers and two parameter servers end with the bits of a run on threads; all processes end with 0', async () => {
  const job = jobIn('same', epochs, () => [], 2);
  try {
    const chief = job.start('chief', 0, [...epochs, '--json'].slice(2));
    job.start('worker', 1);
    job.start('ps', 1);
    job.start('ps', 0);
    const codes = await job.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0, 0, 0], job.said());
    assert.deepEqual(sectionsOf(job.modelDir), expected);
    const events = chief
      .stdout()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
    assert.equal(events[0], 'start');
    assert.equal(events.at(-1), 'done');
    assert.equal(events.filter((event) => event === 'eval').length, 3);
  } finally {
    await job.kill();
  }
});

test('a job is interrupted in every way, one after another, and ends with the bits of one that was not', async () => {
  const peerTimeoutMs = 1500;
  const flags = [...epochs, '--peer-timeout-ms', String(peerTimeoutMs)];
  // Parameter servers may keep what they have of a job that failed: what the next chief brings replaces it.
  const own = (role: string): string[] => (role === 'ps' ? ['--state-folder', join(folder, 'interrupted-state')] : []);
  const started = async (act: (job: Job) => Promise<void>): Promise<void> => {
    const job = jobIn('interrupted', flags, own, 1);
    try {
      await act(job);
    } finally {
      await job.kill();
    }
  };
  /** Waits for the end of a process that died, then of all others. */
  const endedAfter = async (job: Job, name: string): Promise<Map<string, unknown>> => {
    await job.find(name).exit;
    const killed = performance.now();
    const codes = await job.ended(peerTimeoutMs + 10_000);
    const tookMs = performance.now() - killed;
    assert.ok(tookMs < peerTimeoutMs + 2500, `took ${tookMs} ms\n${job.said()}`);
    return codes;
  };

  await started(async (job) => {
    const chief = job.start('chief');
    job.start('ps', 0);
    const other = job.start('worker', 1, ['--batch-size', '64', '--clip.value', '2']);
    assert.equal(await other.exit, 2, job.said());
    assert.match(
      other.stderr(),
      /InvalidConfig {2}worker 1 has another configuration than the chief: batchSize \(here 32, there 64\), clip\.value \(here 0, there 2\)/,
    );
    await rowsMayBeRead(/listening on (\S+)/.exec(job.find('ps 0').stderr())?.[1] ?? '');
    // The job goes on with the worker that it was waiting for.
    job.start('worker', 1);
    await job.checkpoint(20);
    job.find('worker 1').child.kill('SIGKILL');
    const codes = await endedAfter(job, 'worker 1');
    assert.deepEqual([codes.get('chief'), codes.get('ps 0')], [5, 5], job.said());
    assert.match(chief.stderr(), /Unavailable {2}worker 1 \(127\.0\.0\.1:\d+\) has not been heard of/);
    assert.match(job.find('ps 0').stderr(), /ended the job: worker 1 /, job.said());
  });

  await started(async (job) => {
    const from = newestStep(job.modelDir);
    assert.ok(from >= 20);
    const chief = job.startAll();
    await job.checkpoint(from + 20);
    chief.child.kill('SIGINT');
    const codes = await job.ended(20_000);
    assert.deepEqual([codes.get('chief'), codes.get('ps 0'), codes.get('worker 1')], [130, 0, 0], job.said());
  });

  await started(async (job) => {
    const chief = job.startAll();
    await job.checkpoint(newestStep(job.modelDir) + 20);
    chief.child.kill('SIGKILL');
    const codes = await endedAfter(job, 'chief');
    for (const name of ['ps 0', 'worker 1']) {
      assert.equal(codes.get(name), 5, job.said());
      assert.match(job.find(name).stderr(), /Unavailable {2}the chief at 127\.0\.0\.1:\d+ has not been heard of for \d+ ms/, job.said());
    }
  });

  await started(async (job) => {
    job.startAll();
    const codes = await job.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0, 0], job.said());
    assert.deepEqual(sectionsOf(job.modelDir), expected);
  });
});

/** The parameter server of a job that waits for its workers answers calls for rows of its tables, and lets nobody change them. */
async function rowsMayBeRead(address: string): Promise<void> {
  const client = await PsClient.connect([address]);
  try {
    const table = 'linear+embedding';
    const dim = 5;
    const [{ shardId, tableStats }] = await client.getStatsAll(true);
    assert.deepEqual([shardId, tableStats.map(({ name }) => name)], [0, [table]]);
    // A change that no worker knows of would stand in no journal.
    assert.deepEqual([...(await client.lookup(table, [1, 2], dim, false))], new Array(2 * dim).fill(0));
    for (const change of [client.lookup(table, [1, 2], dim, true), client.applyGradients(table, [1], new Array(dim).fill(1), dim, 0.1)]) {
      await assert.rejects(change, (error: PsError) => /it is a table of the job that is training/.test(error.message));
    }
    assert.equal((await client.getStats(false)).totalEmbeddings, 0);
  } finally {
    client.close();
  }
}
