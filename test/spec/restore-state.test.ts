import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import fc from 'fast-check';
import {
  type CheckpointState,
  copyCheckpointFromRestoreDir,
  formatCheckpointState,
  getCheckpointStateWithRestoreOverride,
  initializeRestoreCheckpointFromRunConfig,
  initializeRestoreCheckpointFromRunConfigDefaults,
  initializeRestoreCheckpointFromRunner,
  initializeRestoreCheckpointFromRunnerDefaults,
  MonolithError,
  parseCheckpointState,
  parseMonolithCheckpointState,
  prepareRestoreCheckpoint,
  RunConfig,
  type RunnerMode,
  runnerConfig,
} from '../../src/index.js';

const root = mkdtempSync(join(tmpdir(), 'monolith-restore-'));
after(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
type Files = { readonly [name: string]: string };

function folderWith(files: Files): string {
  const path = join(root, `folder-${folders++}`);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const newFolder = (): string => join(root, `folder-${folders++}`, 'model');
const text = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');
const nameOf = (state: CheckpointState | null): string => basename(state?.modelCheckpointPath ?? '');

const listed = (...steps: number[]): string =>
  [`model_checkpoint_path: "model.ckpt-${steps[0]}"`, ...steps.map((step) => `all_model_checkpoint_paths: "model.ckpt-${step}"`), ''].join(
    '\n',
  );

async function refusal(promise: Promise<unknown>, code: string): Promise<MonolithError> {
  const error = await promise.then(
    () => assert.fail('was not refused'),
    (one: unknown) => one,
  );
  assert.ok(error instanceof MonolithError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

describe('#5g checkpoint-state files', () => {
  test('#5g as an Estimator of TensorFlow writes them', () => {
    const estimator = `model_checkpoint_path: "model.ckpt-1000"
all_model_checkpoint_paths: "model.ckpt-0"
all_model_checkpoint_paths: "model.ckpt-999"
all_model_checkpoint_paths: "model.ckpt-1000"
`;
    const state = {
      modelCheckpointPath: 'model.ckpt-1000',
      allModelCheckpointPaths: ['model.ckpt-0', 'model.ckpt-999', 'model.ckpt-1000'],
    };
    assert.deepEqual(parseCheckpointState(estimator), state);
    assert.equal(formatCheckpointState(state), estimator);
    const withTimes = `${estimator}all_model_checkpoint_timestamps: 1571157345.3117938\nlast_preserved_timestamp: 1571157340.1\n`;
    assert.deepEqual(parseCheckpointState(withTimes), state);
  });

  test('#5g single quotes, comments, unknown keys, several fields a line', () => {
    const states = [
      "model_checkpoint_path: 'a'\nall_model_checkpoint_paths: 'a'\nall_model_checkpoint_paths: 'b'",
      '# by hand: "x"\nmodel_checkpoint_path:"a" # the last\r\nall_model_checkpoint_paths\t:\t"a"\n\nall_model_checkpoint_paths: "b"\n',
      'model_checkpoint_path: "a", all_model_checkpoint_paths: "a"; all_model_checkpoint_paths: "b" owner { name: "}" at: [1, 2] } x: -1.5e3 [y.z]: TRUE',
      'all_model_checkpoint_paths: "\\141" all_model_checkpoint_paths: "\\x62" model_checkpoint_path: "" \'a\'',
    ];
    for (const one of states) {
      assert.deepEqual(parseCheckpointState(one), { modelCheckpointPath: 'a', allModelCheckpointPaths: ['a', 'b'] }, one);
    }
  });

  test('#5g a file without model_checkpoint_path, or cut off in a field, is no state', () => {
    const whole = 'model_checkpoint_path: "m-1"\nall_model_checkpoint_paths: "m-1"\nnested { a: 1 }\n';
    for (const bad of [
      '',
      '\n',
      'garbage',
      '{}',
      'all_model_checkpoint_paths: "a"',
      'model_checkpoint_path: ""',
      'model_checkpoint_path { }',
      '\0',
    ]) {
      assert.equal(parseCheckpointState(bad), null, JSON.stringify(bad));
    }
    const ends = [whole.indexOf('\n') + 1, whole.indexOf('\n', 30) + 1, whole.length];
    for (let length = 0; length <= whole.length; length++) {
      const state = parseCheckpointState(whole.slice(0, length));
      const isWhole = ends.some((end) => end === length || end - 1 === length);
      if (isWhole) assert.equal(state?.modelCheckpointPath, 'm-1', String(length));
      else assert.ok(state === null || state.modelCheckpointPath === 'm-1', String(length));
    }
  });

  test('#5g any paths come back as they were written; any text gives a state or none', () => {
    const path = fc.string({ minLength: 1, unit: 'binary' });
    fc.assert(
      fc.property(path, fc.array(path), (modelCheckpointPath, allModelCheckpointPaths) => {
        const state = { modelCheckpointPath, allModelCheckpointPaths };
        assert.deepEqual(parseCheckpointState(formatCheckpointState(state)), state);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (any) => {
        parseCheckpointState(any);
        parseMonolithCheckpointState(any);
      }),
    );
  });

  test('#5g monolith_checkpoint in the one-line form and one field a line', () => {
    const expected = {
      exemptModelCheckpointPaths: ['/r/a', '/r/b'],
      lastCheckpointSaveTimestamp: 1700000000,
      builtinHashTableType: 'MULTI_CUCKOO_HASH_MAP',
    };
    const forms = [
      'exempt_model_checkpoint_paths: "/r/a", exempt_model_checkpoint_paths: "/r/b", last_checkpoint_save_timestamp: 1700000000, builtin_hash_table_type: MULTI_CUCKOO_HASH_MAP',
      'exempt_model_checkpoint_paths: "/r/a" exempt_model_checkpoint_paths: "/r/b" last_checkpoint_save_timestamp: 1700000000 builtin_hash_table_type: 2',
      "exempt_model_checkpoint_paths: '/r/a'\nexempt_model_checkpoint_paths: '/r/b'\nlast_checkpoint_save_timestamp: 1700000000\nbuiltin_hash_table_type: MULTI_CUCKOO_HASH_MAP\n",
    ];
    for (const form of forms) assert.deepEqual(parseMonolithCheckpointState(form), expected);
    const nothing = { exemptModelCheckpointPaths: [], lastCheckpointSaveTimestamp: null, builtinHashTableType: 'UNKNOWN' };
    assert.deepEqual(parseMonolithCheckpointState(''), nothing);
  });
});

describe('#5g the chief copies, the others wait', () => {
  test('#5g the chief writes three files that name its pick; one that waits since before gets the same', async () => {
    const restoreDir = folderWith({ checkpoint: listed(61, 30, 0) });
    const modelDir = newFolder();
    const common = { restoreDir, modelDir, timeoutMs: 20_000, pollIntervalMs: 10 };
    const waiting = prepareRestoreCheckpoint({ ...common, isChief: false });
    await later(100);
    const chief = await prepareRestoreCheckpoint({ ...common, restoreCkpt: 'model.ckpt-30', isChief: true });
    assert.equal(nameOf(chief), 'model.ckpt-30');
    assert.deepEqual(await waiting, chief);
    assert.deepEqual(readdirSync(modelDir).sort(), ['checkpoint', 'monolith_checkpoint', 'restore_ckpt']);
    assert.equal(text(modelDir, 'restore_ckpt'), join(restoreDir, 'model.ckpt-30'));
    assert.deepEqual(parseMonolithCheckpointState(text(modelDir, 'monolith_checkpoint')), {
      exemptModelCheckpointPaths: [join(restoreDir, 'model.ckpt-30')],
      lastCheckpointSaveTimestamp: null,
      builtinHashTableType: 'CUCKOO_HASH_MAP',
    });
  });

  test('#5g relative paths mean the folder they were written in, wherever they are copied to', async () => {
    const restoreDir = folderWith({ checkpoint: listed(61, 30) });
    const modelDir = newFolder();
    const state = await copyCheckpointFromRestoreDir(restoreDir, modelDir);
    const pick = join(restoreDir, 'model.ckpt-61');
    assert.deepEqual(state, { modelCheckpointPath: pick, allModelCheckpointPaths: [pick] });
    assert.equal(parseCheckpointState(text(modelDir, 'checkpoint'))?.modelCheckpointPath, pick);
    const absolute = folderWith({ checkpoint: 'model_checkpoint_path: "/r/m-1" all_model_checkpoint_paths: "hdfs:/r/m-0"' });
    assert.equal((await copyCheckpointFromRestoreDir(absolute, newFolder())).modelCheckpointPath, '/r/m-1');
    assert.equal((await copyCheckpointFromRestoreDir(absolute, newFolder(), 'm-0')).modelCheckpointPath, 'hdfs:/r/m-0');
  });

  test('#5g picks a listed path, else its last part, else nothing', async () => {
    const restoreDir = folderWith({
      checkpoint: 'model_checkpoint_path: "/a/m-2"\nall_model_checkpoint_paths: "/a/m-1"\nall_model_checkpoint_paths: "/b/m-1"\n',
    });
    const pick = async (restoreCkpt: string | null) =>
      (await copyCheckpointFromRestoreDir(restoreDir, newFolder(), restoreCkpt)).modelCheckpointPath;
    assert.equal(await pick('/b/m-1'), '/b/m-1');
    assert.equal(await pick('m-1'), '/a/m-1');
    assert.equal(await pick(null), '/a/m-2');
    const modelDir = newFolder();
    const error = await refusal(copyCheckpointFromRestoreDir(restoreDir, modelDir, 'm-3'), 'RestoreCkptNotFound');
    assert.equal(error.details.restoreCkpt, 'm-3');
    assert.match(error.message, /^restore_ckpt m-3 is not in checkpoint\.all_model_checkpoint_paths .*lists m-1, m-1/);
    assert.ok(!existsSync(modelDir));
  });

  test('#5g a folder without the file is refused; one that can not be parsed counts as model.ckpt-0', async () => {
    const empty = folderWith({});
    const error = await refusal(copyCheckpointFromRestoreDir(empty, newFolder()), 'MissingCheckpoint');
    assert.equal(error.details.path, join(empty, 'checkpoint'));
    assert.match(error.message, /^restore_dir does not contain checkpoint file: /);
    const garbage = folderWith({ checkpoint: 'garbage' });
    assert.equal(nameOf(await copyCheckpointFromRestoreDir(garbage, newFolder())), 'model.ckpt-0');
    await refusal(copyCheckpointFromRestoreDir(garbage, newFolder(), 'model.ckpt-30'), 'RestoreCkptNotFound');
  });

  test('#5g what the run folder has stays: checkpoint, marker, and all else in monolith_checkpoint', async () => {
    const restoreDir = folderWith({ checkpoint: listed(61, 30) });
    const modelDir = folderWith({
      checkpoint: 'model_checkpoint_path: "model.ckpt-99"\n',
      monolith_checkpoint: 'exempt_model_checkpoint_paths: "/x/kept", last_checkpoint_save_timestamp: 7; later { a: 1 }',
    });
    const state = await copyCheckpointFromRestoreDir(restoreDir, modelDir, 'model.ckpt-30');
    assert.equal(state.modelCheckpointPath, join(modelDir, 'model.ckpt-99'), 'what every process of the run reads');
    assert.equal(text(modelDir, 'checkpoint'), 'model_checkpoint_path: "model.ckpt-99"\n');
    assert.equal(text(modelDir, 'restore_ckpt'), join(restoreDir, 'model.ckpt-30'));
    const monolith = text(modelDir, 'monolith_checkpoint');
    assert.deepEqual(parseMonolithCheckpointState(monolith), {
      exemptModelCheckpointPaths: ['/x/kept', join(restoreDir, 'model.ckpt-30')],
      lastCheckpointSaveTimestamp: 7,
      builtinHashTableType: 'CUCKOO_HASH_MAP',
    });
    assert.match(monolith, /^later \{ a: 1 \}$/m);
    await copyCheckpointFromRestoreDir(restoreDir, modelDir, 'model.ckpt-61');
    assert.equal(text(modelDir, 'monolith_checkpoint'), monolith);
    assert.equal(text(modelDir, 'restore_ckpt'), join(restoreDir, 'model.ckpt-30'));
  });

  test('#5g alone, one that is not the chief gives up after its time and names the file', async () => {
    const restoreDir = folderWith({ checkpoint: listed(61) });
    const common = { restoreDir, timeoutMs: 150, pollIntervalMs: 10, isChief: false };
    for (const modelDir of [
      newFolder(),
      folderWith({ checkpoint: listed(61) }),
      folderWith({ monolith_checkpoint: '', checkpoint: 'garbage' }),
    ]) {
      const started = performance.now();
      const error = await refusal(prepareRestoreCheckpoint({ ...common, modelDir }), 'RestoreSyncTimeout');
      assert.ok(performance.now() - started >= 149);
      assert.equal(error.details.path, join(modelDir, 'monolith_checkpoint'));
      assert.ok(error.message.startsWith(`Timed out waiting for restore synchronization file: ${error.details.path}`), error.message);
    }
    const ready = folderWith({ monolith_checkpoint: '', checkpoint: listed(5) });
    assert.equal(nameOf(await prepareRestoreCheckpoint({ ...common, modelDir: ready })), 'model.ckpt-5');
    const stop = AbortSignal.abort(new Error('told to stop'));
    await assert.rejects(prepareRestoreCheckpoint({ ...common, modelDir: newFolder(), timeoutMs: 60_000, signal: stop }), /told to stop/);
  });

  test('#5g a run folder is not restored from itself', async () => {
    const folder = folderWith({ checkpoint: listed(61) });
    await refusal(copyCheckpointFromRestoreDir(folder, folder), 'InvalidConfig');
  });
});

describe('#8 the state with another checkpoint in place of the last', () => {
  const read = (folder: string, mode: RunnerMode, restoreCkpt: string | null = 'model.ckpt-30', fileName = 'checkpoint') =>
    getCheckpointStateWithRestoreOverride(folder, fileName, { restoreCkpt, mode, maxRetries: 2, retryIntervalMs: 1 });

  test('#8 train without a marker takes it, on disk too, and leaves the marker', async () => {
    const folder = folderWith({ checkpoint: listed(61, 30) });
    const pick = join(folder, 'model.ckpt-30');
    assert.deepEqual(await read(folder, 'train'), { modelCheckpointPath: pick, allModelCheckpointPaths: [pick] });
    assert.deepEqual(parseCheckpointState(text(folder, 'checkpoint')), {
      modelCheckpointPath: 'model.ckpt-30',
      allModelCheckpointPaths: ['model.ckpt-30'],
    });
    assert.equal(text(folder, 'restore_ckpt'), pick);
    assert.ok(!readdirSync(folder).some((name) => name.endsWith('.tmp')));
  });

  test('#8 train with a marker goes on from the last', async () => {
    const folder = folderWith({ checkpoint: listed(61, 30), restore_ckpt: 'model.ckpt-30' });
    assert.equal(nameOf(await read(folder, 'train')), 'model.ckpt-61');
    assert.equal(text(folder, 'checkpoint'), listed(61, 30));
  });

  test('#8 a train whose pick is the last already leaves the marker too', async () => {
    const folder = folderWith({ checkpoint: listed(30, 61) });
    assert.equal((await read(folder, 'train'))?.allModelCheckpointPaths.length, 2);
    assert.equal(text(folder, 'restore_ckpt'), join(folder, 'model.ckpt-30'));
    assert.equal(text(folder, 'checkpoint'), listed(30, 61));
  });

  for (const mode of ['eval', 'predict'] as const) {
    test(`#8 ${mode} takes it, marker or not, and changes nothing on disk`, async () => {
      for (const more of [{}, { restore_ckpt: 'model.ckpt-30' }] satisfies Files[]) {
        const folder = folderWith({ checkpoint: listed(61, 30), ...more });
        assert.equal(nameOf(await read(folder, mode)), 'model.ckpt-30');
        assert.deepEqual(readdirSync(folder).sort(), ['checkpoint', ...Object.keys(more)]);
        assert.equal(text(folder, 'checkpoint'), listed(61, 30));
      }
    });
  }

  test('#8 no file is no state; one that stays unreadable fails after the retries', async () => {
    assert.equal(await read(folderWith({}), 'train'), null);
    const error = await refusal(read(folderWith({ checkpoint: 'garbage' }), 'train'), 'ReadCheckpointFailed');
    assert.equal(error.message, 'read ckpt error!');
    assert.equal(error.details.reads, 3);
  });

  test('#8 a file that is whole by the next read is read', async () => {
    const folder = folderWith({ checkpoint: 'model_checkpoint_path: "mod', whole: listed(61) });
    const reading = getCheckpointStateWithRestoreOverride(folder, 'checkpoint', { maxRetries: 1000, retryIntervalMs: 20 });
    await later(50);
    renameSync(join(folder, 'whole'), join(folder, 'checkpoint'));
    assert.equal(nameOf(await reading), 'model.ckpt-61');
  });

  test('#17 a listed path, else its last part; otherwise nothing changes', async () => {
    const files = (name: string): Files => ({
      [name]:
        'model_checkpoint_path: "/restore/model.ckpt-61"\nall_model_checkpoint_paths: "/restore/model.ckpt-61"\nall_model_checkpoint_paths: "/restore/model.ckpt-30"\n',
    });
    const pathFor = async (restoreCkpt: string) => (await read(folderWith(files('checkpoint')), 'train', restoreCkpt))?.modelCheckpointPath;
    for (const given of ['model.ckpt-30', '/restore/model.ckpt-30', '/elsewhere/model.ckpt-30']) {
      assert.equal(await pathFor(given), '/restore/model.ckpt-30', given);
    }
    const folder = folderWith(files('checkpoint'));
    assert.equal((await read(folder, 'train', 'model.ckpt-3'))?.modelCheckpointPath, '/restore/model.ckpt-61');
    assert.deepEqual(readdirSync(folder), ['checkpoint']);
  });

  test('#17 another file than checkpoint is never overridden', async () => {
    for (const mode of ['train', 'eval', 'predict'] as const) {
      const folder = folderWith({ 'ckpt_state.pbtxt': listed(61, 30) });
      assert.equal(nameOf(await read(folder, mode, 'model.ckpt-30', 'ckpt_state.pbtxt')), 'model.ckpt-61');
      assert.deepEqual(readdirSync(folder), ['ckpt_state.pbtxt']);
    }
  });
});

describe('restores from configurations', () => {
  const restoreDir = folderWith({ checkpoint: listed(61, 30, 0) });
  const exported = { tfGrpcWorkerCacheThreads: 16, monolithGrpcWorkerServiceHandlerMultiplier: 3 };
  const exports = { TF_GRPC_WORKER_CACHE_THREADS: '16', MONOLITH_GRPC_WORKER_SERVICE_HANDLER_MULTIPLIER: '3' };

  test('#10 worker 1 waits and gets what chief 0 picks later', async () => {
    const modelDir = newFolder();
    const base = { isLocal: false, modelDir, restoreDir, restoreCkpt: 'model.ckpt-30' };
    const wait = { timeoutMs: 20_000, pollIntervalMs: 5 };
    const worker = initializeRestoreCheckpointFromRunner(runnerConfig({ ...base, index: 1 }), wait);
    await later(50);
    const chief = await initializeRestoreCheckpointFromRunner(runnerConfig({ ...base, index: 0 }), wait);
    assert.equal(nameOf(chief), 'model.ckpt-30');
    assert.deepEqual(await worker, chief);
  });

  test('#10 #11 without restoreDir no file is touched, and the environment is exported all the same', async () => {
    const modelDir = newFolder();
    const variables: Record<string, string | undefined> = {};
    assert.equal(await initializeRestoreCheckpointFromRunner(runnerConfig({ modelDir, ...exported }), { variables }), null);
    assert.deepEqual(variables, exports);
    assert.ok(!existsSync(modelDir));
  });

  test('#10 a parameter server 0 is no chief: it waits for worker 0', async () => {
    const runner = runnerConfig({ isLocal: false, index: 0, modelDir: newFolder(), restoreDir });
    await refusal(initializeRestoreCheckpointFromRunner(runner, { role: 'ps', timeoutMs: 20, pollIntervalMs: 5 }), 'RestoreSyncTimeout');
    assert.equal(nameOf(await initializeRestoreCheckpointFromRunner(runner, { role: 'worker' })), 'model.ckpt-61');
    assert.equal(nameOf(await initializeRestoreCheckpointFromRunner(runner, { role: 'ps' })), 'model.ckpt-61');
  });

  test('#10 index, restoreDir and restoreCkpt of a RunConfig merge into the base', async () => {
    const run = new RunConfig({ restoreDir, restoreCkpt: 'model.ckpt-30', index: 0 });
    const base = { isLocal: false, index: 4, modelDir: newFolder(), restoreCkpt: 'model.ckpt-0' };
    assert.equal(nameOf(await initializeRestoreCheckpointFromRunConfig(run, base)), 'model.ckpt-30');
  });

  test('#20 the times of the configuration decide: one second without a chief', async () => {
    const times = { restoreSyncTimeoutSecs: 1, restoreSyncPollIntervalMs: 10 };
    const runner = runnerConfig({ isLocal: false, index: 1, modelDir: newFolder(), restoreDir, ...times });
    const started = performance.now();
    await refusal(initializeRestoreCheckpointFromRunnerDefaults(runner), 'RestoreSyncTimeout');
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= 999 && tookMs < 15_000, `${tookMs} ms`);
    const zero = new RunConfig({ isLocal: false, index: 1, modelDir: newFolder(), restoreDir, restoreSyncTimeoutSecs: 0 });
    const error = await refusal(initializeRestoreCheckpointFromRunConfigDefaults(zero), 'RestoreSyncTimeout');
    assert.equal(error.details.timeoutMs, 1000);
  });

  test('#31 a local RunConfig creates the three files; without restoreDir there is nothing', async () => {
    const modelDir = newFolder();
    const run = new RunConfig({ modelDir, restoreDir, restoreCkpt: 'model.ckpt-30' });
    assert.equal(nameOf(await initializeRestoreCheckpointFromRunConfigDefaults(run)), 'model.ckpt-30');
    assert.deepEqual(readdirSync(modelDir).sort(), ['checkpoint', 'monolith_checkpoint', 'restore_ckpt']);
    assert.equal(await initializeRestoreCheckpointFromRunConfig(new RunConfig({ modelDir: newFolder() })), null);
  });

  test('#31 a base that is no RunnerConfig is refused', async () => {
    const base = { numPs: -1 };
    await refusal(initializeRestoreCheckpointFromRunConfigDefaults(new RunConfig({ restoreDir }), base), 'RunConfig');
  });
});
