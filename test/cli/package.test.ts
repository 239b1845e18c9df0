// The package as a library: what it exports is there, importing it starts nothing, and it behaves like a guest in the process.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Estimator, MonolithError, type PartialTrainingConfig } from '../../src/index.js';
import { temporaryFolder } from '../helpers/cli.js';
import { writeClicks } from '../helpers/click-data.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = await temporaryFolder('library');
after(() => folder.remove());
before(() => {
  writeClicks(folder.in('train.csv'), 1500, 1);
  writeClicks(folder.in('test.csv'), 500, 2);
});

function config(name: string, more: PartialTrainingConfig = {}): PartialTrainingConfig {
  return {
    model: 'deepfm',
    modelOptions: { hidden: [8] },
    modelDir: folder.in(name),
    workers: 1,
    ps: 1,
    batchSize: 32,
    data: {
      train: [folder.in('train.csv')],
      eval: [folder.in('test.csv')],
      schema: {
        label: { column: 'click' },
        features: [
          { name: 'user', type: 'categorical' },
          { name: 'item', type: 'categorical' },
        ],
      },
    },
    ...more,
  };
}

test('every target of exports, bin and types is there; nothing runs at install; the built addon is not packed', () => {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
    bin: Record<string, string>;
    types: string;
    files: string[];
    scripts: Record<string, string>;
  };
  const targets = Object.values(manifest.exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
  for (const target of [...targets, ...Object.values(manifest.bin), manifest.types])
    assert.ok(existsSync(root + target), `${target} is missing`);
  for (const script of ['preinstall', 'install', 'postinstall']) assert.equal(manifest.scripts[script], undefined);
  assert.ok(manifest.files.includes('native') && manifest.files.includes('!native/out'));
});

test('importing any entry point has no side effects', () => {
  const script = `
    const before = { env: JSON.stringify(process.env), cwd: process.cwd(), events: process.eventNames().map(String).sort().join() };
    for (const entry of ['', '/data', '/models', '/sharedarraybuffer-ring']) await import('monolith-local' + entry);
    const resources = process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|FSReq|FileHandle|CloseReq/.test(name));
    const after = { env: JSON.stringify(process.env), cwd: process.cwd(), events: process.eventNames().map(String).sort().join() };
    if (JSON.stringify(before) !== JSON.stringify(after)) throw new Error(JSON.stringify([before, after]));
    if (resources.length > 0) throw new Error('open: ' + resources.join());
  `;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8', timeout: 30_000 });
  assert.deepEqual([result.status, result.stdout, result.stderr], [0, '', '']);
});

test('a program that trains gets a typed result, no output, no signal handler, and ends by itself', () => {
  writeFileSync(folder.in('config.json'), JSON.stringify(config('guest')));
  const script = `
    import { readFileSync } from 'node:fs';
    import { Estimator } from 'monolith-local';
    const config = JSON.parse(readFileSync(${JSON.stringify(folder.in('config.json'))}, 'utf8'));
    const estimator = new Estimator(config);
    let during = -1;
    const result = await estimator.train({ hooks: [{ onStart: () => { during = process.listenerCount('SIGINT') + process.listenerCount('SIGTERM') } }] });
    await estimator.evaluate();
    process.on('exit', (code) => process.stdout.write(JSON.stringify({ code, during, step: result.step, reason: result.reason })));
  `;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8', timeout: 60_000 });
  assert.deepEqual([result.status, result.stderr], [0, '']);
  assert.deepEqual(JSON.parse(result.stdout), { code: 0, during: 0, step: 47, reason: 'end of data' });
});

test('one estimator twice: the second call goes on and finds nothing left; evaluate and predict agree with it', async () => {
  const estimator = new Estimator(config('twice'));
  const first = await estimator.train();
  const second = await estimator.train();
  assert.deepEqual([second.step, second.runExamples, second.checkpoint], [first.step, 0, first.checkpoint]);
  assert.deepEqual((await estimator.evaluate()).metrics, first.evaluation);
  let count = 0;
  const sum = { value: 0 };
  count = await estimator.predict((predictions) => {
    for (const value of predictions) sum.value += value;
  });
  assert.equal(count, 500);
  assert.ok(Math.abs(sum.value / count - (first.evaluation?.meanPrediction ?? 0)) < 1e-6);
});

test('two estimators at once in one process do not disturb each other', async () => {
  const alone = await new Estimator(config('alone')).train();
  const [left, right] = await Promise.all([new Estimator(config('left')).train(), new Estimator(config('right', { seed: 7 })).train()]);
  assert.deepEqual(left.evaluation, alone.evaluation);
  assert.notDeepEqual(right.evaluation, alone.evaluation);
});

test('an AbortSignal ends training after the step in hand, with a checkpoint from which the next call goes on', async () => {
  const controller = new AbortController();
  const endless = config('aborted', { epochs: 0 });
  const timer = setTimeout(() => controller.abort(), 300);
  const stopped = await new Estimator(endless).train({ signal: controller.signal });
  clearTimeout(timer);
  assert.equal(stopped.reason, 'stopped');
  assert.ok(stopped.checkpoint !== null && existsSync(stopped.checkpoint));
  const next = await new Estimator({ ...endless, maxSteps: stopped.step + 3 }).train();
  assert.deepEqual([next.step, next.reason], [stopped.step + 3, 'max steps']);
  const never = await new Estimator(config('never')).train({ signal: AbortSignal.abort() });
  assert.deepEqual([never.reason, never.step], ['stopped', 0]);
});

test('errors are MonolithErrors with a code and details; what a hook throws is the cause of the error of the run', async () => {
  assert.throws(
    () => new Estimator({ batchSize: 0 }),
    (error) => error instanceof MonolithError && error.code === 'InvalidConfig',
  );
  const missing = new Estimator(config('missing', { data: { ...config('missing').data, train: ['nothere.csv'] } }));
  await assert.rejects(missing.train(), (error) => error instanceof MonolithError && error.code === 'DataNotFound');
  await assert.rejects(new Estimator(config('untrained')).evaluate(), { code: 'CheckpointNotFound' });
  const mine = new Error('my hook');
  const hook = {
    onEvaluation: () => {
      throw mine;
    },
  };
  await assert.rejects(new Estimator(config('hook')).train({ hooks: [hook] }), (error: Error) => error.cause === mine);
});
