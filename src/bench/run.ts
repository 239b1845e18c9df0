import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MonolithError, wallClock } from '../base/index.js';
import { runChild } from './child.js';
import { machine, versions } from './machine.js';
import { runPeers } from './peers/suite.js';
import type { BenchOptions } from './request.js';
import {
  BENCH_FORMAT,
  type BenchFile,
  type BenchResult,
  completeResult,
  type Limits,
  type Measurement,
  parseMeasurement,
} from './result.js';
import type { SuiteRun } from './suite-run.js';
import { type LimitKind, type SuiteName, suiteOf } from './suites.js';
import { figure, resultsText } from './text.js';
import { runHosts, runScaling, runStartup, runTrainingSuite } from './training-suites.js';

/** Compiled suites of parts. They ship with the package, beside dist/src. */
const partsRoot = fileURLToPath(new URL('../../bench/', import.meta.url));
const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** Where results go and who watches. */
export type BenchOutput = {
  /** Tables and paths: what was asked for. */
  result(text: string): void;
  /** What is being measured. */
  talk(text: string): void;
};

/** Runs suites and writes their file. The result says whether every part of ours ran. */
export async function runBench(
  suites: readonly SuiteName[],
  options: BenchOptions,
  packageVersion: string,
  output: BenchOutput,
): Promise<{ readonly file: BenchFile; readonly complete: boolean }> {
  const from = performance.now();
  const started = new Date(wallClock()).toISOString();
  const results: BenchResult[] = [];
  const limits = new Map<string, number>();
  const scratch = await mkdtemp(join(tmpdir(), 'monolith-local-bench-'));
  let complete = true;
  const suite = async (name: SuiteName, measure: (add: (measurement: Measurement) => void) => Promise<boolean>): Promise<void> => {
    output.talk(`== ${name}: ${suiteOf(name).text}\n`);
    const first = results.length;
    const ok = await measure((measurement) => {
      // Limits are never left out: other figures stand on them.
      if (name !== 'limits' && options.only !== null && !measurement.name.includes(options.only)) return;
      const result = completeResult(name, measurement, limits, commandOf(name, measurement.name));
      results.push(result);
      // Other work on the machine only makes a limit look lower: its best round counts.
      if (name === 'limits' && result.max !== null) limits.set(result.name, result.max);
      output.talk(
        `   ${result.name}: ${result.median === null ? `${result.info?.failed ?? result.info?.absent ?? 'absent'}` : `${figure(result.median)} ${result.unit}`}\n`,
      );
    });
    if (!ok) complete = false;
    if (!options.json && results.length > first) output.result(`\n${name}\n${resultsText(results.slice(first))}\n\n`);
  };
  try {
    const kinds: LimitKind[] = [...new Set(suites.flatMap((name) => suiteOf(name).limits))];
    const all = suites.includes('limits');
    if (all || kinds.length > 0) await suite('limits', (add) => runParts('limits', all ? [] : kinds, options, add, output));
    for (const name of suites) {
      if (name !== 'limits') await suite(name, (add) => runSuite(name, { options, scratch, add, talk: output.talk }, limits, output));
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const file: BenchFile = {
    format: BENCH_FORMAT,
    date: started,
    seconds: Math.round((performance.now() - from) / 100) / 10,
    machine: machine(),
    versions: versions(packageVersion),
    results,
  };
  await keep(file, options, output);
  return { file, complete };
}

function runSuite(name: Exclude<SuiteName, 'limits'>, run: SuiteRun, limits: Limits, output: BenchOutput): Promise<boolean> {
  switch (name) {
    case 'train':
      return runTrainingSuite(run);
    case 'scaling':
      return runScaling(run);
    case 'hosts':
      return runHosts(run);
    case 'startup':
      return runStartup(run);
    case 'peers':
      return runPeers(run);
    default:
      return runParts(name, [], run.options, run.add, output, limits);
  }
}

/** Runs the *.bench.js files of a suite's folder, each in a process of its own, and takes the measurements that they print. */
async function runParts(
  name: SuiteName,
  words: readonly string[],
  options: BenchOptions,
  add: (measurement: Measurement) => void,
  output: BenchOutput,
  limits: Limits = new Map(),
): Promise<boolean> {
  const folder = join(partsRoot, suiteOf(name).folder ?? '');
  if (!existsSync(folder)) throw new MonolithError('InvalidConfig', `bench ${name}: ${folder} is missing; build first: npm run build:ts`);
  const flags = ['--json', '--seconds', String(options.seconds), '--rounds', String(options.rounds)];
  if (options.only !== null && name !== 'limits') flags.push('--only', options.only);
  if (options.rows !== null) flags.push('--rows', String(options.rows));
  let ok = true;
  for (const file of readdirSync(folder)
    .filter((entry) => entry.endsWith('.bench.js'))
    .sort()) {
    const env = { ...process.env, MONOLITH_BENCH_LIMITS: JSON.stringify(Object.fromEntries(limits)) };
    const { code, stderr } = await runChild(process.execPath, [join(folder, file), ...words, ...flags], {
      env,
      onLine: (line) => {
        const measurement = parseMeasurement(line);
        if (measurement !== null) add(measurement);
      },
    });
    if (code !== 0) {
      ok = false;
      output.talk(`   ${file} ended with ${code}: ${stderr.trim().split('\n').slice(-3).join(' ')}\n`);
    }
  }
  return ok;
}

/** What repeats one figure. */
function commandOf(suite: SuiteName, name: string): string {
  const quoted = /^[\w.+=-]+$/.test(name) ? name : `'${name}'`;
  return suite === 'limits' ? 'npx monolith-local bench limits' : `npx monolith-local bench ${suite} --only ${quoted}`;
}

/** Writes the result file: where --output says, or to bench/results/latest.json of a checkout. */
async function keep(file: BenchFile, options: BenchOptions, output: BenchOutput): Promise<void> {
  const text = `${JSON.stringify(file, null, 1)}\n`;
  if (options.json) output.result(text);
  const kept = join(packageRoot, 'bench/results');
  const path = options.output ?? (existsSync(kept) && existsSync(join(packageRoot, '.git')) ? join(kept, 'latest.json') : null);
  if (path === null) {
    if (!options.json) output.talk('results not kept: --output FILE keeps them\n');
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  output.talk(`results in ${path}\n`);
}
