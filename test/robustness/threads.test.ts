import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FAILPOINTS_VARIABLE, MonolithError } from '../../src/base/index.js';
import type { LocalCluster } from '../../src/cluster/index.js';
import { checkpointContent, lastEvent, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { startSmallCluster, trainSteps } from '../helpers/local-cluster.js';
import { shardWorkChoices } from '../helpers/shard-work.js';

const BOUND_MS = 1000;

/** Failpoints of a step, as the source names them, so that none goes untested. */
function failpointsOf(room: 'steps' | 'ps'): string[] {
  const folder = fileURLToPath(new URL(`../../../src/${room}/`, import.meta.url));
  const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(`${folder}${name}`, 'utf8'));
  return [...text.join('\n').matchAll(/failpoint\('(\w+\.\w+)'\)/g)].map(([, name]) => name);
}

/** Starts a cluster whose threads are armed; the test's own thread is not. */
async function startArmed(failpoints: string, shardWork: 'threads' | 'in-place'): Promise<LocalCluster> {
  process.env[FAILPOINTS_VARIABLE] = failpoints;
  try {
    return await startSmallCluster({ model: 'fm', shardWork });
  } finally {
    delete process.env[FAILPOINTS_VARIABLE];
  }
}

/** Runs until the cluster fails; asserts that the error names `who` and came within a second of the last finished round. */
async function assertFails(cluster: LocalCluster, run: () => Promise<unknown>, who: RegExp): Promise<void> {
  let rounds = -1;
  let since = performance.now();
  const watch = setInterval(() => {
    if (cluster.completedRounds() === rounds) return;
    rounds = cluster.completedRounds();
    since = performance.now();
  }, 5);
  try {
    await assert.rejects(run(), (error: unknown) => {
      assert.ok(error instanceof MonolithError);
      assert.equal(error.code, 'WorkerDied', error.message);
      assert.match(error.message, who);
      return true;
    });
    const waited = performance.now() - since;
    assert.ok(waited < BOUND_MS, `${waited.toFixed(0)} ms until the error`);
  } finally {
    clearInterval(watch);
    await cluster.close();
  }
}

describe('a thread that dies at any point of a step', () => {
  const [worker, shard] = [/^worker \d (ended with exit code 70|threw )/, /^PS shard \d (ended with exit code 70|threw )/];
  for (const [room, shardWork, who] of [
    ['steps', shardWorkChoices().at(-1) ?? 'threads', worker],
    ['ps', 'threads', shard],
    // A worker that does a shard's work, and then dies with the shard's ownership word.
    ['ps', 'in-place', worker],
  ] as const) {
    if (!shardWorkChoices().includes(shardWork)) continue;
    const points = failpointsOf(room);
    assert.ok(points.length >= 5);
    for (const point of points) {
      test(`${point} (${shardWork}): the run ends within a second and says who it was, whether it exits or throws`, async () => {
        for (const action of ['exit', 'throw']) {
          const cluster = await startArmed(`${point}=${action}@4`, shardWork);
          await assertFails(cluster, () => trainSteps(cluster, 0, 100), who);
        }
      });
    }
  }
});

describe('a thread that is terminated', () => {
  for (const [role, who] of [
    ['worker', /^worker 1 ended/],
    ['ps', /^PS shard 1 ended/],
  ] as const) {
    test(`a parked ${role}: the next call says so at once`, async () => {
      const cluster = await startSmallCluster({ model: 'fm' });
      await trainSteps(cluster, 0, 3);
      await new Promise((resolve) => setTimeout(resolve, 150));
      await cluster.terminateThread(role, 1);
      const from = performance.now();
      await assertFails(cluster, () => trainSteps(cluster, 3, 4), who);
      assert.ok(performance.now() - from < BOUND_MS);
    });

    test(`a computing ${role}: the run ends within a second`, async () => {
      const cluster = await startSmallCluster({ model: 'fm' });
      setTimeout(() => void cluster.terminateThread(role, 1), 100);
      await assertFails(cluster, () => trainSteps(cluster, 0, 1_000_000), who);
    });
  }
});

describe('a command whose thread or process dies in the middle of a step', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const train = (run: string, failpoints = '', ...flags: string[]): ReturnType<typeof runCli> =>
    runCli(['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in(run), ...flags], {
      env: { [FAILPOINTS_VARIABLE]: failpoints },
    });
  const content = (result: Awaited<ReturnType<typeof train>>): ReturnType<typeof checkpointContent> => {
    assert.equal(result.code, 0, result.stderr);
    return checkpointContent(String(lastEvent(result).checkpoint));
  };
  let uncut: ReturnType<typeof checkpointContent>;
  before(async () => {
    folder = await temporaryFolder('threads');
    writeClicks(folder.in('train.csv'), 3000, 1);
    writeClicks(folder.in('test.csv'), 300, 2);
    writeFileSync(folder.in('run.yaml'), clickConfig(folder.path, 'workers: 2\nps: 2'));
    uncut = content(await train('uncut'));
  });
  after(() => folder.remove());

  for (const [failpoints, shardWork, code, message] of [
    ['ps.beforeRowApply=exit@50', 'threads', 5, /^WorkerDied {2}PS shard \d ended with exit code 70 in the middle of the run/m],
    ['ps.beforeRowApply=exit@50', 'in-place', 5, /^WorkerDied {2}worker \d ended with exit code 70 in the middle of the run/m],
    ['ps.afterApply=kill@50', 'threads', null, /^/],
    ['ps.afterApply=kill@50', 'in-place', null, /^/],
  ] as const) {
    if (!shardWorkChoices().includes(shardWork)) continue;
    test(`${failpoints} (${shardWork}): exit code ${code}; the same command ends bit for bit like an uncut run`, async () => {
      const run = `${failpoints} ${shardWork}`.replaceAll(/\W/g, '-');
      const broken = await train(run, failpoints, '--shard-work', shardWork);
      assert.equal(broken.code, code, broken.stderr);
      assert.match(broken.stderr, message);
      const again = await train(run);
      // A thread that dies leaves the checkpoint in hand to be written to its end; a process that dies what was durable.
      assert.match(again.stdout, code === null ? /"resumed_step":(null|20|40)\b/ : /"resumed_step":40\b/);
      assert.deepEqual(content(again), uncut);
    });
  }
});
