import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findLayoutErrors, findViolations } from './rules.js';
import { projectFileExists, readLayout, readProjectFile, readTree } from './tree.js';

describe('the layout rule', () => {
  const layout = readLayout();
  const tree = readTree();

  test('rooms import only rooms on lower floors', () => {
    assert.deepEqual(findLayoutErrors(layout), []);
  });

  test('the sources are found', () => {
    assert.ok(tree.has('src/base/errors.ts'), 'src/base/errors.ts is not in the tree that this test reads');
    assert.ok(
      [...tree.keys()].some((path) => path.endsWith('.cc')),
      'no C++ file is in the tree that this test reads',
    );
  });

  test('every file keeps to its room, its doors, its packages and its length', () => {
    const lines = findViolations(tree, layout).map(({ file, line, text }) => `${file}:${line}  ${text}`);
    assert.deepEqual(lines, []);
  });

  test('every runtime dependency has a home and a page in docs/decisions', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readProjectFile('package.json')) as {
      dependencies: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies })) {
      assert.ok(layout.packages[name] !== undefined, `${name} has no home in rooms.json`);
      const page = `docs/decisions/${name.replace(/^@[^/]*\//, '')}.md`;
      assert.ok(projectFileExists(page), `${page} is missing: what ${name} is for, and what was not chosen`);
      assert.match(version, /^\d+\.\d+\.\d+$/, `${name} must be pinned to one version`);
    }
  });
});
