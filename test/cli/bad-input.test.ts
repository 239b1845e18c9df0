// Everything a user can get wrong, one row each, through the command line: the code, the exit code, a message that says where, what was
// expected and what to do, no stack trace, and nothing half-written.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { maskedCrc32c } from '../../src/base/index.js';
import { type CliResult, runCli, temporaryFolder } from '../helpers/cli.js';
import { clickConfig, clickLines, writeClicks } from '../helpers/click-data.js';

const folder = await temporaryFolder('bad-input');
after(() => folder.remove());

const ROWS = 400;
const BAD_ROW = 150;

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(folder.in(name), content);
}

/** Clicks with some lines changed, under the usual header. */
function writeLines(name: string, change: (lines: string[]) => void): void {
  const lines = clickLines(ROWS, 5);
  change(lines);
  write(name, `click,price,user,item,tags\n${lines.join('\n')}\n`);
}

function field(number: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, payload.length]), payload]);
}

/** A tf.train.Example with a label and a word, as a record of a TFRecord file. */
function record(label: number, user: string): Buffer {
  const value = Buffer.alloc(4);
  value.writeFloatLE(label);
  const feature = (name: string, kind: number, list: Buffer): Buffer =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, field(kind, list))]));
  const example = field(1, Buffer.concat([feature('click', 2, field(1, value)), feature('user', 1, field(1, Buffer.from(user)))]));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(example.length));
  const checksum = (bytes: Buffer): Buffer => {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(maskedCrc32c(bytes) >>> 0);
    return word;
  };
  return Buffer.concat([length, checksum(length), example, checksum(example)]);
}

before(() => {
  writeClicks(folder.in('train.csv'), ROWS, 1);
  writeClicks(folder.in('test.csv'), ROWS, 2);
  write('config.yaml', clickConfig(folder.path, 'workers: 1\n'));
  write('semicolons.csv', readFileSync(folder.in('train.csv'), 'utf8').replaceAll(',', ';'));
  writeLines('label.csv', (lines) => {
    lines[BAD_ROW] = lines[BAD_ROW].replace(/^./, 'abc');
  });
  writeLines('nan.csv', (lines) => {
    lines[BAD_ROW] = lines[BAD_ROW].replace(/,[^,]*/, ',NaN');
  });
  writeLines('three-bad.csv', (lines) => {
    for (const i of [50, 150, 250]) lines[i] = 'only one field';
  });
  write('cut.csv.gz', gzipSync(`click,price,user,item,tags\n${clickLines(5000, 3).join('\n')}\n`).subarray(0, 20_000));
  const criteo = Array.from({ length: 100 }, (_, i) => [i % 2, ...Array(13).fill(i), ...Array(26).fill('68fd1e64')].join('\t'));
  criteo[60] = criteo[60].slice(0, criteo[60].lastIndexOf('\t'));
  write('columns.tsv', `${criteo.join('\n')}\n`);

  const records = Array.from({ length: 40 }, (_, i) => record(i % 2, `u${i % 7}`));
  const file = Buffer.concat(records);
  const at = records.slice(0, 25).reduce((sum, bytes) => sum + bytes.length, 0);
  const flipped = (byte: number): Buffer => {
    const copy = Buffer.from(file);
    copy[byte] ^= 0x10;
    return copy;
  };
  write('payload.tfrecord', flipped(at + 20));
  write('length.tfrecord', flipped(at + 1));
  write('tail.tfrecord', file.subarray(0, file.length - 5));
  write('records.yaml', `model: lr\nworkers: 1\ndata: {schema: {label: {column: click}, features: [{name: user, type: categorical}]}}\n`);
  write('unknown.yaml', clickConfig(folder.path, 'learnigRate: 1\n'));
  write('nested.yaml', clickConfig(folder.path, 'table: {maxRow: 5}\n'));
  write('type.yaml', clickConfig(folder.path, 'workers: many\n'));
  write('range.yaml', clickConfig(folder.path, 'workers: 0\n'));
  write('no-model.js', 'export const somethingElse = 1;\n');
});

type Case = {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: string;
  readonly exit: number;
  /** What the message must say: where, what, expected, what to do. */
  readonly says: readonly (string | RegExp)[];
};

const withConfig = (...args: string[]): string[] => ['train', 'config.yaml', ...args];
const records = (name: string): string[] => ['train', 'records.yaml', '--data', name];

const cases: readonly Case[] = [
  {
    name: 'missing file',
    args: withConfig('--data', 'nothere.csv'),
    code: 'DataNotFound',
    exit: 3,
    says: ['nothere.csv', 'check the path'],
  },
  { name: 'glob matching nothing', args: withConfig('--data', 'day_*.csv'), code: 'DataNotFound', exit: 3, says: ['day_*.csv'] },
  { name: 'missing evaluation file', args: withConfig('--eval-data', 'nothere.csv'), code: 'DataNotFound', exit: 3, says: ['nothere.csv'] },
  {
    name: 'wrong separator',
    args: withConfig('--data', 'semicolons.csv'),
    code: 'DataFormat',
    exit: 3,
    says: ['semicolons.csv line 1', 'separator is ","', 'semicolons', 'set `separator`'],
  },
  {
    name: 'a criteo row with 39 columns',
    args: ['train', '--data', 'columns.tsv', '--format', 'criteo', '--model', 'lr'],
    code: 'DataFormat',
    exit: 3,
    says: ['columns.tsv line 61', 'found 39 columns, expected 40', 'Likely cause'],
  },
  {
    name: 'label abc',
    args: withConfig('--data', 'label.csv'),
    code: 'DataFormat',
    exit: 3,
    says: ['label.csv line 152', '"click"', '"abc"', 'label.positive'],
  },
  {
    name: 'truncated gzip',
    args: withConfig('--data', 'cut.csv.gz'),
    code: 'RecordCorrupt',
    exit: 3,
    says: ['cut.csv.gz', 'cut off after byte', 'gzip -t'],
  },
  {
    name: 'TFRecord: flipped payload bit',
    args: records('payload.tfrecord'),
    code: 'RecordCorrupt',
    exit: 3,
    says: [/record 26 at byte \d+/, 'checksum of the data'],
  },
  {
    name: 'TFRecord: flipped length bit',
    args: records('length.tfrecord'),
    code: 'RecordCorrupt',
    exit: 3,
    says: [/record 26 at byte \d+/, 'checksum of the length'],
  },
  { name: 'TFRecord: cut tail', args: records('tail.tfrecord'), code: 'RecordCorrupt', exit: 3, says: ['record 40', 'left in the file'] },
  {
    name: 'unknown key',
    args: ['train', 'unknown.yaml'],
    code: 'InvalidConfig',
    exit: 2,
    says: ['unknown.yaml', 'learnigRate', 'unknown option'],
  },
  {
    name: 'unknown nested key',
    args: ['train', 'nested.yaml'],
    code: 'InvalidConfig',
    exit: 2,
    says: ['nested.yaml', 'table.maxRow', 'did you mean', 'maxRows'],
  },
  {
    name: 'wrong type',
    args: ['train', 'type.yaml'],
    code: 'InvalidConfig',
    exit: 2,
    says: ['type.yaml', 'workers', 'expected an integer', '"many"'],
  },
  {
    name: 'out of range',
    args: ['train', 'range.yaml'],
    code: 'InvalidConfig',
    exit: 2,
    says: ['range.yaml', 'workers', 'from 1', 'got 0'],
  },
  { name: 'config file missing', args: ['train', 'nothere.yaml'], code: 'InvalidConfig', exit: 2, says: ['nothere.yaml', 'no such file'] },
  { name: 'data in place of the config', args: ['train', 'train.csv'], code: 'InvalidConfig', exit: 2, says: ['--data train.csv'] },
  { name: 'no data', args: ['train', '--model', 'lr'], code: 'InvalidConfig', exit: 2, says: ['no data given', '--data'] },
  {
    name: 'batch size 0',
    args: withConfig('--batch-size', '0'),
    code: 'InvalidConfig',
    exit: 2,
    says: ['--batch-size', 'from 1', 'got 0'],
  },
  {
    name: 'unknown model',
    args: withConfig('--model', 'depfm'),
    code: 'UnknownModel',
    exit: 2,
    says: ['did you mean deepfm?', 'dlrm', './my-model.js'],
  },
  {
    name: 'model file missing',
    args: withConfig('--model', './nothere.js'),
    code: 'InvalidModel',
    exit: 2,
    says: ['./nothere.js', 'no such model file'],
  },
  {
    name: 'model file without a model',
    args: withConfig('--model', './no-model.js', '--model-options', '{}'),
    code: 'InvalidModel',
    exit: 2,
    says: ['no-model.js', '`model`'],
  },
  {
    name: 'more bad records than allowed',
    args: withConfig('--data', 'three-bad.csv', '--max-bad-records', '2'),
    code: 'TooManyBadRecords',
    exit: 3,
    says: ['more than 2 bad records', 'three-bad.csv line 252', 'found 1 column, expected 5'],
  },
  {
    name: 'NaN in the features',
    args: withConfig('--data', 'nan.csv'),
    code: 'NonFiniteLoss',
    exit: 1,
    says: [/step \d+, worker 0: loss is NaN/, 'feature "price"', /Batch saved to run[^ ]*\/bad-batch-\d+\.json/, 'Clean that column'],
  },
  {
    name: 'more rows than table.maxRows',
    args: withConfig('--table.max-rows', '20'),
    code: 'TableFull',
    exit: 1,
    says: ['would exceed maxRows = 10', 'nothing was created', 'Raise table.maxRows'],
  },
  {
    name: 'run folder is a file',
    args: withConfig('--model-dir', 'train.csv'),
    code: 'InvalidConfig',
    exit: 2,
    says: ['train.csv is a file', '--model-dir'],
  },
  { name: 'backend that is not there', args: withConfig('--backend', 'gpu'), code: 'InvalidConfig', exit: 2, says: ['--backend', 'gpu'] },
  {
    name: 'evaluating without a model',
    args: ['eval', '--eval-data', 'test.csv'],
    code: 'CheckpointNotFound',
    exit: 4,
    says: ['has no checkpoint', 'train first'],
  },
  { name: 'inspecting nothing', args: ['inspect', 'nothere'], code: 'CheckpointNotFound', exit: 4, says: ['nothere', 'train one first'] },
  { name: 'unknown flag', args: withConfig('--epoch', '3'), code: 'InvalidConfig', exit: 2, says: ['--epoch', 'did you mean --epochs?'] },
  { name: 'flag without its value', args: withConfig('--epochs'), code: 'InvalidConfig', exit: 2, says: ['--epochs: needs a value'] },
  { name: 'unknown command', args: ['trian', 'config.yaml'], code: 'InvalidConfig', exit: 2, says: ['"trian"', 'did you mean train?'] },
  { name: 'two config files', args: withConfig('other.yaml'), code: 'InvalidConfig', exit: 2, says: ['unexpected argument "other.yaml"'] },
  { name: 'no command', args: [], code: 'InvalidConfig', exit: 2, says: ['--help'] },
];

function assertRefused(result: CliResult, expected: Pick<Case, 'code' | 'exit' | 'says'>): void {
  assert.equal(result.code, expected.exit, result.stderr);
  const message = result.stderr.trimEnd().split('\n').at(-1) ?? '';
  assert.ok(message.startsWith(`${expected.code}  `), result.stderr);
  for (const part of expected.says) {
    if (typeof part === 'string') assert.ok(message.includes(part), `says "${part}": ${message}`);
    else assert.match(message, part);
  }
  assert.doesNotMatch(result.stderr, /^\s+at |file:\/\/|node:internal/m, 'no stack trace');
  assert.equal(result.stdout, '', 'nothing on standard output');
}

/** Checkpoints and temporary files in a run folder: a refused run leaves none. */
function halfWritten(run: string): string[] {
  const path = folder.in(run);
  return existsSync(path) && !path.endsWith('.csv')
    ? readdirSync(path, { recursive: true })
        .map(String)
        .filter((name) => /checkpoint|tmp|partial/.test(name))
    : [];
}

describe('refused', { concurrency: 2 }, () => {
  for (const [i, { name, args, ...expected }] of cases.entries()) {
    test(`${name}: ${expected.code}, exit code ${expected.exit}`, async () => {
      const run = `run-${i}`;
      const takesFolder = ['train', 'eval'].includes(args[0]) && !args.includes('--model-dir');
      const result = await runCli(takesFolder ? [...args, ...(args.at(-1) === '--epochs' ? [] : ['--model-dir', run])] : args, {
        cwd: folder.path,
      });
      if (args.at(-1) === '--epochs') assert.equal(existsSync(folder.in('model')), false);
      assertRefused(result, expected);
      assert.deepEqual(halfWritten(run), []);
    });
  }
});

test('as many bad records as allowed pass, and are counted where the user sees it', async () => {
  const args = withConfig('--data', 'three-bad.csv', '--max-bad-records', '3', '--epochs', '1', '--model-dir', 'run-tolerant');
  const shown = await runCli([...args, '--quiet'], { cwd: folder.path });
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /left out 3 bad records/);
  const json = await runCli([...args, '--fresh', '--json'], { cwd: folder.path });
  const done = JSON.parse(json.stdout.trim().split('\n').at(-1) ?? '') as { bad_records: number; examples: number };
  assert.deepEqual([done.bad_records, done.examples], [3, ROWS - 3]);
});

test('the batch of a NaN is saved as JSON that holds it', async () => {
  const result = await runCli(withConfig('--data', 'nan.csv', '--model-dir', 'run-nan'), { cwd: folder.path });
  const path = /Batch saved to (\S+\.json)/.exec(result.stderr)?.[1] ?? '';
  const batch = JSON.parse(readFileSync(folder.in(path), 'utf8')) as { dense: unknown[][]; labels: number[] };
  assert.ok(batch.dense.some((row) => row.includes('NaN')));
});

test('bad evaluation data cost nothing of what was trained', async () => {
  const args = withConfig('--eval-data', 'label.csv', '--epochs', '1', '--checkpoint-every', '0', '--model-dir', 'run-eval');
  assertRefused(await runCli([...args, '--quiet'], { cwd: folder.path }), { code: 'DataFormat', exit: 3, says: ['label.csv line 152'] });
  assert.ok(existsSync(folder.in('run-eval', 'checkpoint-13.json')));
  const again = await runCli(withConfig('--epochs', '1', '--model-dir', 'run-eval', '--json'), { cwd: folder.path });
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /"resumed_step":13/);
});

test('a flipped bit in a checkpoint: an older one is offered by name, with the way to go on', async () => {
  const args = withConfig('--epochs', '1', '--checkpoint-every', '5', '--model-dir', 'run-flip');
  assert.equal((await runCli([...args, '--quiet'], { cwd: folder.path })).code, 0);
  const section = folder.in('run-flip', 'checkpoint-13', 'dense.parameters');
  const bytes = readFileSync(section);
  bytes[100] ^= 4;
  writeFileSync(section, bytes);
  const says = ['checkpoint-13/dense.parameters block 0', 'crc32c', 'Newest good checkpoint: checkpoint-10', 'delete checkpoint-13.json'];
  const lines = [
    withConfig('--epochs', '2', '--model-dir', 'run-flip', '--quiet'),
    ['inspect', 'run-flip', '--verify'],
    ['predict', '--model-dir', 'run-flip', '--data', 'test.csv'],
  ];
  for (const line of lines) assertRefused(await runCli(line, { cwd: folder.path }), { code: 'CheckpointCorrupt', exit: 4, says });
  rmSync(folder.in('run-flip', 'checkpoint-13.json'));
  const resumed = await runCli([...args, '--json'], { cwd: folder.path });
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stdout, /"resumed_step":10/);
});

test('predictions that cannot be written are refused before anything is computed', async () => {
  assert.equal((await runCli(withConfig('--epochs', '1', '--model-dir', 'run-out', '--quiet'), { cwd: folder.path })).code, 0);
  const predict = ['predict', '--model-dir', 'run-out', '--data'];
  const refused = await runCli([...predict, 'test.csv', '--output', 'no-folder/out.txt'], { cwd: folder.path });
  assertRefused(refused, { code: 'InvalidConfig', exit: 2, says: ['no-folder/out.txt', 'make it first'] });
  const cut = await runCli([...predict, 'cut.csv.gz', '--output', 'out.txt'], { cwd: folder.path });
  assertRefused(cut, { code: 'RecordCorrupt', exit: 3, says: ['cut.csv.gz'] });
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => name.startsWith('out.txt')),
    [],
    'no part of the predictions is left',
  );
});
