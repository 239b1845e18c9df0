import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fidV1ToV2, MonolithError, makeFid, makeFidV1, SeededRandom } from '../../src/base/index.js';
import { compileProgram } from '../../src/data/compile.js';
import { encodeFrame, type PipelineOptions, type ResolvedFormat } from '../../src/data/index.js';
import { completeOptions } from '../../src/data/inputs.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { Bad, BadWord, type Program, R } from '../../src/data/program.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { loadProtos } from '../../src/proto/index.js';
import { type Row, readRows, readSteps, rowsOf, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const root = loadProtos(['monolith_instance.proto', 'monolith_example.proto']);

/** 64-bit numbers are given as decimal text. */
function encode(type: string, value: object): Uint8Array {
  const message = root.lookupType(type);
  return message.encode(message.fromObject(value)).finish();
}
const instance = (value: object): Uint8Array => encode('idl.matrix.proto.Instance', value);
const io = (type: string, value: object): Uint8Array => encode(`monolith.io.proto.${type}`, value);
const framed = (...messages: Uint8Array[]): Buffer =>
  Buffer.concat(messages.map((message) => encodeFrame(message, undefined, { sortId: Buffer.from('key') })));

const schema: FeatureSchema = {
  label: { column: 'label[0]' },
  weight: { column: 'instance_weight' },
  features: [
    { name: 'user', type: 'categorical', column: 'fc_slot_520' },
    { name: 'tags', type: 'categorical', maxLength: 2 },
    { name: 'other', type: 'categorical', column: 'tags', slot: 9 },
    { name: 'price', type: 'numeric', column: 'prices[1]', missing: -1 },
    { name: 'hour', type: 'bucketized', boundaries: [10, 20], column: 'line_id.req_time' },
    { name: 'action', type: 'categorical', column: 'line_id.actions' },
    { name: 'city', type: 'categorical' },
  ],
};
const cityOnly: FeatureSchema = { label: { column: 'label' }, features: [{ name: 'city', type: 'categorical' }] };
const base: Partial<PipelineOptions> = { schema, shuffle: 0, batchSize: 16 };
const user = makeFidV1(520, 77n);
const unsigned = (fid: bigint): string => BigInt.asUintN(64, fid).toString();
const tags = [makeFid(3, 1n), makeFid(4, 2n), makeFid(3, 5n)];
const hashed = async (text: string): Promise<string> => {
  const path = write(folder, 'city.csv', `label,city\n1,${text}\n`);
  const [row] = await readRows({ schema: cityOnly, files: [path] });
  return row.bags[0][0];
};

/** What the four formats say of the same two records. */
async function expectedRows(): Promise<Row[]> {
  const slotted = async (slot: number, text: string): Promise<string> => makeFid(slot, BigInt(await hashed(text))).toString();
  return [
    {
      label: 1,
      weight: 2,
      dense: [2.5],
      bags: [
        [fidV1ToV2(user).toString()],
        tags.slice(0, 2).map(String),
        [1n, 2n, 5n].map((signature) => makeFid(9, signature).toString()),
        [makeFid(5, 1n).toString()],
        [await slotted(6, '1'), await slotted(6, '7')],
        [await slotted(7, 'Köln')],
      ],
      values: [],
    },
    { label: 0, weight: 1, dense: [-1], bags: [[], [], [], [makeFid(5, 3n).toString()], [], []], values: [] },
  ];
}
const lineId = { req_time: '15', actions: [1, 7] };
const named = (value: object): object => ({
  named_feature: Object.entries(value).map(([name, feature]) => ({ name, feature })),
});
const features = {
  unknown: { int64_value: '5' },
  fc_slot_520: { fid_v1_list: { value: [unsigned(user)] } },
  tags: { fid_v2_list: { value: tags.map(String) } },
  prices: { float_list: { value: [1, 2.5, 3] } },
  city: { bytes_list: { value: [Buffer.from('Köln')] } },
};
const messages: Readonly<Record<string, () => Uint8Array[]>> = {
  instance: () => [
    instance({
      fid: [unsigned(makeFidV1(1, 5n)), unsigned(user)],
      label: [1, 0],
      instance_weight: 2,
      line_id: lineId,
      feature: [
        { name: 'unknown', int64_value: ['5'] },
        { name: 'tags', fid: tags.map(String) },
        { name: 'prices', float_value: [1, 2.5, 3] },
        { name: 'city', bytes_value: [Buffer.from('Köln')] },
      ],
    }),
    instance({ label: [0, 1], feature: [{ name: 'tags' }] }),
  ],
  example: () => [
    io('Example', { ...named(features), line_id: lineId, label: [1, 0], instance_weight: 2 }),
    io('Example', { ...named({ tags: {}, __LABEL__: { float_list: { value: [0, 1] } } }) }),
  ],
  'example-batch': () => [
    io('ExampleBatch', {
      batch_size: 2,
      named_feature_list: [
        ...Object.entries(features).map(([name, feature]) => ({ name, feature: [feature, {}] })),
        { name: '__LABEL__', feature: [{ float_list: { value: [1, 0] } }, { float_list: { value: [0, 1] } }] },
        { name: 'instance_weight', feature: [{ float_list: { value: [2] } }, {}] },
        { name: '__LINE_ID__', feature: [{ bytes_list: { value: [encode('idl.matrix.proto.LineId', lineId)] } }, {}] },
      ],
    }),
  ],
  'example-batch-row-major': () => {
    const { tags: shared, prices, ...own } = features;
    return [
      io('ExampleBatchRowMajor', {
        shared_feature: [
          { name: 'tags', feature: shared },
          { name: 'prices', feature: prices },
        ],
        example: [
          { ...named(own), line_id: lineId, label: [1, 0], instance_weight: 2 },
          { ...named({ tags: {}, prices: {} }), label: [0, 1] },
        ],
      }),
    ];
  },
};

const programs = new Map<ResolvedFormat, Program>();
const block = ParsedBlock.allocate({ maxExamples: 400, numDense: 1, groups: [{ numFeatures: 6, maxIds: 4000, hasValues: false }] });
function programOf(format: ResolvedFormat): Program {
  const program =
    programs.get(format) ??
    compileProgram({
      options: completeOptions({ files: ['-'] }),
      format,
      schema,
      columns: null,
      groups: [{ features: [0, 1, 2, 3, 4, 5], hasValues: false }],
      numFields: 0,
      separator: -1,
      labelType: 'int32',
      denseType: 'int32',
      where: 'test',
    });
  programs.set(format, program);
  return program;
}

for (const [format, make] of Object.entries(messages)) {
  const file = framed(...make());
  const options = (name: string, content: Uint8Array): Partial<PipelineOptions> => ({
    ...base,
    format: format as PipelineOptions['format'],
    files: [write(folder, name, content)],
  });

  test(`${format}: fids, numbers, texts, labels, weight and LineId become columns`, async () => {
    assert.deepEqual(await readRows(options('plain', file)), await expectedRows());
    assert.deepEqual(await readRows({ ...options('zipped', gzipSync(file)), backend: 'reference' }), await expectedRows());
  });

  test(`${format}: blocks of any size and windows give the same examples, and a run goes on from any position`, async () => {
    const many = options('many', framed(...Array.from({ length: 40 }, make).flat()));
    const rows = await readRows(many);
    assert.equal(rows.length, 80);
    for (const blockBytes of [256, 700]) assert.deepEqual(await readRows({ ...many, blockBytes }), rows);
    const shuffled = { ...many, shuffle: 32, blockBytes: 600 };
    const { hashes, positions } = await readSteps(shuffled);
    for (const at of [1, 3]) assert.deepEqual((await readSteps(shuffled, positions[at])).hashes, hashes.slice(at));
  });

  test(`${format}: bytes cut anywhere give the whole messages before the cut, and a bad record with the place`, () => {
    const starts = [0];
    for (const message of make()) starts.push((starts.at(-1) ?? 0) + framed(message).length);
    const whole = parse(format as ResolvedFormat, file);
    for (let cut = 1; cut < file.length; cut++) {
      const { rows, result, code, at } = parse(format as ResolvedFormat, file.subarray(0, cut));
      const start = starts.findLast((known) => known <= cut) ?? 0;
      if (start === cut) assert.equal(result[R.bad], 0);
      else assert.deepEqual([result[R.bad], code, at], [1, Bad.truncated, start]);
      assert.deepEqual(rows.slice(0, rows.length - (result[R.bad] ?? 0)), whole.rows.slice(0, rows.length - (result[R.bad] ?? 0)));
      assert.equal(result[R.consumed], cut);
    }
  });

  test(`${format}: every flipped bit, and many at once, give examples or bad records`, () => {
    const random = new SeededRandom(11);
    const damaged = Buffer.from(file);
    for (let i = 0; i < file.length * 8 + 500; i++) {
      damaged.set(file);
      if (i < file.length * 8) damaged[i >> 3] ^= 1 << (i & 7);
      else for (let k = 0; k < 1 + (i % 20); k++) damaged[random.nextBelow(file.length)] = random.nextBelow(256);
      const { rows, result } = parse(format as ResolvedFormat, damaged);
      assert.ok(rows.length >= (result[R.bad] ?? 0) && rows.length < 500);
      assert.ok(result[R.consumed] === file.length || result[R.full] === 1);
    }
  });
}

/** One parse call of the reference, without files. */
function parse(format: ResolvedFormat, bytes: Uint8Array): { rows: Row[]; result: Float64Array; code: number; at: number } {
  const program = programOf(format);
  const result = new Float64Array(R.words);
  referenceParsers.parseRecords(program, bytes, 0, bytes.length, block.common, block.shape, block.buffer, result);
  return { rows: rowsOf(block.slot), result, code: block.bad[BadWord.code], at: block.bad[BadWord.at] };
}

const bad = async (options: Partial<PipelineOptions>, content: Uint8Array): Promise<string> => {
  const files = [write(folder, 'bad', content)];
  const outcome = await readRows({ ...base, ...options, files }).catch((error: unknown) => error);
  assert.ok(outcome instanceof MonolithError, 'no error');
  return outcome.message;
};
const withFeature = (feature: object, name = 'tags'): Uint8Array => io('Example', { named_feature: [{ name, feature }], label: [1] });

test('errors name record, byte, column and what to do', async () => {
  const format = 'example' as const;
  const good = framed(withFeature({}));
  const at = good.length;
  const v1 = framed(withFeature({ fid_v2_list: { value: [unsigned(user)] } }));
  assert.match(await bad({ format }, Buffer.concat([good, v1])), new RegExp(`record 2 at byte ${at}: column "tags": .*bit 63 .*layout v1`));
  const floats = framed(withFeature({ float_list: { value: [1] } }));
  assert.match(await bad({ format }, floats), /column "tags" holds floats: fids, integers and bytes/);
  const two = { ...schema, label: { column: 'label' } };
  assert.match(await bad({ format, schema: two }, framed(io('Example', { label: [1, 0] }))), /column "label" holds 2 values.*label\[0\]/);
  assert.match(await bad({ format }, framed(Buffer.from([0x0a, 0x7f]))), /record 1 at byte 0: is no such message/);
  assert.match(
    await bad({ format, schema: { ...schema, label: { column: 'line_id.reqtime' } } }, good),
    /label wants?|did you mean line_id\.req_time/,
  );
  const noLabel = framed(io('Example', { label: [-3.4028234663852886e38] }));
  assert.match(await bad({ format, schema: two }, noLabel), /label column "label" is missing/);
});

test('a length that cannot be believed ends the reading whatever maxBadRecords says; a wrong framing is the likely cause', async () => {
  const good = framed(withFeature({}));
  const bytes = Buffer.concat([good, good, Buffer.alloc(8, 0xff), Buffer.alloc(3000, 1)]);
  for (const blockBytes of [256, 1 << 20]) {
    const message = await bad({ format: 'example', maxBadRecords: 1000, keepBadRecords: true, blockBytes }, bytes);
    assert.match(message, new RegExp(`record 3 at byte ${good.length * 2}: a length of \\d+ bytes.*hasSortId`));
  }
  const framing = { hasSortId: false, kafkaDump: false, kafkaDumpPrefix: false, lagrangexHeader: false };
  assert.match(await bad({ format: 'example', framing }, good), /record 1 at byte 0: is no such message.*Are format and framing right/);
});

test('a batch whose columns do not fit its size is named; a bad example of it is one bad record', async () => {
  const format = 'example-batch' as const;
  const label = { name: '__LABEL__', feature: [1, 0, 1].map((y) => ({ float_list: { value: [y] } })) };
  const tagsList = { name: 'tags', feature: [{}, {}] };
  const short = framed(io('ExampleBatch', { batch_size: 3, named_feature_list: [label, tagsList] }));
  assert.match(await bad({ format }, short), /record 1 at byte 0: column "tags" of the batch has 2 features/);
  const huge = framed(io('ExampleBatch', { batch_size: 2 ** 31 - 1 }));
  assert.match(await bad({ format }, huge), /a batch of 2147483647 examples, more than its bytes can hold/);
  const mixed = { name: 'tags', feature: [{}, { float_list: { value: [1] } }, { fid_v2_list: { value: ['5'] } }] };
  const file = framed(io('ExampleBatch', { batch_size: 3, named_feature_list: [label, mixed] }));
  assert.match(await bad({ format }, file), /record 2 at byte 0, example 2 of its batch: column "tags" holds floats/);
  const rows = await readRows({ ...base, format, files: [write(folder, 'mixed', file)], maxBadRecords: 1 });
  assert.deepEqual(
    rows.map((row) => [row.label, row.bags[1]]),
    [
      [1, []],
      [1, ['5']],
    ],
  );
});

test('a batch that is larger than a parsed block is read whole', async () => {
  const count = 5000;
  const label = { name: '__LABEL__', feature: Array.from({ length: count }, (_, i) => ({ float_list: { value: [i % 2] } })) };
  const shared = { name: 'tags', type: 'SHARED', feature: [{ fid_v2_list: { value: tags.map(String) } }] };
  const batch = framed(io('ExampleBatch', { batch_size: count, named_feature_list: [shared, label] }));
  const small = framed(...Array.from({ length: 3 }, () => io('ExampleBatch', { named_feature_list: [] })));
  const files = [write(folder, 'large-batch', Buffer.concat([small, batch, small, batch]))];
  const rows = await readRows({ ...base, format: 'example-batch', files, blockBytes: 4096, batchSize: 512 });
  assert.equal(rows.length, 2 * count);
  assert.ok(rows.every((row, i) => row.label === i % 2 && row.bags[1].length === 2));
});

test('bare messages: each file is one', async () => {
  const make = messages['example-batch'] as () => Uint8Array[];
  const files = [0, 1].map((i) => write(folder, `bare-${i}`, make()[0]));
  const rows = await readRows({ ...base, format: 'example-batch', files, bareMessage: true, blockBytes: 256 });
  const expected = await expectedRows();
  assert.deepEqual(rows, [...expected, ...expected]);
});
