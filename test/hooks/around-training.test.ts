// What hooks may do to a run, and when they are called.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { EvaluationHook, type PartialTrainingConfig, StopFileHook, type TrainHook } from '../../src/index.js';
import { checkpointContent } from '../helpers/cli.js';
import { type SmallData, smallData } from '../helpers/small-run.js';

let data: SmallData;
before(async () => {
  data = await smallData('around-training', 640);
});
after(() => data.remove());

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

test('evaluations by time take the place of those at the end of epochs', async () => {
  const evaluated = async (run: string, evalEverySeconds: number): Promise<number[]> => {
    const steps: number[] = [];
    const values: PartialTrainingConfig = { evalEverySeconds, epochs: 2, batchSize: 320 };
    await data.estimator(run, values).train({ hooks: [{ onEvaluation: ({ step }) => void steps.push(step) }] });
    return steps;
  };
  assert.deepEqual(await evaluated('always', 1e-6), [1, 2, 3, 4]);
  assert.deepEqual(await evaluated('hourly', 3600), [4]);
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

test('hooks of the package refuse what they can not work with as they are made', () => {
  assert.throws(() => new StopFileHook(''), { code: 'InvalidArgument', message: /expected the path of a file/ });
  assert.throws(() => new EvaluationHook(10, 5 as never), { code: 'InvalidArgument', message: /is a number, expected a function/ });
});
