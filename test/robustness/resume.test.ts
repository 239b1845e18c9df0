import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type CliResult, callCli, checkpointContent, lastEvent, runCli, startCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, clickLines, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let uncut: ReturnType<typeof checkpointContent>;
before(async () => {
  folder = await temporaryFolder('resume');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('other.csv'), 1000, 3);
  writeClicks(folder.in('test.csv'), 500, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path, 'workers: 2\nps: 2'));
  uncut = contentOf(await callCli(args('uncut')));
});
after(() => folder.remove());

function args(run: string, ...flags: string[]): string[] {
  return ['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in(run), ...flags];
}

function contentOf(result: CliResult): ReturnType<typeof checkpointContent> {
  assert.equal(result.code, 0, result.stderr);
  return checkpointContent(String(lastEvent(result).checkpoint));
}

/** Waits until the run has printed something that matches. */
async function until(run: ReturnType<typeof startCli>, pattern: RegExp): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!pattern.test(run.text().stdout)) {
    assert.ok(performance.now() < deadline && run.child.exitCode === null, run.text().stderr);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until the run has printed nothing for two intervals of its progress reports. */
async function untilQuiet(run: ReturnType<typeof startCli>): Promise<void> {
  for (let length = -1; length !== run.text().stdout.length; ) {
    length = run.text().stdout.length;
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
}

describe('a checkpoint just before the last step of an epoch', () => {
  test('makes no difference: the evaluation at the end of the epoch comes after a resume too', async () => {
    const flags = ['--checkpoint-every', '46', '--early-stop.patience', '5'];
    const kill = { env: { MONOLITH_LOCAL_FAILPOINTS: 'checkpoint.afterCommit=kill@1' } };
    assert.equal((await runCli(args('boundary', ...flags), kill)).signal, 'SIGKILL');
    const resumed = await callCli(args('boundary', ...flags));
    assert.match(resumed.stdout, /"resumed_step":46/);
    const evaluated = [...resumed.stdout.matchAll(/"event":"eval","step":(\d+)/g)].map(([, step]) => Number(step));
    assert.deepEqual(evaluated, [47, 94, 141]);
    assert.deepEqual(contentOf(resumed), uncut);
  });
});

describe('a run with deltas that is killed', () => {
  test('goes on from the newest delta, and ends bit for bit like an uncut run without any', async () => {
    const flags = ['--checkpoint-every', '40', '--delta-every', '7', '--keep-checkpoints', '2'];
    // The 9th is that of step 56: a delta on the whole one of step 40.
    const kill = { env: { MONOLITH_LOCAL_FAILPOINTS: 'checkpoint.afterPrune=kill@9' } };
    assert.equal((await runCli(args('deltas', ...flags), kill)).signal, 'SIGKILL');
    const files = readdirSync(folder.in('deltas')).filter((name) => name.endsWith('.json'));
    assert.deepEqual(files.sort(), ['checkpoint-40.json', 'checkpoint-49.json', 'checkpoint-56.json']);
    const again = await runCli(args('deltas', ...flags), { env: { MONOLITH_LOCAL_FAILPOINTS: 'checkpoint.beforeManifestRename=kill@2' } });
    assert.equal(again.signal, 'SIGKILL');
    const resumed = await callCli(args('deltas', ...flags));
    assert.match(resumed.stdout, /"resumed_step":63/);
    assert.deepEqual(contentOf(resumed), uncut);
  });
});

describe('a signal', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    test(`${signal} saves and ends with ${code}; the same command goes on to the same end`, async () => {
      const run = startCli(args(`stopped-${signal}`));
      await until(run, /"event":"checkpoint"/);
      run.child.kill(signal);
      const result = await run.done;
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, /saving a checkpoint and stopping/);
      assert.equal(lastEvent(result).event, 'done');
      assert.ok(existsSync(String(lastEvent(result).checkpoint)));
      assert.deepEqual(contentOf(await callCli(args(`stopped-${signal}`))), uncut);
    });
  }
});

describe('a signal while the data are silent', () => {
  test('saves what was learnt and ends; the whole data then lead to the same end as in a run that was not cut', async () => {
    // More than one block of text (1 MiB): training gets as far as the first block goes, then waits for the rest of the second.
    const rows = clickLines(60_000, 5);
    const text = `click,price,user,item,tags\n${rows.join('\n')}\n`;
    const flags = ['--data', '-', '--format', 'csv', '--shuffle', '1000', '--epochs', '1', '--checkpoint-every', '0'];
    const whole = await runCli(args('unbroken', ...flags), { input: text });
    const run = startCli(args('silent', ...flags), { input: text, keepInputOpen: true });
    await until(run, /"event":"progress"/);
    await untilQuiet(run);
    run.child.kill('SIGINT');
    assert.equal((await run.done).code, 130);
    assert.deepEqual(contentOf(await runCli(args('silent', ...flags), { input: text })), contentOf(whole));
  });
});

describe('a second signal', () => {
  test('ends the process at once; the same command goes on from the last checkpoint to the same end', async () => {
    // A slow disk: the save that the first signal asks for takes a second or two.
    const run = startCli(args('twice'), { env: { MONOLITH_LOCAL_FAILPOINTS: 'durable-file.fsync=sleep:300@1+' } });
    await until(run, /"event":"checkpoint"/);
    run.child.kill('SIGINT');
    while (!/once more ends at once/.test(run.text().stderr)) await new Promise((resolve) => setTimeout(resolve, 5));
    run.child.kill('SIGINT');
    const { code, stdout } = await run.done;
    assert.equal(code, 130);
    assert.doesNotMatch(stdout, /"event":"done"/);
    assert.deepEqual(contentOf(await callCli(args('twice'))), uncut);
  });
});

describe('the same command again', () => {
  test('after the end does no further step and keeps the checkpoint', async () => {
    const again = await callCli(args('uncut'));
    assert.deepEqual(contentOf(again), uncut);
    assert.match(again.stdout, /"resumed_step":\d+/);
  });

  test('with more epochs goes on and ends like a run that had them from the start', async () => {
    await callCli(args('longer', '--epochs', '2'));
    assert.deepEqual(contentOf(await callCli(args('longer', '--epochs', '3'))), uncut);
  });

  test('with --fresh starts anew and leaves nothing of the old run', async () => {
    contentOf(await callCli(args('fresh', '--seed', '7')));
    const fresh = await callCli(args('fresh', '--fresh', '--epochs', '1', '--checkpoint-every', '0'));
    assert.match(fresh.stdout, /"resumed_step":null/);
    assert.equal(readdirSync(folder.in('fresh')).filter((name) => /^checkpoint-\d+\.json$/.test(name)).length, 1);
  });

  test('on other data says so and reads them from their beginning', async () => {
    await callCli(args('moved'));
    const other = await callCli(['train', folder.in('run.yaml'), '--model-dir', folder.in('moved'), '--data', folder.in('other.csv')]);
    assert.equal(other.code, 0, other.stderr);
    assert.match(other.stderr, /the data differ from those of the checkpoint: they are read from their beginning/);
    assert.match(other.stdout, /12,000 examples/);
    const json = await callCli([...args('moved'), '--data', folder.in('train.csv'), '--max-steps', '1']);
    assert.match(json.stderr, /the data differ from those of the checkpoint: they are read from their beginning/);
  });
});

describe('asynchronous training', () => {
  test('survives kills and ends; every push before a checkpoint is in it', async () => {
    // Several shards have no one gradient norm in this mode, so rows are clipped instead.
    const flags = [
      '--mode',
      'async',
      '--staleness',
      '2',
      '--embedding-prefetch-capacity',
      '2',
      '--clip.global-norm',
      '0',
      '--clip.row-norm',
      '1',
    ];
    const first = startCli(args('async', ...flags));
    await until(first, /"event":"checkpoint"/);
    first.child.kill('SIGKILL');
    await first.done;
    const result = await callCli(args('async', ...flags));
    assert.equal(result.code, 0, result.stderr);
    const { auc } = lastEvent(result).eval as { auc: number };
    assert.ok(auc > 0.6, String(auc));
  });
});
