import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

type Coverage = Map<string, { readonly file: string; readonly name: string }[]>;
type Tool = {
  readonly items: readonly string[];
  numbersOf(name: string): string[];
  testNames(source: string): string[];
  specCoverage(): Coverage;
};

function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

const root = repositoryRoot();
const tool = (await import(pathToFileURL(join(root, 'test/spec-coverage.mjs')).href)) as Tool;

/** Behaviours that are being built; the list is empty once they are built. */
const underway: readonly string[] = ['19', '21', '22a', '25', '28', '30', '32'];

describe('numbered behaviours', () => {
  test('names of tests are found as they stand, numbers at their beginning', () => {
    const source = `
      test('#5d it\\'s one', () => {});
      test.skip("#6c, #33 two", () => {});
      it(\`#45 \${role} three\`, async () => {});
      describe('#99 no test', () => {});
      describe('#36 suite', () => {
        test('with a test', () => {});
      });
      contest('#98 neither');
      test('four, after #97', () => {});
      for (const item of ['#18', '#24']) test(\`\${item} five\`, () => {});`;
    const names = tool.testNames(source);
    assert.deepEqual(names, [
      "#5d it's one",
      '#6c, #33 two',
      `#45 \${role} three`,
      '#36 suite: with a test',
      'four, after #97',
      '#18 five',
      '#24 five',
    ]);
    assert.deepEqual(names.map(tool.numbersOf), [['5d'], ['6c', '33'], ['45'], ['36'], [], ['18'], ['24']]);
  });

  test('every one of them has a test', () => {
    const missing = [...tool.specCoverage()].filter(([, tests]) => tests.length === 0).map(([item]) => item);
    assert.deepEqual(
      missing.filter((item) => !underway.includes(item)),
      [],
    );
  });

  test('what docs/spec-coverage.md says of a test is so', () => {
    const coverage = tool.specCoverage();
    const rows = readFileSync(join(root, 'docs/spec-coverage.md'), 'utf8').matchAll(/^\| #(\S+) \| (test\/\S+) \|/gm);
    const listed = new Set<string>();
    for (const [, item, file] of rows) {
      listed.add(item);
      assert.ok(
        coverage.get(item)?.some((one) => one.file === file),
        `#${item} has no test in ${file}; run: npm test -- --list-spec --write`,
      );
    }
    for (const item of tool.items.filter((one) => !underway.includes(one)))
      assert.ok(listed.has(item), `#${item} is not listed; run: npm test -- --list-spec --write`);
  });
});
