import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type CliResult, callCli, checkpointContent, lastEvent, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';
import { shardWorkChoices } from '../helpers/shard-work.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('determinism');
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('train.csv.gz'), 3000, 1);
  writeClicks(folder.in('test.csv'), 500, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path));
});
after(() => folder.remove());

let runs = 0;
/** Trains into a fresh folder; returns what the final checkpoint holds. */
async function train(...flags: string[]): Promise<ReturnType<typeof checkpointContent>> {
  return trainBy(callCli, ...flags);
}

async function trainBy(call: (args: string[]) => Promise<CliResult>, ...flags: string[]): Promise<ReturnType<typeof checkpointContent>> {
  const result = await call(['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in(`run-${runs++}`), ...flags]);
  assert.equal(result.code, 0, result.stderr);
  return checkpointContent(String(lastEvent(result).checkpoint));
}

const known = new Map<string, ReturnType<typeof train>>();
/** What `train` with these flags gives, trained once: comparing a run with itself would show nothing. */
function trained(...flags: string[]): ReturnType<typeof train> {
  const key = flags.join(' ');
  const run = known.get(key) ?? train(...flags);
  known.set(key, run);
  return run;
}

describe('synchronous training', () => {
  test('does not depend on who does the work of shards', async () => {
    const [first, ...others] = shardWorkChoices();
    const expected = await trained('--shard-work', first);
    for (const shardWork of others) assert.deepEqual(await train('--shard-work', shardWork), expected, shardWork);
  });

  for (const workers of ['1', '2']) {
    test(`gives the same checkpoint for 1, 2 and 3 shards${workers === '1' ? '' : ' and when repeated'}, with ${workers} worker(s)`, async () => {
      const first = await train('--workers', workers, '--ps', '1');
      for (const ps of ['2', '3']) assert.deepEqual(await train('--workers', workers, '--ps', ps), first, `ps ${ps}`);
      // In a process of its own: there memory lies elsewhere.
      if (workers === '2') assert.deepEqual(await trainBy(runCli, '--workers', workers, '--ps', '1'), first);
    });
  }

  test('in bf16, too, gives the same checkpoint for 1 and 3 shards and when repeated, and another one than fp32', async () => {
    const first = await train('--precision', 'bf16', '--ps', '1');
    for (const ps of ['3', '1']) assert.deepEqual(await train('--precision', 'bf16', '--ps', ps), first, `ps ${ps}`);
    assert.notDeepEqual((await trained()).sections, first.sections);
  });

  test('does not depend on the number of parse threads, nor on compression', async () => {
    const first = await trained();
    for (const threads of ['null', '1', '3']) assert.deepEqual(await train('--data.parse-threads', threads), first, `threads ${threads}`);
    const { data, ...compressed } = await train('--data', folder.in('train.csv.gz'));
    assert.ok(data);
    assert.deepEqual(compressed, { sections: first.sections, trainer: first.trainer, metrics: first.metrics });
  });

  test('does not depend on how many batches ahead rows are looked up', async () => {
    const first = await train('--embedding-prefetch-capacity', '0', '--shard-work', 'threads');
    for (const ahead of ['1', '4']) {
      const further = await train('--embedding-prefetch-capacity', ahead, '--ps', '3', '--shard-work', 'threads');
      assert.deepEqual(further, first, `ahead ${ahead}`);
    }
    const tables = await train('--embedding-prefetch-capacity', '2', '--backend', 'reference');
    assert.deepEqual(tables, await train('--embedding-prefetch-capacity', '0', '--backend', 'reference'));
  });

  test('another seed gives another checkpoint', async () => {
    assert.notDeepEqual((await train('--seed', '1', '--epochs', '1')).sections, (await train('--seed', '2', '--epochs', '1')).sections);
  });
});
