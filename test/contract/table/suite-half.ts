import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FidTable, OptimizerKind, RowFormat, type SliceLayout } from '../../../src/kernels/index.js';
import { referenceSparse } from '../../../src/kernels/reference/sparse.js';
import { bits, type Candidate, generator, options, randomFid, randomFloats, rules, slice } from './backends.js';

const formats = [
  ['bf16', RowFormat.bf16],
  ['fp16', RowFormat.fp16],
] as const;
const sgd = { kind: OptimizerKind.sgd, hyper: [0] } as const;
const zeros = { kind: 0, a: 0, b: 0 } as const;

type Ids = readonly bigint[];

function look(table: FidTable, fids: Ids, create: boolean): { rows: Float32Array; handles: Int32Array } {
  const rows = new Float32Array(fids.length * table.dim);
  const handles = new Int32Array(fids.length);
  table.lookup(BigInt64Array.from(fids), 0, fids.length, create, 1, rows, handles);
  return { rows, handles };
}

/** One update of `fids` (which have rows), each source a part of `sources` parts. */
function update(table: FidTable, fids: Ids, gradients: Float32Array, step: number, rate = 0.1, clip = 0): void {
  const { handles } = look(table, fids, false);
  const rates = new Float32Array(8).fill(rate);
  table.apply([handles], Int32Array.of(0), Int32Array.of(fids.length), [gradients], rates, clip, [BigInt64Array.from(fids)], step);
}

function records(table: FidTable): Float32Array {
  const count = table.size();
  const all = new Float32Array(count * (table.dim + table.stateLength));
  table.dump(0, 0, new BigInt64Array(count), new Uint32Array(count), all);
  return all;
}

/** A table of one-value rows 1, 2, 3 … that hold `values`, brought in by load. */
function holding(kernels: Candidate['kernels'], format: RowFormat, values: Float32Array, dim = 1): FidTable {
  const table = kernels.createTable(options([slice(dim, { optimizer: sgd })], { format }));
  const count = values.length / dim;
  table.load(
    BigInt64Array.from({ length: count }, (_, i) => BigInt(i + 1)),
    new Uint32Array(count),
    values,
    count,
  );
  return table;
}

/** Every finite value of a format in ascending order, computed from the definition of the format in double. */
function finiteValues(format: RowFormat): number[] {
  const [exponentBits, fractionBits, bias] = format === RowFormat.bf16 ? [8, 7, 127] : [5, 10, 15];
  const positive: number[] = [];
  for (let exponent = 0; exponent < 2 ** exponentBits - 1; exponent++) {
    for (let fraction = 0; fraction < 2 ** fractionBits; fraction++) {
      const lead = exponent === 0 ? 0 : 1;
      positive.push((lead + fraction / 2 ** fractionBits) * 2 ** (Math.max(exponent, 1) - bias));
    }
  }
  return [...positive.slice(1).map((x) => -x), ...positive].sort((a, b) => a - b);
}

/** Numbers of all sizes, with those at the edges of both formats. */
function hostileFloats(): Float32Array {
  const next = generator(77);
  const patterns = Uint32Array.from({ length: 6000 }, () => next());
  const any = [...new Float32Array(patterns.buffer)].filter((x) => Number.isFinite(x));
  const some = Array.from({ length: 6000 }, () => (next() / 2 ** 32 - 0.5) * 2 ** ((next() % 50) - 34));
  const edges = [
    0,
    2 ** -14,
    2 ** -24,
    2 ** -25,
    2 ** -149,
    65504,
    65519,
    65520,
    65536,
    3.4e38,
    3.3895e38,
    1,
    1 + 2 ** -8,
    1 + 2 ** -11,
    0.5,
  ];
  const near = edges.flatMap((x) => [x, -x, x * (1 + 2 ** -23), x * (1 - 2 ** -23), x * 1.5]);
  return Float32Array.from([...any, ...some, ...near].filter((x) => Number.isFinite(Math.fround(x))));
}

/** Promises of tables whose values have 16 bits, on one implementation. */
export function halfSuite({ name, kernels }: Candidate): void {
  for (const [word, format] of formats) {
    test(`${name}, ${word}: every value of the format is stored and comes back as it is`, () => {
      const all = Float32Array.from([...finiteValues(format), Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
      const table = holding(kernels, format, all);
      assert.deepEqual(records(table), all);
      const { rows } = look(
        table,
        Array.from(all, (_, i) => BigInt(i + 1)),
        false,
      );
      assert.deepEqual(rows, all);
      // A rate of 0 changes nothing, whatever the noise.
      const fids = Array.from(all, (_, i) => BigInt(i + 1));
      update(table, fids, new Float32Array(all.length).fill(1), 3, 0);
      assert.deepEqual(records(table), all);
    });

    test(`${name}, ${word}: loaded values are rounded to nearest, ties to even, and never to infinity`, () => {
      const values = hostileFloats();
      const known = finiteValues(format);
      const rounded = records(holding(kernels, format, values));
      const indexOf = new Map(known.map((x, i) => [x, i]));
      const middle = indexOf.get(0) as number;
      values.forEach((x, i) => {
        const at = indexOf.get(rounded[i]);
        assert.ok(at !== undefined, `${x} became ${rounded[i]}`);
        if (Math.abs(x) > known[known.length - 1]) assert.equal(Math.abs(rounded[i]), known[known.length - 1]);
        if (Math.abs(x) > known[known.length - 1]) return;
        for (const neighbour of [known[at - 1], known[at + 1]]) {
          if (neighbour === undefined) continue;
          const [distance, other] = [Math.abs(x - rounded[i]), Math.abs(x - neighbour)];
          assert.ok(distance < other || (distance === other && (at - middle) % 2 === 0), `${x} became ${rounded[i]}, not ${neighbour}`);
        }
      });
      for (const dim of [3, 16, 17, 40]) {
        const whole = values.subarray(0, Math.floor(values.length / dim) * dim);
        assert.deepEqual(bits(records(holding(kernels, format, whole, dim))), bits(rounded.subarray(0, whole.length)), `dim ${dim}`);
      }
    });

    test(`${name}, ${word}: new rows are the float32 ones rounded to nearest, in lookup and after`, () => {
      for (const dim of [1, 7, 16, 17, 32, 33]) {
        const fids = Array.from({ length: 300 }, (_, i) => BigInt(i) * 12345678912345n);
        const plain = look(referenceSparse.createTable(options([slice(dim)])), fids, true).rows;
        const expected = records(holding(referenceSparse, format, plain, dim));
        const table = kernels.createTable(options([slice(dim)], { format }));
        assert.deepEqual(bits(look(table, fids, true).rows), bits(expected));
        assert.deepEqual(bits(look(table, [...fids, 5n], false).rows.subarray(0, expected.length)), bits(expected));
      }
    });

    test(`${name}, ${word}: updates of every rule equal the reference bit for bit`, () => {
      for (const optimizer of rules) {
        for (const dim of [1, 3, 8, 16, 17, 32, 50]) {
          const slices: SliceLayout[] = [slice(dim, { optimizer }), ...(dim % 2 === 0 ? [] : [slice(2)])];
          const fids = Array.from({ length: 70 }, (_, i) => BigInt(i * 977) << (i % 3 === 0 ? 40n : 0n));
          const [actual, expected] = [kernels, referenceSparse].map((implementation) => {
            const table = implementation.createTable(options(slices, { format }));
            const next = generator(dim);
            for (let step = 0; step < 4; step++) {
              const some = fids.slice(step * 10);
              look(table, some, true);
              update(table, some, randomFloats(some.length * table.dim, next), 2 ** 33 * (step % 2) + step, 0.05, step % 2);
            }
            return records(table);
          });
          assert.deepEqual(bits(actual), bits(expected), `kind ${optimizer.kind} dim ${dim}`);
        }
      }
    });

    test(`${name}, ${word}: rounding of values of all sizes equals the reference bit for bit`, () => {
      const values = hostileFloats();
      const fids = Array.from(values, (_, i) => BigInt(i + 1));
      const gradients = values.map((x, i) => (i % 7 === 0 ? x : x / 300));
      gradients.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
      const [actual, expected] = [kernels, referenceSparse].map((implementation) => {
        const table = holding(implementation, format, values);
        for (let step = 0; step < 5; step++) update(table, fids, gradients, step, 0.7);
        return records(table);
      });
      assert.deepEqual(bits(actual), bits(expected));
      assert.ok(Number.isNaN(actual[0]) && !Number.isFinite(actual[1]) && !Number.isFinite(actual[2]));
      // Those that float32 itself does not hold become infinite, no others.
      assert.ok(actual.subarray(3).every((x, i) => Number.isFinite(x) || Math.abs(values[i + 3]) > 1e38));
    });

    test(`${name}, ${word}: a value too large for the format stops at the largest, and NaN stays NaN`, () => {
      const table = kernels.createTable(options([slice(4, { optimizer: sgd, initializer: zeros })], { format }));
      look(table, [1n], true);
      const most = Math.max(...finiteValues(format));
      const big = format === RowFormat.bf16 ? 3.4e38 : 70000;
      update(table, [1n], Float32Array.of(big, -big, Number.NaN, 0), 1, 1);
      assert.deepEqual([...look(table, [1n], false).rows], [-most, most, Number.NaN, 0]);
      update(table, [1n], Float32Array.of(most / 1e4, -most / 1e4, 1, 0), 2, 1);
      assert.deepEqual([...look(table, [1n], false).rows], [-most, most, Number.NaN, 0]);
    });

    test(`${name}, ${word}: rounding has no bias, and its noise differs from value to value, row to row and step to step`, () => {
      // Value, distance to the next of the format.
      const places = [
        [1, format === RowFormat.bf16 ? 2 ** -7 : 2 ** -10],
        format === RowFormat.bf16 ? [2 ** -20, 2 ** -27] : [2 ** -20, 2 ** -24],
      ];
      const dim = 16;
      const count = 1500;
      const fids = Array.from({ length: count }, (_, i) => BigInt(i) << 20n);
      for (const [from, gap] of places) {
        for (const share of [0.03, 0.5, 0.8]) {
          const table = kernels.createTable(options([slice(dim, { optimizer: sgd, initializer: { kind: 1, a: from, b: 0 } })], { format }));
          look(table, fids, true);
          update(table, fids, new Float32Array(count * dim).fill(-gap * share), 9, 1);
          const { rows } = look(table, fids, false);
          const up = rows.map((x) => (x - from) / gap);
          assert.ok(up.every((x) => x === 0 || x === 1));
          const mean = (values: Float32Array): number => values.reduce((sum, x) => sum + x, 0) / values.length;
          const bound = (draws: number): number => 4.5 * Math.sqrt((share * (1 - share)) / draws) + 1e-4;
          assert.ok(Math.abs(mean(up) - share) < bound(up.length), `${mean(up)} went up of ${share} at ${from}`);
          for (let d = 0; d < dim; d++) {
            const own = up.filter((_, i) => i % dim === d);
            assert.ok(Math.abs(mean(own) - share) < bound(count), `position ${d}: ${mean(own)} of ${share}`);
          }
          // Neighbours and next rows go up together as often as chance has it.
          for (const apart of [1, 2, 4, dim]) {
            const both = up.subarray(apart).map((x, i) => x * up[i]);
            const square = share * share;
            assert.ok(Math.abs(mean(both) - square) < 4.5 * Math.sqrt((square * (1 - square) * 3) / both.length) + 1e-4, `${apart} apart`);
          }
        }
      }
    });

    test(`${name}, ${word}: updates far smaller than the distance of neighbours add up`, () => {
      const table = kernels.createTable(options([slice(64, { optimizer: sgd, initializer: { kind: 1, a: 1, b: 0 } })], { format }));
      look(table, [5n], true);
      const steps = 2000;
      for (let step = 0; step < steps; step++) update(table, [5n], new Float32Array(64).fill(1), step, 2 ** -13);
      const { rows } = look(table, [5n], false);
      const mean = rows.reduce((sum, x) => sum + x, 0) / 64;
      // To nearest nothing would ever move away from 1.
      assert.ok(Math.abs(mean - (1 - steps * 2 ** -13)) < 0.01, `mean ${mean}`);
    });

    test(`${name}, ${word}: what is stored depends on seed, ids and steps, not on row numbers, order or sources`, () => {
      const next = generator(4);
      const fids = [...new Set(Array.from({ length: 400 }, () => randomFid(next)))];
      const gradients = randomFloats(fids.length * 17, next);
      const slices = [slice(1), slice(16)];
      const run = (order: Ids, parts: number, steps: readonly number[], seedLow = 1): Float32Array => {
        const table = kernels.createTable(options(slices, { format, seedLow }));
        look(table, order, true);
        for (const step of steps) {
          const lists = Array.from({ length: parts }, (_, p) => order.filter((_, i) => i % parts === p));
          table.apply(
            lists.map((list) => look(table, list, false).handles),
            new Int32Array(parts),
            Int32Array.from(lists, (list) => list.length),
            lists.map((list) => {
              const own = new Float32Array(list.length * 17);
              list.forEach((fid, i) => {
                const at = fids.indexOf(fid) * 17;
                own.set(gradients.subarray(at, at + 17), i * 17);
              });
              return own;
            }),
            Float32Array.of(0.05, 0.05),
            0,
            lists.map((list) => BigInt64Array.from(list)),
            step,
          );
        }
        return records(table);
      };
      const once = run(fids, 1, [1, 2]);
      assert.deepEqual(bits(run([...fids].reverse(), 1, [1, 2])), bits(once));
      assert.deepEqual(bits(run([...fids].reverse(), 3, [1, 2])), bits(once));
      assert.notDeepEqual(bits(run(fids, 1, [1, 3])), bits(once));
      assert.notDeepEqual(bits(run(fids, 1, [1, 2 + 2 ** 32])), bits(once));
      assert.notDeepEqual(bits(run(fids, 1, [1, 2], 2)), bits(once));
      const copy = kernels.createTable(options(slices, { format }));
      copy.load(
        BigInt64Array.from(fids.map((fid) => BigInt.asUintN(64, fid)).sort((a, b) => (a < b ? -1 : 1))),
        new Uint32Array(fids.length),
        once,
        fids.length,
      );
      assert.deepEqual(bits(records(copy)), bits(once));
    });

    test(`${name}, ${word}: an update without ids or step is an error and changes nothing`, () => {
      const table = kernels.createTable(options([slice(4)], { format }));
      const { handles, rows } = look(table, [1n, 2n], true);
      const fids = BigInt64Array.of(1n, 2n);
      const apply = (ids?: BigInt64Array[], step?: number) =>
        table.apply([handles], Int32Array.of(0), Int32Array.of(2), [rows], Float32Array.of(0.1), 0, ids, step);
      const wrong: [(BigInt64Array[] | undefined)?, number?][] = [
        [],
        [[fids]],
        [[], 1],
        [[fids.subarray(1)], 1],
        [[fids], -1],
        [[fids], 0.5],
        [undefined, 1],
      ];
      for (const [ids, step] of wrong) assert.throws(() => apply(ids, step), { code: 'ShapeMismatch' });
      assert.deepEqual(look(table, [1n, 2n], false).rows, rows);
      assert.equal(apply([fids], 1), 2);
      assert.throws(() => kernels.createTable(options([slice(4)], { format: 3 as RowFormat })), { code: 'InvalidArgument' });
    });
  }
}
