import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verify } from '../../src/checkpoint/index.js';
import { callCli, temporaryFolder } from '../helpers/cli.js';

const golden = fileURLToPath(new URL('../../../test/golden/checkpoint-v1/', import.meta.url));

describe('a checkpoint of version 1', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder('version-1');
    cpSync(golden, folder.in('run'), { recursive: true });
  });
  after(() => folder.remove());

  const command = (name: string, ...flags: string[]): string[] => {
    const run = folder.in('run');
    return [name, `${run}/run.yaml`, '--model-dir', run, ...flags];
  };

  test('verifies, and predicts what it predicted then', async () => {
    const manifest = await verify(folder.in('run'));
    assert.equal(manifest.formatVersion, 1);
    assert.equal(manifest.base, null);
    const result = await callCli(command('predict', '--data', folder.in('run/test.csv')));
    assert.equal(result.code, 0, result.stderr);
    const numbers = (text: string): number[] => text.trim().split('\n').map(Number);
    const expected = numbers(readFileSync(`${golden}predictions.txt`, 'utf8'));
    const actual = numbers(result.stdout);
    assert.equal(actual.length, expected.length);
    // Instruction sets differ in the last bits.
    for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - expected[i]) < 1e-5, `${i}: ${value}, ${expected[i]}`);
  });

  test('is gone on from, and is a base for deltas', async () => {
    const flags = ['--epochs', '3', '--delta-every', '5', '--checkpoint-every', '0', '--keep-checkpoints', '9', '--json'];
    const result = await callCli(command('train', ...flags));
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /"resumed_step":14/);
    const steps = [...result.stdout.matchAll(/"event":"checkpoint","step":(\d+)/g)].map(([, step]) => Number(step));
    assert.deepEqual(steps, [15, 20, 21]);
    const delta = await verify(folder.in('run/checkpoint-15.json'));
    assert.deepEqual([delta.formatVersion, delta.base?.step], [2, 14]);
  });
});
