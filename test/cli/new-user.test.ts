// The command line as a new user meets it: train, eval, predict, inspect and their outputs, as processes of their own.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, clickLines, writeClicks } from '../helpers/click-data.js';

const folder = await temporaryFolder('new-user');
after(() => folder.remove());
const cwd = folder.path;

type Event = { readonly event: string; readonly [key: string]: unknown };
let events: Event[] = [];

/** Fields of DESIGN §5 by event; others may be added. */
const fixedFields: { readonly [event: string]: { readonly [field: string]: 'number' | 'string' | 'object' } } = {
  start: {},
  progress: { step: 'number', examples: 'number', examples_per_second: 'number', loss: 'number' },
  eval: { step: 'number', auc: 'number', logloss: 'number' },
  checkpoint: { step: 'number', path: 'string' },
  done: {
    step: 'number',
    examples: 'number',
    seconds: 'number',
    examples_per_second: 'number',
    train: 'object',
    eval: 'object',
    checkpoint: 'string',
    stages: 'object',
  },
};

before(async () => {
  writeClicks(folder.in('train.csv'), 3000, 1);
  writeClicks(folder.in('test.csv'), 1000, 2);
  writeFileSync(folder.in('config.yaml'), clickConfig(folder.path));
  const result = await runCli(['train', 'config.yaml', '--model-dir', 'run', '--json'], { cwd });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, '', 'nothing on standard error');
  assert.ok(result.stdout.endsWith('\n'));
  events = result.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
});

test('--json: only events with the promised fields, start first, done last', () => {
  assert.equal(events[0].event, 'start');
  assert.equal(events.at(-1)?.event, 'done');
  for (const event of events) {
    const fields = fixedFields[event.event];
    assert.ok(fields !== undefined, `unknown event ${event.event}`);
    for (const [field, type] of Object.entries(fields)) {
      assert.equal(typeof event[field], type, `${event.event}.${field} is ${JSON.stringify(event[field])}`);
      if (type === 'number') assert.ok(Number.isFinite(event[field]));
    }
  }
  assert.equal(events.filter(({ event }) => event === 'done').length, 1);
  for (const kind of ['eval', 'checkpoint'])
    assert.ok(
      events.some(({ event }) => event === kind),
      kind,
    );
  // A checkpoint is told when it is durable: training may have gone on since.
  for (const ofCheckpoints of [true, false]) {
    const steps = events
      .filter(({ event }) => event !== 'start' && (event === 'checkpoint') === ofCheckpoints)
      .map(({ step }) => Number(step));
    assert.deepEqual(
      steps,
      [...steps].sort((a, b) => a - b),
      'steps never go back',
    );
  }
});

test('eval gives the figures of the evaluation at the end of training; the run folder remembers the configuration', async () => {
  const done = events.at(-1) as unknown as { eval: { auc: number; logloss: number } };
  const plain = await runCli(['eval', '--model-dir', 'run'], { cwd });
  assert.match(plain.stdout, /^eval at step \d+: AUC /, 'the --json of the training is not remembered');
  const { stdout } = await runCli(['eval', '--model-dir', 'run', '--json'], { cwd });
  const { event, auc, logloss } = JSON.parse(stdout) as { event: string; auc: number; logloss: number };
  assert.deepEqual({ event, auc, logloss }, { event: 'eval', auc: done.eval.auc, logloss: done.eval.logloss });
});

test('predict: one line a record, whatever the file looks like', async () => {
  const rows = clickLines(5, 9);
  const header = 'click,price,user,item,tags';
  const text = `${header}\n${rows.join('\n')}`;
  const predict = async (content: string | Uint8Array, name: string, ...more: string[]): Promise<string[]> => {
    writeFileSync(folder.in(name), content);
    const result = await runCli(['predict', '--model-dir', 'run', '--data', name, ...more], { cwd });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stderr, /^\d+ predictions/);
    assert.ok(result.stdout.endsWith('\n'));
    return result.stdout.trimEnd().split('\n');
  };
  const expected = await predict(`${text}\n`, 'plain.csv');
  assert.equal(expected.length, rows.length);
  for (const line of expected) assert.ok(Number(line) > 0 && Number(line) < 1, line);
  assert.deepEqual(await predict(text, 'no-newline.csv'), expected);
  assert.deepEqual(await predict(text.replaceAll('\n', '\r\n'), 'windows.csv'), expected);
  assert.deepEqual(await predict(gzipSync(text), 'packed.csv.gz'), expected);
  const without = [header.slice(6), ...rows.map((row) => row.slice(2))].join('\n');
  assert.deepEqual(await predict(without, 'no-label.csv'), expected);
  assert.deepEqual(await predict([header, ...rows.map((row) => row.slice(1))].join('\n'), 'empty-label.csv'), expected);
  const broken = [header, ...rows.slice(0, 2), 'only,two', ...rows.slice(2)].join('\n');
  assert.deepEqual(await predict(broken, 'broken.csv'), [...expected.slice(0, 2), 'nan', ...expected.slice(2)]);
  const json = (await predict(broken, 'broken.csv', '--json')).map((line) => (JSON.parse(line) as { value: number | null }).value);
  assert.deepEqual(json, [...expected.slice(0, 2).map(Number), null, ...expected.slice(2).map(Number)]);
  const piped = await runCli(['predict', '--model-dir', 'run', '--data', '-', '--quiet'], { cwd, input: text });
  assert.deepEqual([piped.stdout.trimEnd().split('\n'), piped.stderr], [expected, '']);
  await runCli(['predict', '--model-dir', 'run', '--data', 'plain.csv', '--output', 'out.txt'], { cwd });
  assert.equal(readFileSync(folder.in('out.txt'), 'utf8'), `${expected.join('\n')}\n`);
});

test('a model trained on a share of its data predicts other data whole', async () => {
  const text = readFileSync(folder.in('config.yaml'), 'utf8').replace(/^ {2}eval: .*$/m, '  split: {by: fraction, fraction: 0.2}');
  writeFileSync(folder.in('split.yaml'), text.replace('epochs: 3', 'epochs: 1'));
  const trained = await runCli(['train', 'split.yaml', '--model-dir', 'run-split', '--quiet'], { cwd });
  assert.equal(trained.code, 0, trained.stderr);
  const predicted = await runCli(['predict', '--model-dir', 'run-split', '--data', 'test.csv'], { cwd });
  assert.equal(predicted.stdout.split('\n').length, 1000 + 1, predicted.stderr);
});

test('a finished run says that nothing is left; --quiet leaves the result only', async () => {
  const again = await runCli(['train', 'config.yaml', '--model-dir', 'run', '--quiet'], { cwd });
  assert.deepEqual([again.code, again.stderr], [0, '']);
  assert.match(again.stdout, /^evaluation/);
  assert.match(again.stdout, /nothing left to train: the checkpoint is at step \d+/);
});

test('inspect --verify --json, config --explain, describe --json, --version, --help', async () => {
  const inspected = JSON.parse((await runCli(['inspect', 'run', '--verify', '--json'], { cwd })).stdout) as Event;
  assert.deepEqual([inspected.event, inspected.verified, inspected.model], ['inspect', true, 'deepfm']);
  const explained = await runCli(['config', 'config.yaml', '--explain', '--epochs', '7'], { cwd, env: { MONOLITH_LOCAL_SEED: '9' } });
  assert.match(explained.stdout, /^epochs +7 +--epochs$/m);
  assert.match(explained.stdout, /^seed +9 +MONOLITH_LOCAL_SEED$/m);
  const described = JSON.parse((await runCli(['describe', 'config.yaml', '--json'], { cwd })).stdout) as Event;
  assert.match(String(described.text), /dense parameters: \d+/);
  assert.match((await runCli(['--version'])).stdout, /^monolith-local \d+\.\d+\.\d+ \(/);
  const help = await runCli(['train', '--help'], { env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' } });
  assert.match(help.stdout, /^Data:$/m, 'options in groups');
  assert.match(help.stdout, /--max-bad-records/);
});

test('without the addon the reference kernels run, and say so once; --backend native is refused', async () => {
  const env = { MONOLITH_LOCAL_NO_ADDON: '1' };
  const line = ['train', 'config.yaml', '--epochs', '1', '--max-steps', '20', '--model-dir', 'run-reference'];
  const result = await runCli(line, { cwd, env });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr.split('native addon not used').length, 2, result.stderr);
  assert.match(result.stderr, /kernels +reference/);
  const refused = await runCli([...line, '--fresh', '--backend', 'native'], { cwd, env });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^BackendUnavailable {2}.*doctor --build.*--backend auto$/m);
});

test('demo comes close to the best possible AUC', async () => {
  const { code, stdout, stderr } = await runCli(['demo']);
  assert.equal(code, 0, stderr);
  const auc = Number(/^AUC +(\S+)/m.exec(stdout)?.[1]);
  const best = Number(/best possible AUC (\S+);/.exec(stdout)?.[1]);
  assert.ok(auc > best - 0.02 && auc < best + 0.005, `${auc} of ${best}`);
});
