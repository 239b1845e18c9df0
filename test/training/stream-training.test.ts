import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Estimator, type PartialTrainingConfig, type TrainHook } from '../../src/index.js';
import type { WindowEvent } from '../../src/training/index.js';
import { runCli, temporaryFolder } from '../helpers/cli.js';
import { clickLines } from '../helpers/click-data.js';
import { hasCode } from '../helpers/has-code.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('online');
});
after(() => folder.remove());

const schema = {
  columns: ['click', 'price', 'user', 'item', 'tags', 'ts'],
  label: { column: 'click' },
  features: [
    { name: 'price', type: 'numeric', transform: 'log1p' },
    { name: 'user', type: 'categorical' },
    { name: 'item', type: 'categorical' },
  ],
} as const;

/** Lines with a time: 64 of each ten seconds. */
function timed(from: number, to: number): string {
  const lines = clickLines(to, 3).slice(from);
  return lines.map((line, i) => `${line},${1_700_000_000 + Math.floor((from + i) / 64) * 10}\n`).join('');
}

function estimator(run: string, train: readonly string[], values: PartialTrainingConfig = {}): Estimator {
  return new Estimator({
    model: 'deepfm',
    modelOptions: { hidden: [8] },
    embedding: { dim: 4 },
    data: { train, schema: schema as never, format: 'csv', header: false, parseThreads: 0, shuffle: 0 },
    batchSize: 32,
    workers: 2,
    ps: 1,
    checkpointEvery: 0,
    modelDir: folder.in(run),
    ...values,
    stream: { enabled: true, idleSeconds: 0.05, ...values.stream },
  });
}

function collector(windows: WindowEvent[]): TrainHook {
  return { onWindow: (event) => void windows.push(event) };
}

describe('figures of windows', () => {
  const stream = { eventTime: 'ts', windowSeconds: 10 };

  test('are those of predictions before learning; late records are trained and counted', async () => {
    const path = folder.in('windows.csv');
    writeFileSync(path, timed(0, 320) + timed(0, 5));
    const windows: WindowEvent[] = [];
    const losses: number[] = [];
    const watch: TrainHook = { trigger: { everySteps: 1 }, afterStep: (_step, { loss }) => void losses.push(loss) };
    const result = await estimator('windows', [`tail:${path}`], { stream }).train({ hooks: [collector(windows), watch] });
    assert.equal(result.examples, 325);
    assert.deepEqual(
      windows.map(({ startMs, endMs, metrics, late, partial }) => [startMs, endMs - startMs, metrics.examples, late, partial]),
      [0, 1, 2, 3, 4].map((k) => [1.7e12 + k * 1e4, 1e4, 64, k === 4 ? 5 : 0, k === 4]),
    );
    windows.forEach(({ metrics }, k) => {
      // One window a step: the loss of a step is that of its predictions before the update.
      assert.ok('logloss' in metrics && Math.abs(metrics.logloss - losses[k]) < 1e-5, `window ${k}`);
      assert.ok(metrics.auc > 0 && metrics.auc < 1);
    });
    const logged = readFileSync(folder.in('windows', 'metrics.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"window"'));
    assert.deepEqual(
      logged.map((line) => JSON.parse(line)).map(({ start, examples, partial }) => [start, examples, partial]),
      windows.map(({ startMs, partial }) => [new Date(startMs).toISOString(), 64, partial]),
    );
  });

  test('are the same when a run ends in the middle of a window and goes on', async () => {
    const path = folder.in('cut-windows.csv');
    writeFileSync(path, timed(0, 640));
    const wide = { stream: { ...stream, windowSeconds: 40 } };
    const uncut: WindowEvent[] = [];
    await estimator('windows-uncut', [`tail:${path}`], wide).train({ hooks: [collector(uncut)] });
    const cut: WindowEvent[] = [];
    await estimator('windows-cut', [`tail:${path}`], { ...wide, maxSteps: 6 }).train({ hooks: [collector(cut)] });
    await estimator('windows-cut', [`tail:${path}`], wide).train({ hooks: [collector(cut)] });
    assert.equal(uncut.length, 3);
    const whole = (events: readonly WindowEvent[]) => events.filter(({ partial }) => !partial);
    assert.deepEqual(whole(cut), whole(uncut));
    assert.deepEqual(cut.at(-1), uncut.at(-1));
  });
});

describe('training on a stream', () => {
  test('reads history first, then the stream, and goes on in the stream', async () => {
    const history = folder.in('history.csv');
    const live = folder.in('live.csv');
    writeFileSync(history, timed(0, 100));
    writeFileSync(live, timed(100, 200));
    const first = await estimator('history', [history, `tail:${live}`], { epochs: 2 }).train();
    assert.equal(first.examples, 300);
    appendFileSync(live, timed(200, 250));
    const second = await estimator('history', [history, `tail:${live}`], { epochs: 2 }).train();
    assert.deepEqual([second.runExamples, second.examples], [50, 350]);
  });

  test('saves by time while nothing comes, stops at once when told to, and trains what was waiting next time', async () => {
    const path = folder.in('silent.csv');
    writeFileSync(path, timed(0, 100));
    const stop = new AbortController();
    const saved: number[] = [];
    const hook: TrainHook = {
      onCheckpoint: ({ step }) => {
        saved.push(step);
        stop.abort();
      },
    };
    const values = { checkpointEverySeconds: 0.01, stream: { idleSeconds: 0 } };
    const result = await estimator('silent', [`tail:${path}`], values).train({ hooks: [hook], signal: stop.signal });
    assert.deepEqual([result.reason, result.examples, saved], ['stopped', 64, [1]]);
    const rest = await estimator('silent', [`tail:${path}`]).train();
    assert.deepEqual([rest.reason, rest.runExamples, rest.examples], ['end of data', 36, 100]);
  });

  test('is refused where options do not go together', async () => {
    const path = folder.in('live.csv');
    const refused = (values: PartialTrainingConfig, data: readonly string[], text: RegExp): void =>
      assert.throws(() => estimator('refused', data, values), hasCode('InvalidConfig', text));
    refused({ stream: { enabled: false } }, [`tail:${path}`], /is a stream; say --stream/);
    refused({}, [path], /needs a source in data.train/);
    refused({ stream: { latenessSeconds: 3 } }, [`tail:${path}`], /has no effect without windows/);
    refused({ stream: { start: 'yesterday' } }, [`tail:${path}`], /expected earliest, latest, committed or a time/);
    await Promise.resolve();
  });

  test('from standard input, on the command line', async () => {
    const schemaPath = folder.in('schema.json');
    writeFileSync(schemaPath, JSON.stringify(schema));
    const model = ['--model', 'dnn', '--model-options', '{hidden: [4]}', '--workers', '1', '--batch-size', '16'];
    const data = ['--data', '-', '--format', 'csv', '--schema', schemaPath, '--data.header', 'false', '--data.parse-threads', '0'];
    const windows = ['--stream-window-seconds', '10', '--stream-event-time', 'ts'];
    const args = ['train', '--stream', ...data, ...model, ...windows, '--model-dir', folder.in('stdin')];
    const { code, stdout, stderr } = await runCli(args, { input: timed(0, 100) });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /trained 7 steps: 100 examples/);
    assert.match(stderr, /window 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:30.000Z: AUC .* \(before learning; 64 examples\)/);
  });
});
