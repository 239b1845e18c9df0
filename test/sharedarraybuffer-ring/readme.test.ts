import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const readme = readFileSync(new URL('../../../src/sharedarraybuffer-ring/README.md', import.meta.url), 'utf8');

/** The example of the README that starts with the comment `// <name>`, run as a user would, importing the package by its own name. */
function runExample(name: string): string {
  const code = readme.split('```js\n').find((block) => block.startsWith(`// ${name}`));
  assert.ok(code !== undefined, `no example ${name}`);
  const folder = mkdtempSync(join(here, 'example-'));
  try {
    const file = join(folder, name);
    writeFileSync(file, code.slice(0, code.indexOf('```')));
    const run = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: 30_000 });
    assert.equal(run.stderr, '');
    assert.equal(run.status, 0);
    return run.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the ring example of the README prints its sum', () => assert.equal(runExample('ring.mjs'), '95\n'));
test('the barrier example of the README runs its steps', () => assert.equal(runExample('barrier.mjs'), '1000 steps\n'));
