// The command as a user types it; nothing here looks at how fast anything was.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { makeClicks } from '../../src/bench/made-data.js';
import type { BenchFile } from '../../src/bench/result.js';
import { suiteNames } from '../../src/bench/suites.js';
import { scalingPlans, trainingGroups, trainingPlans } from '../../src/bench/training-plan.js';
import { figuresOf, trainingArguments } from '../../src/bench/training-run.js';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { callCli, runCli, temporaryFolder } from '../helpers/cli.js';

const folder = await temporaryFolder('bench');
after(() => folder.remove());

describe('monolith-local bench', () => {
  test('without words lists the suites', async () => {
    const { code, stdout } = await callCli(['bench']);
    assert.equal(code, ExitCode.done);
    for (const name of suiteNames) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  });

  test('refuses an unknown suite and an unknown flag', async () => {
    for (const line of [
      ['bench', 'rings'],
      ['bench', 'ring', '--secs', '1'],
    ]) {
      const { code, stderr } = await callCli(line);
      assert.equal(code, ExitCode.usage);
      assert.match(stderr, /did you mean (ring|--seconds)\?|unknown flag/);
    }
  });

  test('runs a suite in a moment, shows a table and writes the file that says on what machine', async () => {
    const path = folder.in('out', 'parsers.json');
    const { code, stdout } = await runCli(['bench', 'parsers', '--only', 'criteo-bin', '--seconds', '0.02', '--output', path]);
    assert.equal(code, ExitCode.done);
    assert.match(stdout, /criteo-bin reference .*M records\/s/);
    const file = JSON.parse(readFileSync(path, 'utf8')) as BenchFile;
    assert.equal(file.format, 'monolith-local-bench-1');
    for (const key of ['cpu', 'cores', 'caches', 'memory_bytes', 'instruction_set', 'governor', 'huge_pages'])
      assert.ok(key in file.machine, key);
    assert.equal(file.versions.node, process.versions.node);
    assert.ok(!Number.isNaN(Date.parse(file.date)) && file.seconds > 0);
    const result = file.results.find(({ name }) => name === 'criteo-bin reference');
    assert.ok(result !== undefined && result.samples > 0 && (result.median ?? 0) > 0);
    assert.equal(result.command, "npx monolith-local bench parsers --only 'criteo-bin reference'");
  });

  test('--json prints the file and nothing else', async () => {
    const { stdout } = await runCli([
      'bench',
      'parsers',
      '--only',
      'criteo-bin reference',
      '--seconds',
      '0.02',
      '--json',
      '--output',
      folder.in('j.json'),
    ]);
    assert.equal(stdout, readFileSync(folder.in('j.json'), 'utf8'));
  });

  test('compare ends with 1 where a figure fell below the ratio, with 0 otherwise', async () => {
    const write = (name: string, figure: number): string => {
      const result = {
        suite: 's',
        name: 'n',
        unit: 'x',
        better: 'higher',
        median: figure,
        min: figure,
        max: figure,
        p25: figure,
        p75: figure,
        samples: 5,
        command: 'c',
      };
      const file = { format: 'monolith-local-bench-1', date: '', seconds: 1, machine: {}, versions: {}, results: [result] };
      writeFileSync(folder.in(name), JSON.stringify(file));
      return folder.in(name);
    };
    const [old, now] = [write('old.json', 100), write('new.json', 80)];
    assert.equal((await callCli(['bench', 'compare', old, now])).code, ExitCode.done);
    const worse = await callCli(['bench', 'compare', old, now, '--fail-below', '0.9']);
    assert.equal(worse.code, ExitCode.failed);
    assert.match(worse.stdout, /s: n .*0\.800×/);
    assert.equal((await callCli(['bench', 'compare', now, old, '--fail-below', '0.9'])).code, ExitCode.done);
    assert.equal((await callCli(['bench', 'compare', old, folder.in('none.json')])).code, ExitCode.usage);
  });

  test('peers without a folder says so and measures nothing', async () => {
    const path = folder.in('peers.json');
    const { code, stderr } = await runCli(['bench', 'peers', '--seconds', '0.02', '--output', path]);
    assert.equal(code, ExitCode.failed);
    assert.match(stderr, /no --peers-dir/);
    const { results } = JSON.parse(readFileSync(path, 'utf8')) as BenchFile;
    assert.deepEqual(
      results.filter(({ suite }) => suite === 'peers'),
      [],
    );
  });
});

describe('whole runs', () => {
  test('a plan stands for each kind of model in both batch sizes, and is a command line of train', () => {
    const plans = trainingPlans(2);
    for (const group of trainingGroups) assert.equal(plans.filter((plan) => plan.group === group).length, 2, group);
    assert.equal(new Set(plans.map(({ name }) => name)).size, plans.length);
    const line = trainingArguments(plans[0], { train: 'a.bin', eval: 'b.bin', samples: 100_000 }, 'model');
    assert.deepEqual(line.slice(0, 5), ['train', '--data', 'a.bin', '--eval-data', 'b.bin']);
    assert.equal(line[line.indexOf('--max-steps') + 1], String(Math.floor(100_000 / 4096)));
    assert.deepEqual(
      scalingPlans(2).map(({ workers, ps }) => [workers, ps]),
      [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
      ],
    );
  });

  test('figures of a run are those of its done event, stages as shares of the workers’ time', () => {
    const figures = figuresOf({
      event: 'done',
      examples_per_second: 5,
      eval: { auc: 0.7, logloss: 0.5 },
      stages: { compute: 3, lookup: 1, shard_apply: 2 },
    });
    assert.deepEqual(figures, { samplesPerSecond: 5, auc: 0.7, logloss: 0.5, info: { 'compute %': 75, 'lookup %': 25 } });
  });

  test('a small training run on made data is measured with its AUC', async () => {
    const path = folder.in('train.json');
    const flags = [
      '--only',
      'ours lr async batch 2048',
      '--samples',
      '9000',
      '--rounds',
      '1',
      '--seconds',
      '0.02',
      '--data-dir',
      folder.in('data'),
      '--output',
      path,
    ];
    assert.equal((await runCli(['bench', 'train', ...flags])).code, ExitCode.done);
    const { results } = JSON.parse(readFileSync(path, 'utf8')) as BenchFile;
    const result = results.find(({ suite }) => suite === 'train');
    assert.ok(result !== undefined && result.samples === 1 && typeof result.info?.auc === 'number');
  });

  test('made data depend on the seed alone; a shorter file begins a longer one', async () => {
    await makeClicks(folder.in('a.bin'), 'bin', 8192, 3);
    await makeClicks(folder.in('b.bin'), 'bin', 4096, 3);
    assert.equal(statSync(folder.in('a.bin')).size, 64 + 8192 * 160);
    assert.ok(
      readFileSync(folder.in('a.bin'))
        .subarray(0, 64 + 4096 * 160)
        .equals(readFileSync(folder.in('b.bin'))),
    );
    await makeClicks(folder.in('a.tsv'), 'tsv', 10, 3);
    const lines = readFileSync(folder.in('a.tsv'), 'utf8').trim().split('\n');
    assert.deepEqual([lines.length, lines[0].split('\t').length], [10, 40]);
    assert.ok(!existsSync(folder.in('a.tsv.part')));
  });
});
