import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  applyRuntimeEnvExports,
  optionsOfRunnerConfig,
  RunConfig,
  type RunConfigValues,
  resolveConfig,
  restoreTimings,
  runnerConfig,
  runnerConfigFromJson,
  toEstimatorConfig,
} from '../../src/index.js';

describe('#5e RunConfig and RunnerConfig', () => {
  test('#5e defaults of the two records', () => {
    const shared = {
      isLocal: true,
      index: 0,
      numPs: 0,
      numWorkers: 1,
      modelDir: './model',
      restoreDir: null,
      restoreCkpt: null,
      restoreSyncTimeoutSecs: 3600,
      restoreSyncPollIntervalMs: 30000,
      connectRetries: 6,
      retryBackoffMs: 500,
      barrierTimeoutMs: 10000,
      discoveryOperationTimeoutMs: 5000,
      discoveryCleanupTimeoutMs: 200,
      logStepCountSteps: 100,
      discoveryType: 'Primus',
      discoveryServiceTypePs: 'ps',
      discoveryServiceTypeWorker: 'worker',
      tfConfig: null,
      deepInsightName: 'monolith',
      zkServer: '127.0.0.1:2181',
      tableName: 'emb',
      dim: 64,
      enableGpuTraining: false,
      enableParameterSync: false,
      parameterSyncTargets: [],
      parameterSyncIntervalMs: 200,
      parameterSyncModelName: 'default',
      parameterSyncSignatureName: 'serving_default',
      tfGrpcWorkerCacheThreads: null,
      monolithGrpcWorkerServiceHandlerMultiplier: null,
    };
    assert.deepEqual(new RunConfig().values, { ...shared, embeddingPrefetchCapacity: 0, enableEmbeddingPostpush: false });
    assert.deepEqual(runnerConfig(), {
      ...shared,
      embeddingPrefetchCapacity: 1,
      enableEmbeddingPostpush: true,
      enableRealtimeTraining: false,
    });
  });

  test('#5e what a user left alone never touches the base; what was set does', () => {
    const kept = new RunConfig().toRunnerConfig({ numPs: 3, numWorkers: 8 });
    assert.equal(kept.numPs, 3);
    assert.equal(kept.numWorkers, 8);
    assert.equal(new RunConfig({ numPs: 2 }).toRunnerConfig({ numPs: 1 }).numPs, 2);
    // Better than "differs from the default": a field can be set back.
    assert.equal(new RunConfig({ numPs: 0 }).toRunnerConfig({ numPs: 3 }).numPs, 0);
    assert.equal(new RunConfig({ restoreDir: null }).toRunnerConfig({ restoreDir: '/r' }).restoreDir, null);
  });

  test('#5e Consul becomes Zk, for what the user set alone', () => {
    assert.equal(new RunConfig({ discoveryType: 'Consul' }).toRunnerConfig().discoveryType, 'Zk');
    assert.equal(new RunConfig().toRunnerConfig({ discoveryType: 'Consul' }).discoveryType, 'Consul');
  });

  test('#5e without GPU training prefetch is at least 1 and post-push on, unless the user says otherwise', () => {
    const merged = new RunConfig().toRunnerConfig({ embeddingPrefetchCapacity: 0, enableEmbeddingPostpush: false });
    assert.equal(merged.embeddingPrefetchCapacity, 1);
    assert.equal(merged.enableEmbeddingPostpush, true);
    assert.equal(new RunConfig({ embeddingPrefetchCapacity: 4 }).toRunnerConfig().embeddingPrefetchCapacity, 4);
    const own = new RunConfig({ embeddingPrefetchCapacity: 0, enableEmbeddingPostpush: false }).toRunnerConfig();
    assert.equal(own.embeddingPrefetchCapacity, 0);
    assert.equal(own.enableEmbeddingPostpush, false);
    const gpu = new RunConfig().toRunnerConfig({
      enableGpuTraining: true,
      embeddingPrefetchCapacity: 0,
      enableEmbeddingPostpush: false,
    });
    assert.equal(gpu.embeddingPrefetchCapacity, 0);
    assert.equal(gpu.enableEmbeddingPostpush, false);
  });

  test('#5e parameter sync turns realtime training on and never off', () => {
    const on = new RunConfig({ enableParameterSync: true }).toRunnerConfig();
    assert.deepEqual([on.enableRealtimeTraining, on.enableParameterSync], [true, true]);
    const base = { enableRealtimeTraining: true, enableParameterSync: true };
    const kept = new RunConfig().toRunnerConfig(base);
    assert.deepEqual([kept.enableRealtimeTraining, kept.enableParameterSync], [true, true]);
    const back = new RunConfig({ enableParameterSync: false }).toRunnerConfig(base);
    assert.deepEqual([back.enableRealtimeTraining, back.enableParameterSync], [true, false]);
  });

  test('#5e userOverrides names exactly what was set, in snake_case', () => {
    const run = new RunConfig({ numPs: 2, enableParameterSync: true });
    assert.deepEqual(run.userOverrides(), { num_ps: 2, enable_parameter_sync: true });
    assert.deepEqual(new RunConfig({ discoveryType: 'Zk' }).userOverrides(), { discovery_type: 'Zk' });
    assert.deepEqual(new RunConfig().userOverrides(), {});
    assert.deepEqual(run.with({ dim: 8 }).userOverrides(), { num_ps: 2, enable_parameter_sync: true, dim: 8 });
  });

  test('#5e JSON in snake_case or camelCase; kinds of discovery by name or number', () => {
    const run = RunConfig.fromJson('{"num_ps": 2, "isLocal": false, "discovery_type": 3}');
    assert.deepEqual(run.userOverrides(), { num_ps: 2, is_local: false, discovery_type: 'Zk' });
    assert.equal(runnerConfigFromJson('{"enable_realtime_training": true, "discovery_type": "consul"}').discoveryType, 'Consul');
  });

  test('#5e what is no field or no value of it is refused by name', () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ num_pss: 2 }, /unknown field "num_pss"; did you mean num_ps\?/],
      [{ numPs: -1 }, /numPs: expected a whole number ≥ 0, got -1/],
      [{ numPs: '2' }, /expected a whole number ≥ 0, got "2"/],
      [{ isLocal: 1 }, /isLocal: expected true or false/],
      [{ discoveryType: 5 }, /expected one of Primus, Consul, Zk, Mlp, got 5/],
      [{ tableName: '' }, /tableName: expected text that is not empty/],
      [{ parameterSyncTargets: ['a', 1] }, /expected a list of texts/],
      [{ num_ps: 1, numPs: 1 }, /numPs is given twice/],
      [JSON.parse('{"__proto__": {"numPs": 4}}'), /unknown field "__proto__"/],
    ];
    for (const [given, message] of cases) {
      assert.throws(() => new RunConfig(given), { code: 'RunConfig', message });
      assert.throws(() => runnerConfig(given), { code: 'RunConfig' });
    }
    assert.throws(() => new RunConfig({ enableRealtimeTraining: true }), { code: 'RunConfig' });
    for (const text of ['{', '[]', 'null', '3']) {
      assert.throws(() => RunConfig.fromJson(text), { code: 'RunConfig' });
      assert.throws(() => runnerConfigFromJson(text), { code: 'RunConfig' });
    }
  });

  test('#5e any JSON gives a config or a RunConfig error; overrides make the same config again', () => {
    void fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          RunConfig.fromJson(text);
        } catch (error) {
          assert.equal((error as { code: string }).code, 'RunConfig');
        }
      }),
    );
    const some = fc.record(
      {
        numPs: fc.nat(),
        isLocal: fc.boolean(),
        restoreDir: fc.option(fc.string({ minLength: 1 })),
        discoveryType: fc.constantFrom('Primus', 'Consul', 'Zk', 'Mlp'),
        parameterSyncTargets: fc.array(fc.string({ minLength: 1 })),
      },
      { requiredKeys: [] },
    );
    void fc.assert(
      fc.property(some, (given) => {
        const run = new RunConfig(given as Partial<RunConfigValues>);
        const again = RunConfig.fromJson(JSON.stringify(run.userOverrides()));
        assert.deepEqual(again.values, run.values);
        assert.deepEqual(again.toRunnerConfig({ numPs: 9 }), run.toRunnerConfig({ numPs: 9 }));
        for (const field of ['numPs', 'isLocal', 'restoreDir'] as const) assert.equal(run.isSet(field), given[field] !== undefined);
      }),
    );
    assert.equal(({} as { numPs?: number }).numPs, undefined);
  });
});

describe('bridges of a RunConfig', () => {
  test('#11 fields that are set are exported, others leave the environment untouched', () => {
    const set = { tfGrpcWorkerCacheThreads: 16, monolithGrpcWorkerServiceHandlerMultiplier: 3 };
    const variables: Record<string, string | undefined> = {};
    applyRuntimeEnvExports(runnerConfig(set), variables);
    assert.deepEqual(variables, { TF_GRPC_WORKER_CACHE_THREADS: '16', MONOLITH_GRPC_WORKER_SERVICE_HANDLER_MULTIPLIER: '3' });
    applyRuntimeEnvExports(runnerConfig({ tfGrpcWorkerCacheThreads: 8 }), variables);
    assert.deepEqual(variables, { TF_GRPC_WORKER_CACHE_THREADS: '8', MONOLITH_GRPC_WORKER_SERVICE_HANDLER_MULTIPLIER: '3' });
    const before = { ...process.env };
    applyRuntimeEnvExports(runnerConfig());
    assert.deepEqual({ ...process.env }, before);
    assert.deepEqual(new RunConfig(set).userOverrides(), {
      tf_grpc_worker_cache_threads: 16,
      monolith_grpc_worker_service_handler_multiplier: 3,
    });
  });

  test('#16 the estimator takes three values, of either record', () => {
    const given = { modelDir: 'M', logStepCountSteps: 42, restoreCkpt: 'model.ckpt-30' };
    const expected = { modelDir: 'M', logStepCountSteps: 42, warmStartFrom: 'model.ckpt-30' };
    assert.deepEqual(toEstimatorConfig(new RunConfig(given)), expected);
    assert.deepEqual(toEstimatorConfig(runnerConfig(given)), expected);
    assert.deepEqual(toEstimatorConfig(runnerConfig()), { modelDir: './model', logStepCountSteps: 100 });
  });

  test('#20 restore timings merge, appear in overrides and have a floor of 1', () => {
    const run = new RunConfig({ restoreSyncTimeoutSecs: 1, restoreSyncPollIntervalMs: 10 });
    assert.deepEqual(run.userOverrides(), { restore_sync_timeout_secs: 1, restore_sync_poll_interval_ms: 10 });
    assert.deepEqual(restoreTimings(run.toRunnerConfig()), { timeoutMs: 1000, pollIntervalMs: 10 });
    const zero = runnerConfig({ restoreSyncTimeoutSecs: 0, restoreSyncPollIntervalMs: 0 });
    assert.deepEqual(restoreTimings(zero), { timeoutMs: 1000, pollIntervalMs: 1 });
    assert.deepEqual(restoreTimings(runnerConfig()), { timeoutMs: 3_600_000, pollIntervalMs: 30_000 });
  });

  test('#63 tuning fields merge and appear in overrides', () => {
    const run = new RunConfig({ connectRetries: 11, retryBackoffMs: 77, barrierTimeoutMs: 2222 });
    const { connectRetries, retryBackoffMs, barrierTimeoutMs } = run.toRunnerConfig({ connectRetries: 1 });
    assert.deepEqual([connectRetries, retryBackoffMs, barrierTimeoutMs], [11, 77, 2222]);
    assert.deepEqual(run.userOverrides(), { connect_retries: 11, retry_backoff_ms: 77, barrier_timeout_ms: 2222 });
  });

  test('#72 names of roles and table settings merge, appear in overrides and reach the options', () => {
    const names = {
      discoveryServiceTypePs: 'parameter_server',
      discoveryServiceTypeWorker: 'trainer',
      tableName: 'item_emb',
      dim: 128,
    };
    const run = new RunConfig(names);
    const merged = run.toRunnerConfig();
    assert.deepEqual({ ...merged, ...names }, merged);
    assert.deepEqual(run.userOverrides(), {
      discovery_service_type_ps: 'parameter_server',
      discovery_service_type_worker: 'trainer',
      table_name: 'item_emb',
      dim: 128,
    });
    const { discovery } = optionsOfRunnerConfig(merged);
    assert.deepEqual([discovery?.psType, discovery?.workerType], ['parameter_server', 'trainer']);
  });

  test('a runner config is a set of options of a run', () => {
    const zk = runnerConfig({ isLocal: false, discoveryType: 'Zk', numPs: 0, numWorkers: 3, zkServer: 'z:2181', deepInsightName: 'job' });
    const { config } = resolveConfig({ values: optionsOfRunnerConfig(zk), env: {} });
    assert.equal(config.ps, 1);
    assert.equal(config.workers, 3);
    assert.equal(config.discovery.kind, 'zookeeper');
    assert.equal(config.discovery.zkHosts, 'z:2181');
    assert.equal(config.discovery.zkBasePath, '/monolith/job');
    const kinds = (['Primus', 'Consul', 'Mlp'] as const).map((discoveryType) => {
      const options = optionsOfRunnerConfig(runnerConfig({ isLocal: false, discoveryType }));
      return resolveConfig({ values: options, env: {} }).config.discovery.kind;
    });
    assert.deepEqual(kinds, ['tf-config', 'consul', 'mlp']);
    assert.equal(resolveConfig({ values: optionsOfRunnerConfig(runnerConfig()), env: {} }).config.discovery.kind, 'local');
  });
});
