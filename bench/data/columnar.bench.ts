// Rows a second of Parquet into parsed blocks on one core, beside hyparquet alone with the same file and columns, and Arrow and Avro of the same rows.
//
//   node dist/bench/data/columnar.bench.js [--only parquet] [--rows 50000] [--rounds N]
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { SeededRandom } from '../../src/base/index.js';
import { type ColumnarTarget, createColumnarFile, type WriteField } from '../../src/columnar/index.js';
import { BatchPipeline } from '../../src/data/index.js';
import type { FeatureSchema } from '../../src/features/index.js';
import { BatchSlot } from '../../src/tensor/index.js';
import { benchArguments, report, wanted } from '../lib/report.js';

const rows = benchArguments.rows ?? 50_000;
const { rounds } = benchArguments;
const random = new SeededRandom(1);
const numbers = Array.from({ length: 13 }, (_, i) => `I${i + 1}`);
const categories = Array.from({ length: 26 }, (_, i) => `C${i + 1}`);
const fields: WriteField[] = [
  { name: 'label', kind: 'int64', isList: false },
  ...numbers.map((name) => ({ name, kind: 'int64' as const, isList: false })),
  ...categories.map((name) => ({ name, kind: 'text' as const, isList: false })),
  // Columns that nobody asks for.
  ...['unused_1', 'unused_2'].map((name) => ({ name, kind: 'text' as const, isList: false })),
];
const schema: FeatureSchema = {
  label: { column: 'label' },
  features: [
    ...numbers.map((name) => ({ name, type: 'numeric' as const, transform: 'log1p' as const })),
    ...categories.map((name) => ({ name, type: 'categorical' as const })),
  ],
};

async function writeFile(path: string, target: ColumnarTarget): Promise<void> {
  const writer = await createColumnarFile(target, path, fields);
  const columns = fields.map(({ kind, name }, i) => {
    const missing = null;
    if (kind === 'int64') {
      const most = name === 'label' ? 2 : 1 << (i % 14);
      return { offsets: null, missing, values: BigInt64Array.from({ length: rows }, () => BigInt(random.nextBelow(most))) };
    }
    // A third of the columns have more entries than a dictionary is worth.
    const entries = name.startsWith('unused') ? 1 << 30 : i % 3 === 0 ? 1 << 24 : 1000;
    return { offsets: null, missing, values: Array.from({ length: rows }, () => random.nextBelow(entries).toString(16).padStart(8, '0')) };
  });
  await writer.write(rows, columns);
  await writer.close();
}

async function readAll(file: string): Promise<number> {
  const pipeline = await BatchPipeline.open({ files: [file], schema, batchSize: 4096, shuffle: 0, parseThreads: 0 });
  try {
    const slots = [new BatchSlot(pipeline.layout, new SharedArrayBuffer(BatchSlot.byteLength(pipeline.layout)), 0)];
    let examples = 0;
    for (let step = await pipeline.nextStep(slots); step > 0; step = await pipeline.nextStep(slots)) examples += step;
    return examples;
  } finally {
    await pipeline.close();
  }
}

/** The same columns through the library's own reader: arrays of values a column, which nobody hashes. */
async function readByLibrary(path: string): Promise<number> {
  let values = 0;
  await parquetRead({
    file: await asyncBufferFromFile(path),
    columns: ['label', ...numbers, ...categories],
    compressors,
    onChunk: ({ columnData }) => {
      values += columnData.length;
    },
  });
  return values / 40;
}

const folder = mkdtempSync(join(tmpdir(), 'monolith-bench-'));
try {
  const targets: readonly (readonly [string, ColumnarTarget])[] = [
    ['parquet', { format: 'parquet', codec: 'SNAPPY', rowGroupRows: 65536 }],
    ['arrow', { format: 'arrow', stream: false, batchRows: 16384 }],
    ['avro', { format: 'avro', codec: 'null' }],
  ];
  for (const [name, target] of targets) {
    const path = join(folder, `rows.${name}`);
    const contenders: readonly (readonly [string, (path: string) => Promise<number>])[] = [
      [`${name} into batches`, readAll],
      ...(name === 'parquet' ? [['parquet by hyparquet alone', readByLibrary] as const] : []),
    ];
    if (!contenders.some(([title]) => wanted(title))) continue;
    await writeFile(path, target);
    const found = new Map<string, number[]>(contenders.map(([title]) => [title, []]));
    // Contenders take turns, after one round that counts for nothing.
    for (let round = -1; round < rounds; round++) {
      for (const [title, read] of contenders) {
        const start = performance.now();
        const read1 = await read(path);
        const seconds = (performance.now() - start) / 1000;
        if (read1 !== rows) throw new Error(`${title}: ${read1} rows, ${rows} were written`);
        if (round >= 0) found.get(title)?.push(rows / 1000 / seconds);
      }
    }
    const megabytes = statSync(path).size / 1e6;
    for (const [title, values] of found)
      report({ name: title, unit: 'k rows/s', better: 'higher', values, info: { 'file MB': megabytes } });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
