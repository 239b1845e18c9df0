// Records a second of each parser on one core, native and TypeScript, on made-up data; of Criteo text also from the start of a file.
//
//   node dist/bench/data/parsers.bench.js [--only 'criteo native'] [--file train.tsv]
import { closeSync, openSync, readSync } from 'node:fs';
import { compileProgram } from '../../src/data/compile.js';
import { criteoSchema } from '../../src/data/criteo-schema.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers } from '../../src/data/native-parsers.js';
import type { ResolvedFormat } from '../../src/data/options.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { R } from '../../src/data/program.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import { benchArguments, millisecondsOf, report, wanted } from '../lib/report.js';
import { clickColumns, criteoBinary, delimited, libffm, tfrecord } from './made-records.js';

const ROWS = 4000;
const FIELDS = 39;

/** The first rows of a file. */
function linesOf(path: string): Uint8Array {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(ROWS * 1024);
  const length = readSync(file, bytes);
  closeSync(file);
  let end = 0;
  for (let row = 0; row < ROWS; row++) {
    const next = bytes.subarray(0, length).indexOf(10, end);
    if (next < 0) break;
    end = next + 1;
  }
  return bytes.subarray(0, end);
}

const made: readonly (readonly [format: ResolvedFormat, bytes: () => Uint8Array])[] = [
  ['criteo', () => (benchArguments.file === null ? delimited(ROWS, '\t') : linesOf(benchArguments.file))],
  ['csv', () => delimited(ROWS, ',')],
  ['libffm', () => libffm(ROWS)],
  ['tfrecord', () => tfrecord(ROWS)],
  ['criteo-bin', () => criteoBinary(ROWS)],
];
for (const [format, make] of made) {
  const contenders = [loadNativeParsers(), referenceParsers].filter((parsers) => parsers !== null);
  if (!contenders.some((parsers) => wanted(`${format} ${parsers.name}`))) continue;
  const bytes = make();
  const numFeatures = format === 'libffm' ? FIELDS : 26;
  const hasValues = format === 'libffm';
  const program = compileProgram({
    options: completeOptions({ files: ['-'] }),
    format,
    schema: format === 'libffm' ? null : criteoSchema('dense'),
    columns: format === 'tfrecord' || format === 'libffm' ? null : clickColumns,
    groups: [{ features: Array.from({ length: numFeatures }, (_, i) => i), hasValues }],
    numFields: format === 'libffm' ? FIELDS : 0,
    separator: format === 'csv' ? 44 : 9,
    labelType: 'int32',
    denseType: 'int32',
    where: 'bench',
  });
  const block = ParsedBlock.allocate({
    maxExamples: ROWS,
    numDense: format === 'libffm' ? 0 : 13,
    groups: [{ numFeatures, maxIds: ROWS * numFeatures, hasValues }],
  });
  const raw = new Uint8Array(new SharedArrayBuffer(bytes.length));
  raw.set(bytes);
  const result = new Float64Array(R.words);
  for (const parsers of contenders) {
    const name = `${format} ${parsers.name}`;
    if (!wanted(name)) continue;
    const times = await millisecondsOf(() => {
      parsers.parseRecords(program, raw, 0, raw.length, block.common, block.shape, block.buffer, result);
    });
    const numRecords = block.numExamples;
    if (numRecords === 0 || result[R.bad] > 0) throw new Error(`${name}: ${numRecords} records, ${result[R.bad]} bad`);
    const values = times.map((ms) => numRecords / 1000 / ms);
    report({ name, unit: 'M records/s', better: 'higher', values, info: { 'MB/s': bytes.length / 1000 / Math.min(...times) } });
  }
}
