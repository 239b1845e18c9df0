import { MonolithError } from '../../base/index.js';
import type { FeatureSchema } from '../../features/index.js';
import { BatchBuilder } from '../batch-builder.js';
import { criteoColumns, criteoHeader } from '../criteo.js';
import { OutputFile } from '../output-file.js';
import type { RecordBatch, RecordField } from '../record-batch.js';
import { ClickMaker, type ClickParameters } from './made-clicks.js';
import { SchemaMaker } from './made-records.js';
import { checkOutputs, type OutputOptions, OutputSet, outputFormat } from './outputs.js';

const BATCH_ROWS = 2048;
const RECORD_BYTES = 160;

export type GenerateRequest = {
  readonly out: string;
  readonly write: OutputOptions;
  /** First record and how many. */
  readonly start: number;
  readonly count: number;
  readonly clicks: ClickParameters;
  /** Makes records of this schema instead of clicks. */
  readonly schema?: FeatureSchema | undefined;
  /** File for the planted logits, one float32 a record (clicks only). */
  readonly truth?: string | undefined;
  readonly progress?: ((rows: number) => void) | undefined;
};

export type GenerateResult = {
  readonly path: string;
  readonly format: string;
  readonly rows: number;
  /** Share of positive labels. */
  readonly positive: number;
  /** Distinct values that the columns have together (clicks). */
  readonly values: number | null;
};

/** Writes made records. @throws InvalidConfig */
export async function generateRecords(request: GenerateRequest): Promise<GenerateResult> {
  const { out, write, count, start, clicks, schema, truth, progress } = request;
  check('--count', count, 1, Number.MAX_SAFE_INTEGER);
  check('--start', start, 0, Number.MAX_SAFE_INTEGER - count);
  const format = outputFormat(out, write.to ?? (out.endsWith('.tsv') && schema === undefined ? 'criteo' : undefined));
  await checkOutputs(truth === undefined ? [out] : [out, truth], [], write.force === true);
  if (schema !== undefined) {
    if (truth !== undefined) throw new MonolithError('InvalidConfig', '--truth is there for made clicks alone, not for those of a schema');
    const maker = new SchemaMaker(schema, clicks.seed, clicks.zipf);
    return writeBatches(request, format.name, maker.fields, (builder, record) => maker.make(builder, record), null);
  }
  check('--rows', clicks.rows, 1, 0xffffffff);
  const maker = new ClickMaker(clicks);
  const truthFile = truth === undefined ? null : await OutputFile.create(truth);
  const values = maker.cardinality.reduce((sum, one) => sum + one, 0);
  try {
    let result: GenerateResult;
    if (format.name === 'criteo-bin') result = await writeBinary(request, maker, truthFile, values);
    else {
      const fields: RecordField[] = criteoColumns.map((name, c) => ({ name, kind: c <= 13 ? 'int64' : 'text', isList: false }));
      const make = (builder: BatchBuilder, record: number): boolean => {
        maker.make(record);
        builder.add(0, BigInt(maker.label));
        maker.counts.forEach((value, j) => {
          if (value >= 0) builder.add(1 + j, BigInt(value));
        });
        for (let f = 0; f < maker.ids.length; f++) builder.add(14 + f, maker.token(f));
        builder.endRow();
        return maker.label === 1;
      };
      const logits = truthFile === null ? null : (): Promise<void> => truthFile.write(logitBytes(maker.logit));
      result = { ...(await writeBatches(request, format.name, fields, make, logits)), values };
    }
    await truthFile?.close();
    return result;
  } catch (error) {
    await truthFile?.abort();
    throw error;
  } finally {
    progress?.(count);
  }
}

function logitBytes(logit: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(logit);
  return bytes;
}

function check(flag: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new MonolithError('InvalidConfig', `${flag} ${value}: expected a whole number of at least ${least}`);
}

async function writeBatches(
  { out, write, start, count, progress }: GenerateRequest,
  format: string,
  fields: readonly RecordField[],
  make: (builder: BatchBuilder, record: number) => boolean,
  afterEach: (() => Promise<void>) | null,
): Promise<GenerateResult> {
  const outputs = await OutputSet.create([out], outputFormat(out, format), fields, write.options ?? {});
  try {
    const builder = new BatchBuilder(fields);
    let positive = 0;
    const flush = async (done: number): Promise<void> => {
      const batch: RecordBatch = builder.take();
      await outputs.write(0, batch);
      progress?.(done);
    };
    for (let i = 0; i < count; i++) {
      if (make(builder, start + i)) positive++;
      if (afterEach !== null) await afterEach();
      if (builder.rows === BATCH_ROWS) await flush(i + 1);
    }
    if (builder.rows > 0) await flush(count);
    await outputs.close();
    return { path: out, format, rows: count, positive: positive / count, values: null };
  } catch (error) {
    await outputs.abort();
    throw error;
  }
}

async function writeBinary(
  { out, start, count, clicks, progress }: GenerateRequest,
  maker: ClickMaker,
  truth: OutputFile | null,
  values: number,
): Promise<GenerateResult> {
  const file = await OutputFile.create(out);
  try {
    const made = { records: BigInt(count), rows: clicks.rows, zipf: clicks.zipf, start: BigInt(start), seed: BigInt(clicks.seed) };
    await file.write(criteoHeader(made));
    let positive = 0;
    for (let first = 0; first < count; first += BATCH_ROWS) {
      const records = Math.min(BATCH_ROWS, count - first);
      const bytes = Buffer.alloc(records * RECORD_BYTES);
      const logits = Buffer.alloc(records * 4);
      for (let r = 0; r < records; r++) {
        maker.make(start + first + r);
        positive += maker.label;
        const at = r * RECORD_BYTES;
        bytes.writeFloatLE(maker.label, at);
        maker.dense.forEach((value, j) => {
          bytes.writeFloatLE(value, at + 4 + j * 4);
        });
        maker.ids.forEach((id, f) => {
          bytes.writeUInt32LE(id, at + 56 + f * 4);
        });
        logits.writeFloatLE(maker.logit, r * 4);
      }
      await file.write(bytes);
      await truth?.write(logits);
      progress?.(first + records);
    }
    await file.close();
    return { path: out, format: 'criteo-bin', rows: count, positive: positive / count, values };
  } catch (error) {
    await file.abort();
    throw error;
  }
}
