// tf.train.SequenceExample: what other encoders wrote, by both parsers, and both alike on anything else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { cityHash64 } from '../../src/base/city-hash.js';
import { makeFid } from '../../src/base/index.js';
import { compileProgram } from '../../src/data/compile.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers, type Parsers } from '../../src/data/native-parsers.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { R } from '../../src/data/program.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import { type ExampleValue, example, frames, readRows, rowsOf, sequenceExample, smallSchema, temporaryFolder, write } from './helpers.js';

const native = loadNativeParsers();
const backends = native === null ? (['reference'] as const) : (['native', 'reference'] as const);
const folder = temporaryFolder();

/** The messages as TensorFlow's example.proto and feature.proto number their fields. */
const { root } = protobuf.parse(`syntax = "proto3"; package tensorflow;
  message BytesList { repeated bytes value = 1; }
  message FloatList { repeated float value = 1 [packed = true]; }
  message Int64List { repeated int64 value = 1 [packed = true]; }
  message Feature { oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
  message Features { map<string, Feature> feature = 1; }
  message FeatureList { repeated Feature feature = 1; }
  message FeatureLists { map<string, FeatureList> feature_list = 1; }
  message SequenceExample { Features context = 1; FeatureLists feature_lists = 2; }`);
const SequenceExample = root.lookupType('tensorflow.SequenceExample');

/** Encoded by protoc 3.21 from text: y 1, x 20 and a "context" in the context; tags [p], [], [q, r]; a [−5]; z []. */
const byProtoc = Buffer.from(
  '0a2d0a0d0a0179120812060a040000803f0a0a0a017812051a030a01140a100a0161120b0a090a07636f6e74657874123d0a1b0a047461677312130a050a030a01700a00' +
    '0a080a060a01710a01720a150a016112100a0e1a0c0a0afbffffffffffffffff010a070a017a12020a00',
  'hex',
);
const fid = (slot: number, text: string): string => String(makeFid(slot, cityHash64(Buffer.from(text)) & (2n ** 48n - 1n)));

for (const backend of backends) {
  test(`steps one after another are a bag, and a sequence goes before a context of its name (${backend})`, async () => {
    const values = (text: string): { bytesList: object } => ({ bytesList: { value: [Buffer.from(text)] } });
    const message = SequenceExample.fromObject({
      context: { feature: { y: { floatList: { value: [0] } }, z: { floatList: { value: [12] } } } },
      featureLists: {
        featureList: {
          tags: { feature: [values('t1'), values('t2'), {}, values('t3'), values('t4'), values('t5')] },
          x: { feature: [{ int64List: { value: [3] } }] },
        },
      },
    });
    const byProtobufjs = SequenceExample.encode(message).finish();
    const rows = await readRows({
      files: [write(folder, 's.tfrecord', frames([byProtoc, byProtobufjs]))],
      schema: smallSchema,
      shuffle: 0,
      backend,
    });
    assert.deepEqual(
      rows.map(({ label, dense }) => [label, ...dense]),
      [
        [1, Math.fround(Math.log1p(20))],
        [0, Math.fround(Math.log1p(3))],
      ],
    );
    assert.deepEqual(rows[0]?.bags, [[fid(2, '-5')], ['p', 'q', 'r'].map((tag) => fid(3, tag)), [String(makeFid(4, 4n))]]);
    // maxLength 4 keeps the first values.
    assert.deepEqual(rows[1]?.bags, [[fid(2, '')], ['t1', 't2', 't3', 't4'].map((tag) => fid(3, tag)), [String(makeFid(4, 2n))]]);
  });

  test(`steps of several kinds, floats as ids and two values for one are bad records with their feature (${backend})`, async () => {
    const y: Record<string, ExampleValue> = { y: { floats: [1] } };
    for (const [lists, pattern] of [
      [{ tags: [{ bytes: ['a'] }, { ints: [1n] }] }, /no tf\.train\.Example or SequenceExample .*several kinds/],
      [{ tags: [{ floats: [1] }] }, /feature "tags" holds floats/],
      [{ x: [{ floats: [1] }, { floats: [2] }] }, /feature "x" holds 2 values, one was expected/],
    ] as [Record<string, ExampleValue[]>, RegExp][]) {
      const files = [write(folder, 'bad.tfrecord', frames([sequenceExample(y, {}), sequenceExample(y, lists)]))];
      await assert.rejects(readRows({ files, schema: smallSchema, shuffle: 0, backend }), (error: Error) => {
        assert.match(error.message, /bad\.tfrecord record 2 at byte \d+/);
        return pattern.test(error.message);
      });
      assert.equal((await readRows({ files, schema: smallSchema, shuffle: 0, backend, maxBadRecords: 1 })).length, 1);
    }
  });
}

function outcome(parsers: Parsers, bytes: Uint8Array, maxExamples: number, maxIds: number): unknown {
  const options = completeOptions({ files: ['-'], maxIdsPerExample: 6 });
  const program = compileProgram({
    options,
    format: 'tfrecord',
    schema: smallSchema,
    columns: null,
    groups: [{ features: [0, 1, 2], hasValues: false }],
    numFields: 0,
    separator: -1,
    labelType: 'int32',
    denseType: 'int32',
    where: 'test',
  });
  const block = ParsedBlock.allocate({ maxExamples, numDense: 1, groups: [{ numFeatures: 3, maxIds, hasValues: false }] });
  const result = new Float64Array(R.words);
  parsers.parseRecords(program, bytes, 0, bytes.length, block.common, block.shape, block.buffer, result);
  return { result: [...result], rows: rowsOf(block.slot), flags: [...block.flags.subarray(0, result[R.records])], bad: [...block.bad] };
}

const value = fc.oneof(
  fc.record({ bytes: fc.array(fc.constantFrom('1', '?', '', 'a|b', 'x'), { maxLength: 3 }) }),
  fc.record({ floats: fc.array(fc.float(), { maxLength: 2 }) }),
  fc.record({ ints: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 3 }) }),
  fc.constant(null),
);
const name = fc.constantFrom('y', 'x', 'a', 'tags', 'z', 'other');
const anySequence = fc
  .tuple(fc.dictionary(name, value), fc.dictionary(name, fc.array(value, { maxLength: 4 })), fc.boolean())
  .map(([context, lists, turned]) => {
    const bytes = sequenceExample({ y: { floats: [1] }, ...context }, lists);
    const front = example({ y: { floats: [1] }, ...context }).length;
    return turned ? Uint8Array.from([...bytes.subarray(front), ...bytes.subarray(0, front)]) : bytes;
  });

test('both parsers do the same with any sequences, and with changed and cut bytes', { skip: native === null }, () => {
  if (native === null) return;
  const changed = fc.tuple(anySequence, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([bytes, at, xor, cut]) => {
    const copy = Uint8Array.from(bytes);
    copy[at % copy.length] ^= xor;
    return cut % 3 === 0 ? copy.subarray(0, cut % (copy.length + 1)) : copy;
  });
  for (const payload of [anySequence, changed]) {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 5 }), (payloads) => {
        const bytes = frames(payloads);
        for (const [examples, ids] of [
          [64, 4096],
          [3, 9],
        ] as const)
          assert.deepEqual(outcome(native, bytes, examples, ids), outcome(referenceParsers, bytes, examples, ids));
      }),
      { numRuns: 250 },
    );
  }
});

test('a sequence cut at any byte is a bad record or reads as one that ends there', () => {
  for (let length = 0; length <= byProtoc.length; length++) {
    for (const parsers of native === null ? [referenceParsers] : [native, referenceParsers]) {
      const { result } = outcome(parsers, frames([byProtoc.subarray(0, length)]), 4, 16) as { result: number[] };
      assert.equal(result[R.records], 1);
      if (length < 47 || (length > 47 && length < byProtoc.length)) assert.equal(result[R.bad], 1, `${length}`);
    }
  }
});
