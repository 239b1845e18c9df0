// Memory and speed of a table as it grows, one core: bytes a row, the longest call of growth, lookups of known rows at each size.
//
//   node dist/bench/memory/rows.bench.js [--rows 100000000]          4,194,304 rows of dimension 16 with row-wise Adagrad without the flag,
//                                                                     then their memory once more with values of 16 bits
//
// Payload is what a row cannot do without: its values and its optimizer state.
import { InitializerKind, OptimizerKind, RowFormat, selectBackend, type TableOptions } from '../../src/kernels/index.js';
import { benchArguments, report } from '../lib/report.js';

const DIM = 16;
const BATCH = 8192;
const ROUNDS = 5;
/** Most batches looked up at each size: two million rows, so that no cache holds them. */
const LOOKUP_BATCHES = 256;
const mostRows = benchArguments.rows ?? 1 << 22;

const { backend } = selectBackend('auto');
const options: TableOptions = {
  slices: [
    {
      dim: DIM,
      initializer: { kind: InitializerKind.uniform, a: -0.05, b: 0.05 },
      optimizer: { kind: OptimizerKind.rowwiseAdagrad, hyper: [0, 0.1, 1e-10] },
    },
  ],
  seedLow: 1,
  seedHigh: 2,
  maxRows: 2 ** 31 - 1,
  segmentRows: 1 << 18,
};
const table = backend.createTable(options);
const payload = (table.dim + table.stateLength) * 4;
const fids = new BigInt64Array(BATCH);
const halves = new Uint32Array(fids.buffer);
const rows = new Float32Array(new SharedArrayBuffer(BATCH * DIM * 4));
const handles = new Int32Array(BATCH);

/** Row number → fid: the same spread as hashed features of 26 columns. */
function writeFid(i: number, row: number): void {
  halves[2 * i] = Math.imul(row, 0x9e3779b1);
  halves[2 * i + 1] = (((row / 2 ** 32) | 0) + 1 + (row % 26) * 65536) >>> 0;
}

function lookupRates(size: number): number[] {
  let state = 7;
  const batches = Array.from({ length: Math.min(LOOKUP_BATCHES, Math.ceil(size / BATCH)) }, () => {
    const seen = new Set<number>();
    while (seen.size < Math.min(BATCH, size)) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      seen.add(Math.floor((((state ^ (state >>> 15)) >>> 0) / 2 ** 32) * size));
    }
    [...seen].forEach((row, i) => {
      writeFid(i, row);
    });
    return fids.slice(0, seen.size);
  });
  return Array.from({ length: ROUNDS }, () => {
    const from = performance.now();
    for (const batch of batches) table.lookup(batch, 0, batch.length, false, 2, rows, handles);
    return (batches.length * batches[0].length) / (performance.now() - from) / 1000;
  });
}

let size = 0;
let longestMs = 0;
let fillMs = 0;
for (let next = 1 << 20; size < mostRows; next *= 4) {
  const goal = Math.min(next, mostRows);
  while (size < goal) {
    const count = Math.min(BATCH, goal - size);
    for (let i = 0; i < count; i++) writeFid(i, size + i);
    const from = performance.now();
    table.lookup(fids, 0, count, true, 1, rows, handles);
    const took = performance.now() - from;
    longestMs = Math.max(longestMs, took);
    fillMs += took;
    size += count;
  }
  const at = `${size.toLocaleString('en-US')} rows`;
  const bytes = table.memoryBytes() / table.size();
  report({
    name: `${at}: memory`,
    unit: 'bytes a row',
    better: 'lower',
    values: [bytes],
    info: { payload, 'times payload': bytes / payload },
  });
  report({
    name: `${at}: lookup`,
    unit: 'M rows/s',
    better: 'higher',
    values: lookupRates(size),
    limit: { name: '64-byte gather, 1 thread' },
  });
}
report({ name: 'growth: create', unit: 'M rows/s', better: 'higher', values: [size / fillMs / 1000] });
report({ name: 'growth: longest call', unit: 'ms', better: 'lower', values: [longestMs], info: { 'rows a call': BATCH } });
report({ name: 'growth: resident memory', unit: 'GB', better: 'lower', values: [process.memoryUsage().rss / 1e9] });

// Two formats, one layout: bf16 stands for both.
const half = backend.createTable({ ...options, format: RowFormat.bf16 });
const halfRows = Math.min(mostRows, 1 << 22);
for (let first = 0; first < halfRows; first += BATCH) {
  const count = Math.min(BATCH, halfRows - first);
  for (let i = 0; i < count; i++) writeFid(i, first + i);
  half.lookup(fids, 0, count, true, 1, rows, handles);
}
const halfPayload = half.dim * 2 + half.stateLength * 4;
const halfBytes = half.memoryBytes() / half.size();
report({
  name: `${halfRows.toLocaleString('en-US')} rows of 16-bit values: memory`,
  unit: 'bytes a row',
  better: 'lower',
  values: [halfBytes],
  info: { payload: halfPayload, 'times payload': halfBytes / halfPayload },
});
