import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FidTable, type FrozenRows, RowFormat } from '../../../src/kernels/index.js';
import { bits, type Candidate, generator, options, randomFid, randomFloats, slice } from './backends.js';

export type Read = { readonly fids: BigInt64Array; readonly timestamps: Uint32Array; readonly records: Float32Array };

/** Every row of a table, bucket by bucket, as dump has them. */
export function dumped(table: FidTable, bucketBits: number): Read[] {
  return Array.from({ length: 2 ** bucketBits }, (_, bucket) => {
    const count = table.countBucket(bucketBits, bucket);
    const read = arrays(count, table.dim + table.stateLength);
    table.dump(bucketBits, bucket, read.fids, read.timestamps, read.records);
    return read;
  });
}

export function readBucket(rows: FrozenRows, bucketBits: number, bucket: number): Read {
  const count = rows.collect(bucketBits, bucket);
  const read = arrays(count, rows.dim + rows.stateLength);
  assert.equal(rows.read(read.fids, read.timestamps, read.records), -1);
  return read;
}

function arrays(count: number, width: number): Read {
  return { fids: new BigInt64Array(count), timestamps: new Uint32Array(count), records: new Float32Array(count * width) };
}

export function assertSame(actual: Read, expected: Read, label: string): void {
  assert.deepEqual(actual.fids, expected.fids, label);
  assert.deepEqual(actual.timestamps, expected.timestamps, label);
  assert.ok(Buffer.from(bits(actual.records).buffer).equals(Buffer.from(bits(expected.records).buffer)), label);
}

/** Trains on random ids, some new: looks them up and applies gradients, from one or two sources. */
export function trainer(table: FidTable, seed: number, numIds: number): (step: number) => void {
  const next = generator(seed);
  return (step) => {
    const batch = new Set<bigint>();
    while (batch.size < 200) batch.add(next() % 8 === 0 ? randomFid(next) : BigInt(next() % numIds) << BigInt(next() % 3));
    const fids = BigInt64Array.from(batch);
    const handles = new Int32Array(fids.length);
    const rows = new Float32Array(fids.length * table.dim);
    table.lookup(fids, 0, fids.length, true, step, rows, handles);
    const gradients = randomFloats(rows.length, next);
    const sources = step % 2 === 0 ? [0, 0] : [0];
    table.apply(
      sources.map(() => handles),
      Int32Array.from(sources),
      Int32Array.from(sources, (_, s) => fids.length - s * 50),
      sources.map(() => gradients),
      Float32Array.of(0.1),
      0,
      sources.map(() => fids),
      step,
    );
  };
}

/** What FidTable.freeze promises, on one implementation. */
export function frozenSuite({ name, kernels }: Candidate): void {
  for (const [format, timestamps] of [
    [RowFormat.fp32, false],
    [RowFormat.fp32, true],
    [RowFormat.bf16, true],
    [RowFormat.fp16, false],
  ] as const) {
    for (const dim of [3, 16]) {
      const label = `${name}: dim ${dim}, format ${format}${timestamps ? ', last uses' : ''}`;
      test(`${label}: frozen rows are those of that moment, whatever changes, is added or loaded while they are read`, () => {
        const table = kernels.createTable(options([slice(dim)], { format, timestamps, segmentRows: 256 }));
        const train = trainer(table, dim + format, 3000);
        for (let step = 1; step < 40; step++) train(step);
        for (const bucketBits of [0, 3, 10]) {
          const expected = dumped(table, bucketBits);
          const size = table.size();
          table.freeze(false, false);
          const rows = table.frozen();
          assert.equal(rows.size, size);
          assert.equal(rows.count, size);
          for (let bucket = 0; bucket < 2 ** bucketBits; bucket++) {
            if (bucket < 40) train(1000 + bucket);
            if (bucket === 1) {
              const { fids, timestamps: uses, records } = expected[6];
              table.load(
                fids,
                uses.map((use) => use + 5),
                records.map((value) => value + 1),
                fids.length,
              );
            }
            assertSame(readBucket(rows, bucketBits, bucket), expected[bucket], `bucket ${bucket} of 2^${bucketBits}`);
          }
          assert.ok(table.size() > size);
          rows.release();
        }
      });
    }
  }

  test(`${name}: the memory of copies serves the next freeze: no mark, number or copy of the one before is taken for one of its own`, () => {
    const count = 20_000;
    const table = kernels.createTable(options([slice(16)]));
    const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i * 3));
    const handles = new Int32Array(count);
    const values = new Float32Array(count * 16);
    table.lookup(fids, 0, count, true, 1, values, handles);
    const change = (first: number, rows: number): void => {
      table.apply([handles.subarray(first)], Int32Array.of(0), Int32Array.of(rows), [values], Float32Array.of(0.1), 0);
    };
    // Copies beyond the first pages, then few, then others.
    for (const [first, rows] of [
      [0, count],
      [100, 50],
      [10_000, 10_000],
    ]) {
      const [expected] = dumped(table, 0);
      table.freeze(false, false);
      const frozen = table.frozen();
      change(first, rows);
      change(first, rows);
      assertSame(readBucket(frozen, 0, 0), expected, `${rows} rows from ${first} on`);
      frozen.end();
      // The table notices the end: the reader is the last to hold the rows.
      change(0, 1);
      frozen.release();
    }
  });

  test(`${name}: only changed rows are frozen where asked: created, updated, loaded; a freeze forgets them or not`, () => {
    const table = kernels.createTable(options([slice(2)], { segmentRows: 64 }));
    const fids = BigInt64Array.from({ length: 500 }, (_, i) => BigInt(i * 7));
    const handles = new Int32Array(500);
    const rows = new Float32Array(1000);
    const freeze = (onlyChanged: boolean, forget: boolean): bigint[] => {
      table.freeze(onlyChanged, forget);
      const frozen = table.frozen();
      const read = readBucket(frozen, 0, 0);
      assert.equal(frozen.count, read.fids.length);
      frozen.release();
      return [...read.fids];
    };
    assert.deepEqual(freeze(true, false), []);
    table.lookup(fids, 0, 300, true, 1, rows, handles);
    assert.equal(freeze(true, false).length, 300);
    assert.equal(freeze(false, true).length, 300);
    assert.deepEqual(freeze(true, false), []);
    table.apply([handles], Int32Array.of(10), Int32Array.of(3), [rows], Float32Array.of(0.1), 0);
    table.lookup(fids, 0, 302, true, 1, rows, handles);
    table.load(fids.subarray(299, 300), new Uint32Array(1), new Float32Array(4), 1);
    const changed = [10, 11, 12, 299, 300, 301].map((i) => fids[i]);
    assert.deepEqual(freeze(true, false), changed);
    assert.deepEqual(freeze(true, false), changed, 'they stay until they are forgotten');
    assert.equal(table.countChanged(), changed.length);
    table.clearChanged();
    assert.deepEqual(freeze(true, false), []);
  });

  test(`${name}: one reader at a time; nothing is frozen before freeze nor after release; rows are read once`, () => {
    const table = kernels.createTable(options([slice(2)]));
    assert.throws(() => table.frozen(), { code: 'InvalidArgument' });
    table.freeze(false, false);
    // Nobody has come to read: the next one may take its place.
    table.freeze(false, false);
    const rows = table.frozen();
    assert.equal(rows.collect(0, 0), 0);
    assert.throws(() => table.freeze(false, false), { code: 'FailedPrecondition' });
    rows.end();
    table.freeze(false, false);
    rows.release();
    rows.release();
    table.frozen().release();
    assert.throws(() => table.frozen(), { code: 'InvalidArgument' });
    table.lookup(BigInt64Array.of(5n), 0, 1, true, 1, new Float32Array(2), new Int32Array(1));
    table.freeze(false, false);
    const one = table.frozen();
    assert.equal(readBucket(one, 0, 0).fids.length, 1);
    const before = new BigInt64Array(1);
    assert.equal(one.read(before, new Uint32Array(1), new Float32Array(4)), -1);
    assert.equal(before[0], 0n);
    one.release();
  });

  test(`${name}: says which value is not finite`, () => {
    const table = kernels.createTable(options([slice(3)]));
    const records = new Float32Array(6 * 4).fill(1);
    records[6 + 4] = Number.NaN;
    records[12] = Number.POSITIVE_INFINITY;
    table.load(BigInt64Array.of(1n, 2n, 3n, 4n), new Uint32Array(4), records, 4);
    table.freeze(false, true);
    const rows = table.frozen();
    assert.equal(rows.collect(0, 0), 4);
    assert.equal(rows.read(new BigInt64Array(4), new Uint32Array(4), new Float32Array(24)), 6 + 4);
    rows.release();
  });
}
