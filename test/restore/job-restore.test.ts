import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, newestStep, sectionsOf, trainedLocally } from '../helpers/job.js';
import { waitUntil } from '../helpers/wait-until.js';

const folder = mkdtempSync(join(tmpdir(), 'monolith-restored-job-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const config = join(folder, 'config.yaml');
const source = join(folder, 'local');
const sizes = ['--workers', '2', '--ps', '1'];
let expected: Record<string, string> = {};

before(async () => {
  writeClicks(join(folder, 'train.csv'), 3000, 1);
  writeClicks(join(folder, 'test.csv'), 300, 2);
  writeFileSync(config, clickConfig(folder, 'keepCheckpoints: 10'));
  expected = await trainedLocally(folder, config, [...sizes, '--max-steps', '60']);
});

/** Two workers and a parameter server that restore step 20 and train to 60; the chief may be made to fail. */
function restoredJob(name: string, timeoutSecs: number): Job {
  mkdirSync(join(folder, name));
  const restore = ['--restore-dir', source, '--restore-ckpt', 'checkpoint-20', '--restore-sync-timeout-secs', String(timeoutSecs)];
  return new Job({
    folder: join(folder, name),
    config,
    workers: 2,
    ps: 1,
    flags: ['--start-timeout-ms', '60000', '--max-steps', '60', ...restore],
    own: (role) => (role === 'chief' ? [] : ['--model-dir', join(folder, name, 'model')]),
  });
}

describe('a job that starts from a restore folder', () => {
  test('two workers and a parameter server that start at different times all come up with what the chief picks', async () => {
    const job = restoredJob('restored', 60);
    try {
      const others = [job.start('worker', 1), job.start('ps', 0)];
      for (const one of others) {
        await waitUntil(`${one.name} waits for the chief`, () => /waiting for the chief to restore/.test(one.stderr()), 30_000);
        assert.ok(!existsSync(job.modelDir), 'nobody but the chief writes');
      }
      job.start('chief');
      const codes = await job.ended(60_000);
      assert.deepEqual([...codes.values()], [0, 0, 0], job.said());
      for (const one of others) assert.match(one.stderr(), /the chief has restored: the run goes on from \S+model\/checkpoint-20$/m);
      assert.match(job.find('chief').stderr(), /restored from \S+local\/checkpoint-20/);
      assert.equal(newestStep(job.modelDir), 60);
      assert.deepEqual(sectionsOf(job.modelDir), expected);
    } finally {
      await job.kill();
    }
  });

  test('a chief that is killed in the middle of copying: the others end with RestoreSyncTimeout; a second start succeeds', async () => {
    const job = restoredJob('killed', 2);
    const killed = new Job({
      folder: join(folder, 'killed'),
      config,
      workers: 2,
      ps: 1,
      flags: ['--restore-dir', source, '--restore-ckpt', 'checkpoint-40'],
      prefix: () => ['env', 'MONOLITH_LOCAL_FAILPOINTS=restore.afterSection=kill@2'],
    });
    try {
      const others = [job.start('ps', 0), job.start('worker', 1)];
      assert.equal(await killed.start('chief').exit, 'SIGKILL', killed.said());
      assert.ok(existsSync(join(job.modelDir, 'checkpoint-40.tmp')), 'killed while it copied');
      for (const one of others) {
        assert.equal(await one.exit, 5, job.said());
        assert.match(
          one.stderr(),
          /^RestoreSyncTimeout {2}Timed out waiting for restore synchronization file: \S+model\/monolith_checkpoint/m,
        );
        assert.doesNotMatch(one.stderr(), /the chief has restored/);
      }
      job.startAll();
      const codes = await job.ended(60_000);
      assert.deepEqual([...codes.values()], [0, 0, 0], job.said());
      for (const name of ['ps 0', 'worker 1']) assert.match(job.find(name).stderr(), /the run goes on from \S+model\/checkpoint-20$/m);
      assert.deepEqual(sectionsOf(job.modelDir), expected);
      assert.equal(readFileSync(join(job.modelDir, 'restore_ckpt'), 'utf8'), join(source, 'checkpoint-20'));
      assert.ok(!existsSync(join(job.modelDir, 'checkpoint-40.tmp')));
    } finally {
      await job.kill();
      await killed.kill();
    }
  });
});
