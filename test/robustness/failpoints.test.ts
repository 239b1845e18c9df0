import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function sourcesIn(folder: string): string {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== 'failpoints.test.ts')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

/**
 * Rooms whose failpoints a test takes from their source and sets off one by one; it fails where one is not reached.
 * checkpoint: checkpoint/crash.test.ts and robustness/kills.test.ts; steps, ps: robustness/threads.test.ts.
 */
const ENUMERATED = ['checkpoint', 'steps', 'ps'];

test('every failpoint in the source is set off by a test', () => {
  const tests = sourcesIn('test');
  const names = new Map<string, string>();
  for (const { name: room } of readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    for (const [, name] of sourcesIn(join('src', room)).matchAll(/\bfailpoint\(\s*'([\w.-]+)'/g)) names.set(name, room);
  }
  assert.ok(names.size >= 30, [...names.keys()].join(' '));
  const untested = [...names].filter(([name, room]) => {
    const isEnumerated = ENUMERATED.includes(room) && new RegExp(`^${room}\\.\\w+$`).test(name);
    return !isEnumerated && !new RegExp(`\\b${name.replaceAll('.', '\\.')}\\b`).test(tests);
  });
  assert.deepEqual(untested, []);
});
