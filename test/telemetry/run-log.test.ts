import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ManualClock } from '../../src/base/index.js';
import { evaluateBinary, evaluateRegression } from '../../src/metrics/index.js';
import {
  checkpointEvent,
  doneEvent,
  evalEvent,
  eventLine,
  progressEvent,
  RunLog,
  readEvents,
  type StartEvent,
  startEvent,
} from '../../src/telemetry/index.js';

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'monolith-run-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const metrics = evaluateBinary(Float32Array.of(2, -1, 0.5), Float32Array.of(1, 0, 0), null);
const start: StartEvent = startEvent({
  version: '0.1.0',
  model: 'lr',
  model_dir: 'model',
  workers: 1,
  ps: 1,
  mode: 'sync',
  backend: 'native',
  instruction_set: 'avx2',
  precision: 'fp32',
  batch_size: 8,
  seed: 1,
  dense_parameters: 1,
  tables: [{ name: 't', dim: 1, features: 2 }],
  resumed_step: null,
});

const progressAt = (step: number) =>
  progressEvent({
    step,
    epoch: 1,
    examples: step * 8,
    examplesPerSecond: 1234.56789,
    loss: 1 / step,
    stages: { compute: 0.875, push: 0.125 },
  });

function lines(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

describe('the run log', () => {
  test('writes every event to the files that people and programs read', async () => {
    await inFolder(async (folder) => {
      const clock = new ManualClock(0, Date.UTC(2024, 0, 2, 3, 4, 5));
      const log = await RunLog.open({ folder: join(folder, 'run'), configYaml: 'model: lr\n', resumedStep: null, clock });
      log.write(start);
      log.write(progressAt(10));
      log.write(evalEvent(10, metrics));
      log.write(checkpointEvent(10, 'model/checkpoint-10'));
      log.write(
        doneEvent({
          step: 10,
          examples: 80,
          seconds: 2,
          examplesPerSecond: 40,
          trainLoss: 0.1,
          eval: metrics,
          checkpoint: null,
          badRecords: 0,
          reason: 'end of data',
          stages: { train: 2 },
          precision: 'fp32',
        }),
      );
      await log.close();
      await log.close();
      const run = join(folder, 'run');
      assert.equal(readFileSync(join(run, 'config.yaml'), 'utf8'), 'model: lr\n');
      assert.deepEqual(
        lines(join(run, 'metrics.csv')).map((line) => line.split(',').slice(0, 6).join()),
        [
          'event,step,epoch,examples,examples_per_second,loss',
          'progress,10,1,80,1234.568,0.1',
          'eval,10,,3,,',
          'checkpoint,10,,,,',
          'done,10,,80,40,0.1',
        ],
      );
      const events = lines(join(run, 'metrics.jsonl')).map((line) => JSON.parse(line));
      assert.deepEqual(
        events.map((event) => event.event),
        ['start', 'progress', 'eval', 'checkpoint', 'done'],
      );
      assert.equal(events[0].time, '2024-01-02T03:04:05.000Z');
      assert.equal(events[2].auc, metrics.auc);
      const board = [...readEvents(readFileSync(log.eventFile), 'events')];
      assert.deepEqual(
        board.slice(0, 2).map((event) => [event.fileVersion, event.sessionStart, event.step]),
        [
          ['brain.Event:2', undefined, 0],
          [undefined, true, 0],
        ],
      );
      const tags = board.flatMap((event) => (event.scalars ?? []).map(({ tag }) => `${event.step} ${tag}`));
      assert.deepEqual(tags, [
        '10 train/loss',
        '10 train/examples_per_second',
        '10 stages/compute',
        '10 stages/push',
        '10 eval/auc',
        '10 eval/logloss',
        '10 eval/normalized_entropy',
        '10 eval/calibration',
        '10 eval/accuracy',
      ]);
      assert.equal(board[2].wallTime, Date.UTC(2024, 0, 2, 3, 4, 5) / 1000);
    });
  });

  test('a resumed run takes out what was logged behind the checkpoint, torn lines too', async () => {
    await inFolder(async (folder) => {
      const clock = new ManualClock(0, 1_700_000_000_000);
      const open = (resumedStep: number | null) => RunLog.open({ folder, configYaml: '', resumedStep, clock });
      const first = await open(null);
      for (const step of [10, 20, 30]) first.write(progressAt(step));
      await first.close();
      appendFileSync(join(folder, 'metrics.csv'), 'progress,40,1');
      appendFileSync(join(folder, 'metrics.jsonl'), '{"event":"progr');
      const second = await open(20);
      second.write(progressAt(30));
      await second.close();
      assert.deepEqual(
        lines(join(folder, 'metrics.csv')).map((line) => line.split(',')[1]),
        ['step', '10', '20', '30'],
      );
      assert.deepEqual(
        lines(join(folder, 'metrics.jsonl')).map((line) => JSON.parse(line).step),
        [10, 20, 30],
      );
      const files = readdirSync(folder)
        .filter((name) => name.startsWith('events.'))
        .sort();
      assert.equal(files.length, 2);
      const restart = [...readEvents(readFileSync(join(folder, files[1])), files[1])].find((event) => event.sessionStart);
      assert.equal(restart?.step, 21);
      const third = await open(null);
      await third.close();
      assert.equal(lines(join(folder, 'metrics.csv')).length, 1);
      assert.equal(lines(join(folder, 'metrics.jsonl')).length, 0);
    });
  });

  test('a full disk is a typed error at the next flush, and training is not stopped before', async (context) => {
    await inFolder(async (folder) => {
      const log = await RunLog.open({ folder, configYaml: '', resumedStep: null });
      // /dev/full would need a file of the log to be a device: make its descriptor fail instead.
      const files = log as unknown as { readonly csv: { readonly file: { appendFile(): Promise<void> } } };
      context.mock.method(files.csv.file, 'appendFile', () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })));
      log.write(progressAt(1));
      await assert.rejects(log.flush(), { code: 'DiskFull' });
      log.write(progressAt(2));
      await assert.rejects(log.close(), { code: 'DiskFull' });
    });
  });

  test('a folder that cannot be made is WriteFailed', async () => {
    await inFolder(async (folder) => {
      appendFileSync(join(folder, 'file'), '');
      await assert.rejects(RunLog.open({ folder: join(folder, 'file'), configYaml: '', resumedStep: null }), { code: 'WriteFailed' });
    });
  });
});

describe('the events of --json', () => {
  test('have the fixed names', () => {
    assert.equal(
      eventLine(progressAt(10)),
      '{"event":"progress","step":10,"epoch":1,"examples":80,"examples_per_second":1234.568,"loss":0.1,"stages":{"compute":0.875,"push":0.125}}\n',
    );
    assert.equal(eventLine(checkpointEvent(3, 'm/checkpoint-3')), '{"event":"checkpoint","step":3,"path":"m/checkpoint-3"}\n');
    const done = doneEvent({
      step: 4,
      examples: 100,
      seconds: 2.00049,
      examplesPerSecond: 50,
      trainLoss: Number.NaN,
      eval: null,
      checkpoint: 'c',
      badRecords: 2,
      reason: 'max steps',
      stages: { train: 2 },
      precision: 'bf16',
    });
    assert.equal(
      eventLine(done),
      '{"event":"done","step":4,"examples":100,"seconds":2,"examples_per_second":50,"train":{"loss":null},"eval":null,"checkpoint":"c","bad_records":2,"reason":"max steps","stages":{"train":2},"precision":"bf16"}\n',
    );
    const evaluation = JSON.parse(eventLine(evalEvent(7, metrics)));
    assert.deepEqual([evaluation.event, evaluation.step, evaluation.auc, evaluation.logloss], ['eval', 7, metrics.auc, metrics.logloss]);
  });

  test('hold null where a figure is not defined, and the figures of a regression', () => {
    const noPositives = evaluateBinary(Float32Array.of(1), Float32Array.of(0), null);
    assert.equal(evalEvent(1, noPositives).auc, null);
    const regression = evalEvent(1, evaluateRegression(Float32Array.of(1), Float32Array.of(3), null));
    assert.deepEqual([regression.mse, regression.rmse, regression.mae, 'auc' in regression], [4, 2, 2, false]);
  });
});
