import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { NativeTable } from '../../../src/kernels/native/native-table.js';
import { nativeAddon, options, slice } from './backends.js';

const addon = nativeAddon();

test('fifty threads in turn load the addon, use a table and end', { skip: addon === null }, async () => {
  const answers: { created: number; updated: number; sum: number }[] = [];
  for (let number = 0; number < 50; number++) {
    const worker = new Worker(new URL('./use-table.thread.js', import.meta.url), { workerData: number });
    const exit = once(worker, 'exit');
    const [answer] = await once(worker, 'message');
    answers.push(answer);
    assert.deepEqual(await exit, [0]);
  }
  assert.ok(answers.every(({ created, updated, sum }) => created === 5000 && updated === 5000 && sum === answers[0].sum));
});

test('the raw addon answers wrong arguments with TypeError or RangeError', { skip: addon === null }, () => {
  const raw = addon as unknown as { [name: string]: (...args: unknown[]) => unknown };
  const words = Float64Array.of(4, 2, -1, 1, 1, 0, 0.1, 1e-10, 0, 0);
  const table = raw.tableCreate(words, 1, 2, 64, 1000);
  const expected = (error: unknown) => error instanceof TypeError || error instanceof RangeError;
  const functions = Object.keys(raw).filter((name) => /^(table|dedupe|embedding|optimizerStep|gatherRows|adviseHuge)/.test(name));
  assert.ok(functions.length > 15);
  const junk = [
    undefined,
    null,
    1,
    -1,
    0.5,
    Number.NaN,
    2 ** 60,
    'x',
    {},
    [],
    new Float32Array(0),
    new Float64Array(3),
    1n,
    () => 0,
    Symbol('s'),
  ];
  for (const name of functions) {
    assert.throws(() => raw[name](), expected, name);
    for (const value of junk) {
      for (const first of [table, value]) {
        const args = [first, ...new Array(14).fill(value)];
        const mayPass = name === 'adviseHugePages' || first === table;
        try {
          raw[name](...args);
          assert.ok(mayPass, `${name} accepted ${String(value)}`);
        } catch (error) {
          assert.ok(expected(error), `${name}: ${String(error)}`);
        }
      }
    }
  }
  for (const change of [
    [0, 0],
    [0, 1.5],
    [0, 1e9],
    [1, 4],
    [4, 6],
    [4, -1],
    [4, Number.NaN],
  ]) {
    const wrong = words.slice();
    wrong[change[0]] = change[1];
    assert.throws(() => raw.tableCreate(wrong, 1, 2, 64, 1000), RangeError);
  }
  assert.throws(() => raw.tableCreate(words.subarray(1), 1, 2, 64, 1000), RangeError);
  assert.throws(() => raw.tableCreate(words, 1, 2, 63, 1000), RangeError);
  assert.throws(() => raw.tableAddSegment(table, new Uint8Array(64 * 32 - 1)), RangeError);
  // No segment was added: creating has no room, and says so.
  const fids = BigInt64Array.of(1n);
  assert.equal(raw.tableLookup(table, fids, 0, 1, true, 0, new Float32Array(4), new Int32Array(1)), -1);
  assert.equal(raw.tableLookup(table, fids, 0, 1, false, 0, new Float32Array(4), new Int32Array(1)), 0);
});

test('memory grows by a segment when rows need one, and not before', { skip: addon === null }, () => {
  if (addon === null) return;
  const table = new NativeTable(addon, options([slice(16)], { segmentRows: 1024 }));
  const before = table.memoryBytes();
  const lookup = (from: number, count: number): void => {
    const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(from + i));
    table.lookup(fids, 0, count, true, 1, new Float32Array(16 * count), new Int32Array(count));
  };
  lookup(0, 1000);
  const one = table.memoryBytes();
  assert.ok(one - before >= 1024 * 128 && one - before < 1024 * 128 * 1.5);
  lookup(0, 1000);
  assert.equal(table.memoryBytes(), one);
  lookup(900, 200);
  assert.ok(table.memoryBytes() - one >= 1024 * 128);
});

test('rows are dirty from creation or update until cleared', { skip: addon === null }, () => {
  if (addon === null) return;
  const table = new NativeTable(addon, options([slice(2)], { segmentRows: 64 }));
  const count = 300;
  const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i));
  const handles = new Int32Array(count);
  const rows = new Float32Array(2 * count);
  table.lookup(fids, 0, count, true, 1, rows, handles);
  assert.equal(table.countDirty(), count);
  table.clearDirty();
  table.lookup(fids, 0, count, true, 1, rows, handles);
  assert.equal(table.countDirty(), 0);
  table.apply([handles, handles], Int32Array.of(10, 12), Int32Array.of(5, 5), [rows, rows], Float32Array.of(0.1), 0);
  assert.equal(table.countDirty(), 7);
});
