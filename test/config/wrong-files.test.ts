import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolveConfig } from '../../src/config/index.js';
import { inFolder, messageOf } from './helpers.js';

/** Wrong files, each with a message it must give (file name left out) and the name of the file where it is not train.yaml. */
const wrongFiles: readonly (readonly [what: string, text: string, message: string, file?: string])[] = [
  // unknown keys
  [
    'a letter too few',
    'optimizer:\n  sparse:\n    lerningRate: 0.1',
    'unknown option optimizer.sparse.lerningRate; did you mean learningRate?',
  ],
  [
    'the same in JSON',
    '{"optimizer": {"sparse": {"lerningRate": 0.1}}}',
    'unknown option optimizer.sparse.lerningRate; did you mean learningRate?',
    'train.json',
  ],
  ['two letters swapped', 'bathcSize: 4', 'unknown option bathcSize; did you mean batchSize?'],
  ['wrong case', 'batchsize: 4', 'unknown option batchsize; did you mean batchSize?'],
  ['the name of the flag', 'batch-size: 4', 'unknown option batch-size; did you mean batchSize?'],
  ['snake case', 'batch_size: 4', 'unknown option batch_size; did you mean batchSize?'],
  ['a misspelt section', 'optimiser: {}', 'unknown option optimiser; did you mean optimizer?'],
  ['the right word in the wrong section', 'shuffle: 0', 'unknown option shuffle; did you mean data.shuffle?'],
  ['a flag as a key', 'eval-data: [x]', 'unknown option eval-data; did you mean data.eval?'],
  [
    'a key of a sibling section',
    'clip: {learningRate: 1}',
    'unknown option clip.learningRate; did you mean optimizer.sparse.learningRate?',
  ],
  ['nothing near', 'clip: {zzzzzz: 1}', 'unknown option clip.zzzzzz; known here: globalNorm, value, rowNorm'],
  ['nothing near at the top', 'zzzzzzzzzz: 1', 'unknown option zzzzzzzzzz; `monolith-local config` lists all options'],
  [
    'a dotted key',
    'optimizer.dense.kind: adam',
    'unknown option "optimizer.dense.kind"; write it in sections: optimizer: {dense: {kind: …}}',
  ],
  ['a merge key', '<<: {batchSize: 1}', 'unknown option <<; `monolith-local config` lists all options'],
  [
    'inside a mapping with a schema',
    'embedding: {initializer: {kind: normal, mean: 0, stddef: 1, stddev: 1}}',
    'unknown option embedding.initializer.stddef; did you mean stddev?',
  ],
  // wrong types
  ['text for an integer', 'batchSize: many', 'batchSize: expected an integer from 1 to 1048576, got "many"'],
  ['an integer in quotes', 'workers: "2"', 'workers: expected an integer from 1 to 256, got "2"'],
  ['a fraction for an integer', 'epochs: 1.5', 'epochs: expected an integer ≥ 0, got 1.5'],
  ['a list for an integer', 'ps: [1, 2]', 'ps: expected an integer from 1 to 256, got a list'],
  ['a mapping for an integer', 'seed: {a: 1}', 'seed: expected an integer from 0 to 4294967295, got a mapping'],
  ['null for an integer', 'maxSteps: null', 'maxSteps: expected an integer ≥ 0, got null'],
  ['nothing after the colon', 'maxSteps:', 'maxSteps: expected an integer ≥ 0, got null'],
  ['true for a number', 'clip: {globalNorm: true}', 'clip.globalNorm: expected a number ≥ 0, got true'],
  ['text for true or false', 'fresh: "yes"', 'fresh: expected true or false, got "yes"'],
  ['a number for true or false', 'json: 1', 'json: expected true or false, got 1'],
  ['a number for text', 'model: 5', 'model: expected text, got 5; put it in quotes'],
  ['empty text', 'model: ""', 'model: expected text, got ""'],
  [
    'a number in a list of texts',
    'data: {train: [a.tsv, 7]}',
    'data.train: expected a list of texts, got a list whose item 2 is 7; put it in quotes',
  ],
  ['a mapping for a list', 'data: {train: {a: b}}', 'data.train: expected a list of texts, got a mapping'],
  [
    'text for a section',
    'data: a.tsv',
    'data: expected a mapping with train, eval, format, schema, shuffle, split, maxBadRecords, maxIdsPerExample, parseThreads, cache, headerBytes, labelType, denseType, separator, header, trim, numFields, hasSortId, kafkaDump, kafkaDumpPrefix, lagrangexHeader, bareMessage, criteoIntegers, got "a.tsv"',
  ],
  ['a list for a section', 'clip: []', 'clip: expected a mapping with globalNorm, value, rowNorm, got an empty list'],
  ['a list for the whole file', '- batchSize: 1', 'expected a mapping of options, got a list'],
  ['text for the whole file', 'batchSize 1', 'expected a mapping of options, got "batchSize 1"'],
  ['a number for free options', 'modelOptions: 3', 'modelOptions: expected a mapping, got 3'],
  [
    'a wrong type inside a mapping with a schema',
    'embedding: {initializer: {kind: constant, value: x}}',
    'embedding.initializer.value: expected a number, got "x"',
  ],
  // out of range
  ['batch size 0', 'batchSize: 0', 'batchSize: expected an integer from 1 to 1048576, got 0'],
  ['a negative count', 'epochs: -1', 'epochs: expected an integer ≥ 0, got -1'],
  ['no worker', 'workers: 0', 'workers: expected an integer from 1 to 256, got 0'],
  ['a seed too large', 'seed: 4294967296', 'seed: expected an integer from 0 to 4294967295, got 4294967296'],
  ['a step of size zero', 'optimizer: {dense: {learningRate: 0}}', 'optimizer.dense.learningRate: expected a number > 0, got 0'],
  ['infinity', 'clip: {value: .inf}', 'clip.value: expected a number ≥ 0, got Infinity'],
  ['not a number', 'optimizer: {sparse: {learningRate: .nan}}', 'optimizer.sparse.learningRate: expected a number > 0, got NaN'],
  ['a share above one', 'data: {split: {by: fraction, fraction: 2}}', 'data.split.fraction: expected a number from 0 to 1, got 2'],
  ['a word that is no choice', 'mode: asynchronous', 'mode: expected one of sync, async, got "asynchronous"'],
  ['a precision that is none', 'precision: fp16', 'precision: expected one of fp32, bf16, got "fp16"'],
  [
    'one norm over shards that have none',
    'mode: async\nclip: {globalNorm: 1}',
    'clip.globalNorm: in async mode shards take pushes in orders of their own, so there is no one norm; use --ps 1 or --mode sync',
  ],
  [
    'two characters as separator',
    'data: {separator: "ab"}',
    'data.separator: expected one character (tab or \\t for a tab) or null, got "ab"',
  ],
  [
    'an unknown kind in a mapping with a schema',
    'embedding: {initializer: {kind: gauss}}',
    'embedding.initializer.kind: expected one of zeros, constant, uniform, normal, got "gauss"',
  ],
  // twice, prototypes, syntax
  ['a key given twice', 'batchSize: 1\nseed: 1\nbatchSize: 2', 'batchSize is given twice, in lines 1 and 3; keep one'],
  [
    'a nested key given twice in JSON',
    '{"clip": {"value": 1,\n"value": 2}}',
    'clip.value is given twice, in lines 1 and 2; keep one',
    'train.json',
  ],
  ['__proto__', '__proto__: {batchSize: 1}', 'line 1: __proto__ is not allowed as a key'],
  ['__proto__ in JSON', '{"__proto__": {"json": true}}', 'line 1: __proto__ is not allowed as a key', 'train.json'],
  [
    'constructor in a free mapping',
    'modelOptions:\n  constructor: {prototype: {a: 1}}',
    'line 2: modelOptions.constructor is not allowed as a key',
  ],
  [
    'prototype in a list in a free mapping',
    'modelOptions: {a: [{prototype: 1}]}',
    'line 1: modelOptions.a[0].prototype is not allowed as a key',
  ],
  ['a number as key', '1: 2', 'line 1: a key must be text, got 1'],
  ['YAML that is none', 'data: {train: [a', 'not valid YAML (line 1, column '],
  ['JSON that is none', '{"batchSize": 1,}', 'not valid JSON', 'train.json'],
  ['a tag', 'batchSize: !!js/function "x"', 'not valid YAML (line 1, column 12): '],
  ['two documents', 'batchSize: 1\n---\nbatchSize: 2', 'not valid YAML (line '],
  ['nesting without end', `modelOptions: ${'['.repeat(100)}${']'.repeat(100)}`, 'is nested more than 64 deep'],
  [
    'aliases that multiply',
    `modelOptions:\n  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n${[1, 2, 3, 4, 5, 6]
      .map(
        (n) =>
          `  a${n}: &a${n} [${Array(10)
            .fill(`*a${n - 1}`)
            .join(', ')}]\n`,
      )
      .join('')}`,
    'has more than 200000 values; aliases may multiply them',
  ],
  // combinations
  [
    'a number that the rule does not take',
    'optimizer: {dense: {kind: adam, l1: 1}}',
    'optimizer.dense.l1: adam has no l1; it takes learningRate, weightDecay, beta1, beta2, epsilon',
  ],
  ['a decay without length', 'schedule: {kind: cosine}', 'schedule.kind: cosine needs schedule.decaySteps ≥ 1, got 0'],
  [
    'a split without its column',
    'data: {split: {by: column}}',
    'data.split.by: column needs data.split.column and at least one of data.split.evalValues',
  ],
  [
    'a split that is not switched on',
    'data: {split: {fraction: 0.1}}',
    'data.split.fraction: has no effect while data.split.by is none; set data.split.by to fraction',
  ],
  [
    'a split beside evaluation files',
    'data: {eval: x, split: {by: fraction, fraction: 0.5}}',
    'data.split.by: fraction and data.eval exclude each other; keep one of them',
  ],
  [
    'rows in the wrong order',
    'data: {split: {by: rows, rows: 9-3}}',
    'data.split.rows: expected first-last with 1 ≤ first ≤ last, got 9-3',
  ],
  [
    'early stopping without evaluation',
    'data: {train: x}\nearlyStop: {patience: 2}',
    'earlyStop.patience: needs evaluation data, got none; give data.eval (--eval-data) or data.split',
  ],
];

describe('a wrong configuration file', () => {
  for (const [what, text, message, file = 'train.yaml'] of wrongFiles) {
    test(`with ${what} is refused with one clear error`, () => {
      inFolder({ [file]: text }, () => {
        const actual = messageOf(() => resolveConfig({ file }));
        assert.ok(actual.startsWith(`${file}: `), actual);
        assert.ok(actual.includes(message), `${actual}\n  should say\n${message}`);
        assert.equal(actual.split('\n').length, 1, actual);
      });
      assert.equal(({} as Record<string, unknown>).batchSize, undefined);
    });
  }

  test('there are at least sixty of them', () => {
    assert.ok(wrongFiles.length >= 60, String(wrongFiles.length));
  });

  test('with several problems names each in a line', () => {
    inFolder({ 'train.yaml': 'batchSize: 0\nepoch: 3\nmode: x' }, () => {
      assert.deepEqual(messageOf(() => resolveConfig({ file: 'train.yaml' })).split('\n'), [
        'train.yaml: batchSize: expected an integer from 1 to 1048576, got 0',
        'train.yaml: unknown option epoch; did you mean epochs?',
        'train.yaml: mode: expected one of sync, async, got "x"',
      ]);
    });
  });

  test('that is not there is named', () => {
    inFolder({}, () => {
      const message = messageOf(() => resolveConfig({ file: 'none.yaml' }));
      assert.equal(message, 'none.yaml: there is no such file; give the path of a YAML or JSON file');
    });
  });
});
