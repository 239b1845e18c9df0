// The example is compiled against the package's own types and run as a user would.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

test('examples/estimator-slices.ts: three slices with evaluation between equal one uninterrupted training, bit for bit', () => {
  const run = (...command: string[]): { status: number | null; text: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' });
    return { status, text: `${stdout}${stderr}` };
  };
  const compiled = run('node_modules/typescript/bin/tsc', '-p', 'examples');
  assert.equal(compiled.status, 0, compiled.text);
  const { status, text } = run('dist/examples/estimator-slices.js');
  assert.equal(status, 0, text);
  assert.deepEqual(
    [...text.matchAll(/^step (\d+) \(max steps\): AUC 0\.\d{4} on 2012 examples$/gm)].map(([, step]) => step),
    ['50', '100', '120'],
  );
  assert.match(text, /^user nobody, film unseen: 0\.\d{4}$/m);
  assert.match(text, /^three slices equal one uninterrupted training of 120 steps, bit for bit/m);
});
