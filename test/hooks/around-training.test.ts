// What hooks may do to a run, and what a run does to hooks that fail.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { MonolithError, type PartialTrainingConfig, StopFileHook, type TrainHook } from '../../src/index.js';
import { checkpointContent } from '../helpers/cli.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

let data: SmallData;
before(async () => {
  data = await smallData('around-training', 640);
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

describe('bits', () => {
  for (const mode of ['one worker', 'two workers and shards']) {
    test(`are the same with and without hooks that evaluate and save around every step: ${mode}`, async () => {
      const sizes: PartialTrainingConfig = { ...(mode === 'one worker' ? {} : { workers: 2, ps: 2 }), evalEvery: 7, epochs: 2 };
      const name = mode.replaceAll(' ', '-');
      const calls = new Set<string>();
      const busy: TrainHook = {
        name: 'busy',
        state: () => null,
        begin: async (context) => void calls.add(`begin ${(await context.save()) !== ''}`),
        beforeStep: async (step, context) => {
          calls.add('beforeStep');
          // An evaluation between filling a step and sending it out: the step must be the same afterwards.
          if (step % 3 === 0) await context.evaluate();
          if (step % 4 === 0) await Promise.all([context.save(), context.evaluate()]);
        },
        afterStep: async (step, _metrics, context) => {
          calls.add('afterStep');
          if (step % 5 === 0) await Promise.all([context.evaluate(), context.save()]);
        },
        onProgress: async (_progress, context) => {
          calls.add('onProgress');
          await context.save();
        },
        onEvaluation: async (_event, context) => void calls.add(`onEvaluation ${(await context.evaluate()) !== null}`),
        onCheckpoint: async ({ path }, context) => void calls.add(`onCheckpoint ${path === (await context.save())}`),
        end: async (_step, _metrics, context) => void calls.add(`end ${existsSync(await context.save())}`),
      };
      const plain = await data.estimator(`${name}-plain`, sizes).train();
      const hooked = await data.estimator(`${name}-hooked`, sizes).train({ hooks: [busy] });
      assert.deepEqual([...calls].sort(), [
        ...['afterStep', 'beforeStep', 'begin true', 'end true', 'onCheckpoint true', 'onEvaluation true', 'onProgress'],
      ]);
      const withoutHooks = (path: string | null): object => {
        // A manifest has the evaluation of its state only where that came first.
        const { metrics, ...content } = checkpointContent(String(path));
        const { hooks, ...trainer } = content.trainer as { hooks?: unknown };
        return { ...content, trainer };
      };
      assert.deepEqual(withoutHooks(hooked.checkpoint), withoutHooks(plain.checkpoint));
      assert.deepEqual(hooked.evaluation, plain.evaluation);
      assert.equal(hooked.loss, plain.loss);
    });
  }

  test('are the same when a run is cut at a checkpoint that a hook saved where an evaluation of the schedule was due', async () => {
    const values: PartialTrainingConfig = { evalEvery: 5, epochs: 4, earlyStop: { metric: 'auc', patience: 3, minDelta: 0.002 } };
    const evaluated = async (run: string, killAt: number): Promise<string[]> => {
      const seen: string[] = [];
      const hook: TrainHook = {
        trigger: { everySteps: 5 },
        afterStep: async (_step, _metrics, context) => {
          await context.save();
          if (context.step === killAt) throw new Error('cut here');
        },
        onEvaluation: ({ step, best }) => void seen.push(`${step} ${best}`),
      };
      await data
        .estimator(run, values)
        .train({ hooks: [hook] })
        .catch((error) => assert.equal(error.code, 'HookFailed'));
      return seen;
    };
    const uncut = await evaluated('due-uncut', -1);
    const parts = [...(await evaluated('due-cut', 15)), ...(await evaluated('due-cut', -1))];
    assert.deepEqual(parts, uncut);
  });
});

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

describe('a hook that asks to stop', () => {
  test('in begin ends the run without a step; end and the last checkpoint come all the same', async () => {
    const calls: string[] = [];
    const hook: TrainHook = {
      name: 'early bird',
      begin: (context) => context.stop('not today'),
      beforeStep: () => void calls.push('step'),
      end: (step, metrics) => void calls.push(`end ${step} ${metrics}`),
    };
    const result = await data.estimator('no-step').train({ hooks: [hook] });
    assert.deepEqual(calls, ['end 0 null']);
    assert.deepEqual(result.hookStop, { hook: 'early bird', reason: 'not today' });
    assert.deepEqual([result.step, result.reason, data.checkpoints('no-step')], [0, 'stopped by hook', [0]]);
  });

  test('before a step lets it be made; the step counts, and the next run goes on behind it', async () => {
    const hook: TrainHook = { beforeStep: (step, context) => (step === 4 ? context.stop() : undefined) };
    const first = await data.estimator('goes-on').train({ hooks: [hook] });
    assert.deepEqual([first.step, first.hookStop?.reason], [5, null]);
    const second = await data.estimator('goes-on').train();
    assert.deepEqual([second.step, second.runExamples, second.stoppedEarly], [20, 640 - 5 * 32, false]);
  });

  test('at any time later is heard after the step in hand; saving is for calls that are under way', async () => {
    let late: Promise<string> | null = null;
    let own: { stop(): void; save(): Promise<string> } | null = null;
    const hook: TrainHook = {
      begin: (context) => {
        own = context;
      },
      onEvaluation: () => void setImmediate(() => own?.stop()),
    };
    const result = await data.estimator('late', { epochs: 0, evalEvery: 10 }).train({ hooks: [hook] });
    assert.equal(result.reason, 'stopped by hook');
    late = (own as unknown as { save(): Promise<string> }).save();
    await assert.rejects(late, /save\(\) was called outside of a call to a hook/);
  });
});

describe('triggers', () => {
  test('choose the steps that a hook is called around', async () => {
    const calls: string[] = [];
    const hooks: TrainHook[] = [
      {
        trigger: { everySteps: 4 },
        beforeStep: (g) => void calls.push(`before ${g}`),
        afterStep: (g, _m, { step }) => void calls.push(`after ${g} ${step}`),
      },
      { trigger: { due: (g) => g === 5 }, afterStep: (g) => void calls.push(`own ${g}`) },
      { trigger: { everySeconds: 3600 }, afterStep: (g) => void calls.push(`hourly ${g}`) },
      { trigger: { everySteps: 7, everySeconds: 1e-9 }, afterStep: (g) => void (g < 3 && calls.push(`always ${g}`)) },
    ];
    await data.estimator('triggers', { maxSteps: 9 }).train({ hooks });
    // A time is counted from the first step, which is therefore not chosen.
    assert.deepEqual(calls, ['always 1', 'always 2', 'before 3', 'after 3 4', 'own 5', 'before 7', 'after 7 8']);
  });
});

test('the evaluation of an epoch comes with its last step, also where steps and shuffle windows divide the epoch', async () => {
  for (const shuffle of [0, 64, 10_000]) {
    const steps: string[] = [];
    const hook: TrainHook = { onEvaluation: ({ step, epoch }) => void steps.push(`${step} ${epoch}`) };
    const run = `epochs-${shuffle}`;
    const { config } = data.estimator(run);
    const values: PartialTrainingConfig = { epochs: 3, data: { ...config.data, shuffle } };
    // Cut at the very end of an epoch: nothing is evaluated late, twice or not at all.
    if (shuffle === 64) await data.estimator(run, { ...values, maxSteps: 20 }).train({ hooks: [hook] });
    await data.estimator(run, values).train({ hooks: [hook] });
    assert.deepEqual(steps, ['20 1', '40 2', '60 3'], `shuffle ${shuffle}`);
  }
});

test('a stop file ends a run after the step in hand, is gone once all is saved, and the next run goes on', async () => {
  const path = data.in('stop-here');
  const request: TrainHook = { trigger: { everySteps: 3 }, afterStep: () => writeFileSync(path, 'now, please') };
  const stopped = await data.estimator('stop-file').train({ hooks: [request, new StopFileHook(path, { everySteps: 1 })] });
  assert.deepEqual([stopped.step, stopped.hookStop?.hook, existsSync(path)], [3, 'StopFileHook', false]);
  assert.deepEqual(data.checkpoints('stop-file'), [3]);
  const next = await data.estimator('stop-file', { maxSteps: 5 }).train({ hooks: [new StopFileHook(path, { everySteps: 1 })] });
  assert.deepEqual([next.step, next.reason], [5, 'max steps']);
  // A run that fails before it has saved leaves the file.
  writeFileSync(path, '');
  const failing: TrainHook = {
    end: () => {
      throw new Error('no');
    },
  };
  await assert.rejects(data.estimator('stop-file').train({ hooks: [new StopFileHook(path), failing] }));
  assert.ok(existsSync(path));
});

test('states of hooks stand in the checkpoint under their names and come back', async () => {
  const counter = (name: string, back: unknown[]): TrainHook => {
    let count = 0;
    return {
      name,
      restore: (state) => {
        back.push(state);
        count = Number(state);
      },
      state: () => count,
      afterStep: () => void count++,
    };
  };
  const back: unknown[] = [];
  for (const maxSteps of [3, 5]) {
    await data.estimator('states', { maxSteps }).train({ hooks: [counter('n', back), counter('n', back)] });
  }
  assert.deepEqual(back, [3, 3]);
  const { trainer } = JSON.parse(readFileSync(data.in('states', 'checkpoint-5.json'), 'utf8')) as { trainer: { hooks: unknown } };
  assert.deepEqual(trainer.hooks, { n: 5, 'n 2': 5 });
});
