import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Figure } from '../helpers/board.js';
import { lastEvent, runCli, temporaryFolder } from '../helpers/cli.js';

// Checkpoints that earlier versions wrote (test/golden/checkpoint-v<n>/README.md) are read by this one. That newer ones are refused, naming both
// versions, is shown in test/checkpoint/checkpoint.test.ts.

const kept = new Figure('R38', 'kept checkpoints of earlier versions loaded');
const golden = fileURLToPath(new URL('../../../test/golden/checkpoint-v1', import.meta.url));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  folder = await temporaryFolder('versions');
  cpSync(golden, folder.in('run'), { recursive: true });
});
after(() => folder.remove());

describe('a checkpoint of version 1', () => {
  test('is read: the predictions are those that its own release made, and training goes on from it', async () => {
    await kept.trial(async () => {
      const run = ['run.yaml', '--model-dir', '.'];
      const { stdout, stderr } = await runCli(['predict', ...run, '--quiet'], { cwd: folder.in('run') });
      const expected = readFileSync(folder.in('run', 'predictions.txt'), 'utf8').trim().split('\n').map(Number);
      const actual = stdout.trim().split('\n').map(Number);
      assert.equal(actual.length, 60, stderr);
      // Instruction sets differ in the order of their sums.
      for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - expected[i]) < 1e-5, `${i}: ${value}, expected ${expected[i]}`);
      const trained = await runCli(['train', ...run, '--json', '--epochs', '3'], { cwd: folder.in('run') });
      assert.equal(trained.code, 0, trained.stderr);
      assert.match(trained.stdout, /"resumed_step":14/);
      assert.equal(lastEvent(trained).step, 21);
    });
  });
});
