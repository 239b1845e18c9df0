// Rates of the table on one core, beside the bound that memory sets in the same run.
//
//   node dist/bench/table/table.bench.js [--rows N]        4194304 rows of 16 + 16 floats (adagrad), batches of 8192 unique ids
//
// gather: known rows of 64 bytes copied out of one block in random order with prefetch, no hashing: what lookups are measured against.

import { InitializerKind, OptimizerKind } from '../../src/kernels/index.js';
import { loadAddon } from '../../src/kernels/native/load.js';
import { createNativeSparse } from '../../src/kernels/native/native-sparse.js';
import { benchArguments, report as reportFigure } from '../lib/report.js';

type BenchAddon = {
  gatherRows(rows: Float32Array, length: number, indices: Int32Array, count: number, out: Float32Array): void;
  adviseHugePages(memory: Uint8Array): void;
};

const numRows = benchArguments.rows ?? 4194304;
const batch = 8192;
const dim = 16;
const { addon, reason } = loadAddon();
if (addon === null) throw new Error(`the native addon is needed: ${reason}`);
const kernels = createNativeSparse(addon);
const raw = addon as unknown as BenchAddon;

let state = 12345;
function random(): number {
  state = (state + 0x9e3779b9) | 0;
  let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Calls a second at the best of five rounds; `each` gets the number of the batch. */
function rate(units: number, batches: number, each: (index: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const from = performance.now();
    for (let b = 0; b < batches; b++) each(b);
    best = Math.min(best, performance.now() - from);
  }
  return (units * batches * 1000) / best;
}

function report(name: string, perSecond: number, unit: string, bound?: number): void {
  const limit =
    bound === undefined ? {} : { limit: { name: '64-byte gather, 1 thread' }, info: { '% of gather here': (100 * perSecond) / bound } };
  reportFigure({ name, unit: `M ${unit}/s`, better: 'higher', values: [perSecond / 1e6], ...limit });
}

const numBatches = Math.min(128, Math.floor(numRows / batch));
const order = Int32Array.from({ length: numRows }, (_, i) => i);
for (let i = numRows - 1; i > 0; i--) {
  const j = random() % (i + 1);
  [order[i], order[j]] = [order[j], order[i]];
}
const fidOf = (row: number): bigint => (BigInt(row % 26) << 48n) | (BigInt(row) * 0x9e3779b1n);
const idBatches = Array.from({ length: numBatches }, (_, b) => BigInt64Array.from(order.subarray(b * batch, (b + 1) * batch), fidOf));
const rows = new Float32Array(new SharedArrayBuffer(batch * dim * 4));
const handles = Array.from({ length: numBatches }, () => new Int32Array(batch));

const block = new Float32Array(new SharedArrayBuffer(numRows * dim * 4 + 64), 48, numRows * dim);
raw.adviseHugePages(new Uint8Array(block.buffer));
for (let i = 0; i < block.length; i += 16) block[i] = i;
const indexBatches = idBatches.map((_, b) => order.subarray(b * batch, (b + 1) * batch));
const gather = rate(batch, numBatches, (b) => raw.gatherRows(block, dim, indexBatches[b], batch, rows));
report('gather of 64-byte rows', gather, 'rows');

const rules = [
  ['adagrad', { kind: OptimizerKind.adagrad, hyper: [0, 0.1, 1e-10] }],
  ['rowwise-adagrad', { kind: OptimizerKind.rowwiseAdagrad, hyper: [0, 0.1, 1e-10] }],
  ['sgd', { kind: OptimizerKind.sgd, hyper: [0] }],
] as const;
for (const [name, optimizer] of rules) {
  const table = kernels.createTable({
    slices: [{ dim, initializer: { kind: InitializerKind.uniform, a: -0.05, b: 0.05 }, optimizer }],
    seedLow: 1,
    seedHigh: 2,
    maxRows: 2 ** 31 - 1,
    segmentRows: 1 << 18,
  });
  const fill = new BigInt64Array(65536);
  const fillRows = new Float32Array(65536 * dim);
  const from = performance.now();
  for (let first = 0; first < numRows; first += 65536) {
    const count = Math.min(65536, numRows - first);
    for (let i = 0; i < count; i++) fill[i] = fidOf(first + i);
    table.lookup(fill, 0, count, true, 1, fillRows, new Int32Array(65536));
  }
  const bytesPerRow = table.memoryBytes() / numRows;
  report(`${name}: fill, ${bytesPerRow.toFixed(1)} bytes a row`, (numRows * 1000) / (performance.now() - from), 'rows');
  const read = rate(batch, numBatches, (b) => table.lookup(idBatches[b], 0, batch, false, 2, rows, handles[b]));
  report(`${name}: lookup`, read, 'ids', gather);
  const touch = rate(batch, numBatches, (b) => table.lookup(idBatches[b], 0, batch, true, 2, rows, handles[b]));
  report(`${name}: creating lookup, all known`, touch, 'ids', gather);
  const gradients = new Float32Array(batch * dim).fill(1e-3);
  const [starts, counts, rates] = [new Int32Array(2), Int32Array.of(batch, batch), Float32Array.of(0.01)];
  const one = rate(batch, numBatches, (b) => table.apply([handles[b]], starts, counts, [gradients], rates, 0));
  report(`${name}: apply, one source`, one, 'rows', gather);
  const two = rate(2 * batch, numBatches, (b) => table.apply([handles[b], handles[b]], starts, counts, [gradients, gradients], rates, 0));
  report(`${name}: apply, two sources with the same rows`, two, 'gradients', gather);
}

const nnz = 512 * 26;
const scratch = new Int32Array(kernels.dedupeScratchLength(nnz));
const bags = Array.from({ length: 64 }, () =>
  BigInt64Array.from({ length: nnz }, (_, i) => fidOf(26 * Math.floor((random() / 2 ** 32) ** 3 * 40000) + (i % 26))),
);
const [unique, inverse, offsets] = [new BigInt64Array(nnz), new Int32Array(nnz), new Int32Array(9)];
for (const shards of [1, 2, 3]) {
  report(
    `dedupe, ${nnz} ids, ${shards} shards`,
    rate(nnz, 64, (b) => kernels.dedupe(bags[b], nnz, shards, unique, inverse, offsets, scratch)),
    'ids',
  );
}

const bagOffsets = Int32Array.from({ length: nnz + 1 }, (_, i) => i);
const numUnique = kernels.dedupe(bags[0], nnz, 2, unique, inverse, offsets, scratch);
const [combiners, columns] = [new Uint8Array(26), Int32Array.from({ length: 26 }, (_, j) => j * dim)];
const uniqueRows = new Float32Array(numUnique * dim);
const out = new Float32Array(nnz * dim);
const pooled = rate(nnz, 64, () =>
  kernels.embeddingPool(512, 26, dim, 0, bagOffsets, inverse, null, uniqueRows, dim, 0, combiners, columns, out, 26 * dim),
);
report(`pool, one id a bag, ${numUnique} rows`, pooled, 'ids');
const back = rate(nnz, 64, () =>
  kernels.embeddingPoolBackward(512, 26, dim, 0, bagOffsets, inverse, null, uniqueRows, dim, 0, combiners, columns, out, 26 * dim),
);
report('pool backward', back, 'ids');
