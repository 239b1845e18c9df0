// Rates of the table on one core, beside the bound that memory sets in the same run.
//
//   node dist/bench/table/table.bench.js [rows] [--grow-to ROWS]     16777216 rows (1 GiB of values at 16 floats), batches of 8192 unique ids
//
// gather: known rows of 64 bytes copied out of one block in random order with prefetch, no hashing: what everything is measured against.
// --grow-to 100000000 also fills a table of that size and reports its longest call and its bytes a row.
import {
  adagrad,
  applyRate,
  BATCH,
  dedupeRate,
  fillTable,
  gatherRate,
  instructionSet,
  lookupRate,
  randomBatches,
  rowwiseAdagrad,
  uniformSlice,
} from './measure.js';

const grow = process.argv.indexOf('--grow-to');
const numRows = Number(process.argv[2] ?? 0) || 1 << 24;
const rounds = 5;
const write = (text: string) => process.stdout.write(`${text}\n`);

function report(name: string, perSecond: number, unit: string, bound?: number): void {
  const share = bound === undefined ? '' : `${((100 * perSecond) / bound).toFixed(0).padStart(5)} % of gather`;
  write(`${name.padEnd(48)}${(perSecond / 1e6).toFixed(1).padStart(8)} M ${unit.padEnd(11)}${share}`);
}

write(`${instructionSet}, ${numRows} rows, batches of ${BATCH} unique ids`);
const batches = randomBatches(numRows);
const gather = gatherRate(numRows, batches, rounds);
report('gather of 64-byte rows', gather, 'rows/s');
const layouts = [
  ['16 row-wise adagrad', [uniformSlice(16, rowwiseAdagrad)]],
  ['16 adagrad', [uniformSlice(16, adagrad)]],
  ['1 adagrad', [uniformSlice(1, adagrad)]],
  ['1 + 16 adagrad', [uniformSlice(1, adagrad), uniformSlice(16, adagrad)]],
] as const;
for (const [name, slices] of layouts) {
  const { table, rate, longestMs } = fillTable(slices, numRows);
  const payload = (table.dim + table.stateLength) * 4;
  const bytes = table.memoryBytes() / numRows;
  report(`${name}: create`, rate, 'rows/s', gather);
  write(`${' '.repeat(8)}${bytes.toFixed(1)} bytes a row, payload ${payload}; longest call ${longestMs.toFixed(1)} ms`);
  report(`${name}: lookup`, lookupRate(table, batches, false, rounds), 'ids/s', gather);
  report(`${name}: creating lookup, all known`, lookupRate(table, batches, true, rounds), 'ids/s', gather);
  report(`${name}: apply, one source`, applyRate(table, batches, 1, rounds), 'rows/s', gather);
  report(`${name}: apply, two sources, same rows`, applyRate(table, batches, 2, rounds), 'gradients/s', gather);
}
for (const shards of [1, 2, 3]) report(`dedupe, ${shards} shards`, dedupeRate(shards, rounds), 'ids/s');
if (grow >= 0) {
  const rows = Number(process.argv[grow + 1]);
  const { table, rate, longestMs } = fillTable([uniformSlice(16, rowwiseAdagrad)], rows);
  const { rss } = process.memoryUsage();
  report(`growth to ${rows} rows`, rate, 'rows/s');
  write(
    `        ${(table.memoryBytes() / rows).toFixed(1)} bytes a row; longest call ${longestMs.toFixed(1)} ms; resident ${(rss / 1e9).toFixed(1)} GB`,
  );
}
