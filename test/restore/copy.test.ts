import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { countFailpoints, disarmAll, FAILPOINTS_VARIABLE, failpointCounts, MonolithError } from '../../src/base/index.js';
import { CheckpointWriter, openCheckpoint, referenceTo, verify } from '../../src/checkpoint/index.js';
import { copyCheckpointFromRestoreDir, type ErrorCode, prepareRestoreCheckpoint } from '../../src/index.js';
import { contentOf, save, sectionLengths, snapshot, temporaryModelDir } from '../checkpoint/fixture.js';

const root = temporaryModelDir();
after(() => root.remove());

/** A run folder with checkpoints of steps 10, 20 and 30, and a delta of 20 at step 25. Step 20 was saved twice: its folder has another name. */
const source = join(root.path, 'source');
for (const step of [10, 20, 20]) await save(source, step);
const writer = await CheckpointWriter.begin(source, 25);
for (const [name, length] of sectionLengths) await writer.writeSection(name, contentOf(25, name, length));
await writer.commit({}, await referenceTo(source, 20));
await save(source, 30);

let folders = 0;
const newFolder = (): string => join(root.path, `model-${folders++}`);

/** Every byte of the folder's checkpoint of this step is its own, and it is the only one; a delta stands on its base. */
async function checkWhole(modelDir: string, step: number): Promise<void> {
  const reader = await openCheckpoint(join(modelDir, `checkpoint-${step}`));
  const parts = reader.base === null ? [reader] : [reader.base, reader];
  for (const part of parts) {
    for (const [name, length] of sectionLengths) {
      assert.ok(Buffer.from(contentOf(part.step, name, length)).equals(await part.section(name).readAll()), name);
    }
  }
  const manifests = readdirSync(modelDir).filter((name) => name.endsWith('.json'));
  assert.deepEqual(
    manifests.sort(),
    parts.map((part) => `checkpoint-${part.step}.json`),
  );
}

async function refusal(promise: Promise<unknown>, code: ErrorCode): Promise<MonolithError> {
  const error = await promise.then(
    () => assert.fail('was not refused'),
    (one: unknown) => one,
  );
  assert.ok(error instanceof MonolithError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

describe('a checkpoint of this format comes along', () => {
  test('as hard links, byte for byte; the source stays; a second call changes nothing', async () => {
    const modelDir = newFolder();
    const before = snapshot(source);
    const state = await copyCheckpointFromRestoreDir(source, modelDir, 'checkpoint-20');
    assert.equal(state.modelCheckpointPath, join(modelDir, 'checkpoint-20'));
    await checkWhole(modelDir, 20);
    const names = ['checkpoint', 'checkpoint-20.1', 'checkpoint-20.json', 'monolith_checkpoint', 'restore_ckpt'];
    assert.deepEqual(readdirSync(modelDir).sort(), names);
    assert.deepEqual(snapshot(source), before);
    for (const [name] of sectionLengths) {
      const [from, to] = [source, modelDir].map((folder) => statSync(join(folder, 'checkpoint-20.1', name)));
      assert.equal(to.ino, from.ino, name);
    }
    assert.equal(readFileSync(join(modelDir, 'checkpoint-20.json'), 'utf8'), readFileSync(join(source, 'checkpoint-20.json'), 'utf8'));
    const after_ = snapshot(modelDir);
    assert.deepEqual(await copyCheckpointFromRestoreDir(source, modelDir, 'checkpoint-30'), state);
    assert.deepEqual(snapshot(modelDir), after_);
  });

  test('a delta with its base', async () => {
    const modelDir = newFolder();
    const state = await copyCheckpointFromRestoreDir(source, modelDir, 'checkpoint-25');
    assert.equal(state.modelCheckpointPath, join(modelDir, 'checkpoint-25'));
    await checkWhole(modelDir, 25);
    for (const name of ['checkpoint-20.json', 'checkpoint-25.json']) {
      assert.equal(readFileSync(join(modelDir, name), 'utf8'), readFileSync(join(source, name), 'utf8'));
    }
  });

  test('as copies where links can not reach', { skip: existsSync('/dev/shm') ? false : 'no second file system' }, async () => {
    const elsewhere = mkdtempSync('/dev/shm/monolith-restore-');
    try {
      const modelDir = join(elsewhere, 'model');
      await copyCheckpointFromRestoreDir(source, modelDir);
      await checkWhole(modelDir, 30);
      if (statSync(elsewhere).dev !== statSync(source).dev) {
        for (const [name] of sectionLengths) assert.equal(statSync(join(modelDir, 'checkpoint-30', name)).nlink, 1, name);
      }
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  test('without the state file too, by its manifests; also one that the file does not list', async () => {
    const folder = newFolder();
    for (const step of [1, 2]) await save(folder, step);
    writeFileSync(join(folder, 'checkpoint'), 'model_checkpoint_path: "checkpoint-2"\nall_model_checkpoint_paths: "checkpoint-2"\n');
    const unlisted = newFolder();
    await copyCheckpointFromRestoreDir(folder, unlisted, 'checkpoint-1');
    await checkWhole(unlisted, 1);
    rmSync(join(folder, 'checkpoint'));
    const newest = newFolder();
    await copyCheckpointFromRestoreDir(folder, newest);
    await checkWhole(newest, 2);
  });

  test('not when it is damaged: that is said, nothing of it stays, and a whole one can follow', async () => {
    const folder = newFolder();
    await save(folder, 7);
    const section = join(folder, 'checkpoint-7', 'table-0');
    const bytes = readFileSync(section);
    bytes[70_000] ^= 1;
    writeFileSync(section, bytes);
    const modelDir = newFolder();
    await refusal(copyCheckpointFromRestoreDir(folder, modelDir), 'CheckpointCorrupt');
    assert.ok(!existsSync(modelDir), readdirSync(root.path).join(' '));
    await copyCheckpointFromRestoreDir(source, modelDir);
    await checkWhole(modelDir, 30);
  });

  test('not into a run folder with checkpoints of its own, which keeps them', async () => {
    const modelDir = newFolder();
    await save(modelDir, 5);
    const state = await copyCheckpointFromRestoreDir(source, modelDir);
    assert.equal(state.modelCheckpointPath, join(modelDir, 'checkpoint-5'));
    await checkWhole(modelDir, 5);
  });
});

function runChief(modelDir: string, pick: string, failpoints: string): Promise<{ signal: NodeJS.Signals | null; stderr: string }> {
  const script = fileURLToPath(new URL('./restore-scenario.js', import.meta.url));
  const env = { ...process.env, [FAILPOINTS_VARIABLE]: failpoints };
  return new Promise((done) => {
    const child = execFile(process.execPath, [script, source, modelDir, pick], { env, timeout: 20_000 }, (_error, _stdout, stderr) => {
      done({ signal: child.signalCode, stderr });
    });
  });
}

describe('a chief that is killed while it restores', () => {
  test('leaves nothing that others take for the whole, at every failpoint; the next start restores what it is told', async () => {
    disarmAll();
    countFailpoints();
    const counted = newFolder();
    mkdirSync(counted);
    await copyCheckpointFromRestoreDir(source, counted, 'checkpoint-25');
    const points = [...failpointCounts()].filter(([name]) => /^(checkpoint\.|restore\.|durable-file\.operation$)/.test(name));
    disarmAll();
    for (const name of [
      'restore.beforeSections',
      'restore.afterSection',
      'restore.beforeMarker',
      'restore.beforeCommit',
      'restore.beforeMonolith',
    ]) {
      assert.ok(
        points.some(([reached]) => reached === name),
        name,
      );
    }
    const trials = points.flatMap(([name, count]) => [...new Set([1, Math.ceil(count / 2), count])].map((n) => ({ name, n })));
    const seen = { timeouts: 0, whole: 0 };
    const runOne = async ({ name, n }: { name: string; n: number }) => {
      const label = `${name}@${n}`;
      const modelDir = newFolder();
      mkdirSync(modelDir);
      const { signal, stderr } = await runChief(modelDir, 'checkpoint-25', `${name}=kill@${n}`);
      assert.equal(signal, 'SIGKILL', `${label} was not reached: ${stderr}`);
      const common = { restoreDir: source, modelDir, timeoutMs: 1, pollIntervalMs: 1 };
      const waited = await prepareRestoreCheckpoint({ ...common, isChief: false }).catch((error: MonolithError) => error.code);
      if (typeof waited === 'string') {
        assert.equal(waited, 'RestoreSyncTimeout', label);
        seen.timeouts++;
      } else {
        assert.equal(waited.modelCheckpointPath, join(modelDir, 'checkpoint-25'), label);
        await checkWhole(modelDir, 25);
        seen.whole++;
      }
      const pick = typeof waited === 'string' ? 30 : 25;
      const state = await prepareRestoreCheckpoint({ ...common, isChief: true, restoreCkpt: 'checkpoint-30' });
      assert.equal(basename(state.modelCheckpointPath), `checkpoint-${pick}`, label);
      await checkWhole(modelDir, pick);
      assert.deepEqual(await prepareRestoreCheckpoint({ ...common, isChief: false }), state, label);
      // A lock that a kill left is taken over, and nothing else stays of it.
      const folders = pick === 30 ? ['checkpoint-30'] : ['checkpoint-20.1', 'checkpoint-25'];
      const left = readdirSync(modelDir).filter((file) => file !== 'run.lock' && !file.endsWith('.json') && !folders.includes(file));
      assert.deepEqual(left.sort(), ['checkpoint', 'monolith_checkpoint', 'restore_ckpt'], label);
    };
    const queue = trials.values();
    await Promise.all(
      [1, 2].map(async () => {
        for (const trial of queue) await runOne(trial);
      }),
    );
    assert.ok(seen.timeouts > 5 && seen.whole > 0, JSON.stringify(seen));
    await verify(join(source, 'checkpoint-25'));
  });
});
