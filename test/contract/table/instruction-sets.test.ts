import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nativeAddon } from './backends.js';

const suite = fileURLToPath(new URL('./table.test.js', import.meta.url));
const addon = nativeAddon();
const chosen = addon?.info().instructionSet;

// table.test.ts runs on the best one; the others need a process each, since the choice is made once per process.
for (const instructionSet of addon?.info().available.filter((name) => name !== chosen) ?? []) {
  test(`the whole suite passes on instruction set ${instructionSet}`, () => {
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', '--test-name-pattern=native', suite], {
      env: { ...environment, MONOLITH_LOCAL_ISA: instructionSet, MONOLITH_LOCAL_REQUIRE_NATIVE: '1' },
      encoding: 'utf8',
    });
    assert.equal(
      status,
      0,
      stdout
        .split('\n')
        .filter((line) => /^\s*not ok|error:/.test(line))
        .join('\n') + stderr,
    );
    assert.match(stdout, new RegExp(`ok \\d+ - native ${instructionSet}: `));
  });
}
