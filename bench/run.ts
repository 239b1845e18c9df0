// Runs benchmarks one after another, each in a process of its own: `npm run bench` lists them, `npm run bench -- WORD …` runs those whose path
// contains a word, `npm run bench -- all` runs all. Figures mean something only on a machine that does nothing else.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.bench.js'))
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .sort();
const words = process.argv.slice(2);
const chosen = files.filter((file) => words.some((word) => word === 'all' || relative(root, file).includes(word)));
if (chosen.length === 0) {
  process.stdout.write(
    `usage: npm run bench -- WORD … | all\n\n${files.map((file) => relative(root, file).replace('.bench.js', '')).join('\n')}\n`,
  );
  process.exitCode = words.length === 0 ? 0 : 2;
}
for (const file of chosen) {
  process.stdout.write(`\n== ${relative(root, file)}\n`);
  const { status } = spawnSync(process.execPath, [file], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = status ?? 1;
}
