import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf } from '../../../src/base/index.js';
import { type FidTable, OptimizerKind } from '../../../src/kernels/index.js';
import { referenceSparse } from '../../../src/kernels/reference/sparse.js';
import { adagrad, bits, type Candidate, generator, options, randomFid, randomFloats, rules, slice } from './backends.js';

type Looked = { readonly created: number; readonly rows: Float32Array; readonly handles: Int32Array };

/** Looks up all of `fids`, with two positions before and after that must stay untouched. */
function look(table: FidTable, fids: readonly bigint[], create: boolean, timestamp = 7): Looked {
  const padded = BigInt64Array.from([99n, 99n, ...fids, 99n, 99n]);
  const rows = new Float32Array(padded.length * table.dim).fill(42);
  const handles = new Int32Array(padded.length).fill(-42);
  const created = table.lookup(padded, 2, fids.length, create, timestamp, rows, handles);
  const end = fids.length + 2;
  assert.ok([...handles.subarray(0, 2), ...handles.subarray(end)].every((handle) => handle === -42));
  assert.ok([...rows.subarray(0, 2 * table.dim), ...rows.subarray(end * table.dim)].every((value) => value === 42));
  return { created, rows: rows.slice(2 * table.dim, end * table.dim), handles: handles.slice(2, end) };
}

type Dumped = { readonly fids: BigInt64Array; readonly timestamps: Uint32Array; readonly records: Float32Array };

function dumpAll(table: FidTable, bucketBits = 0, bucket = 0): Dumped {
  const count = table.countBucket(bucketBits, bucket);
  const fids = new BigInt64Array(count);
  const timestamps = new Uint32Array(count);
  const records = new Float32Array(count * (table.dim + table.stateLength));
  assert.equal(table.dump(bucketBits, bucket, fids, timestamps, records), count);
  return { fids, timestamps, records };
}

function applyOnce(table: FidTable, handles: Int32Array, gradients: Float32Array, rates: readonly number[], clip = 0): number {
  return table.apply([handles], Int32Array.of(0), Int32Array.of(handles.length), [gradients], Float32Array.from(rates), clip);
}

const hostile: readonly bigint[] = [
  0n,
  -1n,
  1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  ...Array.from({ length: 3000 }, (_, i) => BigInt(i + 2)),
  ...Array.from({ length: 3000 }, (_, i) => BigInt(i + 1) << 48n),
  ...Array.from({ length: 3000 }, (_, i) => (BigInt(i) << 32n) | 0x7fffffffn),
  ...Array.from({ length: 500 }, (_, i) => -BigInt(i) - 2n),
];

/** Every promise of FidTable, on one implementation. */
export function tableSuite({ name, kernels }: Candidate): void {
  test(`${name}: 150 000 random inserts and lookups agree with a Map`, () => {
    const table = kernels.createTable(options([slice(4)]));
    const model = new Map<bigint, number>();
    const next = generator(1);
    for (let round = 0; round < 60; round++) {
      const batch = new Set<bigint>();
      while (batch.size < 2500) batch.add(next() % 3 === 0 ? BigInt(next() % 20000) : randomFid(next));
      const fids = [...batch];
      const create = round % 3 !== 2;
      const known = model.size;
      const { created, handles, rows } = look(table, fids, create);
      fids.forEach((fid, i) => {
        const expected = model.get(fid);
        if (expected !== undefined) assert.equal(handles[i], expected);
        else if (!create) {
          assert.equal(handles[i], -1);
          assert.ok(rows.subarray(i * 4, i * 4 + 4).every((value) => value === 0));
        } else {
          assert.equal(handles[i], model.size);
          model.set(fid, model.size);
        }
      });
      assert.equal(created, model.size - known);
      assert.equal(table.size(), model.size);
    }
    assert.ok(table.memoryBytes() >= table.size() * (8 * 4 + 16));
  });

  test(`${name}: every 64-bit pattern is a legal fid, ids with equal low or high bits included`, () => {
    const table = kernels.createTable(options([slice(3)]));
    const distinct = [...new Set(hostile)];
    const first = look(table, distinct, true);
    assert.equal(first.created, distinct.length);
    assert.deepEqual(
      [...first.handles],
      distinct.map((_, i) => i),
    );
    const again = look(table, [...distinct].reverse(), false);
    assert.deepEqual(
      [...again.handles].reverse(),
      distinct.map((_, i) => i),
    );
    assert.deepEqual(look(table, [...distinct], true).rows, first.rows);
  });

  test(`${name}: new rows depend on seed and fid alone and equal the reference bit for bit`, () => {
    const kinds = [
      { kind: 0, a: 0, b: 0 },
      { kind: 1, a: 0.3, b: 0 },
      { kind: 2, a: -0.05, b: 0.07 },
      { kind: 3, a: 0.01, b: 0.2 },
    ] as const;
    const slices = kinds.map((initializer, i) => slice(5 + 6 * i, { initializer }));
    const fids = [...new Set(hostile.slice(0, 600))];
    const expected = look(referenceSparse.createTable(options(slices)), fids, true).rows;
    const table = kernels.createTable(options(slices));
    assert.deepEqual(bits(look(table, fids, true).rows), bits(expected));
    const reversed = look(kernels.createTable(options(slices)), [...fids].reverse(), true).rows;
    const dim = table.dim;
    fids.forEach((_, i) => {
      const at = (fids.length - 1 - i) * dim;
      assert.deepEqual(reversed.subarray(at, at + dim), expected.subarray(i * dim, (i + 1) * dim));
    });
    assert.notDeepEqual(look(kernels.createTable(options(slices, { seedLow: 1 })), fids, true).rows, expected);
  });

  test(`${name}: uniform and normal rows have the moments they should`, () => {
    const slices = [slice(32, { initializer: { kind: 2, a: -1, b: 3 } }), slice(32, { initializer: { kind: 3, a: 2, b: 0.5 } })];
    const table = kernels.createTable(options(slices));
    const { rows } = look(
      table,
      Array.from({ length: 2000 }, (_, i) => BigInt(i)),
      true,
    );
    for (const [first, mean, variance] of [
      [0, 1, 16 / 12],
      [32, 2, 0.25],
    ]) {
      let sum = 0;
      let squares = 0;
      for (let r = 0; r < 2000; r++) for (let d = 0; d < 32; d++) sum += rows[r * 64 + first + d];
      for (let r = 0; r < 2000; r++) for (let d = 0; d < 32; d++) squares += (rows[r * 64 + first + d] - sum / 64000) ** 2;
      assert.ok(Math.abs(sum / 64000 - mean) < 0.02, `mean ${sum / 64000}`);
      assert.ok(Math.abs(squares / 64000 / variance - 1) < 0.03, `variance ${squares / 64000}`);
    }
  });

  test(`${name}: duplicates within one creating call make one row`, () => {
    const table = kernels.createTable(options([slice(4)]));
    const { created, handles, rows } = look(table, [5n, 6n, 5n, 5n, 6n], true);
    assert.equal(created, 2);
    assert.deepEqual([...handles], [0, 1, 0, 0, 1]);
    assert.deepEqual(rows.subarray(0, 4), rows.subarray(8, 12));
  });

  test(`${name}: TableFull is thrown before anything is created`, () => {
    const table = kernels.createTable(options([slice(4)], { maxRows: 100 }));
    look(
      table,
      Array.from({ length: 90 }, (_, i) => BigInt(i)),
      true,
    );
    assert.throws(
      () =>
        look(
          table,
          Array.from({ length: 20 }, (_, i) => BigInt(80 + i + 1)),
          true,
        ),
      { code: 'TableFull' },
    );
    assert.equal(table.size(), 90);
    assert.ok(
      look(
        table,
        Array.from({ length: 20 }, (_, i) => BigInt(90 + i)),
        false,
      ).handles.every((handle) => handle === -1),
    );
    assert.equal(
      look(
        table,
        Array.from({ length: 20 }, (_, i) => BigInt(80 + i)),
        true,
      ).created,
      10,
    );
    assert.equal(
      look(
        table,
        Array.from({ length: 100 }, (_, i) => BigInt(i)),
        true,
      ).created,
      0,
    );
    const record = new Float32Array(8);
    assert.throws(() => table.load(BigInt64Array.of(1000n), Uint32Array.of(1), record, 1), { code: 'TableFull' });
  });

  test(`${name}: rows survive growth of index and segments, and keep their numbers`, () => {
    const table = kernels.createTable(options([slice(16)], { segmentRows: 64 }));
    const next = generator(9);
    const fids = Array.from({ length: 20000 }, () => randomFid(next));
    const early = look(table, fids.slice(0, 500), true);
    applyOnce(table, early.handles, randomFloats(500 * 16, next), [0.1]);
    const before = look(table, fids.slice(0, 500), false);
    for (let i = 500; i < fids.length; i += 700) look(table, fids.slice(i, i + 700), true);
    const after = look(table, fids.slice(0, 500), false);
    assert.deepEqual(after, before);
    assert.equal(table.size(), 20000);
  });

  test(`${name}: dump is sorted by unsigned fid, buckets partition the rows, load brings everything back`, () => {
    const slices = [slice(1, { optimizer: { kind: OptimizerKind.ftrl, hyper: [0, 0.1, 1, 0, 0] } }), slice(6)];
    const table = kernels.createTable(options(slices, { timestamps: true }));
    const next = generator(3);
    const fids = [...new Set([...hostile.slice(0, 3000), ...Array.from({ length: 3000 }, () => randomFid(next))])];
    fids.forEach((_, i) => {
      if (i % 1000 === 0) look(table, fids.slice(i, i + 1000), true, 100 + i);
    });
    const { handles } = look(table, fids, false);
    applyOnce(table, handles, randomFloats(fids.length * 7, next), [0.1, 0.2]);
    const all = dumpAll(table);
    const unsigned = [...all.fids].map((fid) => BigInt.asUintN(64, fid));
    assert.deepEqual(
      unsigned,
      fids.map((fid) => BigInt.asUintN(64, fid)).sort((a, b) => (a < b ? -1 : 1)),
    );
    const stamp = new Map(fids.map((fid, i) => [fid, 100 + Math.floor(i / 1000) * 1000]));
    assert.deepEqual(
      [...all.timestamps],
      [...all.fids].map((fid) => stamp.get(fid)),
    );
    for (const bucketBits of [1, 3, 7]) {
      let total = 0;
      for (let bucket = 0; bucket < 1 << bucketBits; bucket++) {
        const part = dumpAll(table, bucketBits, bucket);
        total += part.fids.length;
        assert.ok(part.fids.every((fid) => bucketOf(fid, bucketBits) === bucket));
      }
      assert.equal(total, table.size());
    }
    const copy = kernels.createTable(options(slices, { segmentRows: 256, seedLow: 5, timestamps: true }));
    look(copy, fids.slice(0, 10), true);
    copy.load(all.fids, all.timestamps, all.records, all.fids.length);
    assert.deepEqual(dumpAll(copy), all);
    copy.clear();
    assert.equal(copy.size(), 0);
    assert.equal(copy.countBucket(3, 5), 0);
    assert.ok(look(copy, fids, false).handles.every((handle) => handle === -1));
    copy.load(all.fids, all.timestamps, all.records, all.fids.length);
    assert.deepEqual(dumpAll(copy), all);
  });

  test(`${name}: updates of every rule equal the reference bit for bit`, () => {
    for (const optimizer of rules) {
      for (const dim of [1, 3, 8, 16, 17, 32, 50]) {
        const slices = [slice(dim, { optimizer }), slice(2, { optimizer: adagrad })];
        const tables = [kernels.createTable(options(slices)), referenceSparse.createTable(options(slices))];
        const fids = Array.from({ length: 70 }, (_, i) => BigInt(i * 977));
        const dumps = tables.map((table) => {
          const next = generator(dim);
          for (let step = 0; step < 4; step++) {
            const { handles } = look(table, fids.slice(step * 10), true);
            assert.equal(applyOnce(table, handles, randomFloats(handles.length * (dim + 2), next), [0.05, 0.1], step % 2), handles.length);
          }
          return dumpAll(table);
        });
        assert.deepEqual(bits(dumps[0].records), bits(dumps[1].records), `kind ${optimizer.kind} dim ${dim}`);
      }
    }
  });

  test(`${name}: gradients of a row are summed over sources in source order, then applied once`, () => {
    const table = kernels.createTable(
      options([slice(2, { optimizer: { kind: OptimizerKind.sgd, hyper: [0] }, initializer: { kind: 0, a: 0, b: 0 } })]),
    );
    const { handles } = look(table, [10n, 20n, 30n], true);
    const [a, b, c] = handles;
    // (1e8 + 1) − 1e8 is 0 in float32 while (1e8 − 1e8) + 1 is 1: the order shows.
    const sources = [Int32Array.of(-1, a, b), Int32Array.of(9999, b, -1, a), Int32Array.of(a, c), new Int32Array(0)];
    const gradients = [
      Float32Array.of(5, 5, 1e8, 1e8, 3, 3),
      Float32Array.of(7, 7, 4, 4, 9, 9, 1, -1e8),
      Float32Array.of(-1e8, 1, 6, 6),
      new Float32Array(0),
    ];
    const updated = table.apply(sources, Int32Array.of(0, 1, 0, 0), Int32Array.of(3, 3, 2, 0), gradients, Float32Array.of(1), 0);
    assert.equal(updated, 3);
    const { rows } = look(table, [10n, 20n, 30n], false);
    assert.deepEqual(
      [...rows],
      [-0, -1, -7, -7, -6, -6].map((x) => x + 0),
    );
  });

  test(`${name}: several sources give the bits of one source that holds the sums`, () => {
    const slices = [slice(1), slice(16)];
    const tables = [kernels.createTable(options(slices)), referenceSparse.createTable(options(slices))];
    const dumps = tables.map((table) => {
      const next = generator(8);
      for (let step = 0; step < 5; step++) {
        const sources = [0, 1, 2].map(() => {
          const fids = [...new Set(Array.from({ length: 400 }, () => BigInt(next() % 1000)))];
          return look(table, fids, true).handles;
        });
        const gradients = sources.map((source) => randomFloats(source.length * 17, next));
        const counts = Int32Array.from(sources, (source) => source.length);
        const distinct = new Set(sources.flatMap((source) => [...source])).size;
        assert.equal(table.apply(sources, new Int32Array(3), counts, gradients, Float32Array.of(0.1, 0.05), 0.5), distinct);
      }
      return dumpAll(table);
    });
    assert.deepEqual(bits(dumps[0].records), bits(dumps[1].records));
  });

  test(`${name}: clipRowNorm scales a long gradient down to the norm and leaves a short one`, () => {
    const zeros = { kind: 0, a: 0, b: 0 } as const;
    const sgd = { kind: OptimizerKind.sgd, hyper: [0] };
    const table = kernels.createTable(
      options([slice(1, { optimizer: sgd, initializer: zeros }), slice(1, { optimizer: sgd, initializer: zeros })]),
    );
    const { handles } = look(table, [1n, 2n], true);
    applyOnce(table, handles, Float32Array.of(30, 40, 0.3, 0.4), [1, 1], 5);
    const { rows } = look(table, [1n, 2n], false);
    assert.ok([-3, -4, -0.3, -0.4].every((expected, i) => Math.abs(rows[i] - expected) < 1e-6));
  });

  test(`${name}: wrong arguments are errors, and the table goes on working`, () => {
    const table = kernels.createTable(options([slice(4)]));
    const { handles } = look(table, [1n, 2n, 3n], true);
    const fids = BigInt64Array.of(1n, 2n, 3n);
    const rows = new Float32Array(12);
    const shape = { code: 'ShapeMismatch' };
    assert.throws(() => table.lookup(fids, 0, 4, true, 0, rows, new Int32Array(4)), shape);
    assert.throws(() => table.lookup(fids, 1, 3, true, 0, rows, new Int32Array(4)), shape);
    assert.throws(() => table.lookup(fids, 0, 3, true, 0, rows.subarray(1), new Int32Array(3)), shape);
    assert.throws(() => table.lookup(fids, 0, 3, false, 0, rows, new Int32Array(2)), shape);
    const rates = Float32Array.of(0.1);
    const [starts, counts] = [Int32Array.of(0), Int32Array.of(3)];
    assert.throws(() => table.apply([handles], starts, counts, [], rates, 0), shape);
    assert.throws(() => table.apply([handles], starts, counts, [rows.subarray(1)], rates, 0), shape);
    assert.throws(() => table.apply([handles], starts, Int32Array.of(-1), [rows], rates, 0), shape);
    assert.throws(() => table.apply([handles], Int32Array.of(1), counts, [rows], rates, 0), shape);
    assert.throws(() => table.apply([Int32Array.of(0, 1, 3)], starts, counts, [rows], rates, 0), shape);
    assert.throws(() => table.apply([Int32Array.of(0, 1, -2)], starts, counts, [rows], rates, 0), shape);
    assert.throws(() => table.apply([handles], starts, counts, [rows], new Float32Array(0), 0), shape);
    assert.throws(() => table.apply([handles], starts, counts, [rows], rates, Number.NaN));
    assert.throws(() => table.countBucket(33, 0), { code: 'InvalidArgument' });
    assert.throws(() => table.countBucket(2, 4), { code: 'InvalidArgument' });
    assert.throws(() => table.dump(0, 0, new BigInt64Array(2), new Uint32Array(3), new Float32Array(24)), shape);
    assert.throws(() => table.load(fids, new Uint32Array(3), new Float32Array(23), 3), shape);
    assert.throws(() => kernels.createTable(options([])), { code: 'InvalidArgument' });
    assert.throws(() => kernels.createTable(options([slice(0)])), { code: 'InvalidArgument' });
    assert.throws(() => kernels.createTable(options([slice(4)], { segmentRows: 1000 })), { code: 'InvalidArgument' });
    assert.deepEqual(look(table, [1n, 2n, 3n], false).handles, handles);
  });
}
