// What bench/table measures, as functions that return numbers: ids, rows or gradients a second, milliseconds, bytes.
import { type FidTable, InitializerKind, lineOffset, OptimizerKind, RowFormat, type SliceLayout } from '../../src/kernels/index.js';
import { loadAddon } from '../../src/kernels/native/load.js';
import { createNativeSparse } from '../../src/kernels/native/native-sparse.js';

type BenchAddon = {
  gatherRows(rows: Float32Array, length: number, indices: Int32Array, count: number, out: Float32Array): void;
  adviseHugePages(memory: Uint8Array): void;
};

const { addon, reason } = loadAddon();
if (addon === null) throw new Error(`the native addon is needed: ${reason}`);
export const instructionSet = addon.info().instructionSet;
export const kernels = createNativeSparse(addon);
const raw = addon as unknown as BenchAddon;

/** Unique ids looked up at a time. */
export const BATCH = 8192;
/** Batches of one round: four million ids, so that no cache holds their rows. */
const MOST_BATCHES = 512;

export const adagrad: SliceLayout['optimizer'] = { kind: OptimizerKind.adagrad, hyper: [0, 0.1, 1e-10] };
export const rowwiseAdagrad: SliceLayout['optimizer'] = { kind: OptimizerKind.rowwiseAdagrad, hyper: [0, 0.1, 1e-10] };

/** An even random number below `n`, the same sequence in every run. */
function randomBelow(): (n: number) => number {
  let state = 12345;
  return (n) => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return Math.floor(((x ^ (x >>> 15)) >>> 0) * 2 ** -32 * n);
  };
}

/** Writes the fid of row number `row` to position i of fids, seen as 32-bit halves. */
export function writeFid(halves: Uint32Array, i: number, row: number): void {
  halves[2 * i] = Math.imul(row, 0x9e3779b1);
  halves[2 * i + 1] = (row % 26) << 16;
}

/** Batches of distinct random row numbers and their fids. */
export type Batches = { readonly rows: readonly Int32Array[]; readonly fids: readonly BigInt64Array[] };

export function randomBatches(numRows: number): Batches {
  const below = randomBelow();
  const order = Int32Array.from({ length: numRows }, (_, i) => i);
  const wanted = Math.min(MOST_BATCHES, Math.floor(numRows / BATCH));
  for (let i = 0; i < wanted * BATCH; i++) {
    const j = i + below(numRows - i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const rows = Array.from({ length: wanted }, (_, b) => order.slice(b * BATCH, (b + 1) * BATCH));
  const fids = rows.map((batch) => {
    const ids = new BigInt64Array(BATCH);
    batch.forEach((row, i) => {
      writeFid(new Uint32Array(ids.buffer), i, row);
    });
    return ids;
  });
  return { rows, fids };
}

/** Units a second of the best of `rounds` rounds over all batches. */
function bestRate(unitsPerBatch: number, numBatches: number, rounds: number, each: (batch: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    for (let b = 0; b < numBatches; b++) each(b);
    best = Math.min(best, performance.now() - from);
  }
  return (unitsPerBatch * numBatches * 1000) / best;
}

/** Output of lookups, on a line of its own. */
function outputOf(dim: number): Float32Array {
  const buffer = new SharedArrayBuffer(BATCH * dim * 4 + 64);
  return new Float32Array(buffer, lineOffset(buffer), BATCH * dim);
}

/** The bound: known rows of 64 bytes out of one block on huge pages, in random order, fetched ahead; no ids, no index. */
export function gatherRate(numRows: number, batches: Batches, rounds: number): number {
  const bytes = new SharedArrayBuffer(numRows * 64 + 4096);
  raw.adviseHugePages(new Uint8Array(bytes));
  const block = new Float32Array(bytes, lineOffset(bytes), numRows * 16);
  for (let i = 0; i < block.length; i += 16) block[i] = i;
  const out = outputOf(16);
  return bestRate(BATCH, batches.rows.length, rounds, (b) => raw.gatherRows(block, 16, batches.rows[b], BATCH, out));
}

export type Filled = {
  readonly table: FidTable;
  /** Rows created a second. */
  readonly rate: number;
  /** Longest single call, ms. */
  readonly longestMs: number;
};

/** A table of these slices, filled by batches of new ids while it grows from nothing. */
export function fillTable(slices: readonly SliceLayout[], numRows: number, format: RowFormat = RowFormat.fp32, batch = BATCH): Filled {
  const table = kernels.createTable({ slices, seedLow: 1, seedHigh: 2, maxRows: 2 ** 31 - 1, segmentRows: 1 << 18, format });
  const fids = new BigInt64Array(batch);
  const halves = new Uint32Array(fids.buffer);
  const rows = new Float32Array(batch * table.dim);
  const handles = new Int32Array(batch);
  let spent = 0;
  let longestMs = 0;
  for (let first = 0; first < numRows; first += batch) {
    const count = Math.min(batch, numRows - first);
    for (let i = 0; i < count; i++) writeFid(halves, i, first + i);
    const from = performance.now();
    table.lookup(fids, 0, count, true, 1, rows, handles);
    const took = performance.now() - from;
    spent += took;
    longestMs = Math.max(longestMs, took);
  }
  return { table, rate: (numRows * 1000) / spent, longestMs };
}

export const uniformSlice = (dim: number, optimizer: SliceLayout['optimizer']): SliceLayout => ({
  dim,
  initializer: { kind: InitializerKind.uniform, a: -0.05, b: 0.05 },
  optimizer,
});

/** Unique known ids looked up a second. */
export function lookupRate(table: FidTable, batches: Batches, create: boolean, rounds: number): number {
  const out = outputOf(table.dim);
  const handles = new Int32Array(BATCH);
  return bestRate(BATCH, batches.fids.length, rounds, (b) => table.lookup(batches.fids[b], 0, BATCH, create, 2, out, handles));
}

/** Gradients a second of `sources` sources that all name the same rows. */
export function applyRate(table: FidTable, batches: Batches, sources: number, rounds: number): number {
  const gradients = Array.from({ length: sources }, () => new Float32Array(BATCH * table.dim).fill(1e-3));
  const [starts, counts] = [new Int32Array(sources), new Int32Array(sources).fill(BATCH)];
  const rates = new Float32Array(64).fill(0.01);
  const fids = batches.fids.map((ids) => new Array<BigInt64Array>(sources).fill(ids));
  const out = outputOf(table.dim);
  const handles = batches.fids.map((fids) => {
    const found = new Int32Array(BATCH);
    table.lookup(fids, 0, BATCH, false, 2, out, found);
    return new Array<Int32Array>(sources).fill(found);
  });
  return bestRate(sources * BATCH, handles.length, rounds, (b) => table.apply(handles[b], starts, counts, gradients, rates, 0, fids[b], b));
}

/** Ids a second that dedupe takes in: 512 examples of 26 skewed ids. */
export function dedupeRate(shards: number, rounds: number): number {
  const nnz = 512 * 26;
  const below = randomBelow();
  const scratch = new Int32Array(kernels.dedupeScratchLength(nnz));
  const bags = Array.from({ length: 64 }, () => {
    const ids = new BigInt64Array(nnz);
    for (let i = 0; i < nnz; i++)
      writeFid(new Uint32Array(ids.buffer), i, 26 * Math.floor((below(2 ** 31) / 2 ** 31) ** 3 * 40000) + (i % 26));
    return ids;
  });
  const [unique, inverse, offsets] = [new BigInt64Array(nnz), new Int32Array(nnz), new Int32Array(9)];
  return bestRate(nnz, 64, rounds, (b) => kernels.dedupe(bags[b], nnz, shards, unique, inverse, offsets, scratch));
}
