import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

function jobIn(name: string, flags: readonly string[] = epochs, own: (role: string, index: number) => readonly string[] = () => []): Job {
  const own_ = join(folder, name);
  mkdirSync(own_, { recursive: true });
  return new Job({ folder: own_, config, workers: 2, ps: 2, flags: ['--start-timeout-ms', '30000', ...flags], own });
}

test('two workers and two parameter servers end with the bits of a run on threads; all processes end with 0', async () => {
  const job = jobIn('same');
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

test('when the chief is killed every process ends within the peer timeout and names it; the job started again goes on to the same bits', async () => {
  const peerTimeoutMs = 1500;
  const flags = [...epochs, '--peer-timeout-ms', String(peerTimeoutMs)];
  const job = jobIn('killed-chief', flags);
  try {
    const chief = job.startAll();
    await job.checkpoint(40);
    chief.child.kill('SIGKILL');
    await chief.exit;
    const killed = performance.now();
    const codes = await job.ended(peerTimeoutMs + 10_000);
    const tookMs = performance.now() - killed;
    assert.ok(tookMs < peerTimeoutMs + 2500, `took ${tookMs} ms`);
    for (const name of ['ps 0', 'ps 1', 'worker 1']) {
      assert.equal(codes.get(name), 5, job.said());
      assert.match(job.find(name).stderr(), /Unavailable {2}the chief at 127\.0\.0\.1:\d+ has not been heard of for \d+ ms/, job.said());
    }
  } finally {
    await job.kill();
  }
  const again = jobIn('killed-chief', flags);
  try {
    assert.ok(newestStep(again.modelDir) >= 40);
    again.startAll();
    const codes = await again.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0, 0, 0], again.said());
    assert.deepEqual(sectionsOf(again.modelDir), expected);
  } finally {
    await again.kill();
  }
});

test('a worker that is killed ends the job everywhere, with its name; all started again, with what they kept, go on to the same bits', async () => {
  const flags = [...epochs, '--peer-timeout-ms', '1500'];
  const own = (role: string, index: number): string[] => (role === 'ps' ? ['--state-folder', join(folder, `killed-worker-${index}`)] : []);
  const job = jobIn('killed-worker', flags, own);
  try {
    const chief = job.startAll();
    await job.checkpoint(20);
    job.find('worker 1').child.kill('SIGKILL');
    const codes = await job.ended(20_000);
    assert.equal(codes.get('chief'), 5, job.said());
    assert.match(chief.stderr(), /Unavailable {2}worker 1 \(127\.0\.0\.1:\d+\) has not been heard of/);
    for (const name of ['ps 0', 'ps 1']) assert.match(job.find(name).stderr(), /ended the job: worker 1 /, job.said());
  } finally {
    await job.kill();
  }
  const again = jobIn('killed-worker', flags, own);
  try {
    assert.ok(newestStep(again.modelDir) >= 20);
    again.startAll();
    const codes = await again.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0, 0, 0], again.said());
    assert.deepEqual(sectionsOf(again.modelDir), expected);
  } finally {
    await again.kill();
  }
});

test('a worker with another configuration is told which option differs', async () => {
  const job = jobIn('other-config', epochs, (role) => (role === 'worker' ? ['--batch-size', '64', '--clip.value', '2'] : []));
  try {
    job.startAll();
    assert.equal(await job.find('worker 1').exit, 2, job.said());
    assert.match(
      job.find('worker 1').stderr(),
      /InvalidConfig {2}worker 1 has another configuration than the chief: batchSize \(here 32, there 64\), clip\.value \(here 0, there 2\)/,
    );
    // The parameter servers have the job and answer calls for rows of its tables.
    const addresses = [0, 1].map((i) => /listening on (\S+)/.exec(job.find(`ps ${i}`).stderr())?.[1] ?? '');
    const client = await PsClient.connect(addresses);
    try {
      const stats = await client.getStatsAll(true);
      assert.deepEqual(
        stats.map(({ shardId, tableStats }) => [shardId, tableStats.map(({ name }) => name)]),
        [
          [0, ['linear+embedding']],
          [1, ['linear+embedding']],
        ],
      );
      // They may be read and no more: a change that no worker knows of would stand in no journal.
      const table = 'linear+embedding';
      const dim = 5;
      assert.deepEqual([...(await client.lookup(table, [1, 2], dim, false))], new Array(2 * dim).fill(0));
      for (const change of [client.lookup(table, [1, 2], dim, true), client.applyGradients(table, [1], new Array(dim).fill(1), dim, 0.1)]) {
        await assert.rejects(change, (error: PsError) => /it is a table of the job that is training/.test(error.message));
      }
      assert.equal((await client.getStats(false)).totalEmbeddings, 0);
    } finally {
      client.close();
    }
  } finally {
    await job.kill();
  }
});

test('Ctrl-C at the chief saves, stops all processes, and the same job goes on to the same bits', async () => {
  const job = jobIn('interrupted');
  try {
    const chief = job.startAll();
    await job.checkpoint(20);
    chief.child.kill('SIGINT');
    const codes = await job.ended(20_000);
    assert.equal(codes.get('chief'), 130, job.said());
    for (const name of ['ps 0', 'ps 1', 'worker 1']) assert.equal(codes.get(name), 0, job.said());
  } finally {
    await job.kill();
  }
  const again = jobIn('interrupted');
  try {
    again.startAll();
    await again.ended(60_000);
    assert.deepEqual(sectionsOf(again.modelDir), expected);
  } finally {
    await again.kill();
  }
});
