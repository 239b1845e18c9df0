import { MonolithError } from '../../base/index.js';
import { type ByteSource, type FileInfo, openSource } from '../../data/index.js';
import { BatchBuilder, type FieldValue } from '../batch-builder.js';
import { parseFloat64, parseInt64 } from '../number-text.js';
import type { RecordBatch, RecordField, RecordSource } from '../record-batch.js';
import { TextReader } from '../text-reader.js';
import type { Dialect } from './dialect.js';
import { ColumnGuesses, separatorName } from './sniff.js';
import { emptyFields, isBlank, splitRecord } from './split-records.js';

const BATCH_ROWS = 2048;
/** Characters of texts that a batch may keep alive. */
const BATCH_CHARACTERS = 1 << 21;
/** A record longer than this is taken for a quote that is never closed. */
const MOST_CHARACTERS = 16 << 20;

/** Goes through the records of a file, the header too: {@link next} as long as it gives one, then {@link fill} for more. */
class RecordCursor {
  readonly fields = emptyFields();
  /** Number and first line of the record in hand, both from 1. */
  record = 0;
  line = 1;
  private text = '';
  /** Byte of the text's first character. */
  private textByte = 0;
  private start = 0;
  private at = 0;
  private linesOfLast = 0;
  private final = false;

  private constructor(
    private readonly path: string,
    private readonly dialect: Dialect,
    private readonly source: ByteSource,
    private readonly reader: TextReader,
  ) {}

  static async open(info: FileInfo, dialect: Dialect): Promise<RecordCursor> {
    const source = await openSource(info, 0);
    return new RecordCursor(info.path, dialect, source, new TextReader(source, info.path, dialect.encoding, dialect.markBytes));
  }

  /** Byte of the record in hand in the decompressed file. */
  get byte(): number {
    return this.textByte + this.reader.byteLength(this.text.slice(0, this.start));
  }

  next(): boolean {
    while (this.at < this.text.length) {
      const next = splitRecord(this.text, this.at, this.final, this.dialect.rules, this.fields);
      if (next < 0) return false;
      this.start = this.at;
      this.at = next;
      this.line += this.linesOfLast;
      this.linesOfLast = this.fields.lines;
      if (isBlank(this.fields)) continue;
      this.record++;
      return true;
    }
    return false;
  }

  /** Reads on; false at the end of the file. @throws DataFormat, RecordCorrupt */
  async fill(): Promise<boolean> {
    if (this.final) return false;
    if (this.text.length - this.at > MOST_CHARACTERS) {
      throw new MonolithError(
        'DataFormat',
        `${this.path} line ${this.line + this.linesOfLast}: a record of more than ${MOST_CHARACTERS} characters. Likely cause: a quote that is never closed (option quotes=false reads quotes as they are)`,
        { path: this.path, line: this.line + this.linesOfLast },
      );
    }
    const chunk = await this.reader.next();
    this.textByte += this.reader.byteLength(this.text.slice(0, this.at));
    const rest = this.text.slice(this.at);
    if (chunk === null) this.final = true;
    else if (rest === '') this.textByte = chunk.byte;
    this.text = rest + (chunk?.text ?? '');
    this.at = 0;
    this.start = 0;
    return true;
  }

  async close(): Promise<void> {
    await this.source.close();
  }
}

/** The fields with kinds guessed from every record. */
export async function fieldsOfAll(info: FileInfo, dialect: Dialect): Promise<RecordField[]> {
  const guesses = new ColumnGuesses(dialect.fields.length, dialect.missing, dialect.listSeparator);
  const cursor = await RecordCursor.open(info, dialect);
  try {
    do {
      while (cursor.next()) if (cursor.record > 1 || !dialect.header) guesses.add(cursor.fields);
    } while (await cursor.fill());
  } finally {
    await cursor.close();
  }
  return guesses.fields(
    dialect.fields.map(({ name }) => name),
    dialect.kinds,
    dialect.lists,
  );
}

export class DelimitedSource implements RecordSource {
  readonly path: string;
  readonly findings: readonly string[];
  readonly trainingOptions: Readonly<Record<string, string | boolean>>;
  private onBad: ((problem: MonolithError) => void) | null = null;

  constructor(
    private readonly info: FileInfo,
    private readonly dialect: Dialect,
    readonly fields: readonly RecordField[],
  ) {
    this.path = info.path;
    this.findings = dialect.findings;
    this.trainingOptions = { header: dialect.header, separator: dialect.rules.separator, trim: dialect.rules.trim };
  }

  tolerate(onBad: (problem: MonolithError) => void): void {
    this.onBad = onBad;
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const builder = new BatchBuilder(this.fields);
    const cursor = await RecordCursor.open(this.info, this.dialect);
    let characters = 0;
    try {
      do {
        while (cursor.next()) {
          if (cursor.record === 1 && this.dialect.header) continue;
          try {
            this.addRow(builder, cursor);
          } catch (error) {
            if (this.onBad === null || !(error instanceof MonolithError)) throw error;
            this.onBad(error);
            continue;
          }
          for (const value of cursor.fields.values) characters += value.length;
          if (builder.rows < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
          characters = 0;
          yield builder.take();
        }
      } while (await cursor.fill());
      if (builder.rows > 0) yield builder.take();
    } finally {
      await cursor.close();
    }
  }

  async close(): Promise<void> {}

  private addRow(builder: BatchBuilder, place: RecordCursor): void {
    const { fields, dialect } = this;
    const { values, quoted, problem } = place.fields;
    if (problem !== null) throw this.bad(place, null, problem);
    if (values.length !== fields.length) {
      throw this.bad(
        place,
        null,
        `${values.length} fields, expected ${fields.length} (separator ${separatorName(dialect.rules.separator)})`,
      );
    }
    // All values first: a bad record must leave nothing of itself in the columns.
    const row: (readonly FieldValue[] | FieldValue | null)[] = values.map((text, c) => {
      const field = fields[c];
      const inQuotes = quoted?.[c] === true;
      if (!inQuotes && dialect.missing.has(text)) return null;
      if (text === '' && (field.isList || field.kind !== 'text')) return field.isList && inQuotes ? [] : null;
      if (!field.isList) return this.value(field, text, place);
      return text.split(dialect.listSeparator as string).map((one) => this.value(field, one, place));
    });
    row.forEach((value, c) => {
      if (value === null) return;
      if (Array.isArray(value)) {
        builder.setPresent(c);
        for (const one of value) builder.add(c, one as FieldValue);
      } else builder.add(c, value as FieldValue);
    });
    builder.endRow();
  }

  private value(field: RecordField, text: string, place: RecordCursor): FieldValue {
    switch (field.kind) {
      case 'text':
        return text;
      case 'bytes':
        return Buffer.from(text, 'utf8');
      case 'int64': {
        const value = parseInt64(text);
        if (value !== null) return value;
        break;
      }
      case 'float32':
      case 'float64': {
        const value = parseFloat64(text);
        if (value !== null) return value;
        break;
      }
      default:
        return field.kind satisfies never;
    }
    throw this.bad(
      place,
      field.name,
      `expected ${field.kind}, got ${JSON.stringify(text.slice(0, 40))}. The kind was guessed from ${this.dialect.kindsFrom}: set the option kinds=${field.name}=text, or sample=all to look at every record`,
    );
  }

  private bad(place: RecordCursor, field: string | null, what: string): MonolithError {
    const { byte } = place;
    const record = place.record - (this.dialect.header ? 1 : 0);
    const column = field === null ? '' : `, field "${field}"`;
    return new MonolithError('DataFormat', `${this.path} line ${place.line} (record ${record}, byte ${byte})${column}: ${what}`, {
      path: this.path,
      line: place.line,
      record,
      byte,
      ...(field === null ? {} : { field }),
    });
  }
}
