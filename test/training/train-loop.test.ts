// The loop around the step, with an engine that only counts: what is reported, and when.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchPipeline } from '../../src/data/index.js';
import { type Progress, type TrainingEngine, TrainLoop } from '../../src/training/index.js';

const STEPS = 6;
/** Steps that are sent out before the first one ends. */
const AHEAD = 3;

/** An engine whose steps end `AHEAD` rounds late. */
class LateEngine {
  rounds = 0;
  private drained = false;
  readonly spec = { schedule: { kind: 'constant' } };
  readonly maxInFlight = AHEAD + 1;
  acquire = (): Promise<number[]> => Promise.resolve([]);
  whileSound = <T>(wait: Promise<T>): Promise<T> => wait;
  submitTrain = (): Promise<void> => {
    this.rounds++;
    this.drained = false;
    return Promise.resolve();
  };
  completedRounds = (): number => (this.drained ? this.rounds : Math.max(0, this.rounds - AHEAD));
  lossOf = (step: number): number => 1 / (step + 1);
  stageTimes = (): never[] => [];
  sizes = (): Promise<{ rows: number[] }> => Promise.resolve({ rows: [] });
  sync = (): Promise<void> => {
    this.drained = true;
    return Promise.resolve();
  };
}

test('no progress is reported before a first step has ended, however slow the machine: a report always has a loss', async () => {
  let fed = 0;
  const train = {
    position: { epoch: 0 },
    stats: () => ({ progress: null, badRecords: 0 }),
    nextStep: () => Promise.resolve(fed++ < STEPS ? 10 : 0),
  };
  const reports: Progress[] = [];
  let clock = 0;
  const loop = new TrainLoop({
    engine: new LateEngine() as unknown as TrainingEngine,
    train: train as unknown as BatchPipeline,
    evaluation: null,
    settings: { maxSteps: 0, checkpointEvery: 0, evalEvery: 0, earlyStop: { metric: 'auc', patience: 0, minDelta: 0 } },
    state: null,
    resumedFrom: null,
    save: ({ step }) => Promise.resolve({ step, isDelta: false, waitedMs: 0, durable: Promise.resolve('checkpoint') }),
    modelDir: '.',
    hooks: [{ onProgress: (progress) => void reports.push(progress) }],
    stop: null,
    // Every look at the clock finds a report due.
    now: () => (clock += 1000),
  });
  await loop.run();
  for (const { step, loss } of reports) assert.ok(Number.isFinite(loss), `loss ${loss} at step ${step}`);
  assert.deepEqual(
    reports.map(({ step }) => step),
    [AHEAD + 1, AHEAD + 2, STEPS],
  );
});

test('checkpoints by time come with the first step that ends so many seconds after the one before', async () => {
  let fed = 0;
  const train = {
    position: { epoch: 0 },
    stats: () => ({ progress: null, badRecords: 0 }),
    nextStep: () => Promise.resolve(fed++ < STEPS ? 10 : 0),
  };
  const saved: number[] = [];
  const loop = new TrainLoop({
    engine: new LateEngine() as unknown as TrainingEngine,
    train: train as unknown as BatchPipeline,
    evaluation: null,
    settings: {
      maxSteps: 0,
      checkpointEvery: 0,
      checkpointEverySeconds: 2,
      evalEvery: 0,
      earlyStop: { metric: 'auc', patience: 0, minDelta: 0 },
    },
    state: null,
    resumedFrom: null,
    save: ({ step }) => {
      saved.push(step);
      return Promise.resolve({ step, isDelta: false, waitedMs: 0, durable: Promise.resolve('checkpoint') });
    },
    modelDir: '.',
    hooks: [],
    stop: null,
    // A step takes a second.
    now: () => fed * 1000,
  });
  await loop.run();
  assert.deepEqual(saved, [2, 4, 6]);
});
