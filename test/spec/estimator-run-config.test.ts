// Estimators and runtimes of RunConfig and RunnerConfig.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  type Discovery,
  Estimator,
  initializeRuntimeFromRunConfig,
  initializeRuntimeFromRunnerConfig,
  MemoryDiscovery,
  MonolithError,
  RunConfig,
  runDistributedRuntime,
  runDistributedRuntimeFromRunConfig,
  runnerConfig,
} from '../../src/index.js';
import { temporaryFolder } from '../helpers/cli.js';

const VARIABLES = ['TF_GRPC_WORKER_CACHE_THREADS', 'MONOLITH_GRPC_WORKER_SERVICE_HANDLER_MULTIPLIER'];
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('estimator-run-config');
});
after(() => folder.remove());
afterEach(() => {
  for (const name of VARIABLES) delete process.env[name];
});

/** A restore folder whose `checkpoint` names two checkpoints. */
function restoreFolder(name: string): string {
  const path = folder.in(name);
  mkdirSync(path);
  const lines = ['model_checkpoint_path: "model.ckpt-61"', ...[61, 30].map((step) => `all_model_checkpoint_paths: "model.ckpt-${step}"`)];
  writeFileSync(join(path, 'checkpoint'), `${lines.join('\n')}\n`);
  return path;
}

const MARKERS = ['checkpoint', 'monolith_checkpoint', 'restore_ckpt'];

async function refused(promise: Promise<unknown>, code: string): Promise<MonolithError> {
  const error = await promise.then(
    () => assert.fail('was not refused'),
    (one: unknown) => one,
  );
  assert.ok(error instanceof MonolithError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

describe('estimators of configurations', () => {
  test('#19 of a RunnerConfig: its environment variables are set, its values are those of the estimator', () => {
    const runner = runnerConfig({
      modelDir: folder.in('m19'),
      logStepCountSteps: 7,
      restoreCkpt: 'model.ckpt-22',
      tfGrpcWorkerCacheThreads: 11,
      monolithGrpcWorkerServiceHandlerMultiplier: 9,
      numPs: 3,
      numWorkers: 2,
    });
    const { settings, config } = Estimator.fromRunnerConfig(runner, { model: 'lr', seed: 3 });
    assert.deepEqual(settings, { modelDir: folder.in('m19'), logStepCountSteps: 7, warmStartFrom: 'model.ckpt-22' });
    assert.deepEqual(
      VARIABLES.map((name) => process.env[name]),
      ['11', '9'],
    );
    assert.deepEqual(
      [config.modelDir, config.model, config.seed, config.ps, config.workers, config.warmStart.from, config.distributed.enabled],
      [folder.in('m19'), 'lr', 3, 3, 2, 'model.ckpt-22', false],
    );
  });

  test('#19 of a RunConfig: merged into its base first', () => {
    const base = { numPs: 4, modelDir: folder.in('base') };
    const { settings, config } = Estimator.fromRunConfig(
      new RunConfig({ modelDir: folder.in('own'), tfGrpcWorkerCacheThreads: 5 }),
      {},
      base,
    );
    assert.deepEqual([settings.modelDir, settings.logStepCountSteps, config.ps], [folder.in('own'), 100, 4]);
    assert.equal(process.env.TF_GRPC_WORKER_CACHE_THREADS, '5');
    assert.throws(() => Estimator.fromRunConfig(new RunConfig(), {}, { nonsense: 1 } as never), { code: 'RunConfig' });
    assert.throws(() => Estimator.fromRunConfig(new RunConfig(), { model: 5 } as never), { code: 'InvalidConfig' });
  });

  test('#22a restoreCkpt of a RunConfig is where its estimator starts warm from', () => {
    const estimator = Estimator.fromRunConfig(new RunConfig({ restoreCkpt: 'model.ckpt-22' }));
    assert.equal(estimator.settings.warmStartFrom, 'model.ckpt-22');
  });

  test('#19 a configuration that is not local makes a process of a job: the chief by index 0, else a worker, and what `more` says', () => {
    const role = (index: number, more = {}): unknown => {
      const runner = runnerConfig({ isLocal: false, index, numWorkers: 3, numPs: 1, discoveryType: 'Zk' });
      const { distributed, discovery } = Estimator.fromRunnerConfig(runner, more).config;
      return [distributed.enabled, distributed.role, distributed.index, discovery.kind];
    };
    assert.deepEqual(role(0), [true, 'chief', 0, 'zookeeper']);
    assert.deepEqual(role(2), [true, 'worker', 2, 'zookeeper']);
    assert.deepEqual(role(0, { distributed: { role: 'ps' } }), [true, 'ps', 0, 'zookeeper']);
  });

  test('#28 #32 initialised: the checkpoint state and an estimator with the model folder of the configuration', async () => {
    const restoreDir = restoreFolder('restore-28');
    const runner = runnerConfig({ modelDir: folder.in('m28'), restoreDir, restoreCkpt: 'model.ckpt-30' });
    for (const [name, made] of [
      ['m28', Estimator.fromRunnerConfigInitialized(runner)],
      ['m32', Estimator.fromRunConfigInitialized(new RunConfig({ modelDir: folder.in('m32'), restoreDir }))],
    ] as const) {
      const { estimator, state } = await made;
      assert.match(state?.modelCheckpointPath ?? '', name === 'm28' ? /model\.ckpt-30$/ : /model\.ckpt-61$/);
      assert.equal(estimator.config.modelDir, folder.in(name));
      assert.equal(estimator.settings.modelDir, folder.in(name));
      for (const file of MARKERS) assert.ok(existsSync(join(folder.in(name), file)), file);
    }
    const none = await Estimator.fromRunConfigInitialized(new RunConfig({ modelDir: folder.in('none') }));
    assert.equal(none.state, null);
  });

  test('#28 #32 without `checkpoint` in the restore folder there is no estimator', async () => {
    const restoreDir = folder.in('empty');
    mkdirSync(restoreDir);
    const error = await refused(
      Estimator.fromRunnerConfigInitialized(runnerConfig({ modelDir: folder.in('m28b'), restoreDir })),
      'RunnerUtils',
    );
    assert.equal(error.details.inner, 'MissingCheckpoint');
    await refused(Estimator.fromRunConfigInitialized(new RunConfig({ modelDir: folder.in('m32b'), restoreDir })), 'RunnerUtils');
  });
});

describe('#25 runtime initialisation', () => {
  test('#25 a local configuration with restoreDir: the state is returned and the markers exist', async () => {
    const restoreDir = restoreFolder('restore-25');
    const modelDir = folder.in('m25');
    const state = await initializeRuntimeFromRunnerConfig(runnerConfig({ modelDir, restoreDir, restoreCkpt: 'model.ckpt-30' }));
    assert.match(state?.modelCheckpointPath ?? '', /model\.ckpt-30$/);
    for (const file of MARKERS) assert.ok(existsSync(join(modelDir, file)), file);
    const again = await initializeRuntimeFromRunConfig(new RunConfig({ modelDir: folder.in('m25b'), restoreDir }));
    assert.match(again?.modelCheckpointPath ?? '', /model\.ckpt-61$/);
  });

  test('#25 what fails is a RunnerUtils error that keeps the code and the words of its cause', async () => {
    const restoreDir = restoreFolder('restore-25c');
    const runner = runnerConfig({ modelDir: folder.in('m25c'), restoreDir, restoreCkpt: 'model.ckpt-7' });
    const error = await refused(initializeRuntimeFromRunnerConfig(runner), 'RunnerUtils');
    assert.equal(error.details.inner, 'RestoreCkptNotFound');
    assert.match(error.message, /model\.ckpt-7/);
  });
});

describe('distributed runtimes', () => {
  /** A parameter server as a role of this process; `stop` ends it. */
  async function parameterServer(discovery: Discovery): Promise<() => Promise<void>> {
    const end = new AbortController();
    const role = runDistributedRuntime(discovery, runnerConfig({ numPs: 1, dim: 4 }), 'ps', '127.0.0.1:0', { signal: end.signal });
    role.catch(() => {});
    while ((await discovery.discover('ps')).length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    return async () => {
      end.abort();
      await role;
    };
  }

  test('#21 #30 a parameter server and a worker complete, of a RunnerConfig and of a RunConfig', async () => {
    const discovery = new MemoryDiscovery();
    const stop = await parameterServer(discovery);
    await runDistributedRuntime(discovery, runnerConfig({ numPs: 1, dim: 4 }), 'worker');
    await runDistributedRuntimeFromRunConfig(discovery, new RunConfig({ numPs: 1, dim: 4 }), 'worker');
    await stop();
  });

  test('#21 #30 without a parameter server the code is Distributed and the message holds that of the discovery', async () => {
    const quick = { numPs: 1, connectRetries: 0, retryBackoffMs: 1 };
    for (const run of [
      runDistributedRuntime(new MemoryDiscovery(), runnerConfig(quick), 'worker'),
      runDistributedRuntimeFromRunConfig(new MemoryDiscovery(), new RunConfig(quick), 'worker'),
    ]) {
      const error = await refused(run, 'Distributed');
      assert.match(error.message, /^Distributed runtime error: .*Timed out waiting for PS discovery/);
      assert.equal(error.details.inner, 'DiscoveryTimeout');
    }
  });

  test('#30 a configuration that cannot be merged is a Distributed error too', async () => {
    const run = runDistributedRuntimeFromRunConfig(new MemoryDiscovery(), new RunConfig(), 'worker', '127.0.0.1:0', {
      base: { nonsense: 1 } as never,
    });
    assert.equal((await refused(run, 'Distributed')).details.inner, 'RunConfig');
  });
});
