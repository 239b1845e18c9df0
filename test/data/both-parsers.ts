// Parse calls on the native parsers and on their twins, for properties that hold for both.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compileProgram } from '../../src/data/compile.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers, type Parsers } from '../../src/data/native-parsers.js';
import type { PipelineOptions, ResolvedFormat } from '../../src/data/options.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { BadWords, badListEntries, type Program, R } from '../../src/data/program.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import { type FeatureSchema, splitFeatures } from '../../src/features/index.js';
import { rowsOf } from './helpers.js';

const native = loadNativeParsers();
/** For tests that compare: the reason to leave them out. */
export const skipWithoutNative = native === null ? 'absent: the addon is not built' : false;

export type ParserCase = { readonly program: Program; readonly numDense: number; readonly numFeatures: number };

/** A program for all features of a schema in one group. */
export function parserCase(
  format: ResolvedFormat,
  schema: FeatureSchema,
  columns: readonly string[] | null,
  more: Partial<PipelineOptions> = {},
): ParserCase {
  const { dense, sparse } = splitFeatures(schema);
  const program = compileProgram({
    options: completeOptions({ files: ['-'], maxIdsPerExample: 6, ...more }),
    format,
    schema,
    columns,
    groups: [{ features: sparse.map((_, i) => i), hasValues: false }],
    numFields: 0,
    separator: format === 'csv' ? 44 : 9,
    labelType: 'int32',
    denseType: 'int32',
    where: 'test',
  });
  return { program, numDense: dense.length, numFeatures: sparse.length };
}

/** Everything a parse call can be seen to have done. */
function outcome(parsers: Parsers, prepared: ParserCase, bytes: Uint8Array, maxExamples: number, maxIds: number): unknown {
  const { program, numDense, numFeatures } = prepared;
  const block = ParsedBlock.allocate({ maxExamples, numDense, groups: [{ numFeatures, maxIds, hasValues: false }] });
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

/** Both parsers write the same, with room enough and with too little. */
export function sameOutcome(prepared: ParserCase, bytes: Uint8Array): void {
  if (native === null) return;
  for (const [maxExamples, maxIds] of [
    [64, 4096],
    [3, 11],
  ] as const) {
    const expected = outcome(referenceParsers, prepared, bytes, maxExamples, maxIds);
    assert.deepEqual(outcome(native, prepared, bytes, maxExamples, maxIds), expected);
  }
}

/** Cells that a parser may meet; `more` are tried often. */
export function anyCell(...more: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      '',
      '?',
      ' ',
      '0',
      '1',
      '-1',
      '3',
      '17',
      '1e3',
      '-0.5',
      'nan',
      '-inf',
      '1e400',
      'a|b',
      '"q"',
      '"a""b,c"',
      'x"y',
      ...more,
    ),
    fc.string({ maxLength: 12 }),
    fc.integer().map(String),
    fc.double().map(String),
  );
}

/** Lines of `columns` cells, sometimes one more or less. */
export function anyCsv(columns: number, ...more: readonly string[]): fc.Arbitrary<Uint8Array> {
  const line = fc.array(anyCell(...more), { minLength: columns - (columns > 1 ? 1 : 0), maxLength: columns + 1 });
  const whole = fc.array(anyCell(...more), { minLength: columns, maxLength: columns });
  return fc
    .array(fc.oneof({ weight: 5, arbitrary: whole }, line), { maxLength: 8 })
    .map((lines) => Buffer.from(lines.map((cells) => `${cells.join(',')}\n`).join('')));
}
