// Processes of a job that find each other in a real ZooKeeper, which goes away while they train.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openZooKeeper } from '../../src/index.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, newestStep, sectionsOf, trainedLocally } from '../helpers/job.js';
import { ZooKeeperServer, zooKeeperAbsent } from '../helpers/zookeeper.js';

const absent = zooKeeperAbsent();
const folder = mkdtempSync(join(tmpdir(), 'monolith-local-zookeeper-job-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('R36 training goes on while ZooKeeper is down, checkpoints too: the same bits; entries are gone at the end', {
  skip: absent ?? false,
}, async () => {
  const config = join(folder, 'config.yaml');
  writeClicks(join(folder, 'train.csv'), 3000, 1);
  writeClicks(join(folder, 'test.csv'), 400, 2);
  writeFileSync(config, clickConfig(folder));
  const epochs = ['--epochs', '8'];
  const servers = join(folder, 'server');
  mkdirSync(servers);
  const server = await ZooKeeperServer.start(servers);
  const at = { servers: `127.0.0.1:${server.port}`, path: '/monolith/job' };
  const job = new Job({
    folder: join(folder, 'job'),
    config,
    workers: 1,
    ps: 1,
    flags: ['--start-timeout-ms', '30000', ...epochs],
    discovery: ['--discovery', 'zookeeper', '--zk-hosts', at.servers, '--zk-base-path', at.path],
  });
  try {
    const expected = await trainedLocally(folder, config, ['--workers', '1', '--ps', '1', ...epochs]);
    const chief = job.startAll();
    await job.checkpoint(20);
    await server.kill();
    const down = newestStep(job.modelDir);
    // Each checkpoint asks every parameter server several times, over connections of their own.
    await job.checkpoint(down + 100);
    assert.equal(chief.child.exitCode, null, job.said());
    await server.start();
    const codes = await job.ended(60_000);
    assert.deepEqual([...codes.values()], [0, 0], job.said());
    assert.deepEqual(sectionsOf(job.modelDir), expected);
    const discovery = await openZooKeeper(at);
    try {
      assert.deepEqual([await discovery.discover('ps'), await discovery.discover('worker')], [[], []]);
    } finally {
      await discovery.close();
    }
  } finally {
    await job.kill();
    await server.kill();
  }
});
