import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileProgram } from '../../src/data/compile.js';
import { criteoSchema } from '../../src/data/criteo-schema.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers, type Parsers } from '../../src/data/native-parsers.js';
import type { PipelineOptions, ResolvedFormat } from '../../src/data/options.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { BadWords, badListEntries, type Program, R } from '../../src/data/program.js';
import { parseNumber } from '../../src/data/twins/number-text.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { BatchSlot } from '../../src/tensor/index.js';
import { example, frames, rowsOf, smallSchema } from './helpers.js';

const native = loadNativeParsers();
const skip = native === null ? 'absent: the addon is not built' : false;

type Case = { program: Program; numDense: number; numFeatures: number; hasValues: boolean };

const criteoNames = ['label', ...Array.from({ length: 13 }, (_, i) => `I${i + 1}`), ...Array.from({ length: 26 }, (_, i) => `C${i + 1}`)];

function prepare(
  format: ResolvedFormat,
  schema: FeatureSchema | null,
  columns: string[] | null,
  more: Partial<PipelineOptions> = {},
): Case {
  const numFields = format === 'libsvm' ? 1 : format === 'libffm' ? 3 : 0;
  const numFeatures = schema === null ? numFields : schema.features.filter((feature) => feature.type !== 'numeric').length;
  const hasValues = numFields > 0;
  const options = completeOptions({ files: ['-'], maxIdsPerExample: 6, ...more });
  const program = compileProgram({
    options,
    format,
    schema,
    columns,
    groups: [{ features: Array.from({ length: numFeatures }, (_, i) => i), hasValues }],
    numFields,
    separator: format === 'csv' ? 44 : 9,
    labelType: 'int32',
    denseType: 'int32',
    where: 'test',
  });
  return { program, numDense: schema === null ? 0 : schema.features.length - numFeatures, numFeatures, hasValues };
}

/** Everything a parse call can be seen to have done. */
function outcome(
  parsers: Parsers,
  { program, numDense, numFeatures, hasValues }: Case,
  bytes: Uint8Array,
  maxExamples: number,
  maxIds: number,
): unknown {
  const block = ParsedBlock.allocate({ maxExamples, numDense, groups: [{ numFeatures, maxIds, hasValues }] });
  const raw = new Uint8Array(new SharedArrayBuffer(bytes.length + 3));
  raw.set(bytes, 3);
  const result = new Float64Array(R.words);
  parsers.parseRecords(program, raw, 3, bytes.length, block.common, block.shape, block.buffer, result);
  const kept = Math.min(result[R.bad], badListEntries) * BadWords;
  return {
    result: [...result],
    rows: rowsOf(block.slot),
    flags: [...block.flags.subarray(0, result[R.records])],
    bad: [...block.bad.subarray(0, kept)],
  };
}

function sameOutcome(prepared: Case, bytes: Uint8Array): void {
  if (native === null) return;
  for (const [maxExamples, maxIds] of [
    [64, 4096],
    [3, 11],
  ] as const) {
    assert.deepEqual(
      outcome(native, prepared, bytes, maxExamples, maxIds),
      outcome(referenceParsers, prepared, bytes, maxExamples, maxIds),
    );
  }
}

/** Runs of a property; a few seconds for the whole file. */
const RUNS = 250;
const cell = fc.oneof(
  fc.constantFrom(
    '',
    '?',
    ' ',
    '0',
    '1',
    '-1',
    '2',
    '3',
    '17',
    '1e3',
    '-0.5',
    '.5',
    '5.',
    'nan',
    '-inf',
    '1e400',
    '4.9e-324',
    '0x10',
    'a|b|c',
    '|',
    '"q"',
    '""',
    '"a""b,c"',
    '"a\nb"',
    '"open',
    'x"y',
    ' "s" ',
    '9007199254740993',
    '0.1000000000000000055511151231257827021181583404541015625',
  ),
  fc.string({ maxLength: 12 }),
  fc.double().map(String),
  fc.integer().map(String),
);
const text = (separator: string, columns: number): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.tuple(fc.array(cell, { minLength: columns - 1, maxLength: columns + 1 }), fc.constantFrom('\n', '\r\n', '\n\n')), {
      maxLength: 8,
    })
    .map((lines) => Buffer.from(lines.map(([cells, end]) => cells.join(separator) + end).join('')));

const columns = ['y', 'x', 'a', 'tags', 'z'];

for (const trim of [true, false]) {
  test(`CSV: both parsers do the same with any text (trim ${trim})`, { skip }, () => {
    const prepared = prepare('csv', smallSchema, columns, {
      trim,
      split: { by: 'column', column: 'a', evalValues: ['1', 'x'], part: 'eval' },
    });
    fc.assert(
      fc.property(text(',', 5), (bytes) => sameOutcome(prepared, bytes)),
      { numRuns: RUNS },
    );
  });
}

test('TSV: both parsers do the same with any text, labels optional', { skip }, () => {
  const prepared = prepare('tsv', smallSchema, columns, { requireLabel: false });
  fc.assert(
    fc.property(text('\t', 5), (bytes) => sameOutcome(prepared, bytes)),
    { numRuns: RUNS },
  );
});

/** y against 1.5 · z: the label compares two columns. */
const comparing: FeatureSchema = { ...smallSchema, label: { column: 'y', greaterThan: { column: 'z', times: 1.5 } } };

test('labels that compare two columns: both parsers do the same with any text', { skip }, () => {
  for (const requireLabel of [true, false]) {
    const prepared = prepare('csv', comparing, columns, { requireLabel });
    fc.assert(
      fc.property(text(',', 5), (bytes) => sameOutcome(prepared, bytes)),
      { numRuns: RUNS },
    );
  }
});

test('Criteo text: both parsers do the same, with and without the label column', { skip }, () => {
  const schema = criteoSchema('both');
  for (const requireLabel of [true, false]) {
    const prepared = prepare('criteo', schema, criteoNames, { requireLabel, maxIdsPerExample: 39 });
    const number = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -10, max: 5_000_000 })).map(String);
    const line = fc.array(fc.oneof(number, fc.constant(''), fc.stringMatching(/^[0-9a-f]{8}$/)), { minLength: 39, maxLength: 40 });
    const bytes = fc.array(line, { maxLength: 4 }).map((lines) => Buffer.from(lines.map((cells) => `${cells.join('\t')}\n`).join('')));
    fc.assert(
      fc.property(bytes, (data) => sameOutcome(prepared, data)),
      { numRuns: 100 },
    );
  }
});

test('Criteo binary: both parsers do the same with any bytes', { skip }, () => {
  const prepared = prepare('criteo-bin', criteoSchema('both'), criteoNames, { maxIdsPerExample: 39 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => sameOutcome(prepared, bytes)),
    { numRuns: 100 },
  );
});

for (const format of ['libsvm', 'libffm'] as const) {
  test(`${format}: both parsers do the same with any text`, { skip }, () => {
    const number = fc.oneof(fc.nat({ max: 5 }), fc.constantFrom('281474976710656', '1234567890123456', 'x', '')).map(String);
    const pair = fc.array(number, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(':'));
    const usual = fc
      .tuple(fc.nat({ max: 3 }), fc.nat(), fc.double({ noNaN: true }))
      .map((parts) => (format === 'libsvm' ? parts.slice(1) : parts).join(':'));
    const label = fc.constantFrom('1', '-1', '+1', '0', 'y', '', '0.5');
    const line = fc
      .tuple(label, fc.array(fc.oneof({ weight: 6, arbitrary: usual }, pair), { maxLength: 8 }), fc.constantFrom('\n', ' \r\n', ' # c\n'))
      .map(([first, pairs, end]) => [first, ...pairs].join(' ') + end);
    for (const requireLabel of [true, false]) {
      const prepared = prepare(format, null, null, { requireLabel });
      fc.assert(
        fc.property(fc.array(line, { maxLength: 6 }), (lines) => sameOutcome(prepared, Buffer.from(lines.join('')))),
        { numRuns: RUNS },
      );
    }
  });
}

const value = fc.oneof(
  fc.record({ bytes: fc.array(fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('1', '?', '', 'a|b')), { maxLength: 4 }) }),
  fc.record({ floats: fc.array(fc.float(), { maxLength: 3 }) }),
  fc.record({ ints: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 9 }) }),
  fc.constant(null),
);
const anyExample = fc
  .dictionary(fc.constantFrom('y', 'x', 'a', 'tags', 'z', 'other'), value)
  .map((features) => example({ y: { floats: [1] }, ...features }));

test('tf.train.Example: both parsers do the same with any features', { skip }, () => {
  for (const requireLabel of [true, false]) {
    const prepared = prepare('tfrecord', smallSchema, null, { requireLabel });
    fc.assert(
      fc.property(fc.array(anyExample, { maxLength: 6 }), (payloads) => sameOutcome(prepared, frames(payloads))),
      { numRuns: RUNS },
    );
  }
});

test('tf.train.Example: both parsers compare two columns alike', { skip }, () => {
  const prepared = prepare('tfrecord', comparing, null);
  fc.assert(
    fc.property(fc.array(anyExample, { maxLength: 6 }), (payloads) => sameOutcome(prepared, frames(payloads))),
    { numRuns: RUNS },
  );
});

test('tf.train.Example: both parsers do the same with changed and cut bytes', { skip }, () => {
  const prepared = prepare('tfrecord', smallSchema, null);
  const changed = fc.tuple(anyExample, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([bytes, at, xor, cut]) => {
    const copy = Uint8Array.from(bytes);
    if (copy.length > 0) copy[at % copy.length] ^= xor;
    return cut % 3 === 0 ? copy.subarray(0, cut % (copy.length + 1)) : copy;
  });
  fc.assert(
    fc.property(fc.array(changed, { maxLength: 4 }), (payloads) => sameOutcome(prepared, frames(payloads))),
    { numRuns: RUNS },
  );
  const damaged = fc
    .tuple(fc.array(anyExample, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat({ max: 255 }), fc.nat())
    .map(([list, at, xor, cut]) => {
      const bytes = frames(list);
      bytes[at % bytes.length] ^= xor;
      return cut % 2 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
    });
  fc.assert(
    fc.property(damaged, (bytes) => sameOutcome(prepared, bytes)),
    { numRuns: RUNS },
  );
});

test('numbers are read as JavaScript reads them, correctly rounded', () => {
  const read = (source: string): number | null => parseNumber(Buffer.from(source), 0, source.length);
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => assert.equal(read(String(x)), Number(String(x)))),
    { numRuns: 500 },
  );
  for (const source of ['', '-', '.', 'e5', '1e', '1e+', '0x1', '1_000', ' 1', '1 ', '--1', 'infinit', 'nano', '1\0'])
    assert.equal(read(source), null, source);
  assert.equal(read('Infinity'), Number.POSITIVE_INFINITY);
  assert.equal(read('-inf'), Number.NEGATIVE_INFINITY);
});

test('the native functions refuse wrong arguments instead of touching memory', { skip }, () => {
  if (native === null) return;
  const { program } = prepare('csv', smallSchema, columns);
  const block = ParsedBlock.allocate({ maxExamples: 4, numDense: 1, groups: [{ numFeatures: 3, maxIds: 16, hasValues: false }] });
  const raw = new Uint8Array(8);
  const result = new Float64Array(R.words);
  const call = (p: Program, start: number, length: number, common: Int32Array, shape: Int32Array): void =>
    native.parseRecords(p, raw, start, length, common, shape, block.buffer, result);
  assert.throws(() => call(program, 4, 8, block.common, block.shape), RangeError);
  assert.throws(() => call(program, 0, 8, block.common, Int32Array.of(1 << 30, 16)), RangeError);
  assert.throws(() => call(program, 0, 8, Int32Array.of(2, 1, 3, 0), block.shape), RangeError);
  for (let i = 0; i < program.words.length; i++) {
    for (const wrong of [-1, 0x7fffffff, 70000]) {
      const words = Int32Array.from(program.words);
      words[i] = wrong;
      try {
        call({ ...program, words }, 0, 8, block.common, block.shape);
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }
  }
  const slot = new BatchSlot(block.slot.layout, new SharedArrayBuffer(BatchSlot.byteLength(block.slot.layout)), 0);
  const gather = (picks: Int32Array, first: number, count: number): void =>
    native.gatherExamples(block.common, [block.bytes], block.shape, picks, first, count, block.shape, new Uint8Array(slot.buffer));
  assert.throws(() => gather(Int32Array.of(0, 4), 0, 1), RangeError);
  assert.throws(() => gather(Int32Array.of(1, 0), 0, 1), RangeError);
  assert.throws(() => gather(Int32Array.of(0, 0), 0, 2), RangeError);
});
