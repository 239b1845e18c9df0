import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, generator, randomFid } from './backends.js';

function floorMod(fid: bigint, shards: number): number {
  const remainder = fid % BigInt(shards);
  return Number(remainder < 0n ? remainder + BigInt(shards) : remainder);
}

/** dedupe by its description, with a Map. */
function expected(fids: readonly bigint[], shards: number): { unique: bigint[]; inverse: number[]; offsets: number[] } {
  const distinct = [...new Set(fids)];
  const unique = Array.from({ length: shards }, (_, s) => distinct.filter((fid) => floorMod(fid, shards) === s));
  const flat = unique.flat();
  const place = new Map(flat.map((fid, i) => [fid, i]));
  const offsets = [0];
  for (const part of unique) offsets.push(offsets[offsets.length - 1] + part.length);
  return { unique: flat, inverse: fids.map((fid) => place.get(fid) ?? -1), offsets };
}

/** dedupe of one implementation. */
export function dedupeSuite({ name, kernels }: Candidate): void {
  const run = (fids: readonly bigint[], shards: number, scratch: Int32Array) => {
    const unique = new BigInt64Array(fids.length);
    const inverse = new Int32Array(fids.length);
    const offsets = new Int32Array(shards + 1).fill(-1);
    const n = kernels.dedupe(BigInt64Array.from(fids), fids.length, shards, unique, inverse, offsets, scratch);
    return { unique: [...unique.subarray(0, n)], inverse: [...inverse], offsets: [...offsets] };
  };

  test(`${name}: dedupe groups by floorMod in order of first occurrence, with one scratch for batches of all lengths`, () => {
    const next = generator(4);
    const scratch = new Int32Array(kernels.dedupeScratchLength(3000));
    for (const shards of [1, 2, 3, 4, 7, 16, 1000]) {
      for (const nnz of [0, 1, 2, 100, 3000, 50, 1500]) {
        const fids = Array.from({ length: nnz }, (_, i) => {
          if (i % 5 === 0) return randomFid(next);
          return i % 5 === 1 ? (BigInt(next() % 40) << 48n) | 5n : BigInt((next() % 700) - 350);
        });
        assert.deepEqual(run(fids, shards, scratch), expected(fids, shards), `${shards} shards, ${nnz} ids`);
      }
    }
    const edges = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0n, 1n, -(2n ** 63n)];
    for (const shards of [1, 3, 8]) assert.deepEqual(run(edges, shards, scratch), expected(edges, shards));
  });

  test(`${name}: dedupe does not mind what lies in scratch`, () => {
    const scratch = new Int32Array(kernels.dedupeScratchLength(64));
    const next = generator(2);
    for (const rubbish of [0, 1, 63, -1, 0x7fffffff]) {
      scratch.fill(rubbish);
      const fids = Array.from({ length: 64 }, () => BigInt(next() % 50));
      assert.deepEqual(run(fids, 3, scratch), expected(fids, 3));
    }
  });

  test(`${name}: dedupe refuses short views and impossible shards`, () => {
    const fids = new BigInt64Array(4);
    const four = new Int32Array(4);
    const scratch = new Int32Array(kernels.dedupeScratchLength(4));
    const shape = { code: 'ShapeMismatch' };
    assert.throws(() => kernels.dedupe(fids, 5, 1, fids, four, four, scratch), shape);
    assert.throws(() => kernels.dedupe(fids, 4, 1, fids.subarray(1), four, four, scratch), shape);
    assert.throws(() => kernels.dedupe(fids, 4, 1, new BigInt64Array(4), four.subarray(1), four, scratch), shape);
    assert.throws(() => kernels.dedupe(fids, 4, 4, new BigInt64Array(4), four, four, scratch), shape);
    assert.throws(() => kernels.dedupe(fids, 4, 1, new BigInt64Array(4), four, four, scratch.subarray(1)), shape);
    assert.throws(() => kernels.dedupe(fids, 4, 0, new BigInt64Array(4), four, four, scratch));
  });
}
