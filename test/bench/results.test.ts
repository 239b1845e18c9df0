import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareResults, compareText, failures } from '../../src/bench/compare.js';
import {
  BENCH_FORMAT,
  type BenchFile,
  type BenchResult,
  completeResult,
  parseMeasurement,
  quantile,
  spreadOf,
} from '../../src/bench/result.js';
import { figure, resultsText } from '../../src/bench/text.js';

const measurement = { name: 'gemm forward', unit: 'GFLOP/s', better: 'higher', values: [80, 100, 90, 95, 85] } as const;

function result(name: string, values: readonly number[], better: 'higher' | 'lower' = 'higher'): BenchResult {
  return completeResult('kernels', { name, unit: 'x', better, values }, new Map(), 'npx monolith-local bench kernels');
}

function file(results: readonly BenchResult[]): BenchFile {
  return {
    format: BENCH_FORMAT,
    date: '2026-01-01T00:00:00.000Z',
    seconds: 1,
    machine: { cpu: 'one' },
    versions: { package: '0' },
    results,
  };
}

describe('a result', () => {
  test('has median, ends and quartiles of its samples', () => {
    assert.deepEqual(spreadOf(measurement.values), { median: 90, min: 80, max: 100, p25: 85, p75: 95, samples: 5 });
    assert.equal(quantile([1, 2], 0.5), 1.5);
    assert.deepEqual(spreadOf([]), { median: null, min: null, max: null, p25: null, p75: null, samples: 0 });
  });

  test('reads as a share of its limit, in its own unit', () => {
    const limits = new Map([['FMA peak', 120]]);
    const direct = completeResult('kernels', { ...measurement, limit: { name: 'FMA peak' } }, limits, 'c');
    assert.deepEqual(direct.limit, { name: 'FMA peak', value: 120, percent: 75 });
    const scaled = completeResult('train', { ...measurement, limit: { name: 'FMA peak', times: 2 } }, limits, 'c');
    assert.deepEqual(scaled.limit, { name: 'FMA peak', value: 240, percent: 37.5 });
  });

  test('names no limit that was not measured', () => {
    assert.equal(completeResult('kernels', { ...measurement, limit: { name: 'bf16 peak' } }, new Map(), 'c').limit, undefined);
  });

  test('without samples is absent in the table, with its reason and without a number', () => {
    const absent = completeResult('peers', { ...measurement, values: [], info: { absent: 'no torch' } }, new Map(), 'c');
    assert.equal(absent.median, null);
    assert.match(resultsText([absent]), /gemm forward +absent .*no torch/);
    const failed = completeResult('train', { ...measurement, values: [], info: { failed: 'out of memory' } }, new Map(), 'c');
    assert.match(resultsText([failed]), /failed .*out of memory/);
  });

  test('comes from a JSON line; other lines are no results', () => {
    assert.deepEqual(parseMeasurement(JSON.stringify(measurement)), measurement);
    for (const line of [
      '',
      'text',
      '{',
      '{}',
      '{"name":"a","unit":"b","better":"higher","values":[null]}',
      '{"name":"a","unit":"b","better":"up","values":[]}',
    ]) {
      assert.equal(parseMeasurement(line), null, line);
    }
  });

  test('is shown with the digits that its size deserves', () => {
    assert.deepEqual([53412.4, 229.44, 1.2345, 0.01234, 0, null].map(figure), ['53,412', '229.4', '1.23', '0.0123', '0.00', '–']);
  });
});

describe('comparing two files', () => {
  const old = file([
    result('a', [100, 101, 102]),
    result('b', [10, 11, 12], 'lower'),
    result('c', [5, 5, 5]),
    result('gone', [1]),
    result('d', []),
  ]);
  const now = file([
    result('a', [80, 81, 82]),
    result('b', [5, 5.5, 6], 'lower'),
    result('c', [4, 5, 6]),
    result('new', [1]),
    result('d', [2]),
  ]);
  const changes = compareResults(old, now);

  test('gives how many times better each common figure is, whichever way is better', () => {
    assert.deepEqual(
      changes.map(({ name, ratio, beyondNoise }) => [name, Number(ratio.toFixed(3)), beyondNoise]),
      [
        ['a', 0.802, true],
        ['b', 2, true],
        ['c', 1, false],
      ],
    );
  });

  test('a small change is noise, however narrow the spread', () => {
    assert.equal(compareResults(file([result('a', [100, 100, 100])]), file([result('a', [101, 101, 101])]))[0].beyondNoise, false);
  });

  test('shows ratios, marks and what only one file has', () => {
    const text = compareText(old, now, changes);
    assert.match(text, /kernels: a .*0\.802× +-/);
    assert.match(text, /kernels: b .*2\.000× +\+/);
    assert.match(text, /3 figures in both, 2 changed beyond noise/);
    assert.match(text, /1 only in the old file; 1 only in the new file/);
  });

  test('fails below a ratio where the change is beyond noise', () => {
    assert.deepEqual(
      failures(changes, 0.9).map(({ name }) => name),
      ['a'],
    );
    assert.deepEqual(failures(changes, 0.8), []);
  });

  test('leaves out figures whose unit changed', () => {
    const other = file([{ ...result('a', [1]), unit: 'y' }]);
    assert.deepEqual(compareResults(old, other), []);
  });
});
