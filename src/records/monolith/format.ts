import { isUtf8 } from 'node:buffer';
import { MonolithError } from '../../base/index.js';
import {
  decodeMessage,
  defaultFraming,
  encodeFrame,
  encodeMessage,
  type FileInfo,
  FrameState,
  type Framing,
  fileInfo,
  framePlaces,
  frameProblem,
  framingHint,
  type MonolithFormat,
  type MonolithMessage,
  type MonolithMessageName,
  walkFrame,
} from '../../data/index.js';
import { BatchBuilder, cell, type FieldValue } from '../batch-builder.js';
import { ByteWindow } from '../byte-records.js';
import { takeOptions } from '../options.js';
import { OutputFile } from '../output-file.js';
import type { RecordBatch, RecordField, RecordFormat, RecordOptions, RecordSink, RecordSource } from '../record-batch.js';
import { buildBatch, buildMessage, FlatGuess, type FlatRow, flattenMessage, unfitFields } from './flatten.js';

const MOST_BYTES = 64 << 20;
/** Files no longer than this as stored are looked at whole before they are read. */
const WHOLE_FILE_BYTES = 16 << 20;
/** Messages that the fields are told by in longer ones. */
const SAMPLE_MESSAGES = 1000;
const BATCH_ROWS = 1024;

const framingOptions = {
  hasSortId: 'boolean',
  kafkaDump: 'boolean',
  kafkaDumpPrefix: 'boolean',
  lagrangexHeader: 'boolean',
  bareMessage: 'boolean',
} as const;

const messageOf: Readonly<Record<MonolithFormat, MonolithMessageName>> = {
  instance: 'Instance',
  example: 'Example',
  'example-batch': 'ExampleBatch',
  'example-batch-row-major': 'ExampleBatchRowMajor',
};

type Settings = { readonly message: MonolithMessageName; readonly framing: Framing | null; readonly dropExtras: boolean };

function framingOf(given: { readonly [Name in keyof Framing]?: boolean } & { readonly bareMessage?: boolean }): Framing | null {
  if (given.bareMessage === true) return null;
  return {
    hasSortId: given.hasSortId ?? defaultFraming.hasSortId,
    kafkaDump: given.kafkaDump ?? false,
    kafkaDumpPrefix: given.kafkaDumpPrefix ?? false,
    lagrangexHeader: given.lagrangexHeader ?? false,
  };
}

/** The rows of each message of a file, with the message's place. */
async function* messagesOf(
  info: FileInfo,
  { message, framing, dropExtras }: Settings,
): AsyncGenerator<{ rows: FlatRow[]; record: number; byte: number }> {
  const window = await ByteWindow.open(info, MOST_BYTES);
  const places = framePlaces();
  let record = 0;
  const rowsIn = (payload: Uint8Array, byte: number): { rows: FlatRow[]; record: number; byte: number } => {
    try {
      return { rows: flattenMessage(message, decodeMessage(message, payload), { dropExtras }), record, byte };
    } catch (error) {
      throw placed(error, info.path, record, byte);
    }
  };
  try {
    if (framing === null) {
      while (await window.more());
      record = 1;
      yield rowsIn(window.rest, 0);
      return;
    }
    for (let more = true; more; ) {
      more = await window.more();
      for (;;) {
        const bytes = window.rest;
        if (bytes.length === 0) break;
        const state = walkFrame(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, framing, MOST_BYTES, places);
        if (state === FrameState.truncated && more) break;
        record++;
        if (state !== FrameState.good) {
          const byte = window.position;
          throw new MonolithError(
            'RecordCorrupt',
            `${info.path} record ${record} at byte ${byte}: ${frameProblem(state, places.length, MOST_BYTES)}. ${framingHint(framing)}`,
            { path: info.path, record, byte },
          );
        }
        const found = rowsIn(bytes.subarray(places.payload, places.end), window.position);
        window.use(places.end);
        yield found;
      }
    }
  } finally {
    await window.close();
  }
}

function placed(error: unknown, path: string, record: number, byte: number): unknown {
  if (!(error instanceof MonolithError)) return error;
  return new MonolithError(error.code, `${path} record ${record} at byte ${byte}: ${error.message}`, { path, record, byte });
}

class MonolithSource implements RecordSource {
  readonly path: string;

  constructor(
    private readonly info: FileInfo,
    private readonly settings: Settings,
    readonly fields: readonly RecordField[],
    readonly findings: readonly string[],
  ) {
    this.path = info.path;
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const { fields } = this;
    const columns = new Map(fields.map((field, c) => [field.name, c]));
    const builder = new BatchBuilder(fields);
    for await (const { rows, record, byte } of messagesOf(this.info, this.settings)) {
      for (const row of rows) {
        for (const [name, { values, kind, isList }] of row) {
          const column = columns.get(name);
          const field = column === undefined ? undefined : fields[column];
          const textFits = kind !== 'bytes' || field?.kind !== 'text' || values.every((value) => isUtf8(value as Uint8Array));
          const kindFits =
            kind === null || field?.kind === (kind === 'string' ? 'text' : kind) || (kind === 'bytes' && field?.kind === 'text');
          if (
            column === undefined ||
            field === undefined ||
            !textFits ||
            !kindFits ||
            (!field.isList && (values.length !== 1 || isList === true))
          ) {
            throw new MonolithError(
              'DataFormat',
              `${this.path} record ${record} at byte ${byte}, field "${name}": it is not as in the first ${SAMPLE_MESSAGES} messages; set the option sample=all to look at every message first`,
              { path: this.path, record, byte, field: name },
            );
          }
          builder.setPresent(column);
          const toText = kind === 'bytes' && field.kind === 'text';
          for (const value of values) builder.add(column, toText ? Buffer.from(value as Uint8Array).toString('utf8') : value);
        }
        builder.endRow();
        if (builder.rows >= BATCH_ROWS) yield builder.take();
      }
    }
    if (builder.rows > 0) yield builder.take();
  }

  async close(): Promise<void> {}
}

class MonolithSink implements RecordSink {
  private numMessages = 0;
  private numRows = 0;

  constructor(
    private readonly file: OutputFile,
    private readonly settings: Settings,
    private readonly fields: readonly RecordField[],
  ) {}

  async write(batch: RecordBatch): Promise<void> {
    const { message } = this.settings;
    const rows = Array.from({ length: batch.rows }, (_, r) => batch.columns.map((column) => asList(cell(column, r))));
    try {
      if (message === 'ExampleBatch') await this.put('ExampleBatch', buildBatch(this.fields, rows));
      else {
        const single = message === 'Instance' ? 'Instance' : 'Example';
        const messages = rows.map((row) => {
          this.numRows++;
          return buildMessage(
            single,
            row.flatMap((values, c) => (values === null ? [] : [{ field: this.fields[c], values }])),
          );
        });
        if (message === 'ExampleBatchRowMajor') await this.put(message, { example: messages });
        else for (const one of messages) await this.put(single, one);
      }
    } catch (error) {
      if (!(error instanceof MonolithError)) throw error;
      throw new MonolithError(error.code, `${this.file.path} record ${this.numRows}: ${error.message}`, {
        path: this.file.path,
        record: this.numRows,
      });
    }
  }

  private async put(name: MonolithMessageName, message: MonolithMessage): Promise<void> {
    const bytes = encodeMessage(name, message);
    this.numMessages++;
    if (this.settings.framing !== null) return this.file.write(encodeFrame(bytes, this.settings.framing));
    if (this.numMessages > 1) {
      throw new MonolithError(
        'InvalidConfig',
        'a bare message is one a file, and there are more records; leave bareMessage out, or write fewer (--rows, --shards)',
      );
    }
    return this.file.write(bytes);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async abort(): Promise<void> {
    await this.file.abort();
  }
}

function asList(value: FieldValue | FieldValue[] | null): FieldValue[] | null {
  return value === null || Array.isArray(value) ? value : [value];
}

function monolith(name: MonolithFormat): RecordFormat {
  const message = messageOf[name];
  return {
    name,
    extensions: [],
    async open(path: string, options: RecordOptions) {
      const given = takeOptions(name, options, { ...framingOptions, extras: 'text', sample: 'text' });
      for (const [option, expected] of [
        ['extras', 'drop'],
        ['sample', 'all'],
      ] as const) {
        if (given[option] !== undefined && given[option] !== expected) {
          throw new MonolithError('InvalidConfig', `format ${name}: option ${option} is "${given[option]}", expected ${expected}`);
        }
      }
      const info = await fileInfo(path);
      const settings = { message, framing: framingOf(given), dropExtras: given.extras === 'drop' };
      const guess = new FlatGuess();
      const all = given.sample === 'all' || (info.storedBytes ?? Number.POSITIVE_INFINITY) <= WHOLE_FILE_BYTES;
      let messages = 0;
      for await (const { rows, record, byte } of messagesOf(info, settings)) {
        try {
          for (const row of rows) guess.add(row);
        } catch (error) {
          throw placed(error, path, record, byte);
        }
        if (++messages >= SAMPLE_MESSAGES && !all) break;
      }
      return new MonolithSource(info, settings, guess.recordFields(), [`fields told by ${messages} messages with ${guess.rows} examples`]);
    },
    async create(path, fields, options) {
      const given = takeOptions(name, options, framingOptions);
      const unfit = unfitFields(message, fields);
      if (unfit.length > 0) {
        throw new MonolithError(
          'InvalidConfig',
          `format ${name} can't hold ${unfit.map((one) => `"${one.name}": ${one.why}`).join('; ')}`,
          {
            fields: unfit.map((one) => one.name),
          },
        );
      }
      return new MonolithSink(await OutputFile.create(path), { message, framing: framingOf(given), dropExtras: false }, fields);
    },
  };
}

export const instanceFormat = monolith('instance');
export const exampleFormat = monolith('example');
export const exampleBatchFormat = monolith('example-batch');
export const exampleBatchRowMajorFormat = monolith('example-batch-row-major');
