import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  armFailpoint,
  countFailpoints,
  disarmAll,
  FAILPOINTS_VARIABLE,
  failpointCounts,
  type MonolithError,
} from '../../src/base/index.js';
import { newestGood, openCheckpoint, prune, verify } from '../../src/checkpoint/index.js';
import { Figure } from '../helpers/board.js';
import { runScenario, scenarioSteps } from './crash-scenario.js';
import { contentOf, failureOf, save, sectionLengths, temporaryModelDir } from './fixture.js';

const covered = new Figure('R2', 'failpoints of checkpoint and prune reached');
const kills = new Figure('R2', 'kills at failpoints: old or new checkpoint whole, next save clears up');
const failures = new Figure('R3', 'failed operations of a save: typed error, checkpoint before intact, next save clean');

const root = temporaryModelDir();
after(() => root.remove());

let folders = 0;
function newModelDir(): string {
  const path = join(root.path, `model-${folders++}`);
  mkdirSync(path);
  return path;
}

/** Every byte of the newest good checkpoint is that of its own step; returns the step, 0 if there is none. */
async function checkNewest(modelDir: string): Promise<number> {
  const entry = await newestGood(modelDir);
  if (entry === null) return 0;
  const reader = await openCheckpoint(entry.path);
  assert.deepEqual(reader.manifest.fields.data, { epoch: 1, offset: entry.step * 512 });
  for (const [name, length] of sectionLengths) {
    assert.ok(Buffer.from(contentOf(entry.step, name, length)).equals(await reader.section(name).readAll()), `${entry.name}/${name}`);
  }
  return entry.step;
}

/** Names of all failpoints in the source of this room, so that none goes untested. */
function failpointsInSource(): string[] {
  const folder = fileURLToPath(new URL('../../../src/checkpoint/', import.meta.url));
  const text = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  const names = [...text.join('\n').matchAll(/failpoint\('(checkpoint\.\w+)'\)/g)].map((match) => match[1]);
  assert.ok(names.length >= 17, names.join(' '));
  return names;
}

const soundNames = (steps: number[]) =>
  ['checkpoint', 'monolith_checkpoint', ...steps.flatMap((step) => [`checkpoint-${step}`, `checkpoint-${step}.json`])].sort();

function runChild(modelDir: string, failpoints: string): Promise<{ signal: NodeJS.Signals | null; acknowledged: number; stderr: string }> {
  const script = fileURLToPath(new URL('./crash-scenario.js', import.meta.url));
  const env = { ...process.env, [FAILPOINTS_VARIABLE]: failpoints };
  return new Promise((done) => {
    const child = execFile(process.execPath, [script, modelDir], { env, timeout: 20_000 }, (_error, stdout, stderr) => {
      done({ signal: child.signalCode, acknowledged: Math.max(0, ...stdout.split('\n').map(Number)), stderr });
    });
  });
}

describe('a save that is killed', () => {
  test('leaves the checkpoint before or the new one whole, at every failpoint, and the next save clears up', async () => {
    disarmAll();
    countFailpoints();
    await runScenario(newModelDir(), () => undefined);
    const points = [...failpointCounts()].filter(([name]) => name.startsWith('checkpoint.') || name === 'durable-file.operation');
    disarmAll();
    for (const name of failpointsInSource()) {
      await covered.trial(() =>
        assert.ok(
          points.some(([reached]) => reached === name),
          `${name} is not reached by the scenario`,
        ),
      );
    }
    const trials = points.flatMap(([name, count]) => [...new Set([1, Math.ceil(count / 2), count])].map((n) => ({ name, n })));
    const runOne = async ({ name, n }: { name: string; n: number }) => {
      const label = `${name}@${n}`;
      const modelDir = newModelDir();
      const { signal, acknowledged, stderr } = await runChild(modelDir, `${name}=kill@${n}`);
      assert.equal(signal, 'SIGKILL', `${label} was not reached: ${stderr}`);
      const step = await checkNewest(modelDir);
      assert.ok(step >= acknowledged, `${label}: step ${acknowledged} was acknowledged, ${step} is the newest good one`);
      assert.ok(step <= acknowledged + 1, label);
      const next = Math.max(1, step);
      await save(modelDir, next);
      await prune(modelDir, 1);
      assert.equal(await checkNewest(modelDir), next, label);
      const left = readdirSync(modelDir).filter((file) => file.endsWith('.tmp'));
      assert.deepEqual(left, [], label);
      assert.equal(readdirSync(modelDir).length, 4, `${label}: ${readdirSync(modelDir).join(' ')}`);
    };
    // Two at a time: as many as the smallest machine has cores.
    const queue = trials.values();
    await Promise.all(
      [1, 2].map(async () => {
        for (const trial of queue) await kills.trial(() => runOne(trial));
      }),
    );
  });

  test('the scenario without faults ends with the newest and the best', async () => {
    const modelDir = newModelDir();
    const acknowledged: number[] = [];
    await runScenario(modelDir, (step) => acknowledged.push(step));
    assert.deepEqual(acknowledged, scenarioSteps);
    assert.deepEqual(
      readdirSync(modelDir)
        .map((name) => name.replace('checkpoint-3.1', 'checkpoint-3'))
        .sort(),
      soundNames([1, 3]),
    );
  });
});

describe('a save whose n-th operation fails', () => {
  async function countOperations(name: string): Promise<number> {
    const modelDir = newModelDir();
    await save(modelDir, 1);
    disarmAll();
    countFailpoints();
    await save(modelDir, 2);
    const count = failpointCounts().get(name) ?? 0;
    disarmAll();
    return count;
  }

  async function failEvery(name: string, action: 'eio' | 'enospc' | 'short-write', check: (error: MonolithError) => void): Promise<void> {
    const operations = await countOperations(name);
    assert.ok(operations > 0);
    const start = newModelDir();
    await save(start, 1);
    for (let n = 1; n <= operations; n++) {
      await failures.trial(() => failOne(start, name, action, n, `${action} at ${name} ${n} of ${operations}`, check));
    }
  }

  async function failOne(
    start: string,
    name: string,
    action: 'eio' | 'enospc' | 'short-write',
    n: number,
    label: string,
    check: (error: MonolithError) => void,
  ): Promise<void> {
    const modelDir = newModelDir();
    cpSync(start, modelDir, { recursive: true });
    armFailpoint(name, action, n);
    check(await failureOf(() => save(modelDir, 2)));
    disarmAll();
    const step = await checkNewest(modelDir);
    assert.ok(step === 1 || step === 2, label);
    assert.deepEqual(readdirSync(modelDir).sort(), soundNames(step === 1 ? [1] : [1, 2]), label);
    await save(modelDir, 3);
    await prune(modelDir, 1);
    assert.equal(await checkNewest(modelDir), 3, label);
    assert.deepEqual(readdirSync(modelDir).sort(), soundNames([3]), label);
  }

  test('rejects with WriteFailed for every n; the checkpoint before stays, and nothing is left over', async () => {
    await failEvery('durable-file.operation', 'eio', (error) => {
      assert.equal(error.code, 'WriteFailed');
      assert.equal(error.details.errno, 'EIO');
      assert.equal(typeof error.details.path, 'string');
    });
  });

  test('rejects with DiskFull for every n', async () => {
    await failEvery('durable-file.operation', 'enospc', (error) => {
      assert.equal(error.code, 'DiskFull');
      assert.equal(typeof error.details.neededBytes, 'number');
      assert.equal(typeof error.details.freeBytes, 'number');
    });
  });

  test('rejects with DiskFull for every write cut short', async () => {
    await failEvery('durable-file.write', 'short-write', (error) => assert.equal(error.code, 'DiskFull'));
  });

  test('verifies after an error thrown at any failpoint of the commit', async () => {
    const modelDir = newModelDir();
    countFailpoints();
    await save(modelDir, 1);
    const names = [...failpointCounts().keys()].filter((name) => name.startsWith('checkpoint.'));
    disarmAll();
    for (const [i, name] of names.entries()) {
      armFailpoint(name, 'throw', 1);
      assert.match((await failureOf(() => save(modelDir, i + 2))).message, /failpoint checkpoint\./);
      disarmAll();
      assert.ok((await checkNewest(modelDir)) >= 1, name);
      await verify(modelDir);
    }
  });
});
