import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { listCheckpoints, RunLock } from '../../src/checkpoint/index.js';
import { resolveConfig } from '../../src/config/index.js';
import { Estimator } from '../../src/estimator/index.js';
import { callCli, events, lastEvent, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('best-and-stop');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('test.csv'), 2000, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path));
});
after(() => folder.remove());

test('with early stopping the best state has a checkpoint, whatever checkpointEvery says', async () => {
  const modelDir = folder.in('best');
  const result = await callCli([
    ...['train', folder.in('run.yaml'), '--json', '--model-dir', modelDir, '--checkpoint-every', '0', '--keep-checkpoints', '1'],
    ...['--epochs', '40', '--eval-every', '10', '--early-stop.patience', '3', '--optimizer.sparse.learning-rate', '0.5'],
  ]);
  assert.equal(result.code, 0, result.stderr);
  const done = lastEvent(result);
  assert.equal(done.reason, 'early stopping');
  const evaluations = events(result).filter(({ event }) => event === 'eval') as unknown as { step: number; auc: number }[];
  const best = evaluations.reduce((a, b) => (b.auc > a.auc ? b : a));
  assert.ok(best.step < Number(done.step));
  const kept = (await listCheckpoints(modelDir)).map(({ step }) => step);
  assert.deepEqual(kept, [best.step, done.step]);
});

test('a second run in the same folder ends at once and changes nothing', async () => {
  const modelDir = folder.in('busy');
  const lock = await RunLock.take(modelDir);
  const second = await runCli(['train', folder.in('run.yaml'), '--fresh', '--model-dir', modelDir]);
  assert.equal(second.code, 4);
  assert.match(second.stderr, new RegExp(`^RunFolderBusy .*process ${process.pid} is training there`, 'm'));
  await lock.close();
  const third = await callCli(['train', folder.in('run.yaml'), '--json', '--model-dir', modelDir, '--max-steps', '2']);
  assert.equal(third.code, 0, third.stderr);
});

test('a stop during an evaluation gives it up, saves, and the same command makes up for it', async () => {
  const modelDir = folder.in('stopped');
  const { config } = resolveConfig({ file: folder.in('run.yaml'), values: { modelDir, epochs: 1, evalEvery: 0, batchSize: 8 } });
  const controller = new AbortController();
  const stopped = await new Estimator(config).train({
    signal: controller.signal,
    // The last progress report stands right before the evaluation at the end.
    hooks: [{ onProgress: ({ examples }) => (examples === 3000 ? controller.abort() : undefined) }],
  });
  assert.equal(stopped.reason, 'stopped');
  assert.equal(stopped.evaluation, null);
  assert.equal(stopped.examples, 3000);
  const again = await new Estimator(config).train();
  assert.equal(again.step, stopped.step);
  assert.notEqual(again.evaluation, null);
});

test('a stop during an evaluation of the schedule leaves nothing out: early stopping goes on as if there had been none', async () => {
  const run = async (name: string, stopAt: number): Promise<{ evaluations: string[]; step: number }> => {
    const values = { modelDir: folder.in(name), epochs: 40, evalEvery: 10, batchSize: 64, earlyStop: { patience: 3 } };
    const { config } = resolveConfig({ file: folder.in('run.yaml'), values });
    const evaluations: string[] = [];
    for (let part = 0; ; part++) {
      const controller = new AbortController();
      const result = await new Estimator(config).train({
        signal: controller.signal,
        hooks: [
          {
            // The report of step `stopAt` stands right before its evaluation.
            onProgress: ({ step }) => (part === 0 && step === stopAt ? controller.abort() : undefined),
            onEvaluation: ({ step, metrics, best }) => {
              evaluations.push(`${step} ${best} ${JSON.stringify(metrics)}`);
            },
          },
        ],
      });
      if (result.reason !== 'stopped') return { evaluations, step: result.step };
      assert.equal(result.step, stopAt);
    }
  };
  const uncut = await run('uncut', -1);
  const cut = await run('cut', 30);
  assert.deepEqual(cut, uncut);
});
