import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { maskedCrc32c } from '../../src/base/index.js';
import { callCli, lastEvent, temporaryFolder } from '../helpers/cli.js';
import { clickLines, clickSchema, writeClicks } from '../helpers/click-data.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

/** A line of Criteo's text format with `columns` columns. */
function criteoLine(columns: number, label = '1'): string {
  return [label, ...Array.from({ length: 13 }, (_, i) => String(i)), ...Array.from({ length: 26 }, (_, i) => `a${i}`)]
    .slice(0, columns)
    .join('\t');
}

/** One framed TFRecord of an Example with an int64 label and one bytes feature. */
function record(label: number): Buffer {
  const int64 = (value: number): number[] => [0x1a, 3, 0x0a, 1, value];
  const bytes = (text: string): number[] => [0x0a, text.length + 2, 0x0a, text.length, ...Buffer.from(text)];
  const entry = (name: string, feature: number[]): number[] => {
    const body = [0x0a, name.length, ...Buffer.from(name), 0x12, feature.length, ...feature];
    return [0x0a, body.length, ...body];
  };
  const features = [...entry('click', int64(label)), ...entry('user', bytes(`u${label}`))];
  const payload = Buffer.from([0x0a, features.length, ...features]);
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(payload.length), 0);
  head.writeUInt32LE(maskedCrc32c(head.subarray(0, 8)), 8);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(maskedCrc32c(payload), 0);
  return Buffer.concat([head, payload, tail]);
}

const tfSchema = '{label: {column: click}, features: [{name: user, type: categorical}]}';

before(async () => {
  folder = await temporaryFolder('bad-input');
  writeClicks(folder.in('train.csv'), 300, 1);
  const lines = clickLines(60, 1);
  const header = 'click,price,user,item,tags';
  const csv = (name: string, rows: readonly string[]): void => writeFileSync(folder.in(name), `${[header, ...rows].join('\n')}\n`);
  csv('label.csv', [...lines.slice(0, 7), 'abc,1,u1,i1,', ...lines.slice(7)]);
  csv('three-bad.csv', [...lines.slice(0, 7), 'abc,1,u1,i1,', 'x,1,u1,i1,', '1,2', ...lines.slice(7)]);
  csv('nan.csv', [...lines.slice(0, 7), '1,nan,u1,i1,', ...lines.slice(7)]);
  csv('rating.csv', [...lines.slice(0, 7), '5,1,u1,i1,', ...lines.slice(7)]);
  writeFileSync(folder.in('empty.csv'), '');
  writeFileSync(folder.in('utf16.csv'), Buffer.from([header, ...lines].join('\n'), 'utf16le'));
  writeFileSync(folder.in('klick.csv'), [header.replace('click', 'klick'), ...lines].join('\n'));
  writeFileSync(folder.in('semicolon.csv'), [header, ...lines].join('\n').replaceAll(',', ';'));
  writeFileSync(folder.in('short.tsv'), `${[criteoLine(40), criteoLine(40), criteoLine(39), criteoLine(40)].join('\n')}\n`);
  const gz = gzipSync([header, ...clickLines(3000, 1)].join('\n'));
  writeFileSync(folder.in('cut.csv.gz'), gz.subarray(0, Math.floor(gz.length / 2)));
  const records = Buffer.concat([0, 1, 0, 1].map(record));
  const size = record(0).length;
  const flipped = (byte: number): Buffer => {
    const copy = Buffer.from(records);
    copy[byte] ^= 4;
    return copy;
  };
  writeFileSync(folder.in('payload.tfrecord'), flipped(2 * size + 20));
  writeFileSync(folder.in('length.tfrecord'), flipped(2 * size + 1));
  writeFileSync(folder.in('tail.tfrecord'), records.subarray(0, 4 * size - 5));
  writeFileSync(folder.in('unknown.yaml'), 'model: lr\noptimizer: {sparse: {lerningRate: 0.1}}\n');
  writeFileSync(folder.in('type.yaml'), 'model: lr\nbatchSize: many\n');
  writeFileSync(folder.in('range.yaml'), 'model: lr\nworkers: -1\n');
});
after(() => folder.remove());

const click = ['--schema', clickSchema, '--model', 'dnn', '--model-options', '{hidden: [4]}', '--batch-size', '16'];
const criteo = ['--format', 'criteo', '--model', 'dlrm', '--batch-size', '2'];
const tf = ['--schema', tfSchema, '--model', 'lr', '--batch-size', '2'];

/** What is wrong, flags, exit code, error code, and what the message must say. */
const cases: readonly [string, (at: (name: string) => string) => string[], number, string, RegExp[]][] = [
  ['a file that is not there', (at) => ['--data', at('none.csv'), ...click], 3, 'DataNotFound', [/none\.csv/]],
  ['a pattern that matches nothing', (at) => ['--data', at('none-*.csv'), ...click], 3, 'DataNotFound', [/none-\*\.csv/]],
  [
    'another separator',
    (at) => ['--data', at('semicolon.csv'), ...click],
    3,
    'DataFormat',
    [/semicolon\.csv line 1/, /the line has semicolons: set `separator`/],
  ],
  ['a row of 39 columns', (at) => ['--data', at('short.tsv'), ...criteo], 3, 'DataFormat', [/short\.tsv/, /line 3/, /39/, /40/]],
  ['a label that is no number', (at) => ['--data', at('label.csv'), ...click], 3, 'DataFormat', [/label\.csv/, /line 9/, /abc/, /click/]],
  ['gzip that is cut', (at) => ['--data', at('cut.csv.gz'), ...click], 3, 'RecordCorrupt', [/cut\.csv\.gz/]],
  [
    'a flipped bit in a payload',
    (at) => ['--data', at('payload.tfrecord'), ...tf],
    3,
    'RecordCorrupt',
    [/payload\.tfrecord/, /record 3|record 2/, /byte/],
  ],
  ['a flipped bit in a length', (at) => ['--data', at('length.tfrecord'), ...tf], 3, 'RecordCorrupt', [/length\.tfrecord/, /byte/]],
  ['a cut tail', (at) => ['--data', at('tail.tfrecord'), ...tf], 3, 'RecordCorrupt', [/tail\.tfrecord/, /byte/]],
  [
    'an unknown key',
    (at) => [at('unknown.yaml')],
    2,
    'InvalidConfig',
    [/unknown option optimizer\.sparse\.lerningRate; did you mean learningRate\?/],
  ],
  ['a wrong type', (at) => [at('type.yaml')], 2, 'InvalidConfig', [/batchSize/, /many/]],
  ['a value out of range', (at) => [at('range.yaml')], 2, 'InvalidConfig', [/workers/, /-1/]],
  [
    'a batch of nothing',
    (at) =>
      ['--data', at('train.csv'), ...click, '--batch-size', '0'].filter(
        (_, i, all) => !(all[i] === '16' || (all[i] === '--batch-size' && all[i + 1] === '16')),
      ),
    2,
    'InvalidConfig',
    [/--batch-size/, /0/],
  ],
  [
    'a model that does not exist',
    (at) => ['--data', at('train.csv'), '--schema', clickSchema, '--model', 'depfm'],
    2,
    'UnknownModel',
    [/did you mean deepfm\?/],
  ],
  [
    'a model file that does not exist',
    (at) => ['--data', at('train.csv'), '--schema', clickSchema, '--model', './none.js'],
    2,
    'InvalidModel',
    [/none\.js/],
  ],
  [
    'more bad records than allowed',
    (at) => ['--data', at('three-bad.csv'), ...click, '--max-bad-records', '2'],
    3,
    'TooManyBadRecords',
    [/three-bad\.csv/, /max-bad-records|maxBadRecords/],
  ],
  [
    'a number that is not one',
    (at) => ['--data', at('nan.csv'), ...click],
    1,
    'NonFiniteLoss',
    [/step \d+, worker \d/, /first non-finite value in "numeric" output/, /Batch saved to/],
  ],
  [
    'more rows than a table may have',
    (at) => ['--data', at('train.csv'), ...click, '--table.max-rows', '10'],
    1,
    'TableFull',
    [/embedding/, /rows/],
  ],
  [
    'a label above 1 for a model that predicts a probability',
    (at) => ['--data', at('rating.csv'), ...click],
    3,
    'DataFormat',
    [/label 5/, /label\.positive/],
  ],
  ['a file with nothing in it', (at) => ['--data', at('empty.csv'), ...click], 3, 'DataFormat', [/empty\.csv: nothing is in it/]],
  [
    'a file in UTF-16, without its zero bytes on the terminal',
    (at) => ['--data', at('utf16.csv'), ...click],
    3,
    'DataFormat',
    [/utf16\.csv line 1/, /c\?l\?i\?c\?k\?/, /no UTF-8 text/],
  ],
  [
    'a column that the file spells otherwise',
    (at) => ['--data', at('klick.csv'), ...click],
    2,
    'InvalidConfig',
    [/wants column "click"/, /did you mean klick\?/],
  ],
  ['no data', () => ['--model', 'lr'], 2, 'InvalidConfig', [/no data given; set data\.train \(--data\)/]],
  [
    'an unknown flag',
    (at) => ['--data', at('train.csv'), '--bach-size', '4'],
    2,
    'InvalidConfig',
    [/--bach-size: unknown flag; did you mean --batch-size\?/],
  ],
  [
    'a precision that is none',
    (at) => ['--data', at('train.csv'), ...click, '--precision', 'fp16'],
    2,
    'InvalidConfig',
    [/--precision: expected one of fp32, bf16, got "fp16"/],
  ],
];

describe('train refuses', () => {
  for (const [title, flags, code, name, patterns] of cases) {
    test(title, async () => {
      const run = folder.in(`run-${title.replaceAll(/\W+/g, '-')}`);
      const result = await callCli(['train', ...flags((file) => folder.in(file)), '--model-dir', run, '--shuffle', '0']);
      assert.equal(result.code, code, result.stderr);
      assert.equal(result.stdout, '');
      const message = result.stderr.trim().split('\n').at(-1) ?? '';
      assert.ok(message.startsWith(`${name}  `), result.stderr);
      for (const pattern of patterns) assert.match(message, pattern);
      assert.doesNotMatch(result.stderr, /\n\s+at .*\.js:\d+/, 'no stack trace');
      const left = existsSync(run) ? readdirSync(run) : [];
      assert.deepEqual(
        left.filter((file) => /^checkpoint|tmp$/.test(file)),
        [],
        'nothing half-written',
      );
    });
  }

  test('nothing when bad records are as many as allowed, and counts them', async () => {
    const result = await callCli([
      'train',
      '--data',
      folder.in('three-bad.csv'),
      ...click,
      '--max-bad-records',
      '3',
      '--json',
      '--model-dir',
      folder.in('allowed'),
    ]);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(lastEvent(result).examples, 60);
    assert.equal(lastEvent(result).bad_records, 3);
  });
});

describe('a damaged checkpoint', () => {
  test('with one flipped bit is refused, and the older one is offered by name', async () => {
    const flags = ['train', '--data', folder.in('train.csv'), ...click, '--checkpoint-every', '4', '--model-dir', folder.in('flip')];
    assert.equal((await callCli(flags)).code, 0);
    const manifests = readdirSync(folder.in('flip')).filter((name) => /^checkpoint-\d+\.json$/.test(name));
    const steps = manifests.map((name) => Number(/\d+/.exec(name)?.[0])).sort((a, b) => b - a);
    const section = folder.in('flip', `checkpoint-${steps[0]}`, 'dense.parameters');
    const bytes = readFileSync(section);
    bytes[10] ^= 1;
    writeFileSync(section, bytes);
    const result = await callCli(flags);
    assert.equal(result.code, 4, result.stderr);
    assert.match(
      result.stderr,
      new RegExp(`CheckpointCorrupt  .*dense\\.parameters block 0 .*crc32c 0x.*Newest good checkpoint: checkpoint-${steps[1]}`),
    );
    const shown = await callCli(['inspect', folder.in('flip'), '--verify']);
    assert.equal(shown.code, 4);
  });
});
