import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ErrorCode, Estimator, MonolithError, type PartialTrainingConfig, resolveConfig } from '../../src/index.js';
import { sharedData } from '../data/helpers.js';
import { callCli, checkpointContent, events, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('restore');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('test.csv'), 300, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path, 'workers: 1\nps: 1\nkeepCheckpoints: 10'));
  await train('source', { maxSteps: 60 });
  await train('uncut', { maxSteps: 80 });
});
after(() => folder.remove());

function estimator(run: string, more: PartialTrainingConfig = {}): Estimator {
  return new Estimator(resolveConfig({ file: folder.in('run.yaml'), env: {}, values: { modelDir: folder.in(run), ...more } }));
}

/** Trains and tells where it began and what it said of a restore. */
async function train(
  run: string,
  more: PartialTrainingConfig = {},
): Promise<{ resumedStep: number | null; note: string | null; step: number }> {
  let began: { resumedStep: number | null; note: string | null } = { resumedStep: null, note: null };
  const { step } = await estimator(run, more).train({
    onReady: ({ resumedStep, restoreNote }) => {
      began = { resumedStep, note: restoreNote };
    },
  });
  return { ...began, step };
}

const from = (source: string, pick: string | null = null): PartialTrainingConfig => ({
  restoreDir: folder.in(source),
  ...(pick === null ? {} : { restoreCkpt: pick }),
});
const manifests = (run: string): string[] =>
  readdirSync(folder.in(run))
    .filter((name) => name.endsWith('.json'))
    .sort();

async function refused(promise: Promise<unknown>, code: ErrorCode, text: RegExp): Promise<void> {
  const error = await promise.then(
    () => assert.fail('was not refused'),
    (one: unknown) => one,
  );
  assert.ok(error instanceof MonolithError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, text);
}

describe('training from a restore folder', () => {
  test('the command goes on from the pick to the bits of a run that was never cut, and again from its own newest', async () => {
    const command = (maxSteps: string) => [
      ...['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in('restored'), '--max-steps', maxSteps],
      ...['--restore-dir', folder.in('source'), '--restore-ckpt', 'checkpoint-40'],
    ];
    const first = await callCli(command('80'));
    assert.equal(first.code, 0, first.stderr);
    assert.equal(events(first)[0].resumed_step, 40);
    assert.match(first.stderr, /restored from \S+source\/checkpoint-40/);
    assert.deepEqual(
      checkpointContent(folder.in('restored', 'checkpoint-80.json')),
      checkpointContent(folder.in('uncut', 'checkpoint-80.json')),
    );
    assert.deepEqual(manifests('restored'), ['checkpoint-40.json', 'checkpoint-60.json', 'checkpoint-80.json']);
    assert.equal(readFileSync(folder.in('restored', 'restore_ckpt'), 'utf8'), folder.in('source', 'checkpoint-40'));
    const monolith = readFileSync(folder.in('restored', 'monolith_checkpoint'), 'utf8');
    assert.match(monolith, /^exempt_model_checkpoint_paths: ".*source\/checkpoint-40"$/m);

    const again = await callCli(command('100'));
    assert.equal(again.code, 0, again.stderr);
    assert.equal(events(again)[0].resumed_step, 80);
    assert.match(again.stderr, /not restored again/);
    assert.ok(existsSync(folder.in('source', 'checkpoint-40.json')));
  });

  test('without restoreCkpt it is the last one; fresh restores again', async () => {
    assert.deepEqual(await train('last', { ...from('source'), maxSteps: 70 }), {
      resumedStep: 60,
      note: `restored from ${folder.in('source', 'checkpoint-60')}`,
      step: 70,
    });
    const fresh = await train('last', { ...from('source', 'checkpoint-20'), maxSteps: 30, fresh: true });
    assert.equal(fresh.resumedStep, 20);
    assert.deepEqual(manifests('last'), ['checkpoint-20.json', 'checkpoint-30.json']);
  });

  test('a run that is over when it is restored goes on with new data', async () => {
    writeClicks(folder.in('more.csv'), 400, 5);
    const run = { ...from('source', 'checkpoint-60'), data: { train: [folder.in('more.csv')] }, epochs: 1 };
    const first = await train('more', run);
    assert.equal(first.resumedStep, 60);
    assert.equal(first.step, 60 + Math.ceil(400 / 32));
  });

  test('a run folder with checkpoints of its own goes on from these', async () => {
    await train('own', { maxSteps: 10 });
    const more = await train('own', { ...from('source', 'checkpoint-40'), maxSteps: 12 });
    assert.equal(more.resumedStep, 10);
    assert.match(more.note ?? '', /not restored again: .*own has checkpoints already/);
  });

  test('what can not be restored is refused with what it is, and leaves nothing', async () => {
    const tf = folder.in('tf');
    mkdirSync(tf);
    const shared = sharedData();
    if (shared !== null) cpSync(join(shared, 'formats/tf-checkpoint-estimator'), tf, { recursive: true });
    else writeFileSync(join(tf, 'checkpoint'), 'model_checkpoint_path: "model.ckpt-1000"\nall_model_checkpoint_paths: "model.ckpt-1000"\n');
    await refused(train('no', from('tf')), 'CheckpointIncompatible', /tf\/model\.ckpt-1000 is a checkpoint of TensorFlow/);
    await refused(train('no', from('tf', 'model.ckpt-7')), 'RestoreCkptNotFound', /model\.ckpt-7/);
    await refused(train('no', from('nowhere')), 'MissingCheckpoint', /nowhere\/checkpoint/);
    await refused(train('source', { ...from('source'), fresh: true }), 'InvalidConfig', /same folder/);
    const back = train('source', { restoreCkpt: 'checkpoint-20' });
    await refused(back, 'InvalidConfig', /goes on from the newest .*checkpoint-60.*--restore-dir/);
    mkdirSync(folder.in('unreadable'));
    writeFileSync(folder.in('unreadable', 'checkpoint'), 'nothing');
    await refused(train('no', from('unreadable')), 'ReadCheckpointFailed', /^read ckpt error! /);
    assert.ok(!existsSync(folder.in('no')));
    assert.deepEqual(manifests('source'), ['checkpoint-20.json', 'checkpoint-40.json', 'checkpoint-60.json']);
  });
});

describe('evaluating and predicting with restoreCkpt', () => {
  test('takes the checkpoint that is named, of the run folder or of the restore folder, and copies nothing', async () => {
    const of20 = await estimator('source', { restoreCkpt: 'checkpoint-20' }).evaluate();
    assert.equal(of20.step, 20);
    assert.equal((await estimator('source').evaluate()).step, 60);
    mkdirSync(folder.in('empty'));
    assert.deepEqual(await estimator('empty', from('source', 'checkpoint-20')).evaluate(), of20);
    assert.deepEqual(await estimator('empty', { restoreCkpt: folder.in('source', 'checkpoint-20.json') }).evaluate(), of20);
    const predict = async (pick: string): Promise<number[]> => {
      const all: number[] = [];
      await estimator('empty', from('source', pick)).predict((some) => void all.push(...some));
      return all;
    };
    const at20 = await predict('checkpoint-20');
    assert.equal(at20.length, 300);
    assert.notDeepEqual(await predict('checkpoint-60'), at20);
    await refused(
      estimator('source', { restoreCkpt: 'checkpoint-7' }).evaluate(),
      'RestoreCkptNotFound',
      /lists checkpoint-20, checkpoint-40, checkpoint-60/,
    );
    await refused(estimator('empty', { restoreCkpt: 'checkpoint-20' }).evaluate(), 'MissingCheckpoint', /empty\/checkpoint/);
    assert.deepEqual(readdirSync(folder.in('empty')), []);
  });
});
