import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { ManualClock } from '../../src/base/index.js';
import { resolveConfig } from '../../src/config/index.js';
import { evaluateBinary, evaluateRegression } from '../../src/metrics/index.js';
import {
  alignedTable,
  type BannerInfo,
  banner,
  bytesText,
  compact,
  durationText,
  evaluationLine,
  figureText,
  grouped,
  ProgressReporter,
  type ProgressUpdate,
  printable,
  resultText,
  wantsColor,
} from '../../src/telemetry/index.js';

class Screen extends Writable {
  text = '';
  readonly columns = 120;
  constructor(readonly isTTY: boolean) {
    super();
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

const at = (step: number): ProgressUpdate => ({
  step,
  epoch: 1,
  epochs: 3,
  examples: step * 512,
  examplesPerSecond: 152_340,
  loss: 0.45123,
  fraction: step / 3000,
  etaSeconds: 32,
});

const ESCAPE = '\u001b';

describe('progress', () => {
  test('away from a terminal is one plain line every five seconds', () => {
    const screen = new Screen(false);
    const clock = new ManualClock();
    const reporter = new ProgressReporter({ stream: screen, clock, env: {} });
    for (let step = 1; step <= 1200; step++) {
      clock.advance(10);
      if (reporter.isDue()) reporter.update(at(step));
    }
    reporter.message('checkpoint model/checkpoint-1200');
    reporter.finish();
    reporter.finish();
    assert.deepEqual(screen.text.split('\n'), [
      'epoch 1/3  16 %  step 500  256,000 examples  152 k/s  loss 0.45123  ETA 32 s',
      'epoch 1/3  33 %  step 1000  512,000 examples  152 k/s  loss 0.45123  ETA 32 s',
      'checkpoint model/checkpoint-1200',
      '',
    ]);
  });

  test('the two stages that take most of the time stand at the end of the line', () => {
    const screen = new Screen(false);
    const reporter = new ProgressReporter({ stream: screen, clock: new ManualClock(), env: {} });
    reporter.finish({ ...at(1500), stages: { wait_batch: 0.003, lookup: 0.017, compute: 0.93, push: 0.05 } });
    assert.match(screen.text, /ETA 32 s {2}compute 93 % {2}push 5 %\n$/);
  });

  test('the last state is shown at the end even when it was not due', () => {
    const screen = new Screen(false);
    const reporter = new ProgressReporter({ stream: screen, clock: new ManualClock(), env: {} });
    reporter.update({ ...at(3), epochs: 0, fraction: null, etaSeconds: null });
    assert.equal(screen.text, '');
    reporter.finish();
    reporter.finish({ ...at(4), fraction: 1, etaSeconds: null });
    assert.deepEqual(screen.text.split('\n'), [
      'epoch 1  step 3  1,536 examples  152 k/s  loss 0.45123',
      'epoch 1/3  100 %  step 4  2,048 examples  152 k/s  loss 0.45123',
      '',
    ]);
  });

  test('on a terminal is a bar, redrawn at most four times a second', () => {
    const screen = new Screen(true);
    const clock = new ManualClock();
    const reporter = new ProgressReporter({ stream: screen, clock, env: {} });
    let due = 0;
    for (let step = 1; step <= 1000; step++) {
      clock.advance(1);
      if (reporter.isDue()) due++;
      reporter.update(at(step));
    }
    assert.ok(due >= 3 && due <= 4, String(due));
    reporter.message('eval at step 1000');
    reporter.update(at(1001));
    reporter.finish();
    assert.ok(screen.text.includes('█') && screen.text.includes(`${ESCAPE}[36m`));
    assert.ok(screen.text.includes('eval at step 1000\n'));
    assert.ok(screen.text.endsWith('epoch 1/3  33 %  step 1001  512,512 examples  152 k/s  loss 0.45123  ETA 32 s\n'));
  });

  test('NO_COLOR takes the colour away, a dumb terminal the bar', () => {
    for (const [env, hasBar] of [
      [{ NO_COLOR: '1' }, true],
      [{ TERM: 'dumb' }, false],
    ] as const) {
      const screen = new Screen(true);
      const clock = new ManualClock();
      const reporter = new ProgressReporter({ stream: screen, clock, env });
      clock.advance(6000);
      reporter.update(at(100));
      reporter.finish();
      assert.ok(!screen.text.includes(`${ESCAPE}[3`), JSON.stringify(screen.text));
      assert.equal(screen.text.includes('░'), hasBar);
    }
    assert.equal(wantsColor({ isTTY: true }, { NO_COLOR: '' }), true);
    assert.equal(wantsColor({ isTTY: false }, {}), false);
  });

  test('quiet and --json say nothing', () => {
    for (const how of [{ quiet: true }, { json: true }]) {
      const screen = new Screen(true);
      const reporter = new ProgressReporter({ stream: screen, clock: new ManualClock(10_000), env: {}, ...how });
      assert.equal(reporter.isDue(), false);
      reporter.update(at(1));
      reporter.message('x');
      reporter.finish();
      assert.equal(screen.text, '');
    }
  });
});

describe('the banner', () => {
  const info: BannerInfo = {
    version: '0.1.0',
    config: resolveConfig({
      flags: {
        model: 'deepfm',
        'optimizer.linear.kind': 'ftrl',
        'optimizer.linear.learning-rate': '0.1',
        'clip.global-norm': '1',
        ps: '1',
        mode: 'async',
        'schedule.warmup-steps': '100',
      },
    }).config,
    tables: Array.from({ length: 30 }, (_, i) => ({ name: `table-${i}`, dim: 17, features: 1 })),
    denseParameters: 345_123,
    trainFiles: ['a.tsv', 'b.tsv', 'c.tsv'],
    evalFiles: ['e.tsv'],
    trainBytes: 1_288_490_189,
    format: 'criteo',
    backend: 'native',
    instructionSet: 'avx512',
    resumedStep: 1200,
    note: 'a note',
  };

  test('says in at most twelve lines what was understood', () => {
    const lines = banner(info).split('\n');
    assert.ok(lines.length <= 12, String(lines.length));
    assert.deepEqual(lines, [
      'monolith-local 0.1.0',
      '  model       deepfm, 345,123 dense parameters',
      '  tables      table-0 17 × 1 feature, table-1 17 × 1 feature, table-2 17 × 1 feature, 27 more × 27 features',
      '  data        3 files: a.tsv, b.tsv, … (criteo, 1.2 GiB)',
      '  evaluation  e.tsv',
      '  cluster     2 workers, 1 shard, async, staleness 1',
      '  kernels     native, avx512, fp32',
      '  batch       512 × 2 workers, 1 epoch, seed 42',
      '  optimizer   sparse adagrad 0.05 · linear ftrl 0.1 · dense adagrad 0.01 · warm-up 100 steps · clipped at global norm 1',
      '  run folder  ./model (resumed at step 1,200)',
      '  note        a note',
    ]);
  });

  test('says where evaluation examples come from', () => {
    const withFlags = (flags: Record<string, unknown>): string =>
      banner({ ...info, evalFiles: [], config: resolveConfig({ flags }).config }).split('\n')[4];
    assert.equal(withFlags({}), '  evaluation  none');
    assert.equal(withFlags({ 'data.split.by': 'fraction', 'data.split.fraction': '0.1' }), '  evaluation  10 % of the training data');
    const byColumn = { 'data.split.by': 'column', 'data.split.column': 'fold', 'data.split.eval-values': '1,2' };
    assert.equal(withFlags(byColumn), '  evaluation  where fold is 1 or 2');
    assert.equal(withFlags({ 'data.split.by': 'rows', 'data.split.rows': '1-9' }), '  evaluation  rows 1-9 of each file');
  });

  test('lets no escape sequence of a file name reach the terminal', () => {
    assert.ok(!banner({ ...info, trainFiles: [`${ESCAPE}[2J\n.tsv`] }).includes(ESCAPE));
    assert.equal(printable(`a${ESCAPE}[31m\r\n`), 'a?[31m??');
  });
});

describe('the result for people', () => {
  const metrics = evaluateBinary(Float32Array.of(2, -1, 0.5), Float32Array.of(1, 0, 0), null);

  test('is an aligned table, then what was trained and where it is', () => {
    const result = {
      step: 2411,
      examples: 1_234_567,
      seconds: 12.34,
      examplesPerSecond: 100_046,
      trainLoss: 0.4501,
      checkpoint: 'model/checkpoint-2411',
    };
    const text = resultText({ ...result, eval: metrics, stoppedBy: 'early stopping' });
    assert.deepEqual(text.split('\n'), [
      'evaluation            value',
      '──────────────────  ───────',
      'AUC                 1.00000',
      'log loss            0.47142',
      'normalized entropy  0.74063',
      'calibration         1.77220',
      'accuracy            0.66667',
      'mean prediction     0.59073',
      'mean label          0.33333',
      'examples                  3',
      '',
      'trained 2,411 steps: 1,234,567 examples in 12 s, 100 k examples/s, loss 0.45010',
      'stopped by early stopping',
      'checkpoint model/checkpoint-2411',
    ]);
    assert.ok(resultText({ ...result, eval: null, checkpoint: null }).startsWith('trained 2,411 steps'));
  });

  test('an evaluation is one line', () => {
    assert.equal(
      evaluationLine(12, metrics),
      'eval at step 12: AUC 1.00000, log loss 0.47142, normalized entropy 0.74063, calibration 1.77220, accuracy 0.66667 (3 examples)',
    );
    const regression = evaluateRegression(Float32Array.of(1), Float32Array.of(3), null);
    assert.equal(evaluationLine(1, regression), 'eval at step 1: RMSE 2.00000, MSE 4.00000, MAE 2.00000 (1 example)');
  });

  test('columns are aligned, numbers to the right', () => {
    assert.equal(
      alignedTable(
        ['name', 'n'],
        [
          ['a', '100'],
          ['long name', '1'],
        ],
      ),
      'name         n\n─────────  ───\na          100\nlong name    1',
    );
  });

  test('numbers read well at every size', () => {
    assert.deepEqual([0, 999, 1000, 1_234_567].map(grouped), ['0', '999', '1,000', '1,234,567']);
    assert.deepEqual([0, 12, Math.PI, 999.6, 152_340, 1_234_567, 5e12, Number.NaN].map(compact), [
      '0',
      '12',
      '3.14',
      '1.00 k',
      '152 k',
      '1.23 M',
      '5.00 T',
      '–',
    ]);
    assert.deepEqual([0.04, 9.94, 9.96, 59.4, 59.6, 3599.7, 7384, Number.POSITIVE_INFINITY].map(durationText), [
      '0.0 s',
      '9.9 s',
      '10 s',
      '59 s',
      '1:00',
      '1:00:00',
      '2:03:04',
      '–',
    ]);
    assert.deepEqual([512, 1536, 1_288_490_189].map(bytesText), ['512 B', '1.5 KiB', '1.2 GiB']);
    assert.deepEqual([0.5, Number.NaN].map(figureText), ['0.50000', '–']);
  });
});
