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
  coveragePage(): string;
};

function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

const root = repositoryRoot();
const tool = (await import(pathToFileURL(join(root, 'test/spec-coverage.mjs')).href)) as Tool;

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
    assert.deepEqual(missing, []);
  });

  test('docs/spec-coverage.md is what the names of the tests say', () => {
    const page = readFileSync(join(root, 'docs/spec-coverage.md'), 'utf8');
    assert.equal(page, tool.coveragePage(), 'write it anew: npm test -- --list-spec --write');
  });
});
