// Criteo's layouts: label, I1..I13, C1..C26; as text, and as 40 words of 32 bits.
import { MonolithError } from '../base/index.js';
import { fileInfo, readHead } from '../data/index.js';
import { BatchBuilder, cell, type FieldValue } from './batch-builder.js';
import { ByteWindow } from './byte-records.js';
import { readDialect } from './delimited/dialect.js';
import { DelimitedSource } from './delimited/read.js';
import { createDelimited } from './delimited/write.js';
import { takeOptions } from './options.js';
import { OutputFile } from './output-file.js';
import type { RecordBatch, RecordField, RecordFormat, RecordSink, RecordSource, ValueKind } from './record-batch.js';

const DENSE = 13;
const CATEGORIES = 26;
const WORDS = 1 + DENSE + CATEGORIES;
const RECORD_BYTES = WORDS * 4;
const HEADER_BYTES = 64;
const MAGIC = 'CRLK0001';
const BATCH_ROWS = 2048;

/** Names of Criteo's columns in their order. */
export const criteoColumns: readonly string[] = [
  'label',
  ...Array.from({ length: DENSE }, (_, i) => `I${i + 1}`),
  ...Array.from({ length: CATEGORIES }, (_, i) => `C${i + 1}`),
];

function criteoFields(label: ValueKind, dense: ValueKind, category: ValueKind): RecordField[] {
  return criteoColumns.map((name, c) => ({ name, kind: c === 0 ? label : c <= DENSE ? dense : category, isList: false }));
}

function fitError(format: string, fields: readonly RecordField[], wanted: readonly RecordField[]): MonolithError | null {
  const names = new Set(wanted.map(({ name }) => name));
  const odd = fields.filter(({ name }) => !names.has(name)).map(({ name }) => name);
  if (odd.length > 0) {
    return new MonolithError(
      'InvalidConfig',
      `format ${format} holds label, I1..I13 and C1..C26 alone, not ${odd.slice(0, 8).join(', ')}${odd.length > 8 ? ', …' : ''}. Choose the columns (--columns), or give them these names (--rename)`,
      { fields: odd },
    );
  }
  const lists = fields.filter(({ isList }) => isList).map(({ name }) => name);
  if (lists.length > 0)
    return new MonolithError('InvalidConfig', `format ${format} holds no lists: ${lists.join(', ')}`, { fields: lists });
  return null;
}

/** Which column of a batch each of Criteo's is; −1 where it is not there. */
function places(fields: readonly RecordField[]): number[] {
  return criteoColumns.map((name) => fields.findIndex((field) => field.name === name));
}

export const criteoFormat: RecordFormat = {
  name: 'criteo',
  extensions: [],
  async open(path, options) {
    takeOptions('criteo', options, {});
    const info = await fileInfo(path);
    const head = Buffer.from(await readHead(info, 16384)).toString('latin1');
    const columns = (head.split('\n')[0] ?? '').split('\t').length;
    if (columns !== WORDS && columns !== WORDS - 1) {
      throw new MonolithError(
        'DataFormat',
        `${path} line 1: ${columns} fields between tabs, Criteo's layout has ${WORDS}, or ${WORDS - 1} without the label`,
        { path },
      );
    }
    const names = columns === WORDS ? criteoColumns : criteoColumns.slice(1);
    const fields = criteoFields('int64', 'int64', 'text').filter(({ name }) => names.includes(name));
    const kinds = fields.map(({ name, kind }) => `${name}=${kind}`).join(',');
    const dialect = await readDialect('tsv', info, {
      separator: 'tab',
      quotes: false,
      trim: false,
      header: false,
      names: names.join(','),
      kinds,
    });
    return new DelimitedSource(info, dialect, fields);
  },
  async create(path, fields, options) {
    takeOptions('criteo', options, {});
    const wanted = criteoFields('int64', 'int64', 'text');
    const odd = fitError('criteo', fields, wanted);
    if (odd !== null) throw odd;
    const wrong = fields.filter(({ name, kind }) => kind !== wanted[criteoColumns.indexOf(name)].kind);
    if (wrong.length > 0) {
      const kinds = wrong.map(({ name }) => `${name}=${wanted[criteoColumns.indexOf(name)].kind}`).join(',');
      throw new MonolithError(
        'InvalidConfig',
        `format criteo: ${wrong
          .map(({ name, kind }) => `${name} is ${kind}`)
          .slice(0, 6)
          .join(', ')}, but label and I1..I13 are int64, C1..C26 text there. Change them with --kinds ${kinds}`,
        { fields: wrong.map(({ name }) => name) },
      );
    }
    const inner = await createDelimited('tsv', path, wanted, { header: false });
    const from = places(fields);
    return {
      write: (batch) =>
        inner.write({
          rows: batch.rows,
          columns: wanted.map((field, c) => (from[c] < 0 ? absent(field, batch.rows) : batch.columns[from[c]])),
        }),
      close: () => inner.close(),
      abort: () => inner.abort(),
    };
  },
};

function absent(field: RecordField, rows: number): RecordBatch['columns'][number] {
  return { ...field, values: [], offsets: new Uint32Array(rows + 1), missing: new Uint8Array(rows).fill(1) };
}

class CriteoBinSource implements RecordSource {
  constructor(
    readonly path: string,
    readonly fields: readonly RecordField[],
    readonly findings: readonly string[],
    private readonly skip: number,
    private readonly window: ByteWindow,
  ) {}

  async *batches(): AsyncGenerator<RecordBatch> {
    const { window, fields } = this;
    let skip = this.skip;
    let record = 0;
    const builder = new BatchBuilder(fields);
    for (;;) {
      const { rest } = window;
      if (skip > 0) {
        const some = Math.min(skip, rest.length);
        window.use(some);
        skip -= some;
      }
      const bytes = window.rest;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const records = Math.floor(bytes.length / RECORD_BYTES);
      for (let r = 0; r < records; r++) {
        record++;
        for (let c = 0; c < WORDS; c++) builder.add(c, word(view, r * RECORD_BYTES + c * 4, fields[c].kind, c > DENSE));
        builder.endRow();
        if (builder.rows >= BATCH_ROWS) yield builder.take();
      }
      window.use(records * RECORD_BYTES);
      if (await window.more()) continue;
      if (window.rest.length > 0) {
        throw new MonolithError(
          'RecordCorrupt',
          `${this.path} record ${record + 1} at byte ${window.position}: cut off after ${window.rest.length} of ${RECORD_BYTES} bytes`,
          {
            path: this.path,
            record: record + 1,
            byte: window.position,
          },
        );
      }
      break;
    }
    if (builder.rows > 0) yield builder.take();
  }

  close(): Promise<void> {
    return this.window.close();
  }
}

function word(view: DataView, at: number, kind: ValueKind, unsigned: boolean): FieldValue {
  if (kind === 'float32') return view.getFloat32(at, true);
  return BigInt(unsigned ? view.getUint32(at, true) : view.getInt32(at, true));
}

const typeNames = { int32: 'int64', float32: 'float32' } as const;

export const criteoBinFormat: RecordFormat = {
  name: 'criteo-bin',
  extensions: ['.bin'],
  async open(path, options) {
    const given = takeOptions('criteo-bin', options, { headerBytes: 'number', labelType: 'text', denseType: 'text' });
    const info = await fileInfo(path);
    const own = Buffer.from(await readHead(info, MAGIC.length)).toString('latin1') === MAGIC;
    const kindOf = (option: string, type = own ? 'float32' : 'int32'): ValueKind => {
      if (type === 'int32' || type === 'float32') return typeNames[type];
      throw new MonolithError('InvalidConfig', `format criteo-bin: option ${option} is "${type}", expected int32 or float32`);
    };
    const fields = criteoFields(kindOf('labelType', given.labelType), kindOf('denseType', given.denseType), 'int64');
    const findings = own
      ? [`a header of ${HEADER_BYTES} bytes (${MAGIC}), label and numbers are float32`]
      : [`no header, label and numbers are ${fields[1].kind === 'int64' ? 'int32' : 'float32'}`];
    return new CriteoBinSource(path, fields, findings, given.headerBytes ?? (own ? HEADER_BYTES : 0), await ByteWindow.open(info));
  },
  async create(path, fields, options) {
    takeOptions('criteo-bin', options, {});
    const dense = fields.find(({ name }) => name === 'I1')?.kind === 'int64' ? 'int64' : 'float32';
    const wanted = criteoFields(dense, dense, 'int64');
    const odd = fitError('criteo-bin', fields, wanted);
    if (odd !== null) throw odd;
    const from = places(fields);
    const lacking = criteoColumns.filter((_, c) => from[c] < 0);
    if (lacking.length > 0)
      throw new MonolithError('InvalidConfig', `format criteo-bin needs all of label, I1..I13, C1..C26; missing are ${lacking.join(', ')}`);
    const wrong = wanted.filter(({ kind }, c) => fields[from[c]].kind !== kind && !(c === 0 && fields[from[c]].kind === 'int64'));
    if (wrong.length > 0) {
      throw new MonolithError(
        'InvalidConfig',
        `format criteo-bin: ${wrong
          .map(({ name }) => `${name} is ${fields[from[criteoColumns.indexOf(name)]].kind}`)
          .slice(0, 6)
          .join(
            ', ',
          )}; it holds int64 or float32 numbers and int64 ids. Change them with --kinds ${wrong.map(({ name, kind }) => `${name}=${kind}`).join(',')}`,
        { fields: wrong.map(({ name }) => name) },
      );
    }
    const file = await OutputFile.create(path);
    return new CriteoBinSink(file, wanted, from, dense === 'float32');
  },
};

/** int64 numbers are written as 32-bit integers without a header; float32 ones behind the header of {@link MAGIC}. */
class CriteoBinSink implements RecordSink {
  private records = 0;
  private started = false;

  constructor(
    private readonly file: OutputFile,
    private readonly fields: readonly RecordField[],
    private readonly from: readonly number[],
    private readonly hasHeader: boolean,
  ) {}

  async write(batch: RecordBatch): Promise<void> {
    await this.begin();
    const bytes = Buffer.alloc(batch.rows * RECORD_BYTES);
    for (let c = 0; c < WORDS; c++) {
      const column = batch.columns[this.from[c]];
      for (let r = 0; r < batch.rows; r++) {
        const value = cell(column, r) as number | bigint | null;
        const at = r * RECORD_BYTES + c * 4;
        if (value === null) throw this.unfit(r, c, 'is missing, and there is no mark for that');
        if (this.fields[c].kind === 'float32') bytes.writeFloatLE(Number(value), at);
        else if (c > DENSE ? value < 0 || value > 0xffffffff : value < -0x80000000 || value > 0x7fffffff)
          throw this.unfit(r, c, `${value} is no number of 32 bits`);
        else bytes.writeUInt32LE(Number(value) >>> 0, at);
      }
    }
    this.records += batch.rows;
    await this.file.write(bytes);
  }

  async close(): Promise<void> {
    await this.begin();
    if (this.hasHeader && !this.file.compresses) {
      const count = Buffer.alloc(8);
      count.writeBigUInt64LE(BigInt(this.records));
      await this.file.patch(MAGIC.length, count);
    }
    await this.file.close();
  }

  async abort(): Promise<void> {
    await this.file.abort();
  }

  private async begin(): Promise<void> {
    if (this.started) return;
    this.started = true;
    if (this.hasHeader) await this.file.write(criteoHeader({ records: 0n, rows: 0, zipf: 0, start: 0n, seed: 0n }));
  }

  private unfit(row: number, column: number, what: string): MonolithError {
    return new MonolithError(
      'InvalidConfig',
      `${this.file.path}: record ${this.records + row + 1}, field "${criteoColumns[column]}": ${what}; choose another format`,
      {
        path: this.file.path,
        field: criteoColumns[column],
      },
    );
  }
}

/** The 64 bytes before the records: magic, their number, 13, 26, and how they were generated. */
export function criteoHeader(made: { records: bigint; rows: number; zipf: number; start: bigint; seed: bigint }): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeBigUInt64LE(made.records, 8);
  header.writeUInt32LE(DENSE, 16);
  header.writeUInt32LE(CATEGORIES, 20);
  header.writeUInt32LE(made.rows, 24);
  header.writeFloatLE(made.zipf, 28);
  header.writeBigUInt64LE(BigInt.asUintN(64, made.start), 32);
  header.writeBigUInt64LE(BigInt.asUintN(64, made.seed), 40);
  return header;
}
