// Parameter servers that stay up from one job to the next, and the asynchronous mode.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, newestStep, sectionsOf, trainedLocally } from '../helpers/job.js';
import { waitUntil } from '../helpers/wait-until.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-local-kept-ps-'));
const config = join(folder, 'config.yaml');
const discoveryFolder = join(folder, 'discovery');
before(() => {
  mkdirSync(discoveryFolder);
  writeClicks(join(folder, 'train.csv'), 3000, 1);
  writeClicks(join(folder, 'test.csv'), 400, 2);
  writeFileSync(config, clickConfig(folder));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function jobIn(name: string, flags: readonly string[], workers = 1): Job {
  return new Job({
    folder: join(folder, name),
    config,
    workers,
    ps: 1,
    flags: ['--start-timeout-ms', '30000', '--peer-timeout-ms', '3000', ...flags],
    discovery: ['--discovery', 'host-files', '--discovery-folder', discoveryFolder],
  });
}

test('with --keep one parameter server serves an asynchronous job, then a synchronous one to the bits of threads, and outlives a chief', async () => {
  const keeper = jobIn('keeper', ['--keep', '--state-folder', join(folder, 'state')]);
  const jobs: Job[] = [keeper];
  const started = (name: string, workers: number, flags: readonly string[]): Job => {
    const job = jobIn(name, flags, workers);
    jobs.push(job);
    if (workers > 1) job.start('worker', 1);
    job.start('chief', 0, ['--json']);
    return job;
  };
  try {
    const ps = keeper.start('ps', 0);
    await waitUntil('the server listens', () => /listening on/.test(ps.stderr()));
    // Its state folder is its own as long as it lives.
    const second = keeper.start('ps', 0);
    assert.equal(await second.exit, 4, second.stderr());
    assert.match(
      second.stderr(),
      new RegExp(`^RunFolderBusy .*state: process ${ps.child.pid} keeps the journal of its shard there; .*another --state-folder`, 'm'),
    );

    // A worker that dies ends an asynchronous job as it does a synchronous one, and the job goes on from its checkpoint.
    const asynchronous = ['--mode', 'async', '--epochs', '4'];
    const halved = started('async', 2, asynchronous);
    await halved.checkpoint(20);
    halved.find('worker 1').child.kill('SIGKILL');
    assert.equal((await halved.ended(20_000)).get('chief'), 5, halved.said());
    assert.match(halved.find('chief').stderr(), /Unavailable {2}worker 1 \(127\.0\.0\.1:\d+\) has not been heard of/);
    await waitUntil('the server has been told', () => /ended the job: worker 1 .*; waiting for the next chief/.test(ps.stderr()));
    const from = newestStep(halved.modelDir);
    const relaxed = started('async', 2, asynchronous);
    const codes = await relaxed.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0], relaxed.said() + ps.stderr());
    assert.match(relaxed.find('chief').stdout(), new RegExp(`"resumed_step":${from}\\b`));
    const done = JSON.parse(relaxed.find('chief').stdout().trim().split('\n').at(-1) ?? '') as {
      event: string;
      eval: { auc: number };
    };
    assert.equal(done.event, 'done');
    assert.ok(done.eval.auc > 0.75, `AUC ${done.eval.auc}`);
    assert.match(ps.stderr(), /says that the job is done; waiting for the next chief/);
    // Only the parameter server is still announced.
    assert.deepEqual(announced(), ['ps']);

    const expected = await trainedLocally(folder, config, ['--workers', '1', '--ps', '1', '--epochs', '1']);
    const exact = started('sync', 1, ['--epochs', '1']);
    assert.deepEqual([...(await exact.ended(60_000)).values()], [0], exact.said() + ps.stderr());
    assert.deepEqual(sectionsOf(exact.modelDir), expected);

    const cut = started('cut', 1, ['--epochs', '50']);
    await cut.checkpoint(20);
    cut.find('chief').child.kill('SIGKILL');
    await waitUntil('the server has given the chief up', () =>
      /has not been heard of for \d+ ms.*; waiting for the next chief/.test(ps.stderr()),
    );
    assert.equal(ps.child.exitCode, null, ps.stderr());
    ps.child.kill('SIGTERM');
    assert.equal(await ps.exit, 143, ps.stderr());
    assert.ok(!announced().includes('ps'), announced().join());
    assert.ok(!existsSync(join(folder, 'state', 'run.lock')));
  } finally {
    await Promise.all(jobs.map((job) => job.kill()));
  }
});

/** Kinds of the processes that the discovery's folder lists, in order. */
function announced(): string[] {
  return readdirSync(discoveryFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath, path }) => /(ps|worker)/.exec(`${parentPath ?? path}/${name}`.slice(discoveryFolder.length))?.[1] ?? name)
    .sort();
}
