import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalSyncTarget,
  checkDistributedConfig,
  type DistributedRunConfig,
  defaultDistributedRunConfig,
  distributedConfigFromRunner,
  MonolithError,
  runDistributed,
  runnerConfig,
} from '../../src/index.js';
import { ScriptedDiscovery } from '../helpers/scripted-discovery.js';

const valid = defaultDistributedRunConfig;
const ps: DistributedRunConfig = { ...valid, role: 'ps' };

function refusal(config: DistributedRunConfig): string {
  try {
    checkDistributedConfig(config);
  } catch (error) {
    assert.ok(error instanceof MonolithError);
    assert.equal(error.code, 'InvalidConfig');
    return error.message;
  }
  return 'accepted';
}

describe('the configuration of a distributed run', () => {
  test('#13 the defaults', () => {
    assert.deepEqual(valid, {
      role: 'worker',
      index: 0,
      numPs: 1,
      numWorkers: 1,
      bindAddress: '127.0.0.1:0',
      discoveryServiceTypePs: 'ps',
      discoveryServiceTypeWorker: 'worker',
      tableName: 'emb',
      dim: 64,
      connectRetries: 6,
      retryBackoffMs: 500,
      barrierTimeoutMs: 10_000,
      heartbeatIntervalMs: 10_000,
      discoveryOperationTimeoutMs: 5000,
      discoveryCleanupTimeoutMs: 200,
      parameterSyncTargets: [],
      parameterSyncIntervalMs: 200,
      parameterSyncModelName: 'default',
      parameterSyncSignatureName: 'serving_default',
    });
    assert.equal(refusal(valid), 'accepted');
    assert.equal(refusal(ps), 'accepted');
  });

  test('#13 a runner configuration gives index, sizes, names, table, dim and times; the rest are defaults', () => {
    const runner = runnerConfig({
      index: 3,
      numPs: 4,
      numWorkers: 5,
      discoveryServiceTypePs: 'parameter_server',
      discoveryServiceTypeWorker: 'trainer',
      tableName: 'item_emb',
      dim: 128,
      connectRetries: 11,
      retryBackoffMs: 77,
      barrierTimeoutMs: 2222,
      discoveryOperationTimeoutMs: 333,
      discoveryCleanupTimeoutMs: 44,
      parameterSyncTargets: ['a:1'],
      parameterSyncIntervalMs: 55,
      parameterSyncModelName: 'm',
      parameterSyncSignatureName: 's',
    });
    assert.deepEqual(distributedConfigFromRunner(runner, 'ps', '127.0.0.1:7'), {
      role: 'ps',
      index: 3,
      numPs: 4,
      numWorkers: 5,
      bindAddress: '127.0.0.1:7',
      discoveryServiceTypePs: 'parameter_server',
      discoveryServiceTypeWorker: 'trainer',
      tableName: 'item_emb',
      dim: 128,
      connectRetries: 11,
      retryBackoffMs: 77,
      barrierTimeoutMs: 2222,
      heartbeatIntervalMs: 10_000,
      discoveryOperationTimeoutMs: 333,
      discoveryCleanupTimeoutMs: 44,
      parameterSyncTargets: ['a:1'],
      parameterSyncIntervalMs: 55,
      parameterSyncModelName: 'm',
      parameterSyncSignatureName: 's',
    });
  });

  test('#13 sizes of zero are passed on and refused', () => {
    const config = distributedConfigFromRunner(runnerConfig({ numPs: 0 }), 'worker', '127.0.0.1:0');
    assert.equal(config.numPs, 0);
    assert.match(refusal(config), /num_ps > 0/);
  });

  test('#61 the barrier timeout is 10 s unless stated', () => {
    assert.equal(valid.barrierTimeoutMs, 10_000);
    assert.equal(distributedConfigFromRunner(runnerConfig(), 'worker', '127.0.0.1:0').barrierTimeoutMs, 10_000);
    assert.equal(distributedConfigFromRunner(runnerConfig({ barrierTimeoutMs: 50 }), 'worker', '127.0.0.1:0').barrierTimeoutMs, 50);
  });
});

describe('#74 preflight', () => {
  test('#74 a configuration that is refused leaves the discovery untouched', async () => {
    const discovery = new ScriptedDiscovery();
    await assert.rejects(
      runDistributed(discovery, { ...valid, numPs: 0 }, async () => assert.fail('the body ran')),
      /^InvalidConfig: distributed config requires num_ps > 0$/,
    );
    assert.deepEqual(discovery.calls, []);
  });

  test('#74 fields are checked in a fixed order', () => {
    const wrong = { ...valid, numPs: 0, numWorkers: 0, dim: 0, barrierTimeoutMs: 0 };
    assert.equal(refusal(wrong), 'distributed config requires num_ps > 0');
    assert.equal(refusal({ ...wrong, numPs: 1 }), 'distributed config requires num_workers > 0');
    assert.equal(refusal({ ...wrong, numPs: 1, numWorkers: 1 }), 'distributed config requires dim > 0');
    assert.equal(refusal({ ...wrong, numPs: 1, numWorkers: 1, dim: 1 }), 'distributed config requires barrier_timeout_ms > 0');
  });

  const cases: [string, Partial<DistributedRunConfig>, string][] = [
    ['an index beyond the workers', { index: 1 }, 'index < num_workers for worker role (index=1 num_workers=1)'],
    ['an index beyond the parameter servers', { role: 'ps', index: 2, numPs: 2 }, 'index < num_ps for ps role (index=2 num_ps=2)'],
    ['a negative barrier timeout', { barrierTimeoutMs: -1 }, 'barrier_timeout_ms > 0'],
    ['no back-off between retries', { retryBackoffMs: 0 }, 'retry_backoff_ms > 0 when connect_retries > 0'],
    ['no time for operations', { discoveryOperationTimeoutMs: 0 }, 'discovery_operation_timeout > 0'],
    ['no time for cleaning up', { discoveryCleanupTimeoutMs: 0 }, 'discovery_cleanup_timeout > 0'],
    ['a heartbeat without pause', { heartbeatIntervalMs: 0 }, 'heartbeat_interval > 0 when configured'],
    ['an empty service type', { discoveryServiceTypePs: '  ' }, 'non-empty discovery_service_type_ps'],
    [
      'white space round a service type',
      { discoveryServiceTypeWorker: ' w' },
      'discovery_service_type_worker without leading/trailing whitespace',
    ],
    ['white space in a service type', { discoveryServiceTypePs: 'p s' }, 'discovery_service_type_ps without whitespace characters'],
    [
      'the same service type twice',
      { discoveryServiceTypePs: 'Node', discoveryServiceTypeWorker: 'nODE' },
      'distinct discovery_service_type_ps and discovery_service_type_worker',
    ],
    ['an empty table name', { tableName: '' }, 'non-empty table_name'],
    ['white space in a table name', { tableName: 'a\tb' }, 'table_name without whitespace characters'],
    [
      'no sync interval with targets',
      { parameterSyncTargets: ['a:1'], parameterSyncIntervalMs: 0 },
      'parameter_sync_interval > 0 when parameter_sync_targets are configured',
    ],
    ['an empty sync target', { parameterSyncTargets: [' '] }, 'non-empty parameter_sync_targets entries'],
    [
      'white space round a sync target',
      { parameterSyncTargets: ['a:1 '] },
      'parameter_sync_targets entries without leading/trailing whitespace',
    ],
    [
      'a blank model name with targets',
      { parameterSyncTargets: ['a:1'], parameterSyncModelName: '' },
      'non-empty parameter_sync_model_name when parameter_sync_targets are configured',
    ],
    [
      'white space in a signature name with targets',
      { parameterSyncTargets: ['a:1'], parameterSyncSignatureName: 'a b' },
      'parameter_sync_signature_name without whitespace characters when parameter_sync_targets are configured',
    ],
  ];
  for (const [what, change, requirement] of cases) {
    test(`#74 refuses ${what}`, () => {
      assert.equal(refusal({ ...valid, ...change }), `distributed config requires ${requirement}`);
    });
  }

  test('#74 what only workers need is not asked of parameter servers, nor names without targets', () => {
    assert.equal(refusal({ ...ps, barrierTimeoutMs: 0, retryBackoffMs: 0, discoveryServiceTypeWorker: 'PS' }), 'accepted');
    assert.equal(refusal({ ...valid, connectRetries: 0, retryBackoffMs: 0, heartbeatIntervalMs: null }), 'accepted');
    assert.equal(refusal({ ...valid, parameterSyncIntervalMs: 0, parameterSyncModelName: '' }), 'accepted');
  });

  const targets: [string, RegExp][] = [
    ['ftp://a:1', /invalid parameter_sync_targets entry `ftp:\/\/a:1`: endpoint scheme must be http or https/],
    ['http://a:1/path', /endpoint must not include a URL path or query/],
    ['a:1?x=1', /endpoint must not include a URL path or query/],
    ['http://user@a:1', /endpoint must not include userinfo/],
    ['http://', /endpoint is missing host:port authority/],
    ['a:0', /port from 1 to 65535/],
    ['a:65536', /port from 1 to 65535/],
    ['a b:1', /whitespace/],
  ];
  for (const [target, text] of targets) {
    test(`#74 refuses the sync target ${target}`, () => {
      assert.match(refusal({ ...valid, parameterSyncTargets: [target] }), text);
    });
  }

  test('#74 sync targets are compared in their full form', () => {
    for (const pair of [
      ['a:80', 'HTTP://A'],
      ['https://a', 'https://A:443/'],
      ['[::1]:9', 'http://[::1]:9'],
    ]) {
      assert.match(refusal({ ...valid, parameterSyncTargets: pair }), /requires unique parameter_sync_targets entries/);
    }
    assert.equal(refusal({ ...valid, parameterSyncTargets: ['a:80', 'https://a', 'a:443', 'b:80'] }), 'accepted');
    assert.equal(canonicalSyncTarget('HTTPS://Host'), 'https://host:443');
  });

  test('#74 a full form is its own full form', () => {
    const host = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9.-]{0,12}$/);
    const port = fc.option(fc.integer({ min: 1, max: 65_535 }));
    fc.assert(
      fc.property(fc.constantFrom('', 'http://', 'https://', 'HTTPS://'), host, port, (scheme, name, number) => {
        const canonical = canonicalSyncTarget(`${scheme}${name}${number === null ? '' : `:${number}`}`);
        assert.equal(canonicalSyncTarget(canonical), canonical);
      }),
    );
  });
});
