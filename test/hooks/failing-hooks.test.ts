import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MonolithError, type PartialTrainingConfig, type TrainHook } from '../../src/index.js';
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
