// Records a second of each parser on made-up data, native and TypeScript: node dist/bench/data/parsers.bench.js
import { Bench } from 'tinybench';
import { SeededRandom } from '../../src/base/index.js';
import { compileProgram } from '../../src/data/compile.js';
import { criteoSchema } from '../../src/data/criteo-schema.js';
import { completeOptions } from '../../src/data/inputs.js';
import { loadNativeParsers } from '../../src/data/native-parsers.js';
import type { ResolvedFormat } from '../../src/data/options.js';
import { ParsedBlock } from '../../src/data/parsed-block.js';
import { R } from '../../src/data/program.js';
import { referenceParsers } from '../../src/data/twins/parsers.js';

const ROWS = 4000;
const columns = ['label', ...Array.from({ length: 13 }, (_, i) => `I${i + 1}`), ...Array.from({ length: 26 }, (_, i) => `C${i + 1}`)];
const random = new SeededRandom(1);

function criteoText(): Uint8Array {
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

const bench = new Bench({ time: 500 });
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
    bench.add(`${format} ${parsers.name}`, () => {
      parsers.parseRecords(program, raw, 0, raw.length, block.common, block.shape, block.buffer, result);
    });
  }
}
await bench.run();
for (const task of bench.tasks) {
  const perSecond = task.result !== undefined && 'latency' in task.result ? (ROWS * 1000) / task.result.latency.p50 : Number.NaN;
  console.log(`${task.name.padEnd(24)} ${(perSecond / 1e6).toFixed(2)} M records/s (median)`);
}
