import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type CliResult, callCli, checkpointContent, lastEvent, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('half-rows');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('test.csv'), 500, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path, 'workers: 2'));
});
after(() => folder.remove());

let float32: CliResult | undefined;
/** The run with float32 rows, once for all tests. */
async function float32Run(): Promise<CliResult> {
  float32 ??= await callCli(args('fp32', 'fp32'));
  return float32;
}

function args(run: string, storage: string, ...flags: string[]): string[] {
  const stored = ['--embedding.storage', storage];
  return ['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in(run), ...stored, ...flags];
}

function contentOf(result: CliResult): ReturnType<typeof checkpointContent> {
  assert.equal(result.code, 0, result.stderr);
  return checkpointContent(String(lastEvent(result).checkpoint));
}

const said = /rows of the checkpoint were stored as (\w+): they are rounded to nearest (\w+)/;

for (const storage of ['bf16', 'fp16']) {
  describe(`rows stored as ${storage}`, () => {
    let training: CliResult;
    let uncut: ReturnType<typeof checkpointContent>;
    before(async () => {
      training = await callCli(args(`${storage}-uncut`, storage, '--ps', '1'));
      uncut = contentOf(training);
    });

    test('give the same checkpoint for 1 and 2 shards, for 3 and any number of batches ahead, and another one than float32', async () => {
      assert.deepEqual(contentOf(await callCli(args(`${storage}-2`, storage, '--ps', '2'))), uncut);
      const flags = ['--ps', '3', '--shard-work', 'threads', '--embedding-prefetch-capacity', '4'];
      const run = await callCli(args(`${storage}-ahead`, storage, ...flags));
      assert.ok((lastEvent(run).stages as { shard_refresh: number }).shard_refresh > 0, 'rows looked up ahead were refreshed');
      const ahead = contentOf(run);
      assert.deepEqual(ahead, uncut);
      assert.notDeepEqual(contentOf(await float32Run()).sections, uncut.sections);
    });

    test('are restored to the bit: a run that is killed ends like one that is not, on another number of shards', async () => {
      const kill = { env: { MONOLITH_LOCAL_FAILPOINTS: 'checkpoint.afterCommit=kill@3' } };
      assert.equal((await runCli(args(`${storage}-killed`, storage, '--ps', '2'), kill)).signal, 'SIGKILL');
      const resumed = await callCli(args(`${storage}-killed`, storage, '--ps', '3'));
      assert.match(resumed.stdout, /"resumed_step":60/);
      assert.doesNotMatch(resumed.stderr, said);
      assert.deepEqual(contentOf(resumed), uncut);
    });

    test('are evaluated as they were at the end of training', async () => {
      const evaluation = await callCli(['eval', '--model-dir', folder.in(`${storage}-uncut`), '--json']);
      assert.equal(evaluation.code, 0, evaluation.stderr);
      const { auc, logloss } = lastEvent(training).eval as { auc: number; logloss: number };
      assert.deepEqual([lastEvent(evaluation).auc, lastEvent(evaluation).logloss], [auc, logloss]);
    });

    test('take those of a float32 checkpoint rounded, and say so; float32 rows take theirs exactly', async () => {
      const run = `${storage}-from-fp32`;
      contentOf(await callCli(args(run, 'fp32', '--epochs', '1')));
      const rounded = await runCli(args(run, storage, '--epochs', '2'));
      assert.deepEqual(said.exec(rounded.stderr)?.slice(1), ['fp32', storage]);
      const back = await callCli(args(run, 'fp32', '--epochs', '3'));
      assert.doesNotMatch(back.stderr, said);
      contentOf(back);
      const { auc } = lastEvent(back).eval as { auc: number };
      const { auc: expected } = lastEvent(await float32Run()).eval as { auc: number };
      assert.ok(Math.abs(auc - expected) < 0.02, `AUC ${auc}, without rounding ${expected}`);
    });
  });
}
