import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MonolithError } from '../../src/base/index.js';

/** A file of the source tree, seen from dist/test/base. */
const source = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

describe('errors', () => {
  test('every code has a section in docs/errors.md with meaning, reasons and remedy, and no section is stray', () => {
    const codes = [...source('src/base/errors.ts').matchAll(/^ {2}\| '(\w+)'/gm)].map((match) => match[1]);
    const sections = source('docs/errors.md').split(/^## /m).slice(1);
    assert.ok(codes.length > 20);
    assert.deepEqual(sections.map((section) => section.split('\n')[0]).sort(), [...codes].sort());
    for (const section of sections) {
      for (const part of ['**Meaning.**', '**Usual reasons.**', '**What to do.**']) assert.ok(section.includes(part), section);
    }
  });

  test('an error keeps its meaning across a thread', () => {
    const error = new MonolithError('DiskFull', 'no room', { path: 'x', freeBytes: 3 });
    const other = MonolithError.fromJSON(JSON.parse(JSON.stringify(error)));
    assert.deepEqual([other.code, other.message, other.details], ['DiskFull', 'no room', { path: 'x', freeBytes: 3 }]);
    assert.equal(MonolithError.from(error), error);
    assert.equal(MonolithError.from('text').code, 'Internal');
  });
});
