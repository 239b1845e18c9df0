// Group J: checkpoint hook, retention, logging, early stopping, lists of hooks.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  CheckpointHook,
  EarlyStoppingHook,
  EvaluationHook,
  FunctionHook,
  HookList,
  LoggingHook,
  MonolithError,
  type TrainHook,
} from '../../src/index.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

let data: SmallData;
before(async () => {
  data = await smallData('spec-hooks', 1000);
});
after(() => data.remove());

test('#5a CheckpointHook: with n = 1 and two to keep, steps 1, 2, 3 leave checkpoint-2 and checkpoint-3', async () => {
  const hook = new CheckpointHook(data.in('two'), 1, { maxToKeep: 2 });
  const result = await data.estimator('two', { maxSteps: 3 }).train({ hooks: [hook] });
  assert.equal(result.step, 3);
  assert.deepEqual(data.checkpoints('two'), [2, 3]);
});

test('#5a CheckpointHook: with n = 100 step 50 writes nothing and step 100 a file, with real weights', async () => {
  const seen: Record<number, number[]> = {};
  const look = new FunctionHook((_step, _metrics, { step }) => {
    if ([50, 99, 100].includes(step)) seen[step] = data.checkpoints('hundred');
  });
  const estimator = data.estimator('hundred', { batchSize: 8, maxSteps: 101 });
  await estimator.train({ hooks: [new CheckpointHook(data.in('hundred'), 100), look] });
  assert.deepEqual(seen, { 50: [], 99: [], 100: [100] });
  const { sections } = JSON.parse(readFileSync(data.in('hundred', 'checkpoint-100.json'), 'utf8')) as { sections: { bytes: number }[] };
  assert.ok(sections.length > 2 && sections.every(({ bytes }) => bytes > 0));
});

for (const order of ['before', 'behind'] as const) {
  test(`#5a an early stop on a save step, ${order} the CheckpointHook, with one to keep leaves exactly one loadable checkpoint`, async () => {
    const run = `early-${order}`;
    const stop = new EarlyStoppingHook('loss', 2, 1e9);
    const save = new CheckpointHook(data.in(run), 1, { maxToKeep: 1 });
    const estimator = data.estimator(run);
    const result = await estimator.train({ hooks: order === 'before' ? [stop, save] : [save, stop] });
    assert.deepEqual([result.step, result.reason, result.stoppedEarly], [3, 'stopped by hook', true]);
    assert.deepEqual(data.checkpoints(run), [3]);
    assert.equal((await estimator.evaluate()).step, 3);
  });
}

test('#5a a save at the end of a step that is saved already writes nothing and deletes nothing, over several train calls', async () => {
  const hook = new CheckpointHook(data.in('slices'), 2, { maxToKeep: 1 });
  for (const maxSteps of [2, 4, 4]) {
    await data.estimator('slices', { maxSteps }).train({ hooks: [hook] });
    assert.deepEqual(data.checkpoints('slices'), [maxSteps]);
  }
});

test('#5a maxToKeep: 0 keeps all, 5 unless given, and files of earlier runs count', async () => {
  const train = async (maxSteps: number, maxToKeep?: number): Promise<number[]> => {
    const hook = new CheckpointHook(data.in('keep'), 1, maxToKeep === undefined ? {} : { maxToKeep });
    await data.estimator('keep', { maxSteps }).train({ hooks: [hook] });
    return data.checkpoints('keep');
  };
  assert.deepEqual(await train(7, 0), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(await train(8), [4, 5, 6, 7, 8]);
  assert.deepEqual(await train(9, 2), [8, 9]);
});

test('#5a numbers that make no sense are refused', () => {
  const refused: (() => unknown)[] = [
    () => new CheckpointHook('m', 1, { maxToKeep: -1 }),
    () => new CheckpointHook('m', Number.NaN),
    () => new CheckpointHook('m', { everySeconds: 0 }),
    () => new CheckpointHook('m', 1, { save: () => {}, keepBest: 'auc' }),
    () => new LoggingHook(0),
    () => new EarlyStoppingHook('loss', 0),
    () => new EarlyStoppingHook('loss', 1, -1),
  ];
  for (const make of refused) assert.throws(make, (error) => error instanceof MonolithError && error.code === 'InvalidArgument');
});

test('#5a every n below 1 counts as 1', async () => {
  await data.estimator('floored', { maxSteps: 3 }).train({ hooks: [new CheckpointHook(data.in('floored'), 0, { maxToKeep: 0 })] });
  assert.deepEqual(data.checkpoints('floored'), [1, 2, 3]);
});

test('#5a a save function replaces the writer, its files are pruned, the folder of the run is left alone', async () => {
  const steps: number[] = [];
  const save = (step: number, path: string): void => {
    steps.push(step);
    mkdirSync(data.in('own'), { recursive: true });
    writeFileSync(path, JSON.stringify({ step }));
    // A file that is gone already is none of the hook's business.
    if (step === 4) rmSync(data.in('own', 'checkpoint-2.json'));
  };
  await data.estimator('with-own', { maxSteps: 7 }).train({ hooks: [new CheckpointHook(data.in('own'), 2, { save, maxToKeep: 2 })] });
  assert.deepEqual(steps, [2, 4, 6, 7]);
  assert.deepEqual(data.checkpoints('own'), [6, 7]);
  assert.deepEqual(data.checkpoints('with-own'), [7]);
});

test('#5a a checkpoint that cannot be deleted ends the run with an error that names hook and file', async () => {
  mkdirSync(data.in('undeletable', 'checkpoint-1.json'), { recursive: true });
  const save = (_step: number, path: string): void => writeFileSync(path, '{}');
  const hook = new CheckpointHook(data.in('undeletable'), 2, { save, maxToKeep: 1 });
  await assert.rejects(data.estimator('with-undeletable', { maxSteps: 4 }).train({ hooks: [hook] }), (error) => {
    assert.ok(error instanceof MonolithError);
    assert.equal(error.code, 'WriteFailed');
    assert.match(error.message, /^hook CheckpointHook, afterStep: .*checkpoint-1\.json: can't delete/);
    return true;
  });
});

test('#5a a folder that is not the run’s is refused before the first step', async () => {
  const train = data.estimator('one-folder').train({ hooks: [new CheckpointHook(data.in('another'), 1)] });
  await assert.rejects(train, /hook CheckpointHook, begin: .*modelDir is .*another.*saves in .*one-folder/);
  assert.ok(!existsSync(data.in('another')));
});

test('#5a keepBest saves the best state by its figure and keeps it beside the newest', async () => {
  const found: { step: number; logloss: number }[] = [];
  const evaluate = new EvaluationHook(3, (metrics, step) => {
    found.push({ step, logloss: 'logloss' in metrics ? metrics.logloss : Number.NaN });
  });
  const hook = new CheckpointHook(data.in('best'), 1000, { maxToKeep: 1, keepBest: 'logloss' });
  const rates = { sparse: { kind: 'adagrad' as const, learningRate: 1.5 }, dense: { kind: 'adam' as const, learningRate: 0.05 } };
  await data.estimator('best', { epochs: 3, optimizer: rates, evalEvery: 10_000 }).train({ hooks: [evaluate, hook] });
  const best = found.reduce((a, b) => (b.logloss < a.logloss ? b : a));
  const last = 3 * Math.ceil(1000 / 32);
  assert.ok(found.length > 20 && best.step < last);
  assert.deepEqual(data.checkpoints('best'), [best.step, last]);
});

test('#5a LoggingHook writes at step 0 and at multiples of n', async () => {
  const lines: string[] = [];
  await data.estimator('log', { maxSteps: 10 }).train({ hooks: [new LoggingHook(4, (line) => void lines.push(line))] });
  assert.deepEqual(
    lines.map((line) => /^step (\d+): loss \d\.\d+, examples 32$/.exec(line)?.[1]),
    ['0', '4', '8'],
  );
});

test('#5a EarlyStoppingHook: lower is better for loss, higher for auc; a metric that is missing is ignored', async () => {
  const steps = async (run: string, hook: TrainHook): Promise<number> =>
    (await data.estimator(run, { evalEvery: 5 }).train({ hooks: [hook] })).step;
  const whole = Math.ceil(1000 / 32);
  assert.equal(await steps('stop-auc', new EarlyStoppingHook('auc', 2, 10)), 15);
  assert.equal(await steps('stop-logloss', new EarlyStoppingHook('logloss', 1, 10)), 10);
  assert.equal(await steps('stop-missing', new EarlyStoppingHook('nonesuch', 1)), whole);
  // A loss that only falls is no improvement for who wants it to rise.
  const falling = new EarlyStoppingHook('examples', 3, 0, { mode: 'max' });
  assert.equal(await steps('stop-examples', falling), 4);
});

test('#5a EarlyStoppingHook that ended a run ends the next one before its first step, and a cut run ends where the uncut one does', async () => {
  const hook = (): TrainHook => new EarlyStoppingHook('loss', 6, 0.01);
  const uncut = await data.estimator('uncut', { epochs: 5 }).train({ hooks: [hook()] });
  assert.equal(uncut.reason, 'stopped by hook');
  assert.match(uncut.hookStop?.reason ?? '', /^loss has not improved on \d\.\d+ for 6 looks$/);
  for (const maxSteps of [2, uncut.step - 4, uncut.step - 1])
    await data.estimator('cut', { epochs: 5, maxSteps }).train({ hooks: [hook()] });
  const cut = await data.estimator('cut', { epochs: 5 }).train({ hooks: [hook()] });
  assert.deepEqual([cut.step, cut.reason], [uncut.step, 'stopped by hook']);
  const again = await data.estimator('cut', { epochs: 5 }).train({ hooks: [hook()] });
  assert.deepEqual([again.step, again.runExamples, again.reason], [uncut.step, 0, 'stopped by hook']);
});

test('#5a HookList: behind the first hook that asks to stop no hook sees the step', async () => {
  const calls: string[] = [];
  const seen = (name: string): TrainHook => new FunctionHook((step) => void calls.push(`${name} ${step}`));
  const stop = new FunctionHook((step, _metrics, context) => (step === 1 ? context.stop('enough') : undefined), { name: 'stopper' });
  const result = await data.estimator('list').train({ hooks: [new HookList([seen('a'), stop, seen('b')]), seen('c')] });
  assert.deepEqual(calls, ['a 0', 'b 0', 'c 0', 'a 1']);
  assert.deepEqual([result.step, result.reason, result.stoppedEarly], [2, 'stopped by hook', true]);
  assert.deepEqual(result.hookStop, { hook: 'HookList', reason: 'stopper: enough' });
});

test('#12 around each step: before, the step, after, then the count; end comes after every call, also without a step', async () => {
  const calls: string[] = [];
  const hook: TrainHook = {
    beforeStep: (step, context) => void calls.push(`before ${step} at ${context.step}`),
    afterStep: (step, { examples }, context) => void calls.push(`after ${step} at ${context.step}: ${examples}`),
    end: (step, metrics) => void calls.push(`end ${step} ${metrics === null ? null : metrics.examples}`),
  };
  for (const maxSteps of [2, 2]) await data.estimator('order', { maxSteps }).train({ hooks: [hook] });
  assert.deepEqual(calls, ['before 0 at 0', 'after 0 at 1: 32', 'before 1 at 1', 'after 1 at 2: 32', 'end 2 32', 'end 2 null']);
});
