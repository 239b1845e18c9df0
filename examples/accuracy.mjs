// Trains every example on its reference data for three seeds and compares the median with the mark it must reach.
//
//   node examples/accuracy.mjs DATA-FOLDER [words…]
//
// DATA-FOLDER holds adult/, ml-100k/, chicago-taxi/, criteo-8k/ and ffm-criteo-tiny/ as the public repositories have them; sets that are not
// there are reported as absent. Words keep the rows whose name contains one of them. Ends with 1 when a mark is missed
// or nothing was there to measure.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../dist/src/checkpoint/index.js';
import { readTableSection, savedTables } from '../dist/src/training/index.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const cli = join(here, '../dist/src/cli/main.js');
const [data, ...words] = process.argv.slice(2);
if (data === undefined) {
  process.stderr.write('usage: node examples/accuracy.mjs DATA-FOLDER [words…]\n');
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), 'monolith-local-accuracy-'));
const at = (...parts) => join(data, ...parts);

/** Name, folder of the data, config, flags, metric, mark to reach; `within`: the mark is to be met this closely; `value`: not the AUC. */
const rows = [
  ...['lr', 'fm', 'deepfm'].map((model, i) => ({
    name: `ml-100k ${model}`,
    needs: at('ml-100k'),
    config: `ml-100k-${model}.yaml`,
    flags: ['--data', join(work, 'ml', 'u1.base.tsv'), '--eval-data', join(work, 'ml', 'u1.test.tsv')],
    metric: 'AUC',
    mark: [0.774, 0.783, 0.787][i],
  })),
  ...['adult-lr', 'adult'].map((config, i) => ({
    name: `adult ${['lr', 'deepfm'][i]}`,
    needs: at('adult'),
    config: `${config}.yaml`,
    flags: ['--data', at('adult', 'adult.data.gz'), '--eval-data', at('adult', 'adult.test.gz')],
    metric: 'AUC',
    mark: [0.91, 0.912][i],
  })),
  {
    name: 'chicago-taxi',
    needs: at('chicago-taxi'),
    config: 'chicago-taxi.yaml',
    flags: [
      '--data',
      at('chicago-taxi/csv_example_gen/Split-train/*.gz'),
      '--eval-data',
      at('chicago-taxi/csv_example_gen/Split-eval/*.gz'),
    ],
    metric: 'AUC',
    mark: 0.91,
  },
  {
    name: 'criteo-8k lr',
    needs: at('criteo-8k'),
    config: 'criteo-8k-lr.yaml',
    flags: ['--data', at('criteo-8k/train.tsv.gz'), '--eval-data', `${at('criteo-8k/dev.tsv.gz')},${at('criteo-8k/test.tsv.gz')}`],
    metric: 'AUC',
    mark: 0.69,
  },
  {
    name: 'ffm-criteo-tiny lr',
    needs: at('ffm-criteo-tiny'),
    config: 'ffm-criteo-tiny-lr.yaml',
    flags: ['--data', at('ffm-criteo-tiny/small_train.txt'), '--eval-data', at('ffm-criteo-tiny/small_train.txt')],
    metric: 'objective',
    mark: 95.3271,
    within: 1e-2,
    value: ridgeObjective,
  },
];

/**
 * Σ log loss + ½‖w‖² over all weights, the bias included: evaluated on the 200 training rows. The mark is of a solver that drops the second
 * term where a row names an index twice (three rows); with all terms, as here, the minimum is 95.32211.
 */
async function ridgeObjective(done) {
  const reader = await openCheckpoint(done.checkpoint);
  let squares = 0;
  const bytes = await reader.section('dense.parameters').readAll();
  for (const value of new Float32Array(bytes.slice().buffer)) squares += value * value;
  for (const table of savedTables(reader)) {
    for (const section of table.sections) {
      const { records, count } = await readTableSection(reader, table, section);
      const width = table.dim + table.stateLength;
      for (let i = 0; i < count; i++) for (let d = 0; d < table.dim; d++) squares += records[i * width + d] ** 2;
    }
  }
  return done.eval.logloss * done.eval.examples + squares / 2;
}

function train(row, seed) {
  const folder = join(work, 'run');
  rmSync(folder, { recursive: true, force: true });
  const flags = ['--json', '--fresh', '--seed', String(seed), '--model-dir', folder, ...row.flags];
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, 'train', join(here, row.config), ...flags], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${row.name}: exit code ${status}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

try {
  if (existsSync(at('ml-100k'))) {
    spawnSync(process.execPath, [join(here, 'ml-100k-prepare.mjs'), at('ml-100k'), join(work, 'ml')], { stdio: 'inherit' });
  }
  let missed = 0;
  let measured = 0;
  process.stdout.write('data set             metric        seed 1      seed 2      seed 3      median      mark\n');
  for (const row of rows) {
    if (words.length > 0 && !words.some((word) => row.name.includes(word))) continue;
    if (!existsSync(row.needs)) {
      process.stdout.write(`${row.name.padEnd(20)} absent\n`);
      continue;
    }
    const values = [];
    for (const seed of [1, 2, 3]) {
      const done = train(row, seed);
      values.push(row.value === undefined ? done.eval.auc : await row.value(done));
    }
    const median = [...values].sort((a, b) => a - b)[1];
    const reached = row.within === undefined ? median >= row.mark : Math.abs(median - row.mark) <= row.within;
    measured++;
    if (!reached) missed++;
    const figures = [...values, median].map((value) => value.toFixed(4).padEnd(10)).join('  ');
    const mark = row.within === undefined ? `≥ ${row.mark}` : `${row.mark} ± ${row.within}`;
    process.stdout.write(`${row.name.padEnd(20)} ${row.metric.padEnd(12)}  ${figures}  ${mark}  ${reached ? 'ok' : 'MISSED'}\n`);
  }
  if (measured === 0) process.stderr.write(`nothing measured: ${data} holds none of the sets asked for\n`);
  process.exitCode = missed > 0 || measured === 0 ? 1 : 0;
} finally {
  rmSync(work, { recursive: true, force: true });
}
