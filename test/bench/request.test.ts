import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { type BenchRequest, parseBenchRequest } from '../../src/bench/request.js';
import { suiteNames, suiteOf } from '../../src/bench/suites.js';

function refuses(words: readonly string[], flags: Record<string, unknown>, message: RegExp): void {
  assert.throws(
    () => parseBenchRequest(words, flags, {}),
    (error) => error instanceof MonolithError && error.code === 'InvalidConfig' && message.test(error.message),
  );
}

function run(
  words: readonly string[],
  flags: Record<string, unknown> = {},
  env: NodeJS.ProcessEnv = {},
): Extract<BenchRequest, { kind: 'run' }> {
  const request = parseBenchRequest(words, flags, env);
  assert.equal(request.kind, 'run');
  return request as Extract<BenchRequest, { kind: 'run' }>;
}

describe('the words of bench', () => {
  test('none lists the suites', () => {
    assert.deepEqual(parseBenchRequest([], {}, {}), { kind: 'list' });
  });

  test('name suites, each once; all is every suite but peers', () => {
    assert.deepEqual(run(['ring', 'table', 'ring']).suites, ['ring', 'table']);
    assert.deepEqual(
      run(['all']).suites,
      suiteNames.filter((name) => name !== 'peers'),
    );
    for (const name of suiteNames) assert.ok(suiteOf(name).text.length > 0);
  });

  test('an unknown suite is refused with a suggestion', () => {
    refuses(['kernel'], {}, /no suite "kernel"; did you mean kernels\?/);
  });

  test('compare takes two files and a ratio', () => {
    const flags = { 'fail-below': '0.9', json: true };
    assert.deepEqual(parseBenchRequest(['compare', 'a', 'b'], flags, {}), {
      kind: 'compare',
      old: 'a',
      now: 'b',
      failBelow: 0.9,
      json: true,
    });
    refuses(['compare', 'a'], {}, /expected two result files/);
    refuses(['compare', 'a', 'b'], { 'fail-below': 'much' }, /--fail-below: expected a number above 0, got "much"/);
    refuses(['ring'], { 'fail-below': '0.9' }, /belongs to bench compare/);
  });
});

describe('the flags of bench', () => {
  test('have defaults', () => {
    const { options } = run(['train']);
    assert.deepEqual([options.rounds, options.seconds, options.samples, options.preset, options.only], [5, 1, 1_048_576, 'uniform', null]);
  });

  test('are checked', () => {
    refuses(['train'], { rounds: '1.5' }, /--rounds: expected a whole number above 0/);
    refuses(['train'], { seconds: '-1' }, /--seconds: expected a number above 0/);
    refuses(['train'], { preset: 'big' }, /expected uniform or kaggle/);
    refuses(['train'], { data: 'train.bin' }, /--data and --eval-data go together/);
    refuses(['train'], { only: ['a', 'b'] }, /--only: given 2 times/);
  });

  test('places of peers come from flags, then from the environment, and have no default', () => {
    const env = { MONOLITH_BENCH_PEERS_DIR: '/peers', MONOLITH_BENCH_VW: '/peers/vw' };
    const { options } = run(['peers'], { vw: '/other/vw' }, env);
    assert.deepEqual([options.peersDir, options.vw, options.python, options.xlearn], ['/peers', '/other/vw', null, null]);
  });
});
