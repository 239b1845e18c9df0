import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MonolithError } from '../../src/base/index.js';
import { optionTable, type PartialTrainingConfig, parseJson, parseYaml, resolveConfig } from '../../src/config/index.js';

/** Runs `body`; nothing but InvalidConfig may come out of it, and prototypes stay as they were. */
function onlyInvalidConfig(body: () => unknown): void {
  try {
    body();
  } catch (error) {
    assert.ok(error instanceof MonolithError && error.code === 'InvalidConfig', String(error));
    assert.ok(error.message.length < 20_000);
  }
  for (const key of ['batchSize', 'polluted', 'json']) assert.equal(key in {}, false);
}

const valid = `model: deepfm
modelOptions: {hidden: [400, 400], dropout: 0.1}
data:
  train: "clicks-*.tsv"
  split: {by: fraction, fraction: 0.1}
  schema: {label: {column: click}, features: [{name: user, type: categorical}, {name: price, type: numeric}]}
optimizer: &o
  sparse: {kind: adagrad, learningRate: 0.05}
  dense: {kind: adam, beta1: 0.9}
`;

/** Pieces that mean something to YAML, JSON or JavaScript. */
const pieces = [
  '__proto__',
  'constructor',
  '{',
  '}',
  '[',
  ']',
  ':',
  ': ',
  '- ',
  '\n',
  '\n  ',
  '\t',
  '&a ',
  '*a',
  '*o',
  '!!map ',
  '!x ',
  '"',
  "'",
  '|',
  '>',
  '#',
  '%',
  '---\n',
  '<<: *o',
  '.nan',
  '.inf',
  '1e999',
  '-0',
  'null',
  '~',
  '\u0000',
  '\ufeff',
  '\ud800',
  '? ',
];

describe('configuration from a hostile hand', () => {
  test('a damaged file gives InvalidConfig or a configuration', () => {
    const change = fc.record({ at: fc.nat(valid.length), cut: fc.nat(12), insert: fc.constantFrom('', ...pieces) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        let text = valid;
        for (const { at, cut, insert } of changes) text = text.slice(0, at) + insert + text.slice(at + cut);
        onlyInvalidConfig(() => resolveConfig({ values: parseYaml(text, 'x.yaml') as PartialTrainingConfig }));
        onlyInvalidConfig(() => resolveConfig({ values: parseJson(text, 'x.json') as PartialTrainingConfig }));
      }),
      { numRuns: 1500 },
    );
  });

  test('any values at any option, and any text in any flag, give InvalidConfig or a configuration', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(Number.NaN, Number.POSITIVE_INFINITY, undefined, '__proto__', '-', '../x'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...optionTable), value, fc.string(), (entry, given, text) => {
        const values = entry.keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), given);
        onlyInvalidConfig(() => resolveConfig({ values: values as PartialTrainingConfig }));
        onlyInvalidConfig(() => resolveConfig({ flags: { [entry.flag]: text }, env: { [entry.env]: text } }));
      }),
      { numRuns: 1500 },
    );
  });

  test('JSON is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        try {
          assert.deepEqual(parseJson(text, 'x.json'), JSON.parse(text));
        } catch (error) {
          // Keys that reach a prototype are the one thing refused.
          if (!(error instanceof MonolithError) || !/not allowed as a key/.test(error.message)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
