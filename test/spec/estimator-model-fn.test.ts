// The estimator of a model function: training code of the user's own.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Estimator, type EstimatorMode, type ModelFn, MonolithError, type TrainHook } from '../../src/index.js';
import { temporaryFolder } from '../helpers/cli.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('model-fn');
});
after(() => folder.remove());

/** Counts its calls; the count is its state. */
class Counting implements ModelFn {
  trained = 0;
  readonly modes: EstimatorMode[] = [];
  call(mode: EstimatorMode): number {
    this.modes.push(mode);
    if (mode === 'train') this.trained++;
    return 1 / (1 + this.trained);
  }
  saveState(): Uint8Array {
    return Uint8Array.of(this.trained);
  }
  loadState(state: Uint8Array): void {
    this.trained = state[0];
  }
}

describe('#5b prediction with inputs', () => {
  const seen: (readonly number[])[] = [];
  const summing: ModelFn = {
    call: () => 0.5,
    predict: (features) => {
      seen.push(features);
      return [features.reduce((sum, value) => sum + value, 0)];
    },
  };

  test('#5b predictWithInputs gives one vector an input', async () => {
    const { predictions, numExamples } = await Estimator.fromModelFn({ modelDir: folder.in('sum') }, summing).predictWithInputs([
      [1, 2],
      [3],
    ]);
    assert.deepEqual(predictions, [[3], [3]]);
    assert.equal(numExamples, 2);
  });

  test('#5b predict(3) calls the model with three empty vectors', async () => {
    seen.length = 0;
    const { predictions, numExamples } = await Estimator.fromModelFn({ modelDir: folder.in('sum') }, summing).predict(3);
    assert.deepEqual(seen, [[], [], []]);
    assert.deepEqual([predictions, numExamples], [[[0], [0], [0]], 3]);
  });

  test('#5b a model without predict gives one value, that of its call in mode predict, which sees the input', async () => {
    const model: ModelFn = { call: (mode, { features }) => (mode === 'predict' && features !== null ? features[0] * 10 : Number.NaN) };
    const { predictions } = await Estimator.fromModelFn({ modelDir: folder.in('sum') }, model).predictWithInputs([[1], [2]]);
    assert.deepEqual(predictions, [[10], [20]]);
  });
});

describe('#12 step control of a model function', () => {
  test('#12 steps 5 → 5, steps 5 → 10, max_steps 12 → 12, steps 10 + max_steps 15 → 15, max_steps 3 → still 15 and no model call', async () => {
    const model = new Counting();
    const estimator = Estimator.fromModelFn({ modelDir: folder.in('acc'), trainSteps: 4 }, model);
    const reached: number[][] = [];
    for (const [steps, maxSteps] of [[5], [5], [undefined, 12], [10, 15], [undefined, 3], []]) {
      const { step } = await estimator.trainWithLimits(steps, maxSteps);
      reached.push([step, model.trained]);
    }
    assert.deepEqual(reached, [
      [5, 5],
      [10, 10],
      [12, 12],
      [15, 15],
      [15, 15],
      [15, 15],
    ]);
  });

  test('#12 without limits training ends at the configured step; evaluations take the configured number of calls, or 1', async () => {
    const model = new Counting();
    const { step, loss } = await Estimator.fromModelFn({ modelDir: folder.in('configured'), trainSteps: 3 }, model).train();
    assert.equal(step, 3);
    assert.equal(loss, (1 / 2 + 1 / 3 + 1 / 4) / 3);
    const estimator = Estimator.fromModelFn({ modelDir: folder.in('configured'), evalSteps: 2 }, model);
    assert.equal((await estimator.evaluateWithSteps(7)).evalSteps, 7);
    assert.equal(model.modes.filter((mode) => mode === 'eval').length, 7);
    assert.equal((await estimator.evaluate()).evalSteps, 2);
    const plain = await Estimator.fromModelFn({ modelDir: folder.in('configured') }, model).evaluate();
    assert.deepEqual([plain.evalSteps, plain.step, plain.metrics.loss], [1, 3, 1 / 4]);
  });

  test('#12 the order of a step is before(g), the call, after(g, metrics), g + 1; end comes after every call of train', async () => {
    const events: string[] = [];
    const hook: TrainHook = {
      beforeStep: (g) => void events.push(`before ${g}`),
      afterStep: (g, { loss }) => void events.push(`after ${g} ${loss}`),
      end: (g, metrics) => void events.push(`end ${g} ${metrics?.loss ?? 'none'}`),
    };
    const model: ModelFn = {
      call: (_, { step }) => {
        events.push(`call ${step}`);
        return step / 2;
      },
    };
    const estimator = Estimator.fromModelFn({ modelDir: folder.in('order') }, model);
    await estimator.train({ steps: 2, hooks: [hook] });
    await estimator.train({ steps: 0, hooks: [hook] });
    assert.deepEqual(events, ['before 0', 'call 0', 'after 0 0', 'before 1', 'call 1', 'after 1 0.5', 'end 2 0.5', 'end 2 none']);
  });

  test('#12 a stop leaves g as it is, later hooks do not see that step, and the result says who stopped and why', async () => {
    const seen: number[] = [];
    const stopping: TrainHook = { name: 'three', afterStep: (g, _, context) => (g === 3 ? context.stop('enough') : undefined) };
    const later: TrainHook = { afterStep: (g) => void seen.push(g) };
    const model = new Counting();
    const estimator = Estimator.fromModelFn({ modelDir: folder.in('stop') }, model);
    const result = await estimator.train({ maxSteps: 100, hooks: [stopping, later] });
    assert.equal(result.step, 3);
    assert.equal(estimator.step, 3);
    assert.equal(model.trained, 4);
    assert.deepEqual(seen, [0, 1, 2]);
    assert.equal(result.stoppedEarly, true);
    assert.equal(result.reason, 'stopped by hook');
    assert.deepEqual(result.hookStop, { hook: 'three', reason: 'enough' });
    // Before a step: it is not made.
    const before = await estimator.train({ steps: 5, hooks: [{ beforeStep: (g, context) => (g === 5 ? context.stop() : undefined) }] });
    assert.deepEqual([before.step, model.trained], [5, 6]);
  });

  test('#12 rounds: a slice and an evaluation each; the round in which training stopped early is the last; none is an error', async () => {
    const estimator = Estimator.fromModelFn({ modelDir: folder.in('rounds'), trainSteps: 1, evalSteps: 3 }, new Counting());
    const rounds = await estimator.trainAndEvaluate(4, 2);
    assert.deepEqual(
      rounds.map(({ training, evaluation }) => [
        training.step,
        evaluation.step,
        evaluation.evalSteps,
        Math.round(1 / evaluation.metrics.loss),
      ]),
      [
        [4, 4, 3, 5],
        [8, 8, 3, 9],
      ],
    );
    assert.equal(estimator.settings.trainSteps, 1);
    const hooks: TrainHook[] = [{ afterStep: (g, _, context) => (g === 9 ? context.stop() : undefined) }];
    const stopped = await estimator.trainAndEvaluate(4, 3, { hooks });
    assert.deepEqual([stopped.length, stopped[0].training.step, stopped[0].evaluation.step], [1, 9, 9]);
    await assert.rejects(estimator.trainAndEvaluate(4, 0), { code: 'InvalidArgument', message: /^No evaluation was performed/ });
  });
});

describe('checkpoints of a model function', () => {
  test('another process goes on from step and state; hooks save, and what they saved last is not written twice', async () => {
    const settings = { modelDir: folder.in('resume'), keepCheckpoints: 2, checkpointEvery: 2 };
    const saved: number[] = [];
    const hook: TrainHook = {
      onCheckpoint: ({ step }) => void saved.push(step),
      afterStep: async (_, __, context) => void (await context.save()),
    };
    await Estimator.fromModelFn(settings, new Counting()).train({ steps: 3, hooks: [hook] });
    assert.deepEqual(saved, [1, 2, 3]);
    const model = new Counting();
    const again = Estimator.fromModelFn(settings, model);
    const result = await again.train({ steps: 1 });
    assert.deepEqual([result.step, model.trained], [4, 4]);
    assert.match(result.checkpoint ?? '', /checkpoint-4\.json$/);
  });

  test('a new run may start warm: from the state, not from the step', async () => {
    const model = new Counting();
    const settings = { modelDir: folder.in('warm'), warmStartFrom: folder.in('resume') };
    const { step } = await Estimator.fromModelFn(settings, model).train({ steps: 2 });
    assert.deepEqual([step, model.trained], [2, 6]);
  });

  test('what cannot be a loss, and what the model or a hook throws, ends training with an error; what was saved stays', async () => {
    const modelDir = folder.in('errors');
    const run = (model: ModelFn, hooks: TrainHook[] = []): Promise<unknown> =>
      Estimator.fromModelFn({ modelDir }, model).train({ steps: 2, hooks });
    await assert.rejects(run({ call: () => Number.NaN }), { code: 'NonFiniteLoss', message: /mode train, step 0/ });
    await assert.rejects(run({ call: () => 'loss' as unknown as number }), { code: 'InvalidModel' });
    await assert.rejects(
      run({
        call: () => {
          throw new RangeError('mine');
        },
      }),
      RangeError,
    );
    const failing: TrainHook = {
      name: 'broken',
      beforeStep: () => {
        throw new Error('no');
      },
    };
    await assert.rejects(run({ call: () => 1 }, [failing]), (error: MonolithError) => {
      assert.ok(error instanceof MonolithError);
      assert.equal(error.code, 'HookFailed');
      assert.match(error.message, /broken.*beforeStep/);
      return true;
    });
    assert.throws(() => Estimator.fromModelFn({ modelDir, evalSteps: 0 }, new Counting()), { code: 'InvalidArgument' });
  });
});
