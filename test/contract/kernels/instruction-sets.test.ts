import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadAddon } from '../../../src/kernels/native/load.js';

// The instruction set is fixed for the life of a process, so each other one runs the suites of this folder in a process of its own.
const here = fileURLToPath(new URL('.', import.meta.url));
const dense = ['gemm', 'gemm-packed', 'elementwise', 'interactions', 'normalization', 'arguments'].map((name) => `${name}.test.js`);
const suites = readdirSync(here).filter((name) => dense.includes(name));

function runSuites(instructionSet: string): Promise<{ readonly status: number | null; readonly output: string }> {
  const environment: NodeJS.ProcessEnv = { ...process.env, MONOLITH_LOCAL_ISA: instructionSet, MONOLITH_LOCAL_REQUIRE_NATIVE: '1' };
  // Set by the outer test runner; with it the inner one would report to a parent that doesn't listen.
  delete environment.NODE_TEST_CONTEXT;
  const child = spawn(process.execPath, ['--test', ...suites.map((name) => join(here, name))], { env: environment });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString();
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}

const { addon, reason } = loadAddon();
if (addon === null) {
  const skip = process.env.MONOLITH_LOCAL_REQUIRE_NATIVE === '1' ? false : `native addon not available: ${reason}`;
  test('every instruction set of this machine passes the suites', { skip }, () => assert.fail(`native addon not available: ${reason}`));
} else {
  const { instructionSet, available } = addon.info();
  for (const other of available.filter((name) => name !== instructionSet)) {
    test(`the kernels pass their suites on ${other}`, async () => {
      const { status, output } = await runSuites(other);
      assert.equal(status, 0, output);
      assert.match(output, new RegExp(`native ${other}`));
    });
  }

  test('an instruction set that this machine lacks is refused with its name', async () => {
    const { status, output } = await runSuites('altivec');
    assert.equal(status, 1);
    assert.match(output, /MONOLITH_LOCAL_ISA=altivec/);
  });
}
