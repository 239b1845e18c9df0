import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { OptimizerKind, RowFormat } from '../../../src/kernels/index.js';
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
  const table = raw.tableCreate(words, 1, 2, 64, 1000, false, 0);
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
      // A table that was let go of is none any more.
      for (const first of name === 'tableRelease' ? [value] : [table, value]) {
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
    assert.throws(() => raw.tableCreate(wrong, 1, 2, 64, 1000, false, 0), RangeError);
  }
  assert.throws(() => raw.tableCreate(words.subarray(1), 1, 2, 64, 1000, false, 0), RangeError);
  assert.throws(() => raw.tableCreate(words, 1, 2, 64, 1000, false, 3), RangeError);
  assert.throws(() => raw.tableCreate(words, 1, 2, 63, 1000, false, 0), RangeError);
  assert.throws(() => raw.tableAttach(0), RangeError);
  const own = raw.tableCreate(words, 1, 2, 64, 1000, false, 0);
  raw.tableRelease(own);
  assert.throws(() => raw.tableRelease(own), TypeError);
  assert.throws(() => raw.tableSize(own), TypeError);
  assert.throws(() => raw.tableDescribe(table, new Float64Array(5)), RangeError);
  // Beyond maxRows: creating has no room, and says so.
  const full = raw.tableCreate(words, 1, 2, 64, 2, false, 0);
  const fids = BigInt64Array.of(1n, 2n, 3n);
  assert.equal(raw.tableLookup(full, fids, 0, 3, true, 0, new Float32Array(12), new Int32Array(3)), -3);
  assert.equal(raw.tableLookup(full, fids, 0, 3, false, 0, new Float32Array(12), new Int32Array(3)), 0);
  assert.equal(raw.tableSize(full), 0);
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

test('16-bit values take half the memory of float32 ones, index and optimizer state are as large', { skip: addon === null }, () => {
  if (addon === null) return;
  const count = 1 << 18;
  const rowwise = { kind: OptimizerKind.rowwiseAdagrad, hyper: [0, 0.1, 1e-10] } as const;
  const bytes = Object.values(RowFormat).map((format) => {
    const table = new NativeTable(addon, options([slice(16, { optimizer: rowwise })], { segmentRows: 1 << 18, format }));
    const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i) * 0x9e3779b1n);
    table.lookup(fids, 0, count, true, 1, new Float32Array(16 * count), new Int32Array(count));
    return table.memoryBytes() / count;
  });
  assert.ok(Math.abs(bytes[0] - bytes[1] - 32) < 0.5, `bytes a row: ${bytes}`);
  assert.equal(bytes[1], bytes[2]);
});

test('rows are dirty from creation or update until cleared', { skip: addon === null }, () => {
  if (addon === null) return;
  const table = new NativeTable(addon, options([slice(2)], { segmentRows: 64 }));
  const count = 300;
  const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i));
  const handles = new Int32Array(count);
  const rows = new Float32Array(2 * count);
  table.lookup(fids, 0, count, true, 1, rows, handles);
  assert.equal(table.countChanged(), count);
  table.clearChanged();
  table.lookup(fids, 0, count, true, 1, rows, handles);
  assert.equal(table.countChanged(), 0);
  table.apply([handles, handles], Int32Array.of(10, 12), Int32Array.of(5, 5), [rows, rows], Float32Array.of(0.1), 0);
  assert.equal(table.countChanged(), 7);
});

test('beyond 33 million rows the index takes at most 18 bytes a row', { skip: addon === null }, () => {
  if (addon === null) return;
  const sgd = { kind: OptimizerKind.sgd, hyper: [0] } as const;
  const table = new NativeTable(addon, options([slice(1, { optimizer: sgd })], { segmentRows: 1 << 20, maxRows: 1 << 26 }));
  const batch = 1 << 17;
  const fids = new BigInt64Array(batch);
  const rows = new Float32Array(batch);
  const handles = new Int32Array(batch);
  let fid = 0n;
  while (table.size() < 35_000_000) {
    for (let i = 0; i < batch; i++) fids[i] = fid++;
    table.lookup(fids, 0, batch, true, 1, rows, handles);
    const bytes = table.memoryBytes() / table.size() - 4;
    if (table.size() > 33_000_000) assert.ok(bytes <= 18, `${bytes} bytes a row beside its 4 at ${table.size()} rows`);
  }
});

test('a million rows: partitions grow and split, and every row keeps its number, whatever order hashes come in', {
  skip: addon === null,
}, () => {
  if (addon === null) return;
  const count = 1_000_000;
  const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i) * 0x9e3779b1n);
  const handles = new Int32Array(count);
  const rows = new Float32Array(count);
  const sgd = { kind: OptimizerKind.sgd, hyper: [0] } as const;
  const small = options([slice(1, { optimizer: sgd })], { segmentRows: 1 << 16 });
  const table = new NativeTable(addon, small);
  for (let first = 0; first < count; first += 7000) table.lookup(fids, first, Math.min(7000, count - first), true, 1, rows, handles);
  assert.ok(handles.every((handle, i) => handle === i));
  assert.ok(table.memoryBytes() / count < 34, `${table.memoryBytes() / count} bytes a row`);
  const created = rows.slice();
  table.lookup(fids, 0, count, false, 1, rows, handles);
  assert.ok(handles.every((handle, i) => handle === i));
  assert.deepEqual(rows, created);

  // Bucket by bucket, as checkpoints are read: first into a table that knows nothing of them, then into one that expects them.
  const known = new NativeTable(addon, small);
  known.expectRows(count);
  const presized = known.memoryBytes();
  for (const copy of [new NativeTable(addon, small), known]) {
    let total = 0;
    for (let bucket = 0; bucket < 64; bucket++) {
      const length = table.countBucket(6, bucket);
      const [part, stamps, records] = [new BigInt64Array(length), new Uint32Array(length), new Float32Array(length)];
      assert.equal(table.dump(6, bucket, part, stamps, records), length);
      copy.load(part, stamps, records, length);
      total += length;
      assert.equal(copy.size(), total);
      assert.equal(copy.countBucket(6, bucket), length);
    }
    assert.equal(total, count);
    copy.lookup(fids, 0, count, false, 1, rows, handles);
    assert.deepEqual(rows, created);
  }
  assert.ok(known.memoryBytes() - presized < 8e6, 'a table that expected its rows makes no new index');
});

test('threads hold one table together, and its rows live as long as the last of them', { skip: addon === null }, async () => {
  if (addon === null) return;
  const table = new NativeTable(addon, options([slice(16)]));
  const fids = BigInt64Array.from({ length: 5000 }, (_, i) => BigInt(i) << 20n);
  const handles = new Int32Array(5000);
  const rows = new Float32Array(5000 * 16);
  table.lookup(fids, 0, 100, true, 1, rows, handles);
  const worker = new Worker(new URL('./use-table.thread.js', import.meta.url), { workerData: { shareId: table.shareId() } });
  const exit = once(worker, 'exit');
  const [answer] = await once(worker, 'message');
  assert.deepEqual(await exit, [0]);
  assert.equal(answer.created, 4900);
  assert.equal(table.size(), 5000);
  table.lookup(fids, 0, 5000, false, 1, rows, handles);
  assert.equal(
    rows.reduce((sum, value) => sum + value, 0),
    answer.sum,
  );
  const again = new NativeTable(addon, table.shareId());
  assert.deepEqual([again.size(), again.dim, again.stateLength], [5000, 16, 16]);
  again.clear();
  assert.equal(table.size(), 0);
  assert.throws(() => new NativeTable(addon, 0xffffffff), { code: 'InvalidArgument' });
});
