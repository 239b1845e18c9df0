// Runs the compiled tests with Node's test runner. Words on the command line keep the files whose path contains one of them:
//   node test/run.mjs                everything
//   node test/run.mjs kernels ring   test files with "kernels" or "ring" in their path
//   node test/run.mjs --list-spec    runs nothing: prints which test shows which numbered behaviour
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listSpec } from './spec-coverage.mjs';

if (process.argv.includes('--list-spec')) process.exit(listSpec(process.argv.includes('--write')) === 0 ? 0 : 1);

const root = fileURLToPath(new URL('../dist/test/', import.meta.url));
const words = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .filter((path) => words.length === 0 || words.some((word) => relative(root, path).includes(word)))
  .sort();
if (files.length === 0) {
  process.stderr.write(`no test file matches ${words.join(' ')}; run 'npm run build:ts' first\n`);
  process.exit(1);
}
const options = [
  '--enable-source-maps',
  '--test',
  '--test-concurrency=2',
  ...process.argv.slice(2).filter((word) => word.startsWith('--')),
];
const { status } = spawnSync(process.execPath, [...options, ...files], { stdio: 'inherit' });
process.exit(status ?? 1);
