// Group J: logging, early stopping, lists of hooks, and the order of calls.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EarlyStoppingHook, FunctionHook, HookList, LoggingHook, type TrainHook } from '../../src/index.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

let data: SmallData;
before(async () => {
  data = await smallData('spec-hooks', 1000);
});
after(() => data.remove());

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
