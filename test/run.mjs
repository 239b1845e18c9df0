// Runs the compiled tests with Node's test runner. Words on the command line keep the files whose path contains one of them:
//   node test/run.mjs                everything
//   node test/run.mjs kernels ring   test files with "kernels" or "ring" in their path
//   node test/run.mjs --robustness   the tests of robustness, then the board of their figures; --summary: the board alone. A figure below
//                                    its mark fails the run, as it does a run of everything
//   node test/run.mjs --list-spec    runs nothing: prints which test shows which numbered behaviour
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printBoard } from './board.mjs';
import { listSpec } from './spec-coverage.mjs';

if (process.argv.includes('--list-spec')) process.exit(listSpec(process.argv.includes('--write')) === 0 ? 0 : 1);

const OWN_FLAGS = ['--summary', '--robustness'];
const root = fileURLToPath(new URL('../dist/test/', import.meta.url));
const isSummary = process.argv.includes('--summary');
const given = process.argv.slice(2).filter((word) => !word.startsWith('-'));
// Where the figures of the board are counted.
const isBoard = isSummary || process.argv.includes('--robustness');
const words = isBoard && given.length === 0 ? ['checkpoint/', 'robustness/', 'rows/format-versions', 'runner/killed-ps'] : given;
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
  ...(isSummary ? ['--test-reporter=dot'] : []),
  ...process.argv.slice(2).filter((word) => word.startsWith('--') && !OWN_FLAGS.includes(word)),
];
const folder = mkdtempSync(join(tmpdir(), 'monolith-local-board-'));
const board = join(folder, 'figures.jsonl');
const env = { ...process.env, MONOLITH_TEST_BOARD: board };
const { status } = spawnSync(process.execPath, [...options, ...files], { stdio: 'inherit', env });
// A run of everything, or of what the board is made from, has all its figures.
const isMet = printBoard(board, given.length === 0);
rmSync(folder, { recursive: true, force: true });
process.exit(status === 0 && !isMet ? 1 : (status ?? 1));
