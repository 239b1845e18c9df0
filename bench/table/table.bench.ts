// Rates of the table on one core, beside the bound that memory sets in the same run.
//
//   node dist/bench/table/table.bench.js [--rows N]     16777216 rows (1 GiB of values at 16 floats), batches of 8192 unique ids
//
// gather: known rows of 64 bytes copied out of one block in random order with prefetch, no hashing: what everything is measured against.
// Growth to any size: bench/memory.

import { RowFormat } from '../../src/kernels/index.js';
import { benchArguments, report as reportFigure } from '../lib/report.js';
import {
  adagrad,
  applyRate,
  dedupeRate,
  fillTable,
  gatherRate,
  lookupRate,
  randomBatches,
  rowwiseAdagrad,
  uniformSlice,
} from './measure.js';

/** Rows at 64 bytes of values: 1 GiB. */
const numRows = benchArguments.rows ?? 1 << 24;
const rounds = 5;

function report(name: string, perSecond: number, unit: string, bound?: number): void {
  const limit =
    bound === undefined ? {} : { limit: { name: '64-byte gather, 1 thread' }, info: { '% of gather here': (100 * perSecond) / bound } };
  reportFigure({ name, unit: `M ${unit}`, better: 'higher', values: [perSecond / 1e6], ...limit });
}

const batches = randomBatches(numRows);
const gather = gatherRate(numRows, batches, rounds);
report('gather of 64-byte rows', gather, 'rows/s');
const layouts = [
  ['16 row-wise adagrad', [uniformSlice(16, rowwiseAdagrad)]],
  ['16 row-wise adagrad, bf16', [uniformSlice(16, rowwiseAdagrad)], RowFormat.bf16],
  ['16 row-wise adagrad, fp16', [uniformSlice(16, rowwiseAdagrad)], RowFormat.fp16],
  ['16 adagrad', [uniformSlice(16, adagrad)]],
  ['1 adagrad', [uniformSlice(1, adagrad)]],
  ['1 + 16 adagrad', [uniformSlice(1, adagrad), uniformSlice(16, adagrad)]],
] as const;
for (const [name, slices, format = RowFormat.fp32] of layouts) {
  const { table, rate, longestMs } = fillTable(slices, numRows, format);
  report(`${name}: create`, rate, 'rows/s', gather);
  const payload = table.dim * (format === RowFormat.fp32 ? 4 : 2) + table.stateLength * 4;
  const info = { payload, 'times payload': table.memoryBytes() / numRows / payload };
  reportFigure({ name: `${name}: memory`, unit: 'bytes a row', better: 'lower', values: [table.memoryBytes() / numRows], info });
  reportFigure({ name: `${name}: longest creating call`, unit: 'ms', better: 'lower', values: [longestMs] });
  report(`${name}: lookup`, lookupRate(table, batches, false, rounds), 'ids/s', gather);
  report(`${name}: creating lookup, all known`, lookupRate(table, batches, true, rounds), 'ids/s', gather);
  report(`${name}: apply, one source`, applyRate(table, batches, 1, rounds), 'rows/s', gather);
  report(`${name}: apply, two sources, same rows`, applyRate(table, batches, 2, rounds), 'gradients/s', gather);
}
for (const shards of [1, 2, 3]) report(`dedupe, ${shards} shards`, dedupeRate(shards, rounds), 'ids/s');
