import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Figure } from '../helpers/board.js';
import { callCli, checkpointContent, lastEvent, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, writeClicks } from '../helpers/click-data.js';

const shards = new Figure('R11', 'numbers of shards with the same rows, predictions and metrics');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('shards');
  writeClicks(folder.in('train.csv'), 2000, 1);
  writeClicks(folder.in('test.csv'), 500, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path, 'workers: 2\nps: 4'));
});
after(() => folder.remove());

/** Runs a command on the checkpoint in `run`; the result as JSON lines or text. */
async function run(command: string, name: string, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await callCli([command, folder.in('run.yaml'), '--model-dir', folder.in(name), ...flags]);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('a checkpoint written with 4 shards and 2 workers', () => {
  test('gives the same rows, predictions and metrics, to the last bit, on 1, 2, 3, 5 and 8 shards', async () => {
    await run('train', 'four', '--epochs', '1', '--quiet');
    const predictions = await run('predict', 'four', '--quiet');
    assert.equal(predictions.split('\n').length, 501);
    const metrics = await run('eval', 'four', '--json');
    const goOn = async (name: string, ps: string): Promise<ReturnType<typeof checkpointContent>> => {
      cpSync(folder.in('four'), folder.in(name), { recursive: true });
      const stdout = await run('train', name, '--epochs', '2', '--json', '--ps', ps);
      return checkpointContent(String(lastEvent({ code: 0, signal: null, stdout, stderr: '' }).checkpoint));
    };
    const after = await goOn('on-4', '4');
    for (const ps of ['1', '2', '3', '5', '8']) {
      await shards.trial(async () => {
        assert.equal(
          await run('predict', 'four', '--quiet', '--ps', ps, '--workers', ps === '1' ? '1' : '2'),
          predictions,
          `predict, ps ${ps}`,
        );
        assert.equal(await run('eval', 'four', '--json', '--ps', ps), metrics, `eval, ps ${ps}`);
        // Every row with its optimizer state is where training looks for it: an epoch more ends in the same bytes.
        assert.deepEqual(await goOn(`on-${ps}`, ps), after, `train, ps ${ps}`);
      });
    }
  });
});
