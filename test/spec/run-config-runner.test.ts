import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  type DistributedEntry,
  distributedConfigFromRunner,
  MemoryDiscovery,
  MonolithError,
  RunConfig,
  runDistributedFromRunConfig,
  runDistributedFromRunnerConfig,
  runnerConfig,
} from '../../src/index.js';

const root = mkdtempSync(join(tmpdir(), 'monolith-run-config-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** What the role of one process does in these tests: tells how it would be announced. */
function announcing(role: DistributedEntry['role'], seen: string[]): DistributedEntry {
  return {
    role,
    body: async ({ announce, discovery, config }) => {
      await announce('127.0.0.1:1');
      const type = role === 'ps' ? config.discoveryServiceTypePs : config.discoveryServiceTypeWorker;
      for (const { serviceType } of await discovery.discover(type)) seen.push(serviceType);
    },
  };
}

describe('a run configuration on its way to the distributed runner', () => {
  test('#63 retries, backoff and barrier timeout arrive unchanged', () => {
    const tuning = { connectRetries: 11, retryBackoffMs: 77, barrierTimeoutMs: 2222 };
    for (const runner of [runnerConfig(tuning), new RunConfig(tuning).toRunnerConfig({ connectRetries: 1, barrierTimeoutMs: 5 })]) {
      const { connectRetries, retryBackoffMs, barrierTimeoutMs } = distributedConfigFromRunner(runner, 'worker', '127.0.0.1:0');
      assert.deepEqual({ connectRetries, retryBackoffMs, barrierTimeoutMs }, tuning);
    }
  });

  test('#72 names of roles, table and dim arrive; processes are announced under their names', async () => {
    const names = { discoveryServiceTypePs: 'parameter_server', discoveryServiceTypeWorker: 'trainer', tableName: 'item_emb', dim: 128 };
    const run = new RunConfig({ ...names, numPs: 1, numWorkers: 1 });
    const arrived = distributedConfigFromRunner(run.toRunnerConfig(), 'ps', '127.0.0.1:0');
    assert.deepEqual({ ...arrived, ...names }, arrived);
    const seen: string[] = [];
    await runDistributedFromRunConfig(new MemoryDiscovery(), run, announcing('ps', seen));
    await runDistributedFromRunConfig(new MemoryDiscovery(), run, announcing('worker', seen));
    assert.deepEqual(seen, ['parameter_server', 'trainer']);
  });

  test('#10 #20 worker 0 copies before its role begins; every other process waits as long as its configuration says', async () => {
    const restoreDir = join(root, 'restore');
    mkdirSync(restoreDir);
    writeFileSync(join(restoreDir, 'checkpoint'), 'model_checkpoint_path: "model.ckpt-61"\nall_model_checkpoint_paths: "model.ckpt-61"\n');
    const modelDir = join(root, 'model');
    const common = { numPs: 1, numWorkers: 2, modelDir, restoreDir, restoreSyncTimeoutSecs: 1, restoreSyncPollIntervalMs: 10 };
    const begun: string[] = [];
    const start = (role: DistributedEntry['role'], index: number) =>
      runDistributedFromRunnerConfig(new MemoryDiscovery(), runnerConfig({ ...common, index }), {
        role,
        body: async ({ serviceId }) => {
          begun.push(serviceId);
          assert.ok(existsSync(join(modelDir, 'monolith_checkpoint')));
        },
      });
    for (const [role, index] of [
      ['worker', 1],
      ['ps', 0],
    ] as const) {
      await assert.rejects(start(role, index), (error: unknown) => error instanceof MonolithError && error.code === 'RestoreSyncTimeout');
    }
    assert.deepEqual(begun, []);
    assert.ok(!existsSync(modelDir));
    await start('worker', 0);
    assert.deepEqual(readdirSync(modelDir).sort(), ['checkpoint', 'monolith_checkpoint', 'restore_ckpt']);
    await start('ps', 0);
    await start('worker', 1);
    assert.deepEqual(begun, ['worker-0', 'ps-0', 'worker-1']);
  });
});
