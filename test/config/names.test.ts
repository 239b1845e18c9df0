import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import yargs from 'yargs';
import { editDistance, suggest } from '../../src/base/index.js';
import {
  argumentsForYargs,
  kebabOfPath,
  optionAtPath,
  optionOfEnv,
  optionOfFlag,
  optionTable,
  pathOfKebab,
  renderConfigurationDocs,
  resolveConfig,
  yargsOptions,
  yargsParserConfiguration,
} from '../../src/config/index.js';

describe('names of options', () => {
  test('are distinct and lead back to the option', () => {
    for (const entry of optionTable) {
      assert.equal(optionAtPath(entry.path), entry);
      assert.equal(optionOfFlag(entry.flag), entry);
      assert.equal(optionOfEnv(entry.env), entry);
      assert.equal(pathOfKebab(kebabOfPath(entry.path)), entry.path);
    }
  });

  test('are those that outsiders rely on', () => {
    const flags: Readonly<Record<string, string>> = {
      data: 'data.train',
      'eval-data': 'data.eval',
      format: 'data.format',
      schema: 'data.schema',
      shuffle: 'data.shuffle',
      'max-bad-records': 'data.maxBadRecords',
      'model-dir': 'modelDir',
      'max-steps': 'maxSteps',
      'batch-size': 'batchSize',
      'checkpoint-every': 'checkpointEvery',
      'optimizer.sparse.learning-rate': 'optimizer.sparse.learningRate',
      'clip.global-norm': 'clip.globalNorm',
      'data.header-bytes': 'data.headerBytes',
    };
    for (const [flag, path] of Object.entries(flags)) assert.equal(optionOfFlag(flag)?.path, path);
    for (const flag of ['model', 'workers', 'ps', 'mode', 'epochs', 'seed', 'precision', 'backend', 'fresh', 'json', 'quiet']) {
      assert.equal(optionOfFlag(flag)?.path, flag);
    }
    assert.equal(optionAtPath('batchSize')?.env, 'MONOLITH_LOCAL_BATCH_SIZE');
  });

  test('defaults pass their own checks', () => {
    for (const { option, path } of optionTable) {
      if (option.defaultValue !== undefined) assert.ok(option.schema.safeParse(option.defaultValue).success, path);
    }
  });

  test('yargs reads them as the configuration wants them', () => {
    const line = [
      '--batch-size',
      '64',
      '--optimizer.sparse.learning-rate',
      '0.1',
      '--data',
      'a',
      'b',
      '--data',
      'c',
      '--no-fresh',
      '--json',
      '--seed=007',
    ];
    const {
      _: rest,
      $0: program,
      ...flags
    } = yargs(line).parserConfiguration(yargsParserConfiguration).options(yargsOptions()).help(false).version(false).parseSync();
    assert.deepEqual(rest, []);
    assert.equal(typeof program, 'string');
    const { config, origins } = resolveConfig({ flags });
    assert.deepEqual([config.batchSize, config.optimizer.sparse.learningRate, config.seed], [64, 0.1, 7]);
    assert.deepEqual([config.data.train, config.fresh, config.json], [['a', 'b', 'c'], false, true]);
    assert.equal([...origins.values()].filter((origin) => origin !== 'default').length, 6);
  });

  test('yargs takes standard input, a tab and a negative number as values', () => {
    const line = argumentsForYargs(['-', '--data', '-', 'a', '-', '--data.separator', '\\t', '--clip.value', '-1', '--', '-']);
    const parser = yargs(line).parserConfiguration(yargsParserConfiguration).options(yargsOptions()).exitProcess(false);
    const parsed = parser.parseSync();
    assert.deepEqual(parsed.data, ['-', 'a', '-']);
    assert.deepEqual([parsed._, parsed['data.separator'], parsed['clip.value']], [['-', '-'], '\\t', '-1']);
    const few = yargsOptions((flag) => ['seed', 'fresh', 'data'].includes(flag));
    const shown = Object.keys(few).filter((flag) => few[flag].hidden === false);
    assert.deepEqual(shown.sort(), ['data', 'fresh', 'seed']);
    assert.deepEqual([few.seed.defaultDescription, few.fresh.type, few.data.array], ['42', 'boolean', true]);
  });

  test('docs/configuration.md is what the table of options says', () => {
    const file = fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url));
    assert.equal(
      readFileSync(file, 'utf8'),
      renderConfigurationDocs(),
      'write it anew: node -e "import(\'./dist/src/config/index.js\').then(c => process.stdout.write(c.renderConfigurationDocs()))" > docs/configuration.md',
    );
  });
});

describe('suggestions', () => {
  test('the distance counts insertions, deletions, changes and swaps', () => {
    assert.equal(editDistance('kitten', 'sitting'), 3);
    assert.equal(editDistance('abcd', 'abdc'), 1);
    assert.equal(editDistance('', 'abc'), 3);
    assert.equal(editDistance('Seed', 'seed'), 0);
  });

  test('the distance is a symmetric measure', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.ok(distance <= Math.max(a.length, b.length));
        assert.equal(editDistance(a, a), 0);
      }),
    );
  });

  test('nothing is suggested for a word that is far from all', () => {
    assert.equal(suggest('xyz', ['batchSize', 'seed']), null);
    assert.equal(suggest('x'.repeat(10_000), ['x'.repeat(10_001)]), null);
    assert.equal(suggest('sed', ['batchSize', 'seed']), 'seed');
  });
});
