// Step control on the real engine: slices, limits, evaluation of so many steps, rounds of both.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Estimator, type PartialTrainingConfig, type TrainResult } from '../../src/index.js';
import { temporaryFolder } from '../helpers/cli.js';
import { writeClicks } from '../helpers/click-data.js';

/** More than one worker and shard: what is said of bits is said of them. */
const two = { workers: 2, ps: 2, batchSize: 16 };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let whole: TrainResult;
before(async () => {
  folder = await temporaryFolder('estimator-steps');
  writeClicks(folder.in('train.csv'), 900, 1);
  writeClicks(folder.in('test.csv'), 400, 2);
  whole = await estimator('whole', two).train({ maxSteps: 70 });
});
after(() => folder.remove());

function estimator(name: string, more: PartialTrainingConfig = {}): Estimator {
  return new Estimator({
    model: 'deepfm',
    modelOptions: { hidden: [8], embeddingDim: 4, dropout: 0.2, batchNorm: true },
    modelDir: folder.in(name),
    batchSize: 32,
    epochs: 0,
    seed: 5,
    optimizer: { dense: { kind: 'adam', learningRate: 0.005 } },
    schedule: { kind: 'linear', warmupSteps: 5, decaySteps: 60, endFactor: 0.1 },
    workers: 1,
    ps: 1,
    data: {
      train: [folder.in('train.csv')],
      eval: [folder.in('test.csv')],
      shuffle: 300,
      parseThreads: 0,
      schema: {
        label: { column: 'click' },
        features: [
          { name: 'price', type: 'numeric', transform: 'log1p' },
          { name: 'user', type: 'categorical' },
          { name: 'item', type: 'categorical' },
          { name: 'tags', type: 'categorical', separator: '|', maxLength: 4 },
        ],
      },
    },
    ...more,
  });
}

/** The bytes of every section of the checkpoint of one step. */
function sections(modelDir: string, step: number): Record<string, string> {
  const inside = join(modelDir, `checkpoint-${step}`);
  return Object.fromEntries(
    readdirSync(inside)
      .sort()
      .map((name) => [name, readFileSync(join(inside, name)).toString('base64')]),
  );
}

describe('#12 step control on the real engine', () => {
  test('#12 steps are relative, maxSteps is absolute, the nearer of both ends a call; a limit behind makes no step', async () => {
    const own = estimator('limits', { maxSteps: 4 });
    const at = async (run: Promise<TrainResult>): Promise<number[]> => run.then(({ step, runExamples }) => [step, runExamples / 32]);
    assert.deepEqual(await at(own.trainWithLimits(5)), [5, 5]);
    assert.deepEqual(await at(own.trainWithLimits(5)), [10, 5]);
    assert.deepEqual(await at(own.trainWithLimits(undefined, 12)), [12, 2]);
    assert.deepEqual(await at(own.trainWithLimits(10, 15)), [15, 3]);
    assert.deepEqual(await at(own.trainWithLimits(undefined, 3)), [15, 0]);
    // Neither: the configured limit, which is absolute too.
    assert.deepEqual(await at(own.train()), [15, 0]);
    assert.deepEqual(await at(own.trainWithLimits(0)), [15, 0]);
  });

  test('#12 zero steps of a new run make no step; numbers that are no counts are refused before anything is opened', async () => {
    const own = estimator('zero');
    assert.equal((await own.train({ maxSteps: 0 })).step, 0);
    await assert.rejects(own.trainWithLimits(1.5), { code: 'InvalidArgument', message: /steps is 1.5, expected a whole number ≥ 0/ });
    await assert.rejects(own.evaluateWithSteps(0), { code: 'InvalidArgument' });
  });

  test('#12 evaluateWithSteps takes so many steps, whatever is configured; without it the configured number, or all data', async () => {
    const own = estimator('evaluate', { evalSteps: 3 });
    const { evaluation } = await own.train({ steps: 2 });
    assert.equal(evaluation?.examples, 3 * 32);
    const seven = await own.evaluateWithSteps(7);
    assert.equal(seven.evalSteps, 7);
    assert.equal(seven.metrics.examples, 7 * 32);
    const three = await own.evaluate();
    assert.equal(three.evalSteps, 3);
    assert.deepEqual(three.metrics, evaluation);
    const all = await estimator('evaluate').evaluate();
    assert.equal(all.metrics.examples, 400);
    assert.equal(all.evalSteps, Math.ceil(400 / 32));
    // More than there are.
    assert.deepEqual((await own.evaluateWithSteps(1000)).metrics, all.metrics);
  });

  test('#12 three slices with evaluation between give the bits of one uninterrupted training', async () => {
    const sliced = estimator('sliced', two);
    for (const steps of [13, 31]) {
      await sliced.train({ steps });
      await sliced.evaluate();
    }
    const last = await sliced.train({ maxSteps: 70 });
    assert.equal(last.step, 70);
    assert.deepEqual(sections(folder.in('sliced'), 70), sections(folder.in('whole'), 70));
    assert.deepEqual(last.evaluation, whole.evaluation);
  });

  test('#12 rounds keep their threads and give the bits of one uninterrupted training; the configuration stays as it is', async () => {
    const own = estimator('rounds', { ...two, fresh: true });
    const before = JSON.stringify(own.config);
    const rounds = await own.trainAndEvaluate(25, 5, { maxSteps: 70 });
    assert.equal(JSON.stringify(own.config), before);
    assert.deepEqual(
      rounds.map(({ training }) => training.step),
      [25, 50, 70],
    );
    for (const { training, evaluation } of rounds) {
      assert.notEqual(evaluation, null);
      assert.deepEqual(evaluation, training.evaluation);
    }
    assert.deepEqual(sections(folder.in('rounds'), 70), sections(folder.in('whole'), 70));
    // `fresh` was seen to by the first call: a later one goes on.
    assert.equal((await own.train({ steps: 1 })).step, 71);
  });

  test('#12 rounds end after the evaluation of the round in which training stopped early', async () => {
    const rounds = await estimator('early', {
      evalEvery: 3,
      earlyStop: { metric: 'auc', patience: 1, minDelta: 2 },
    }).trainAndEvaluate(10, 4);
    assert.equal(rounds.length, 1);
    assert.equal(rounds[0].training.reason, 'early stopping');
    assert.ok(rounds[0].training.step < 10);
    assert.notEqual(rounds[0].evaluation, null);
  });

  test('#12 no rounds: `No evaluation was performed`', async () => {
    await assert.rejects(estimator('none').trainAndEvaluate(5, 0), { code: 'InvalidArgument', message: /^No evaluation was performed/ });
  });
});
