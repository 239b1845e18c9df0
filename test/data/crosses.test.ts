import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cityHash64, type MonolithError } from '../../src/base/index.js';
import { parseFeatureSchema } from '../../src/config/index.js';
import { encodeExamples } from '../../src/estimator/explicit-inputs.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { anyCsv, parserCase, sameOutcome, skipWithoutNative } from './both-parsers.js';
import { type ExampleValue, example, frames, type Row, readRows, temporaryFolder, write } from './helpers.js';

const folder = temporaryFolder();
const LOW_48 = (1n << 48n) - 1n;
const schema: FeatureSchema = {
  label: { column: 'y' },
  features: [
    { name: 'a', type: 'categorical' },
    { name: 'bucket', column: 'x', type: 'bucketized', boundaries: [0, 10] },
    { name: 'both', type: 'cross', of: ['a', 'bucket'], slot: 9 },
    { name: 'three', type: 'cross', of: ['b', 'a', 'bucket'], missing: 'skip' },
  ],
};

const idOf = (text: string): bigint => BigInt(cityHash64(Buffer.from(text))) & LOW_48;

/** What the documentation says: the parts' 48-bit ids, 8 bytes each, little-endian, hashed as a text. */
function crossed(slot: number, ids: readonly bigint[]): string {
  const bytes = Buffer.alloc(ids.length * 8);
  ids.forEach((id, i) => {
    bytes.writeBigUInt64LE(id, i * 8);
  });
  return String((BigInt(slot) << 48n) | (BigInt(cityHash64(bytes)) & LOW_48));
}

const tokenOf = (slot: number): string => String((BigInt(slot) << 48n) | idOf(''));

/** Rows through each backend, which must agree. */
async function rowsOfBoth(file: string, of: FeatureSchema = schema): Promise<Row[]> {
  const options = { schema: of, shuffle: 0, files: [file] };
  const rows = await readRows({ ...options, backend: 'auto' });
  assert.deepEqual(rows, await readRows({ ...options, backend: 'reference' }));
  return rows;
}

test('a cross is the hash of its parts’ ids; where a part is missing it is missing', async () => {
  const rows = await rowsOfBoth(write(folder, 'c.csv', 'y,a,b,x\n1,u,v,3\n0,u,w,-1\n1,,v,3\n0,u,,3\n1,u,v,?\n0,u,v,nan\n'));
  assert.deepEqual(
    rows.map(({ bags }) => bags.slice(2)),
    [
      [[crossed(9, [idOf('u'), 1n])], [crossed(4, [idOf('v'), idOf('u'), 1n])]],
      [[crossed(9, [idOf('u'), 0n])], [crossed(4, [idOf('w'), idOf('u'), 0n])]],
      [[tokenOf(9)], []],
      [[crossed(9, [idOf('u'), 1n])], []],
      [[tokenOf(9)], []],
      [[tokenOf(9)], []],
    ],
  );
});

test('CSV and TFRecord give the same crosses; a list of values makes the record bad', async () => {
  const csv = await rowsOfBoth(write(folder, 'i.csv', 'y,a,b,x\n1,12,v,3\n0,7,w,20\n'));
  const payload = (y: number, a: bigint, b: string, x: number): Uint8Array =>
    example({ y: { floats: [y] }, a: { ints: [a] }, b: { bytes: [b] }, x: { floats: [x] } });
  const records = await rowsOfBoth(write(folder, 'i.tfrecord', frames([payload(1, 12n, 'v', 3), payload(0, 7n, 'w', 20)])));
  assert.deepEqual(records, csv);
  const list = example({ y: { floats: [1] }, a: { bytes: ['u'] }, b: { bytes: ['v', 'w'] }, x: { floats: [1] } });
  await assert.rejects(rowsOfBoth(write(folder, 'l.tfrecord', frames([list]))), /feature "b" holds 2 values, one was expected/);
});

test('criteo-bin crosses ids and buckets of numbers', async () => {
  const record = Buffer.alloc(160);
  record.writeInt32LE(1, 0);
  record.writeInt32LE(5, 4);
  record.writeUInt32LE(77, 14 * 4);
  record.writeUInt32LE(4000000000, 15 * 4);
  const of: FeatureSchema = {
    label: { column: 'label' },
    features: [
      { name: 'C1', type: 'categorical' },
      { name: 'n', column: 'I1', type: 'bucketized', boundaries: [1, 2, 9] },
      { name: 'pair', type: 'cross', of: ['C1', 'C2'] },
      { name: 'trio', type: 'cross', of: ['C1', 'n', 'C2'] },
    ],
  };
  const [row] = await rowsOfBoth(write(folder, 'c.bin', record), of);
  assert.deepEqual(row?.bags.slice(2), [[crossed(3, [77n, 4000000000n])], [crossed(4, [77n, 2n, 4000000000n])]]);
});

const columns = ['y', 'x', 'a', 'b'];
test('both parsers cross any text alike', { skip: skipWithoutNative }, () => {
  const prepared = parserCase('csv', schema, columns);
  fc.assert(
    fc.property(anyCsv(4, 'u', '5'), (bytes) => sameOutcome(prepared, bytes)),
    { numRuns: 250 },
  );
});

test('both parsers cross any features of tf.train.Example alike', { skip: skipWithoutNative }, () => {
  const prepared = parserCase('tfrecord', schema, null);
  const value: fc.Arbitrary<ExampleValue> = fc.oneof(
    fc.record({ bytes: fc.array(fc.constantFrom('1', '?', '', 'u'), { maxLength: 2 }) }),
    fc.record({ floats: fc.array(fc.float(), { maxLength: 2 }) }),
    fc.record({ ints: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 2 }) }),
    fc.constant(null),
  );
  const payload = fc.dictionary(fc.constantFrom('x', 'a', 'b'), value).map((given) => example({ y: { floats: [1] }, ...given }));
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 6 }), (payloads) => sameOutcome(prepared, frames(payloads))),
    { numRuns: 250 },
  );
});

test('the config check names the part that can’t be crossed', () => {
  const check = (cross: object): string => {
    const features = [
      { name: 'n', type: 'numeric' },
      { name: 'tags', type: 'categorical', separator: '|' },
      { name: 'a', type: 'categorical' },
      { name: 'c', type: 'cross', ...cross },
      { name: 'd', type: 'cross', of: ['a', 'b'] },
    ];
    try {
      parseFeatureSchema({ columns: ['y', 'n', 'tags', 'a', 'b'], label: { column: 'y' }, features });
      return '';
    } catch (error) {
      return (error as MonolithError).message;
    }
  };
  assert.equal(check({ of: ['a', 'b'] }), '');
  assert.equal(check({ of: ['a', 'n'] }), 'schema features.3.of.1: feature "n" is numeric; name a bucketized or categorical feature');
  assert.match(check({ of: ['tags', 'a'] }), /features\.3\.of\.0: feature "tags" is a bag \(separator or maxLength\)/);
  assert.match(check({ of: ['a', 'd'] }), /features\.3\.of\.1: feature "d" is a cross; name its parts instead/);
  assert.match(check({ of: ['a', 'gone'] }), /features\.3\.of\.1: column "gone" is not in columns/);
  assert.match(check({ of: ['a', 'a'] }), /features\.3\.of\.1: part "a" stands twice/);
  assert.match(check({ of: ['a'] }), /features\.3\.of: /);
  assert.match(check({ of: ['a', 'b', 'a', 'b', 'a'] }), /features\.3\.of: /);
});

test('examples given by a program hold the parts, not the cross', async () => {
  const { text, schema: own } = encodeExamples([{ a: 'u', bucket: 3, b: 'v' }, ['u', -1, 'w']], schema, { trim: true, float32: false });
  const bags = (rows: Row[]): string[][][] => rows.map((row) => row.bags);
  const options = { schema: own, shuffle: 0, requireLabel: false, files: [write(folder, 'given.csv', text)] };
  const expected = await rowsOfBoth(write(folder, 'file.csv', 'y,a,b,x\n1,u,v,3\n0,u,w,-1\n'));
  assert.deepEqual(bags(await readRows(options)), bags(expected));
});
