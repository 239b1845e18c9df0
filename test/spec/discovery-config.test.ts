import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type DiscoveryKind,
  getDiscovery,
  getDiscoveryFromRunConfig,
  MonolithDiscoveryGuard,
  monolithDiscovery,
  monolithDiscoveryFromRunConfig,
  openDiscovery,
  RunConfig,
  type RunnerConfig,
  type RunnerDiscovery,
  resolveConfig,
  runnerConfig,
  runnerConfigFromJson,
} from '../../src/index.js';

const tfConfig = JSON.stringify({
  cluster: { chief: ['h0:2222'], ps: ['h1:2222', 'host1:2222'], worker: ['h2:2222'] },
  task: { type: 'worker', index: 0 },
});
const primus: Partial<RunnerConfig> = { isLocal: false, discoveryType: 'Primus', tfConfig };

/** A backend that counts. */
class CountingDiscovery implements RunnerDiscovery {
  readonly kind: DiscoveryKind = 'memory';
  closes = 0;
  constructor(private readonly failure: Error | null = null) {}
  async register(): Promise<void> {
    if (this.failure !== null) throw this.failure;
  }
  async deregister(): Promise<void> {}
  async query(): Promise<Map<number, string>> {
    return new Map();
  }
  zkConfig(): null {
    return null;
  }
  async close(): Promise<void> {
    this.closes++;
  }
}

describe('#5f discovery from a runner config', () => {
  test('#5f a local run has none', async () => {
    assert.equal(await getDiscovery(runnerConfig()), null);
  });

  test('#5f Primus takes TF_CONFIG from the field, else from the environment, else MissingTfConfig', async () => {
    const discovery = await getDiscovery(runnerConfig(primus));
    assert.equal(discovery?.kind, 'tf_config');
    const bare = runnerConfig({ isLocal: false });
    const fromEnvironment = await getDiscovery(bare, null, { TF_CONFIG: tfConfig });
    assert.deepEqual(await fromEnvironment?.query('worker'), new Map([[0, 'h0:2222'], [1, 'h2:2222']])); // biome-ignore format: pairs
    await assert.rejects(getDiscovery(bare, null, {}), {
      code: 'MissingTfConfig',
      message: 'TF_CONFIG is required for Primus discovery',
    });
    await assert.rejects(getDiscovery(runnerConfig({ ...primus, tfConfig: '{"cluster"' })), {
      code: 'Discovery',
      message: /Invalid TF_CONFIG JSON/,
    });
  });

  test('#5f Consul needs a psm; Mlp reads the environment; scope exit closes', async () => {
    const consul = runnerConfig({ isLocal: false, discoveryType: 'Consul' });
    await assert.rejects(getDiscovery(consul), { code: 'MissingPsm', message: 'psm is required for Consul discovery' });
    const named = await getDiscovery(consul, 'my.psm');
    assert.equal(named?.kind, 'consul');
    await named?.close();
    const mlp = await monolithDiscovery(runnerConfig({ isLocal: false, discoveryType: 'Mlp' }), null, {
      MLP_PS_NUM: '1',
      MLP_PS_0_HOST: 'h',
      MLP_PS_0_PORT: '22',
    });
    assert.equal(mlp.kind, 'mlp');
    assert.deepEqual(await mlp.query('ps'), new Map([[0, 'h:22']]));
    const backend = new CountingDiscovery();
    // What `await using` calls at the end of the scope.
    await new MonolithDiscoveryGuard(backend)[Symbol.asyncDispose]();
    assert.equal(backend.closes, 1);
  });
});

describe('#7a ZooKeeper is described, not connected', () => {
  test('#7a kind zk, the two names given, defaults, and every operation refused', async () => {
    const config = runnerConfig({ isLocal: false, discoveryType: 'Zk', deepInsightName: 'job', zkServer: '10.0.0.1:2181' });
    const discovery = await getDiscovery(config);
    assert.ok(discovery !== null);
    assert.equal(discovery.kind, 'zk');
    assert.deepEqual(discovery.zkConfig(), { deepInsightName: 'job', zkServer: '10.0.0.1:2181' });
    for (const operation of [
      () => discovery.query('ps'),
      () => discovery.register('ps', 0, 'h:1'),
      () => discovery.deregister('ps', 0, 'h:1'),
    ]) {
      await assert.rejects(operation, { code: 'Discovery', message: /use the concrete ZK discovery/ });
    }
    await discovery.close();
    const defaults = await monolithDiscovery(runnerConfig({ isLocal: false, discoveryType: 'Zk' }));
    assert.deepEqual(defaults.zkConfig(), { deepInsightName: 'monolith', zkServer: '127.0.0.1:2181' });
    assert.equal((await getDiscovery(runnerConfig(primus)))?.zkConfig(), null);
  });
});

describe('the guard', () => {
  test('#9 Consul without a psm takes the name of the job', async () => {
    const config = runnerConfig({ isLocal: false, discoveryType: 'Consul' });
    const guard = await monolithDiscovery(config);
    assert.equal(guard.kind, 'consul');
    await guard.close();
    await assert.rejects(getDiscovery(config, null), { code: 'MissingPsm' });
  });

  /** Primus answers by index; the description of a ZooKeeper refuses. */
  async function checkOperations(): Promise<void> {
    const discovery = await getDiscovery(runnerConfig(primus));
    assert.deepEqual([...((await discovery?.query('ps')) ?? [])], [[0, 'h1:2222'], [1, 'host1:2222']]); // biome-ignore format: pairs
    await discovery?.register('ps', 0, 'h1:2222');
    await discovery?.deregister('ps', 0, 'h1:2222');
    await discovery?.close();
    const zk = await getDiscovery(runnerConfig({ isLocal: false, discoveryType: 'Zk' }));
    await assert.rejects(async () => zk?.query('ps'), { code: 'Discovery' });
  }

  /** A local guard has no kind and refuses everything; a Primus guard answers. */
  async function checkGuards(): Promise<void> {
    const local = await monolithDiscovery(runnerConfig());
    assert.equal(local.kind, null);
    const refused = { code: 'LocalModeNoDiscovery', message: 'No discovery backend available in local mode' };
    await assert.rejects(local.register('ps', 0, '127.0.0.1:1000'), refused);
    await assert.rejects(local.deregister('ps', 0, '127.0.0.1:1000'), refused);
    await assert.rejects(local.query('ps'), refused);
    assert.equal(local.zkConfig(), null);
    await local.close();
    const guard = await monolithDiscovery(runnerConfig(primus));
    assert.equal(guard.kind, 'tf_config');
    await guard.register('ps', 0, 'h1:2222');
    await guard.deregister('ps', 0, 'h1:2222');
    assert.deepEqual(await guard.query('ps'), new Map([[0, 'h1:2222'], [1, 'host1:2222']])); // biome-ignore format: pairs
  }

  test('#18 uniform operations: Primus answers by index, the ZK description refuses with Discovery', checkOperations);
  test('#22b uniform operations and guards by the public exports', async () => {
    await checkOperations();
    await checkGuards();
  });
  test('#23 a local guard has no kind and refuses everything; a Primus guard answers', checkGuards);
  test('#24 the same of a configuration that came as JSON', async () => {
    const config = runnerConfigFromJson(JSON.stringify({ is_local: false, discovery_type: 1, tf_config: tfConfig }));
    const guard = await monolithDiscovery(config);
    assert.deepEqual(await guard.query('ps'), new Map([[0, 'h1:2222'], [1, 'host1:2222']])); // biome-ignore format: pairs
    await guard.close();
    await assert.rejects(guard.query('ps'), { code: 'LocalModeNoDiscovery' });
  });

  test('#23 a failure of any backend has code Discovery and the words of the backend', async () => {
    const guard = new MonolithDiscoveryGuard(new CountingDiscovery(new Error('disk on fire')));
    await assert.rejects(guard.register('ps', 0, 'h:1'), { code: 'Discovery', message: 'disk on fire' });
  });

  test('#47 close closes the backend once and lets go of it', async () => {
    const backend = new CountingDiscovery();
    const guard = new MonolithDiscoveryGuard(backend);
    assert.equal(guard.kind, 'memory');
    await Promise.all([guard.close(), guard.close()]);
    await guard.close();
    await guard[Symbol.asyncDispose]();
    assert.equal(backend.closes, 1);
    assert.equal(guard.kind, null);
    for (const operation of [() => guard.query('ps'), () => guard.register('ps', 0, 'h:1'), () => guard.deregister('ps', 0, 'h:1')]) {
      await assert.rejects(operation, { code: 'LocalModeNoDiscovery' });
    }
  });

  test('#47 a backend that fails to close is reported once', async () => {
    const backend = new CountingDiscovery();
    backend.close = async () => {
      throw new Error('stuck');
    };
    const guard = new MonolithDiscoveryGuard(backend);
    await assert.rejects(guard.close(), { code: 'Discovery', message: 'stuck' });
    await guard.close();
  });
});

describe('from a RunConfig', () => {
  test('#26 Primus answers; Consul becomes zk by the merge; local has none', async () => {
    const discovery = await getDiscoveryFromRunConfig(new RunConfig(primus));
    assert.equal(discovery?.kind, 'tf_config');
    assert.deepEqual(await discovery?.query('ps'), new Map([[0, 'h1:2222'], [1, 'host1:2222']])); // biome-ignore format: pairs
    const consul = new RunConfig({ isLocal: false, discoveryType: 'Consul' });
    assert.equal((await getDiscoveryFromRunConfig(consul))?.kind, 'zk');
    assert.equal(await getDiscoveryFromRunConfig(new RunConfig()), null);
    const base = { isLocal: false, discoveryType: 'Zk', zkServer: 'z:1' } as const;
    assert.deepEqual((await getDiscoveryFromRunConfig(new RunConfig({ deepInsightName: 'd' }), { base }))?.zkConfig(), {
      deepInsightName: 'd',
      zkServer: 'z:1',
    });
  });

  test('#27 the guard from a RunConfig; a merge that fails has code RunConfig', async () => {
    const guard = await monolithDiscoveryFromRunConfig(new RunConfig(primus));
    assert.equal(guard.kind, 'tf_config');
    assert.deepEqual(await guard.query('worker'), new Map([[0, 'h0:2222'], [1, 'h2:2222']])); // biome-ignore format: pairs
    await guard.close();
    const zk = await monolithDiscoveryFromRunConfig(new RunConfig({ isLocal: false, discoveryType: 'Consul' }));
    assert.equal(zk.kind, 'zk');
    const base = { numPs: -1 };
    await assert.rejects(monolithDiscoveryFromRunConfig(new RunConfig(primus), { base }), { code: 'RunConfig', message: /numPs/ });
    await assert.rejects(getDiscoveryFromRunConfig(new RunConfig(primus), { base }), { code: 'RunConfig' });
  });
});

describe('discovery from the options of a run', () => {
  const options = (discovery: Record<string, unknown>) => resolveConfig({ values: { discovery }, env: {} }).config.discovery;

  test('each kind opens its backend, and says what it lacks', async () => {
    assert.equal(await openDiscovery(options({})), null);
    const cases: [Record<string, unknown>, DiscoveryKind][] = [
      [{ kind: 'static', addresses: 'ps=h:1' }, 'static'],
      [{ kind: 'tf-config', tfConfig }, 'tf_config'],
      [{ kind: 'mlp' }, 'mlp'],
      [{ kind: 'consul', consulAddr: '127.0.0.1:8500' }, 'consul'],
      [{ kind: 'zookeeper', zkHosts: '127.0.0.1:2181' }, 'zk'],
      [{ kind: 'host-files', folder: '/nowhere' }, 'host_files'],
    ];
    for (const [given, kind] of cases) {
      const discovery = await openDiscovery(options(given), {});
      assert.equal(discovery?.kind, kind);
      await discovery?.close();
    }
    const lacking: [string, RegExp][] = [
      ['zookeeper', /--zk-hosts is required for --discovery zookeeper/],
      ['consul', /--consul-addr is required for --discovery consul/],
      ['static', /--addresses is required for --discovery static/],
      ['host-files', /--discovery-folder is required for --discovery host-files/],
    ];
    for (const [kind, message] of lacking) await assert.rejects(openDiscovery(options({ kind }), {}), { code: 'InvalidConfig', message });
    await assert.rejects(openDiscovery(options({ kind: 'tf-config' }), {}), { code: 'MissingTfConfig' });
  });

  test('a run may call its roles otherwise', async () => {
    const discovery = await openDiscovery(options({ kind: 'tf-config', tfConfig, psType: 'parameter_server', workerType: 'trainer' }), {});
    assert.equal((await discovery?.discover('parameter_server'))?.length, 2);
    assert.equal((await discovery?.discover('trainer'))?.length, 2);
  });
});
