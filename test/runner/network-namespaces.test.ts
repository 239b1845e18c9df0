import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { Job, newestStep, sectionsOf, trainedLocally } from '../helpers/job.js';
import { Hosts } from '../helpers/network-namespaces.js';

// The chief on host 0, parameter servers on hosts 1 and 2, each with an address of its own.
const skip = process.getuid?.() === 0 ? false : 'network namespaces need root; run as root to try real links';

describe('three hosts with addresses of their own', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'monolith-local-hosts-'));
  const config = join(folder, 'config.yaml');
  const epochs = ['--epochs', '4'];
  let hosts: Hosts;
  let expected: Record<string, string> = {};

  before(async () => {
    hosts = new Hosts(3);
    writeClicks(join(folder, 'train.csv'), 3000, 1);
    writeClicks(join(folder, 'test.csv'), 400, 2);
    writeFileSync(config, clickConfig(folder));
    expected = await trainedLocally(folder, config, ['--workers', '1', '--ps', '2', ...epochs]);
  });
  after(() => {
    hosts.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function jobIn(name: string, peerTimeoutMs: number, flags: readonly string[] = epochs): Job {
    mkdirSync(join(folder, name), { recursive: true });
    const at = (host: number): string => `${hosts.address(host)}:7400`;
    return new Job({
      folder: join(folder, name),
      config,
      workers: 1,
      ps: 2,
      flags: [...flags, '--insecure', '--start-timeout-ms', '30000', '--peer-timeout-ms', String(peerTimeoutMs)],
      discovery: ['--discovery', 'static', '--addresses', `ps=${at(1)},${at(2)};worker=${at(0)}`],
      prefix: (role, index) => hosts.on(role === 'ps' ? index + 1 : 0),
    });
  }

  test('train, and ride out a cable that is pulled for two seconds: the bits of a run on one', async () => {
    const job = jobIn('short', 15_000);
    try {
      job.startAll();
      await job.checkpoint(40);
      hosts.link(2, 'down');
      await sleep(2000);
      hosts.link(2, 'up');
      const codes = await job.ended(60_000);
      assert.deepEqual([...codes.values()], [0, 0, 0], job.said());
      assert.deepEqual(sectionsOf(job.modelDir), expected);
    } finally {
      hosts.link(2, 'up');
      await job.kill();
    }
  });

  test('a cable pulled for good ends every process within the timeout and a second, naming the peer; the job goes on after healing', async () => {
    const peerTimeoutMs = 3000;
    const job = jobIn('long', peerTimeoutMs);
    try {
      const chief = job.startAll();
      await job.checkpoint(40);
      hosts.link(2, 'down');
      const cut = performance.now();
      const took = new Map<string, number>();
      for (const { name, exit } of job.processes) void exit.then(() => took.set(name, performance.now() - cut));
      const codes = await job.ended(peerTimeoutMs + 15_000);
      assert.deepEqual([...codes.values()], [5, 5, 5], job.said());
      for (const [name, ms] of took) assert.ok(ms < peerTimeoutMs + 1000 + PROCESS_END_MS, `${name} took ${ms} ms\n${job.said()}`);
      assert.match(chief.stderr(), new RegExp(`Unavailable {2}.*shard 1 at ${hosts.address(2)}:7400`), job.said());
      assert.match(job.find('ps 0').stderr(), new RegExp(`ended the job: .*${hosts.address(2)}:7400`), job.said());
      assert.match(
        job.find('ps 1').stderr(),
        new RegExp(`Unavailable {2}the chief at ${hosts.address(0)}:\\d+ has not been heard of`),
        job.said(),
      );
    } finally {
      hosts.link(2, 'up');
      await job.kill();
    }
    const again = jobIn('long', 15_000);
    try {
      assert.ok(newestStep(again.modelDir) >= 40);
      again.startAll();
      const codes = await again.ended(60_000);
      assert.deepEqual([...codes.values()], [0, 0, 0], again.said());
      assert.deepEqual(sectionsOf(again.modelDir), expected);
    } finally {
      await again.kill();
    }
  });
});

/** What a process may take to end and be seen to have ended on a busy machine. */
const PROCESS_END_MS = 1500;
