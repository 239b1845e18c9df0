import assert from 'node:assert/strict';
import { test } from 'node:test';
import { referenceSparse } from '../../../src/kernels/reference/sparse.js';
import { bits, type Candidate, generator, randomFloats } from './backends.js';

type Case = {
  readonly m: number;
  readonly f: number;
  readonly d: number;
  readonly first: number;
  readonly offsets: Int32Array;
  readonly inverse: Int32Array;
  readonly values: Float32Array | null;
  readonly rows: Float32Array;
  readonly stride: number;
  readonly slice: number;
  readonly combiners: Uint8Array;
  readonly columns: Int32Array;
  readonly ld: number;
};

function makeCase(d: number, weighted: boolean, single: boolean): Case {
  const next = generator(d + (weighted ? 1000 : 0) + (single ? 5000 : 0));
  const [m, f, first, numRows, slice] = [9, 5, 2, 40, 3];
  const offsets = new Int32Array((first + m) * f + 1);
  for (let bag = 0; bag < (first + m) * f; bag++) offsets[bag + 1] = offsets[bag] + (single ? 1 : next() % 4);
  const inverse = Int32Array.from({ length: offsets[(first + m) * f] }, () => next() % numRows);
  return {
    m,
    f,
    d,
    first,
    offsets,
    inverse,
    values: weighted ? randomFloats(inverse.length, next) : null,
    rows: randomFloats(numRows * (d + 4), next),
    stride: d + 4,
    slice,
    combiners: Uint8Array.of(0, 1, 2, 0, 1),
    columns: Int32Array.of(d, 0, 3 * d, -1, 2 * d),
    ld: 4 * d + 2,
  };
}

/** Pooling of one implementation. */
export function poolSuite({ name, kernels }: Candidate): void {
  const forward = (which: typeof kernels, c: Case, out: Float32Array) =>
    which.embeddingPool(
      c.m,
      c.f,
      c.d,
      c.first,
      c.offsets,
      c.inverse,
      c.values,
      c.rows,
      c.stride,
      c.slice,
      c.combiners,
      c.columns,
      out,
      c.ld,
    );
  const backward = (which: typeof kernels, c: Case, dRows: Float32Array, dOut: Float32Array) =>
    which.embeddingPoolBackward(
      c.m,
      c.f,
      c.d,
      c.first,
      c.offsets,
      c.inverse,
      c.values,
      dRows,
      c.stride,
      c.slice,
      c.combiners,
      c.columns,
      dOut,
      c.ld,
    );
  const cases = [1, 2, 4, 8, 13, 16, 32, 64, 70].flatMap((d) => [
    makeCase(d, false, false),
    makeCase(d, true, false),
    makeCase(d, false, true),
  ]);

  test(`${name}: pooled bags follow the definition in double and the reference's bits`, () => {
    for (const c of cases) {
      const outs = [kernels, referenceSparse].map((which) => {
        const out = new Float32Array(c.m * c.ld).fill(9);
        forward(which, c, out);
        return out;
      });
      assert.deepEqual(bits(outs[0]), bits(outs[1]));
      for (let r = 0; r < c.m; r++) {
        for (const untouched of [c.ld - 2, c.ld - 1]) assert.equal(outs[0][r * c.ld + untouched], 9);
        for (let j = 0; j < c.f; j++) {
          if (c.columns[j] < 0) continue;
          const bag = (c.first + r) * c.f + j;
          const ids = c.offsets[bag + 1] - c.offsets[bag];
          const divisor = ids === 0 ? 1 : [1, ids, Math.sqrt(ids)][c.combiners[j]];
          for (let k = 0; k < c.d; k++) {
            let sum = 0;
            for (let i = c.offsets[bag]; i < c.offsets[bag + 1]; i++) {
              sum += (c.values === null ? 1 : c.values[i]) * c.rows[c.inverse[i] * c.stride + c.slice + k];
            }
            assert.ok(Math.abs(outs[0][r * c.ld + c.columns[j] + k] - sum / divisor) < 1e-6);
          }
        }
      }
    }
  });

  test(`${name}: backward is the transpose of forward and has the reference's bits`, () => {
    for (const c of cases) {
      const next = generator(77);
      const dOut = randomFloats(c.m * c.ld, next);
      const start = randomFloats(c.rows.length, next);
      const results = [kernels, referenceSparse].map((which) => {
        const dRows = start.slice();
        backward(which, c, dRows, dOut);
        return dRows;
      });
      assert.deepEqual(bits(results[0]), bits(results[1]));
      // <forward(rows), dOut> = <rows, backward(dOut)>
      const out = new Float32Array(c.m * c.ld);
      forward(kernels, c, out);
      const dRows = new Float32Array(c.rows.length);
      backward(kernels, c, dRows, dOut);
      const left = out.reduce((sum, value, i) => sum + value * dOut[i], 0);
      const right = c.rows.reduce((sum, value, i) => sum + value * dRows[i], 0);
      assert.ok(Math.abs(left - right) < 1e-3, `${left} ${right}`);
    }
  });

  test(`${name}: pooling refuses offsets, rows and columns that lead outside`, () => {
    const good = makeCase(8, true, false);
    const shape = { code: 'ShapeMismatch' };
    const wrong: Partial<Case>[] = [
      { m: good.m + 1 },
      { offsets: good.offsets.map((offset, i) => (i === 20 ? -1 : offset)) },
      { offsets: good.offsets.map((offset) => offset + 1) },
      { inverse: good.inverse.map((row, i) => (i === good.inverse.length - 1 ? 41 : row)) },
      { inverse: good.inverse.map((row, i) => (i === good.inverse.length - 1 ? -1 : row)) },
      { values: randomFloats(3, generator(1)) },
      { slice: 5 },
      { columns: Int32Array.of(0, 8, 16, 24, good.ld - 7) },
      { columns: new Int32Array(4) },
      { combiners: new Uint8Array(4) },
      { ld: good.ld + 1 },
    ];
    for (const change of wrong) {
      const c = { ...good, ...change };
      const out = new Float32Array(good.m * good.ld);
      assert.throws(() => forward(kernels, c, out), shape, JSON.stringify(Object.keys(change)));
      assert.throws(() => backward(kernels, c, good.rows.slice(), out), shape);
    }
    assert.throws(() => forward(kernels, { ...good, combiners: Uint8Array.of(0, 1, 2, 3, 0) }, new Float32Array(good.m * good.ld)));
    const nothing = { ...good, m: 0 };
    forward(kernels, nothing, new Float32Array(0));
  });
}
