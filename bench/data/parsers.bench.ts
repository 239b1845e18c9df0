// Records a second of each parser on one core, native and TypeScript, on made-up data; of Criteo text also from the start of a file.
//
//   node dist/bench/data/parsers.bench.js [--only 'criteo native'] [--file train.tsv]
import { closeSync, openSync, readSync } from 'node:fs';
import { SeededRandom } from '../../src/base/index.js';
import { compileProgram } from '../../src/data/compile.js';
import { criteoSchema } from '../../src/data/criteo-schema.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers } from '../../src/data/native-parsers.js';
import type { ResolvedFormat } from '../../src/data/options.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { R } from '../../src/data/program.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';
import { benchArguments, millisecondsOf, report, wanted } from '../lib/report.js';

const ROWS = 4000;
const columns = ['label', ...Array.from({ length: 13 }, (_, i) => `I${i + 1}`), ...Array.from({ length: 26 }, (_, i) => `C${i + 1}`)];
const random = new SeededRandom(1);

/** The first rows of a file. */
function linesOf(path: string): Uint8Array {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(ROWS * 1024);
  const length = readSync(file, bytes);
  closeSync(file);
  let end = 0;
  for (let row = 0; row < ROWS && end < length; row++) end = bytes.subarray(0, length).indexOf(10, end) + 1;
  return bytes.subarray(0, end);
}

function criteoText(): Uint8Array {
  if (benchArguments.file !== null) return linesOf(benchArguments.file);
  const lines = Array.from({ length: ROWS }, () => {
    const numbers = Array.from({ length: 13 }, () =>
      random.nextBelow(5) === 0 ? '' : String(random.nextBelow(1 << random.nextBelow(16))),
    );
    const names = Array.from({ length: 26 }, () => random.nextUint32().toString(16).padStart(8, '0'));
    return [random.nextBelow(2), ...numbers, ...names].join('\t');
  });
  return Buffer.from(`${lines.join('\n')}\n`);
}

function criteoBinary(): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: ROWS * 40 }, () => random.nextBelow(1 << 20)).buffer);
}

for (const [format, bytes] of [
  ['criteo', criteoText()],
  ['criteo-bin', criteoBinary()],
] as [ResolvedFormat, Uint8Array][]) {
  const features = Array.from({ length: 26 }, (_, i) => i);
  const program = compileProgram({
    options: completeOptions({ files: ['-'] }),
    format,
    schema: criteoSchema('dense'),
    columns,
    groups: [{ features, hasValues: false }],
    numFields: 0,
    separator: 9,
    labelType: 'int32',
    denseType: 'int32',
    where: 'bench',
  });
  const block = ParsedBlock.allocate({
    maxExamples: ROWS,
    numDense: 13,
    groups: [{ numFeatures: 26, maxIds: ROWS * 26, hasValues: false }],
  });
  const raw = new Uint8Array(new SharedArrayBuffer(bytes.length));
  raw.set(bytes);
  const result = new Float64Array(R.words);
  for (const parsers of [loadNativeParsers(), referenceParsers]) {
    if (parsers === null) continue;
    const name = `${format} ${parsers.name}`;
    if (!wanted(name)) continue;
    const times = await millisecondsOf(() => {
      parsers.parseRecords(program, raw, 0, raw.length, block.common, block.shape, block.buffer, result);
    });
    const values = times.map((ms) => ROWS / 1000 / ms);
    report({ name, unit: 'M records/s', better: 'higher', values, info: { 'MB/s': (bytes.length / 1e6) * (1000 / Math.min(...times)) } });
  }
}
