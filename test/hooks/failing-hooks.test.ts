import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EarlyStoppingHook, MonolithError, type PartialTrainingConfig, type TrainHook } from '../../src/index.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

let data: SmallData;
before(async () => {
  data = await smallData('failing-hooks', 640);
});
after(() => data.remove());

const METHODS = [
  'onStart',
  'begin',
  'beforeStep',
  'afterStep',
  'onProgress',
  'onEvaluation',
  'onCheckpoint',
  'end',
  'onEnd',
  'close',
] as const;

describe('a hook that throws', () => {
  for (const kind of ['at once', 'later'] as const) {
    test(`${kind}, in whatever method, ends the run with an error that names hook and method; the run goes on from what was saved`, async () => {
      const run = `throws-${kind.replace(' ', '-')}`;
      const values: PartialTrainingConfig = { epochs: 0, evalEvery: 3, checkpointEvery: 2, logEvery: 0.001 };
      let runs = 0;
      for (const method of METHODS) {
        const cause = new Error(`no luck in ${method}`);
        const fail = (): void | Promise<void> => {
          if (kind === 'later') return new Promise((_, reject) => setImmediate(() => reject(cause)));
          throw cause;
        };
        const others: string[] = [];
        const hooks: TrainHook[] = [
          { name: 'unlucky', [method]: fail },
          { name: 'other', close: () => void others.push('closed') },
        ];
        const train = data.estimator(run, { ...values, maxSteps: 8 * ++runs }).train({ hooks });
        await assert.rejects(train, (error) => {
          assert.ok(error instanceof MonolithError);
          assert.equal(error.code, 'HookFailed');
          assert.equal(error.message, `hook unlucky, ${method}: no luck in ${method}`);
          assert.equal(error.cause, cause);
          assert.deepEqual([error.details.hook, error.details.method], ['unlucky', method]);
          return true;
        });
        assert.deepEqual(others, ['closed'], method);
      }
      // No lock, no half-written checkpoint: each run went on from whatever there was, and so does the last.
      assert.equal((await data.estimator(run, { ...values, maxSteps: 8 * runs }).train()).step, 8 * runs);
    });
  }

  test('keeps the code of a MonolithError; a hook without a name goes by its place or its class', async () => {
    class Careful implements TrainHook {
      begin(): void {
        throw new MonolithError('DataNotFound', 'no such file', { path: 'x' });
      }
    }
    await assert.rejects(data.estimator('coded').train({ hooks: [new Careful()] }), (error) => {
      assert.ok(error instanceof MonolithError);
      assert.deepEqual([error.code, error.message, error.details.path], ['DataNotFound', 'hook Careful, begin: no such file', 'x']);
      return true;
    });
    const nameless: TrainHook = {
      begin: () => {
        throw new TypeError('oh');
      },
    };
    await assert.rejects(data.estimator('nameless').train({ hooks: [nameless] }), {
      message: /^hook number \d, begin: oh$/,
      code: 'HookFailed',
    });
  });

  test('for its trigger, its state or what it gets back is named too', async () => {
    const bad = async (hook: TrainHook, pattern: RegExp): Promise<void> => {
      await assert.rejects(data.estimator('bad-parts', { maxSteps: 2 }).train({ hooks: [hook] }), pattern);
    };
    await bad(
      { name: 'a', trigger: { everySteps: 0 }, afterStep: () => {} },
      /^HookFailed|hook a, trigger: .*everySteps must be an integer ≥ 1, got 0/,
    );
    await bad({ name: 'b', trigger: {}, afterStep: () => {} }, /hook b, trigger: .*give everySteps, everySeconds or both/);
    const state = (): never => {
      throw new Error('lost');
    };
    await bad({ name: 'c', state }, /hook c, state: lost/);
    await data.estimator('bad-restore', { maxSteps: 2 }).train({ hooks: [{ name: 'd', state: () => 7 }] });
    const restore = (): never => {
      throw new Error('not mine');
    };
    await assert.rejects(
      data.estimator('bad-restore', { maxSteps: 3 }).train({ hooks: [{ name: 'd', restore }] }),
      /hook d, restore: not mine/,
    );
  });
});

describe('given by a program without a compiler', () => {
  // Whatever a JavaScript program may write.
  const train = (run: string, options: unknown) => data.estimator(run, { epochs: 0, maxSteps: 2 }).train(options as { hooks: TrainHook[] });
  const refused = (run: string, options: unknown, message: RegExp) =>
    assert.rejects(train(run, options), (error) => {
      assert.ok(error instanceof MonolithError, String(error));
      assert.match(error.message, message);
      return true;
    });

  test('what is no hook, or an option that does not exist, is refused before anything starts', async () => {
    await refused('refused', { hooks: { afterStep: () => {} } }, /^hooks: expected a list/);
    await refused('refused', { hooks: [null] }, /^hooks\[0\] is null/);
    await refused('refused', { hooks: [class {}] }, /^hooks\[0\] is a function or class/);
    await refused('refused', { hooks: [{ aftrStep: () => {} }] }, /^hooks\[0\] has none of the methods/);
    await refused('refused', { step: 5 }, /^train: unknown option step; did you mean steps\?/);
    await refused('refused', null, /^train: expected options/);
    assert.throws(() => data.checkpoints('refused'), { code: 'ENOENT' });
  });

  test('a save and an evaluation that a hook does not await are over before the next step', async () => {
    const done: string[] = [];
    const hook: TrainHook = {
      afterStep(step, _metrics, context) {
        void context.evaluate().then(() => context.save().then(() => done.push(`saved ${step}`)));
      },
      beforeStep: (step) => void done.push(`step ${step}`),
    };
    await train('unawaited', { hooks: [hook] });
    assert.deepEqual(done, ['step 0', 'saved 0', 'step 1', 'saved 1']);
  });

  test('a state that a checkpoint can not hold names its hook', async () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    for (const [state, message] of [
      [() => circle, /^hook odd, state: .*circular/],
      [async () => 1, /^hook odd, state: returned a promise/],
      [() => () => 1, /^hook odd, state: returned a function/],
    ] as const) {
      await refused('state', { hooks: [{ name: 'odd', state }] }, message);
    }
  });

  test('a figure that evaluations of the model lack is refused, and what was trained is saved', async () => {
    await refused('figure', { hooks: [new EarlyStoppingHook('acu', 1)] }, /figure "acu"; did you mean "auc"\?/);
    const values: PartialTrainingConfig = { epochs: 0, maxSteps: 2, earlyStop: { metric: 'rmse', patience: 1 } };
    await assert.rejects(data.estimator('rmse', values).train(), /no figure "rmse".* has .*auc/);
    assert.deepEqual(data.checkpoints('rmse'), [2]);
  });
});
