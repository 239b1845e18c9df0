import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { resolveConfig } from '../../src/index.js';
import { runCli, startCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { waitUntil } from '../helpers/wait-until.js';

/** Lines of the InvalidConfig that these flags of a process of a run on several hosts lead to. */
function refusals(flags: Record<string, unknown>, role = 'worker'): string[] {
  try {
    resolveConfig({ flags: { distributed: true, discovery: 'host-files', 'discovery-folder': '/jobs/7', role, ...flags } });
  } catch (error) {
    assert.equal((error as { code: string }).code, 'InvalidConfig');
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('#62 flags of a process of a run on several hosts', () => {
  test('#62 --barrier-timeout-ms must be above 0 and reaches the configuration', () => {
    for (const value of ['0', '-5']) {
      assert.match(refusals({ 'barrier-timeout-ms': value })[0], /^--barrier-timeout-ms must be > 0: expected an integer from 1 to \d+/);
    }
    const { config } = resolveConfig({ flags: { 'barrier-timeout-ms': '50' } });
    assert.equal(config.distributed.barrierTimeoutMs, 50);
    assert.equal(resolveConfig().config.distributed.barrierTimeoutMs, null);
  });

  test('#62 what is wrong is told in a fixed order, in the words of Monolith’s trainer', () => {
    const wrong = {
      'discovery-service-type-worker': 'PS',
      'discovery-service-type-ps': 'ps',
      dim: '0',
      'num-workers-cluster': '0',
      'num-ps': '0',
      'barrier-timeout-ms': '0',
      'discovery-cleanup-timeout-ms': '0',
      'discovery-operation-timeout-ms': '0',
    };
    const starts = (lines: string[]): string[] => lines.map((line) => line.split(/[:,]/)[0]);
    assert.deepEqual(starts(refusals(wrong)), [
      '--discovery-operation-timeout-ms must be > 0',
      '--discovery-cleanup-timeout-ms must be > 0',
      '--barrier-timeout-ms must be > 0',
      '--num-ps must be > 0 in distributed mode',
      '--num-workers-cluster must be > 0 in distributed mode',
      '--dim must be > 0 in distributed mode',
      '--discovery-service-type-ps and --discovery-service-type-worker must be distinct',
    ]);
    assert.deepEqual(starts(refusals({ index: '2', 'num-ps': '2', dim: '0' }, 'ps')), [
      '--index must be < --num-ps for --role ps',
      '--dim must be > 0 in distributed mode',
    ]);
    assert.deepEqual(starts(refusals({ index: '3', 'num-workers-cluster': '3' })), [
      '--index must be < --num-workers-cluster for --role worker',
    ]);
    assert.deepEqual(starts(refusals({ 'discovery-service-type-ps': ' ' })), ['--discovery-service-type-ps must be non-empty']);
    assert.deepEqual(starts(refusals({ 'discovery-service-type-worker': ' w' })), [
      '--discovery-service-type-worker must not have leading/trailing whitespace',
    ]);
    assert.deepEqual(starts(refusals({ 'discovery-service-type-worker': 'a b' })), [
      '--discovery-service-type-worker must not contain whitespace',
    ]);
    assert.deepEqual(refusals({ discovery: 'zookeeper' }), ['--zk-hosts is required for --discovery zookeeper']);
    assert.deepEqual(refusals({ discovery: 'consul' }), ['--consul-addr is required for --discovery consul']);
  });

  test('#62 each flag of Monolith’s trainer sets the one option that there is', () => {
    const flags = {
      'num-ps': '3',
      'num-workers-cluster': '4',
      'bind-addr': '127.0.0.1:7000',
      dim: '8',
      'connect-retries': '11',
      'retry-backoff-ms': '77',
      'heartbeat-interval-secs': '5',
      'discovery-service-type-ps': 'parameter_server',
      'discovery-service-type-worker': 'trainer',
      'discovery-operation-timeout-ms': '900',
      'discovery-cleanup-timeout-ms': '90',
    };
    const { config, origins } = resolveConfig({ flags });
    const { distributed, discovery, embedding } = config;
    assert.deepEqual([config.ps, config.workers, distributed.bind, embedding.dim], [3, 4, '127.0.0.1:7000', 8]);
    assert.deepEqual([distributed.connectRetries, distributed.retryBackoffMs, distributed.heartbeatIntervalSecs], [11, 77, 5]);
    assert.deepEqual([discovery.psType, discovery.workerType], ['parameter_server', 'trainer']);
    assert.deepEqual([discovery.operationTimeoutMs, discovery.cleanupTimeoutMs], [900, 90]);
    assert.equal(origins.get('ps'), '--num-ps');
    assert.equal(resolveConfig({ flags: { 'disable-heartbeat': true } }).config.distributed.heartbeatIntervalSecs, 0);
    assert.equal(resolveConfig({ flags: { 'disable-heartbeat': false } }).config.distributed.heartbeatIntervalSecs, null);
    assert.deepEqual(refusals({ ps: '2', 'num-ps': '3' }), ['--num-ps: means the same as --ps; give one of them']);
    assert.match(
      refusals({ discovery: 'consul', 'consul-addr': '127.0.0.1:8500', 'disable-heartbeat': true })[0],
      /^--disable-heartbeat: no signs of life: consul counts a process as gone after 10000 ms/,
    );
  });

  test('#62 worker 0 is the chief', () => {
    const { config } = resolveConfig({
      flags: { distributed: true, role: 'worker', discovery: 'host-files', 'discovery-folder': '/jobs/7', workers: '2' },
    });
    assert.deepEqual([config.distributed.role, config.distributed.index], ['chief', 0]);
  });

  test('#62 what has no meaning here is refused with what to use', () => {
    const expected: [string, RegExp][] = [
      ['table-name', /^--table-name: not here: tables are named by the model's features/],
      ['parameter-sync-target', /^--parameter-sync-target: not here: .*PsServer/],
      ['tfrecord-path', /--data FILE --format tfrecord/],
      ['train-steps', /--max-steps/],
    ];
    for (const [flag, text] of expected) assert.match(refusals({ [flag]: 'x' })[0], text);
    assert.match(refusals({ discovery: 'in-memory' })[0], /^--discovery: processes that share no memory find nobody there; .*host-files/);
  });
});

describe('#62 train --distributed as a process', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder('barrier');
    writeClicks(folder.in('train.csv'), 200, 1);
    writeClicks(folder.in('test.csv'), 50, 2);
    writeFileSync(folder.in('config.yaml'), clickConfig(folder.path, 'clip: {globalNorm: 0}').replace('clip: {globalNorm: 1}\n', ''));
  });
  after(() => folder.remove());

  for (const index of [0, 1]) {
    test(`#62 a worker ${index} of two that is alone with a live parameter server ends by --barrier-timeout-ms`, async () => {
      const where = ['--discovery', 'host-files', '--discovery-folder', folder.in(`discovery-${index}`)];
      const sizes = ['--num-ps', '1', '--num-workers-cluster', '2'];
      const ps = startCli(['ps', folder.in('config.yaml'), ...where, ...sizes]);
      try {
        await waitUntil('the parameter server listens', () => ps.text().stderr.includes('listening on'));
        const started = performance.now();
        const worker = await runCli([
          ...['train', folder.in('config.yaml'), '--distributed', '--role', 'worker', '--index', String(index)],
          ...['--model-dir', folder.in(`model-${index}`), '--barrier-timeout-ms', '50', ...sizes, ...where],
        ]);
        assert.equal(worker.code, 5, worker.stderr);
        const missing = index === 0 ? '1 of 2 workers arrived; worker 1: did not come' : 'the chief could not be reached';
        assert.match(worker.stderr, new RegExp(`^BarrierTimeout  Barrier timeout at the start after 50 ms: ${missing}`, 'm'));
        // Start-up of a loaded machine included; without the flag it would be ten minutes.
        assert.ok(performance.now() - started < 30_000);
      } finally {
        ps.child.kill('SIGTERM');
        await ps.done;
      }
    });
  }
});
