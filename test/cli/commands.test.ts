import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { Estimator, type FeatureSchema, type PartialTrainingConfig } from '../../src/index.js';
import { callCli, lastEvent, main, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, clickLines, clickSchema, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let trained: Awaited<ReturnType<typeof runCli>>;
const header = 'click,price,user,item,tags';
before(async () => {
  folder = await temporaryFolder('commands');
  writeClicks(folder.in('train.csv'), 1500, 1);
  writeClicks(folder.in('test.csv'), 400, 2);
  writeFileSync(folder.in('run.yaml'), clickConfig(folder.path));
  trained = await runCli(['train', folder.in('run.yaml'), '--json', '--model-dir', folder.in('run'), '--data.parse-threads', 'null']);
});
after(() => folder.remove());

function trainedFlags(...more: string[]): string[] {
  return ['--model-dir', folder.in('run'), ...more];
}

describe('train --json', () => {
  test('prints JSON objects alone, with the events and fields that outsiders rely on', () => {
    assert.equal(trained.code, 0, trained.stderr);
    const events = trained.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(events[0].event, 'start');
    assert.equal(events.at(-1)?.event, 'done');
    const fields: Record<string, string[]> = {
      start: ['version', 'model', 'workers', 'ps', 'backend'],
      progress: ['step', 'examples', 'examples_per_second', 'loss'],
      eval: ['step', 'auc', 'logloss', 'normalized_entropy', 'calibration', 'accuracy'],
      checkpoint: ['step', 'path'],
      done: ['step', 'examples', 'seconds', 'examples_per_second', 'train', 'eval', 'checkpoint', 'stages'],
    };
    for (const event of events) {
      for (const field of fields[String(event.event)] ?? assert.fail(`event ${String(event.event)}`))
        assert.ok(field in event, `${event.event}.${field}`);
    }
    const done = lastEvent(trained);
    assert.equal(done.examples, 4500);
    assert.ok(existsSync(String(done.checkpoint)));
    assert.equal(typeof (done.train as { loss: number }).loss, 'number');
  });

  test('reports progress up to the last step, however short the run', async () => {
    const flags = ['--json', '--epochs', '1', '--max-steps', '2', '--model-dir', folder.in('short')];
    const result = await callCli(['train', folder.in('run.yaml'), ...flags]);
    assert.equal(result.code, 0, result.stderr);
    const events = result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    // On a busy machine a step may take longer than the interval of reports, and have one of its own.
    const progress = events.filter(({ event }) => event === 'progress');
    const last = progress[progress.length - 1];
    assert.deepEqual(
      events.filter((event) => event.event !== 'progress' || event === last).map(({ event }) => event),
      ['start', 'progress', 'eval', 'checkpoint', 'done'],
    );
    assert.deepEqual([last.step, last.examples], [2, lastEvent(result).examples]);
    const steps = progress.map(({ step }) => Number(step));
    assert.ok(
      steps.every((step, i) => i === 0 || step > steps[i - 1]),
      `steps ${steps.join(', ')}`,
    );
  });

  test('leaves a run folder with configuration, CSV, JSON lines and TensorBoard events', () => {
    for (const name of ['config.yaml', 'metrics.csv', 'metrics.jsonl', 'checkpoint', 'monolith_checkpoint'])
      assert.ok(existsSync(folder.in('run', name)), name);
    const csv = readFileSync(folder.in('run', 'metrics.csv'), 'utf8');
    assert.match(csv, /^event,step,/);
    assert.match(csv, /\neval,/);
  });
});

describe('train for people', () => {
  test('says what was understood, evaluates, and puts the result alone on standard output', async () => {
    const result = await runCli(['train', folder.in('run.yaml'), '--epochs', '1', '--model-dir', folder.in('people')]);
    assert.equal(result.code, 0, result.stderr);
    for (const part of [/model +deepfm/, /tables/, /2 workers, 2 shards, sync/, /eval at step \d+: AUC 0\.\d+/])
      assert.match(result.stderr, part);
    assert.match(result.stdout, /^evaluation +value/);
    assert.match(result.stdout, /\ntrained 24 steps: 1,500 examples in /);
  });

  test('with --quiet says nothing but the result', async () => {
    const result = await runCli(['train', folder.in('run.yaml'), '--epochs', '1', '--quiet', '--model-dir', folder.in('quiet')]);
    assert.equal(result.stderr, '');
    assert.match(result.stdout, /AUC/);
  });
});

describe('eval', () => {
  test('gives the figures of the evaluation at the end of training, on any number of workers', async () => {
    for (const workers of ['1', '3']) {
      const result = await callCli(['eval', ...trainedFlags('--json', '--workers', workers)]);
      assert.equal(result.code, 0, result.stderr);
      const { event, step, ...figures } = lastEvent(result);
      assert.equal(event, 'eval');
      assert.equal(step, lastEvent(trained).step);
      const expected = lastEvent(trained).eval as Record<string, number>;
      for (const [name, value] of Object.entries(figures)) assert.ok(Math.abs(Number(value) - expected[name]) < 1e-6, name);
    }
  });

  test('without a checkpoint says so with exit code 4', async () => {
    const result = await callCli(['eval', folder.in('run.yaml'), '--model-dir', folder.in('nothing')]);
    assert.equal(result.code, 4);
    assert.match(result.stderr, /^CheckpointNotFound {2}.*train first/);
  });
});

describe('predict', () => {
  async function predictions(text: string | Uint8Array, name: string, ...more: string[]): Promise<string[]> {
    writeFileSync(folder.in(name), text);
    const result = await callCli(['predict', ...trainedFlags('--data', folder.in(name), ...more)]);
    assert.equal(result.code, 0, result.stderr);
    assert.ok(result.stdout === '' || result.stdout.endsWith('\n'));
    return result.stdout.split('\n').slice(0, -1);
  }

  /** The same by the library, in this process. */
  async function values(text: string | Uint8Array, name: string, data: PartialTrainingConfig['data'] = {}): Promise<string[]> {
    writeFileSync(folder.in(name), text);
    const lines: string[] = [];
    const estimator = Estimator.fromFolder(folder.in('run'), { workers: 1, ps: 1, data: { ...data, eval: [folder.in(name)] } });
    await estimator.predict((part) => void lines.push(...Array.from(part, (value) => value.toFixed(5))));
    return lines;
  }

  test('prints exactly one line a record, in order, whatever the batch size', async () => {
    const lines = clickLines(101, 9);
    const all = await predictions(`${[header, ...lines].join('\n')}\n`, 'all.csv');
    assert.equal(all.length, 101);
    for (const line of all) assert.ok(Number(line) > 0 && Number(line) < 1, line);
    const few = await values(`${[header, ...lines.slice(40, 43)].join('\n')}`, 'few.csv');
    assert.deepEqual(
      few.map(Number).map((value) => value.toFixed(4)),
      all.slice(40, 43).map((value) => Number(value).toFixed(4)),
    );
  });

  test('takes records without a label, gzip, and gives nan for a record that can not be read', async () => {
    const lines = clickLines(5, 9);
    const expected = await values(`${[header, ...lines].join('\n')}\n`, 'five.csv');
    const unlabelled = lines.map((line) => line.slice(line.indexOf(',') + 1));
    assert.deepEqual(await values(`${['price,user,item,tags', ...unlabelled].join('\n')}\n`, 'unlabelled.csv'), expected);
    assert.deepEqual(await values(gzipSync(`${[header, ...lines].join('\n')}\n`), 'five.csv.gz'), expected);
    const broken = await predictions(`${[header, lines[0], '1,2', ...lines.slice(1)].join('\n')}\n`, 'broken.csv');
    assert.equal(broken[1], 'nan');
    assert.deepEqual(
      broken.map((value) => (value === 'nan' ? value : Number(value).toFixed(5))),
      [expected[0], 'nan', ...expected.slice(1)],
    );
  });

  test('does not ask for weights: a record without a label and of weight 0 is predicted like any other', async () => {
    const lines = clickLines(3, 9);
    const expected = await values(`${[header, ...lines].join('\n')}\n`, 'three.csv');
    const weighted = lines.map((line, i) => `${line.slice(1)},${['0', '', 'x'][i]}`);
    const schema = parse(clickSchema.replace('{label:', '{weight: {column: weight}, label:')) as FeatureSchema;
    assert.deepEqual(await values(`${[`${header},weight`, ...weighted].join('\n')}\n`, 'weighted.csv', { schema }), expected);
  });

  test('--output replaces what a link points to, and leaves the link, a device or a pipe what it is', async () => {
    const flags = trainedFlags('--data', folder.in('four.csv'), '--quiet');
    writeFileSync(folder.in('four.csv'), `${[header, ...clickLines(4, 9)].join('\n')}\n`);
    writeFileSync(folder.in('real.txt'), 'old');
    symlinkSync('real.txt', folder.in('link.txt'));
    assert.equal((await callCli(['predict', ...flags, '--output', folder.in('link.txt')])).code, 0);
    assert.ok(lstatSync(folder.in('link.txt')).isSymbolicLink());
    assert.equal(readFileSync(folder.in('real.txt'), 'utf8').split('\n').length, 5);
    // A pipe of our own stands for all that is no plain file; never a device of the machine that runs the tests.
    if (spawnSync('mkfifo', [folder.in('pipe')]).status !== 0) return;
    const reader = spawn('cat', [folder.in('pipe')]);
    try {
      const lines = text(reader.stdout);
      const result = await runCli(['predict', ...flags, '--output', folder.in('pipe')]);
      assert.equal(result.code, 0, result.stderr);
      assert.ok(lstatSync(folder.in('pipe')).isFIFO());
      assert.equal((await lines).split('\n').length, 5);
    } finally {
      reader.kill();
    }
  });

  test('says so in one line when standard output is full', { skip: !existsSync('/dev/full') }, () => {
    const line = [process.execPath, main, 'predict', ...trainedFlags('--data', folder.in('test.csv'))];
    const result = spawnSync('sh', ['-c', '"$@" > /dev/full', 'sh', ...line], { encoding: 'utf8' });
    assert.deepEqual([result.status, result.stderr.split('\n')[0].startsWith('DiskFull  standard output: ')], [4, true], result.stderr);
  });

  test('reads standard input and writes a file', async () => {
    const input = `${[header, ...clickLines(7, 9)].join('\n')}\n`;
    const result = await runCli(['predict', ...trainedFlags('--data', '-', '--format', 'csv', '--output', folder.in('out.txt'))], {
      input,
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(readFileSync(folder.in('out.txt'), 'utf8').split('\n').length, 8);
    assert.equal(result.stdout, '');
  });
});

describe('the other commands', () => {
  test('inspect shows tables, parameters and sections, and verifies every byte', async () => {
    const result = await callCli(['inspect', folder.in('run'), '--verify']);
    assert.equal(result.code, 0, result.stderr);
    for (const part of [/every byte verified/, /table +rows/, /deep\.0\.weight/, /dense\.parameters/]) assert.match(result.stdout, part);
    const json = lastEvent(await callCli(['inspect', folder.in('run'), '--json']));
    const sections = folder.in('run', `checkpoint-${String(json.step)}`);
    const [ofSections, noCheckpoint, typo, absent] = await Promise.all(
      [[sections, '--json'], [folder.in('run', 'metrics.csv')], ['--verfy', folder.in('run')], [folder.in('absent')]].map((args) =>
        callCli(['inspect', ...args]),
      ),
    );
    assert.deepEqual(lastEvent(ofSections), json);
    assert.deepEqual([noCheckpoint.code, /metrics\.csv is no checkpoint/.test(noCheckpoint.stderr)], [2, true]);
    assert.match(typo.stderr, /^InvalidConfig {2}--verfy: .*did you mean --verify\?/);
    assert.deepEqual([absent.code, /there is no such file or folder/.test(absent.stderr)], [4, true]);
    assert.equal(json.event, 'inspect');
    assert.equal(json.model, 'deepfm');
  });

  test('describe prints layers and tables', async () => {
    const result = await callCli(['describe', folder.in('run.yaml')]);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /model deepfm: 1 numeric columns, 3 categorical features/);
  });

  test('config --explain says where a value comes from', async () => {
    const result = await callCli(['config', folder.in('run.yaml'), '--explain', '--workers', '3'], { env: { MONOLITH_LOCAL_SEED: '5' } });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /\nworkers +3 +--workers/);
    assert.match(result.stdout, /\nseed +5 +MONOLITH_LOCAL_SEED/);
    assert.match(result.stdout, /\nepochs +3 +.*run\.yaml/);
    assert.match(result.stdout, /\nps +2 +default/);
  });

  test('doctor looks at the machine', async () => {
    const result = await callCli(['doctor']);
    for (const part of [/Node\.js/, /native addon/, /memory/, /disk/]) assert.match(result.stdout, part);
  });

  test('demo comes near the best AUC that is possible', async () => {
    const result = await callCli(['demo', '--rows', '120000']);
    assert.equal(result.code, 0, result.stderr);
    const reached = Number(/AUC +(0\.\d+)/.exec(result.stdout)?.[1]);
    const best = Number(/best possible AUC (0\.\d+)/.exec(result.stdout)?.[1]);
    assert.ok(best - reached < 0.04 && reached > 0.7, `${reached} of ${best}`);
  });

  test('an unknown command is refused with a suggestion, --help and --version answer', async () => {
    const [wrong, help, h, train, all, evaluate, version] = await Promise.all(
      [['trian'], ['--help'], ['-h'], ['train', '--help'], ['train', '--help', '--all'], ['eval', '--help'], ['--version']].map((args) =>
        runCli(args),
      ),
    );
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /train/);
    assert.match(help.stdout, /monolith-local train/);
    assert.equal(h.stdout, help.stdout);
    assert.ok(!train.stdout.includes('--optimizer.sparse.beta1') && all.stdout.includes('--optimizer.sparse.beta1'));
    assert.ok(!evaluate.stdout.includes('--optimizer'));
    assert.match(version.stdout, /^monolith-local \d+\.\d+\.\d+ \(/);
  });
});

describe('without the native addon', () => {
  const env = { MONOLITH_LOCAL_NO_ADDON: '1' };

  test('training runs on the reference kernels and says so once', async () => {
    const flags = ['train', folder.in('run.yaml'), '--epochs', '1', '--max-steps', '3', '--model-dir', folder.in('reference')];
    const result = await runCli(flags, { env });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr.match(/native addon not used/g)?.length, 1);
    assert.match(result.stderr, /reference/);
  });

  test('--backend native is refused', async () => {
    const result = await runCli(['train', folder.in('run.yaml'), '--backend', 'native', '--model-dir', folder.in('native')], { env });
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, /^BackendUnavailable {2}.*doctor --build/);
  });
});
