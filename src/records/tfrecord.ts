// TFRecord files of tf.train.Example, read and written, and of SequenceExample, read.
import { isUtf8 } from 'node:buffer';
import { MonolithError } from '../base/index.js';
import { BatchBuilder, cell, type FieldValue } from './batch-builder.js';
import { type DecodedExample, type DecodedFeature, decodeExample, type ExampleFeature } from './example-codec.js';
import { takeOptions } from './options.js';
import type { RecordBatch, RecordField, RecordFormat, RecordOptions, RecordSink, RecordSource, ValueKind } from './record-batch.js';
import { readTfRecords, type TfRecord } from './tfrecord-reader.js';
import { type TfRecordCompression, TfRecordWriter } from './tfrecord-writer.js';

const BATCH_ROWS = 2048;
const BATCH_BYTES = 8 << 20;
/** Records that are looked at to find the fields, unless told otherwise. */
const SCANNED = 10_000;
const utf8 = new TextDecoder();

export const tfrecordFormat: RecordFormat = {
  name: 'tfrecord',
  extensions: ['.tfrecord', '.tfrecords', '.tfrec'],
  async open(path, options) {
    const { scan = SCANNED } = takeOptions('tfrecord', options, { scan: 'number' });
    if (!Number.isInteger(scan) || scan < 0)
      throw new MonolithError('InvalidConfig', `format tfrecord: option scan is ${scan}, expected a whole number ≥ 0`);
    const found = await findFields(path, scan === 0 ? Number.POSITIVE_INFINITY : scan);
    return new ExampleSource(path, found.fields, found.records);
  },
  create: createExamples,
};

type Found = { kind: DecodedFeature['kind']; isText: boolean; isList: boolean };

/** The fields of the first records: kinds, whether bytes are all UTF-8, whether any record has several values. */
async function findFields(path: string, most: number): Promise<{ readonly fields: readonly RecordField[]; readonly records: number }> {
  const found = new Map<string, Found>();
  let records = 0;
  // What is damaged is reported by the reading, which comes to it again.
  for await (const record of readTfRecords(path, { onBad: () => {} })) {
    if (records === most) break;
    records++;
    const example = decodeOrNull(record.payload);
    if (example === null) continue;
    for (const [name, feature] of example.features) if (!example.lists.has(name)) learn(found, name, feature, false);
    for (const [name, steps] of example.lists) {
      if (steps.length === 0) learn(found, name, { kind: 'none', values: [] }, true);
      for (const step of steps) learn(found, name, step, true);
    }
  }
  const fields = [...found].map(([name, { kind, isText, isList }]) => ({ name, kind: kindOf(kind, isText), isList }));
  return { fields, records };
}

function learn(found: Map<string, Found>, name: string, { kind, values }: DecodedFeature, isSequence: boolean): void {
  let known = found.get(name);
  if (known === undefined) {
    known = { kind: 'none', isText: true, isList: false };
    found.set(name, known);
  }
  if (kind !== 'none' && known.kind === 'none') known.kind = kind;
  known.isList ||= isSequence || values.length > 1;
  if (kind === 'bytes' && known.isText) known.isText = values.every((value) => isUtf8(value));
}

function kindOf(kind: DecodedFeature['kind'], isText: boolean): ValueKind {
  if (kind === 'ints') return 'int64';
  if (kind === 'floats') return 'float32';
  return isText ? 'text' : 'bytes';
}

function decodeOrNull(payload: Uint8Array): DecodedExample | null {
  try {
    return decodeExample(payload);
  } catch {
    return null;
  }
}

class ExampleSource implements RecordSource {
  readonly findings: readonly string[];
  private readonly columns: ReadonlyMap<string, number>;
  private onBad: ((problem: MonolithError) => void) | undefined = undefined;

  constructor(
    readonly path: string,
    readonly fields: readonly RecordField[],
    private readonly scanned: number,
  ) {
    this.columns = new Map(fields.map(({ name }, i) => [name, i]));
    this.findings = [`${fields.length} features found in the first ${scanned} records`];
  }

  tolerate(onBad: (problem: MonolithError) => void): void {
    this.onBad = onBad;
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const builder = new BatchBuilder(this.fields);
    const { onBad } = this;
    let bytes = 0;
    for await (const record of readTfRecords(this.path, onBad === undefined ? {} : { onBad })) {
      try {
        // Values are looked at before the first one is added: a bad record leaves nothing.
        const values = this.valuesOf(record);
        values.forEach((list, column) => {
          if (list === null) return;
          builder.setPresent(column);
          for (const value of list) builder.add(column, value);
        });
        builder.endRow();
      } catch (error) {
        const problem = this.placed(record, error);
        if (onBad === undefined) throw problem;
        onBad(problem);
      }
      bytes += record.payload.length;
      if (builder.rows < BATCH_ROWS && bytes < BATCH_BYTES) continue;
      bytes = 0;
      yield builder.take();
    }
    if (builder.rows > 0) yield builder.take();
  }

  /** Every batches() closes its own file. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  private valuesOf({ payload }: TfRecord): (readonly FieldValue[] | null)[] {
    const { features, lists } = decodeExample(payload);
    const values = new Array<readonly FieldValue[] | null>(this.fields.length).fill(null);
    for (const [name, feature] of features) {
      const column = this.column(name);
      if (!lists.has(name) && feature.kind !== 'none') values[column] = this.listOf(this.fields[column], feature);
    }
    for (const [name, steps] of lists) {
      const column = this.column(name);
      values[column] = steps.flatMap((step) => (step.kind === 'none' ? [] : this.listOf(this.fields[column], step)));
    }
    values.forEach((list, column) => {
      if (list !== null && list.length > 1 && !this.fields[column].isList)
        throw this.unlike(this.fields[column].name, `has ${list.length} values`);
    });
    return values;
  }

  private listOf(field: RecordField, feature: DecodedFeature): readonly FieldValue[] {
    const { kind } = field;
    if (feature.values.length === 0) return [];
    if (feature.kind === 'bytes') {
      if (kind === 'text') {
        return feature.values.map((value) => {
          if (!isUtf8(value)) throw this.unlike(field.name, 'has bytes that are no text');
          return utf8.decode(value);
        });
      }
      // The record's bytes are used again.
      if (kind === 'bytes') return feature.values.map((value) => Uint8Array.from(value));
    } else if (feature.kind === 'ints' ? kind === 'int64' : kind === 'float32') return [...(feature.values as Iterable<FieldValue>)];
    throw this.unlike(field.name, `holds ${feature.kind}, not ${kind}`);
  }

  private column(name: string): number {
    const column = this.columns.get(name);
    if (column === undefined) throw this.unlike(name, 'is new');
    return column;
  }

  private unlike(name: string, what: string): MonolithError {
    return new MonolithError(
      'DataFormat',
      `feature "${name}" ${what}, unlike in the first ${this.scanned} records, which were looked at to find the fields. Set the option scan=0 to look at all`,
      { feature: name },
    );
  }

  private placed({ record, byte }: TfRecord, error: unknown): MonolithError {
    const { path } = this;
    if (!(error instanceof MonolithError)) throw error;
    const text = error.code === 'DataFormat' ? error.message : `is no tf.train.Example or SequenceExample (${error.message})`;
    return new MonolithError(
      'DataFormat',
      `${path} record ${record} at byte ${byte}: ${text}`,
      { ...error.details, path, record, byte },
      { cause: error },
    );
  }
}

/**
 * Writes Examples, features in the order of the fields. A record that lacks a field gets a feature without values, as TFX writes it. The file is
 * compressed by its name (.gz, .zz) or by the option `compression` (none, gzip, zlib).
 */
async function createExamples(path: string, fields: readonly RecordField[], options: RecordOptions): Promise<RecordSink> {
  const { compression, float32 = false } = takeOptions('tfrecord', options, { compression: 'text', float32: 'boolean' });
  if (compression !== undefined && !['none', 'gzip', 'zlib'].includes(compression)) {
    throw new MonolithError('InvalidConfig', `format tfrecord: option compression is ${compression}, expected none, gzip or zlib`);
  }
  const doubles = fields.filter(({ kind }) => kind === 'float64').map(({ name }) => name);
  if (doubles.length > 0 && !float32) {
    throw new MonolithError(
      'InvalidConfig',
      `format tfrecord holds floats of 32 bits, and these fields have 64: ${doubles.slice(0, 10).join(', ')}${doubles.length > 10 ? ', …' : ''}. Set the option float32=true to round them, as training does`,
      { fields: doubles },
    );
  }
  const writer = await TfRecordWriter.open(path, compression === undefined ? {} : { compression: compression as TfRecordCompression });
  return {
    async write(batch) {
      for (let row = 0; row < batch.rows; row++) {
        await writer.appendExample(new Map(batch.columns.map((column) => [column.name, featureOf(column.kind, cell(column, row))])));
      }
    },
    close: () => writer.close(),
    abort: () => writer.abort(),
  };
}

function featureOf(kind: ValueKind, value: FieldValue | FieldValue[] | null): ExampleFeature {
  if (value === null) return null;
  const values = Array.isArray(value) ? value : [value];
  switch (kind) {
    case 'int64':
      return { ints: values as bigint[] };
    case 'float32':
    case 'float64':
      return { floats: values as number[] };
    case 'text':
    case 'bytes':
      return { bytes: values as (string | Uint8Array)[] };
    default:
      return kind satisfies never;
  }
}
