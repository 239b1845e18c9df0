// LibSVM and LibFFM text: a label, then index:value or field:index:value.
import { cityHash64, MonolithError } from '../base/index.js';
import { fileInfo, openSource, readHead, sniffEncoding } from '../data/index.js';
import { BatchBuilder, cell, type FieldValue } from './batch-builder.js';
import { float32Text, float64Text, parseFloat64, parseInt64 } from './number-text.js';
import { takeOptions } from './options.js';
import { OutputFile } from './output-file.js';
import type { RecordBatch, RecordField, RecordFormat, RecordSink, RecordSource } from './record-batch.js';
import { TextReader } from './text-reader.js';

const BATCH_ROWS = 2048;
const BATCH_VALUES = 1 << 17;

type Name = 'libsvm' | 'libffm';

function fieldsOf(name: Name): RecordField[] {
  const lists: RecordField[] = [
    { name: 'index', kind: 'int64', isList: true },
    { name: 'value', kind: 'float64', isList: true },
  ];
  if (name === 'libffm') lists.unshift({ name: 'field', kind: 'int64', isList: true });
  return [{ name: 'label', kind: 'float64', isList: false }, ...lists];
}

class PairsSource implements RecordSource {
  readonly fields: readonly RecordField[];
  private onBad: ((problem: MonolithError) => void) | null = null;

  constructor(
    readonly path: string,
    private readonly format: Name,
    private readonly reader: TextReader,
    private readonly end: () => Promise<void>,
  ) {
    this.fields = fieldsOf(format);
  }

  tolerate(onBad: (problem: MonolithError) => void): void {
    this.onBad = onBad;
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const builder = new BatchBuilder(this.fields);
    let text = '';
    let values = 0;
    let line = 0;
    let byte = 0;
    for (let final = false; !final; ) {
      const chunk = await this.reader.next();
      if (chunk === null) final = true;
      else if (text === '') byte = chunk.byte;
      text += chunk?.text ?? '';
      let at = 0;
      while (at < text.length) {
        const newline = text.indexOf('\n', at);
        if (newline < 0 && !final) break;
        const stop = newline < 0 ? text.length : newline;
        line++;
        try {
          values += this.addLine(builder, text.slice(at, stop));
        } catch (error) {
          if (!(error instanceof MonolithError)) throw error;
          const problem = this.placed(error, line, byte + this.reader.byteLength(text.slice(0, at)));
          if (this.onBad === null) throw problem;
          this.onBad(problem);
        }
        at = newline < 0 ? stop : newline + 1;
        if (builder.rows < BATCH_ROWS && values < BATCH_VALUES) continue;
        values = 0;
        yield builder.take();
      }
      byte += this.reader.byteLength(text.slice(0, at));
      text = text.slice(at);
    }
    if (builder.rows > 0) yield builder.take();
  }

  close(): Promise<void> {
    return this.end();
  }

  /** Adds a line's record; the number of its pairs. */
  private addLine(builder: BatchBuilder, line: string): number {
    const comment = line.indexOf('#');
    const words = (comment < 0 ? line : line.slice(0, comment)).split(/[ \t\r]+/).filter((word) => word !== '');
    if (words.length === 0) return 0;
    const label = parseFloat64(words[0]);
    if (label === null) throw new MonolithError('DataFormat', `expected a label, got ${JSON.stringify(words[0].slice(0, 40))}`);
    const parts = this.format === 'libsvm' ? 2 : 3;
    const pairs = words.slice(1).map((word) => {
      const pieces = word.split(':');
      const value = parseFloat64(pieces[parts - 1] ?? '');
      const whole = pieces.slice(0, -1).map((piece) => parseInt64(piece));
      if (pieces.length !== parts || value === null || whole.some((number) => number === null || number < 0n)) {
        throw new MonolithError(
          'DataFormat',
          `expected ${parts === 2 ? 'index:value' : 'field:index:value'}, got ${JSON.stringify(word.slice(0, 40))}`,
        );
      }
      return [...(whole as bigint[]), value] as const;
    });
    builder.add(0, label);
    for (let c = 1; c <= parts; c++) {
      builder.setPresent(c);
      for (const pair of pairs) builder.add(c, pair[c - 1]);
    }
    builder.endRow();
    return pairs.length;
  }

  private placed(error: MonolithError, line: number, byte: number): MonolithError {
    return new MonolithError(error.code, `${this.path} line ${line} (byte ${byte}): ${error.message}`, { path: this.path, line, byte });
  }
}

function pairs(name: Name, extensions: readonly string[]): RecordFormat {
  return {
    name,
    extensions,
    async open(path, options) {
      takeOptions(name, options, {});
      const info = await fileInfo(path);
      const { markBytes, encoding } = sniffEncoding(await readHead(info, 4096));
      const source = await openSource(info, 0);
      return new PairsSource(path, name, new TextReader(source, path, encoding, markBytes), () => source.close());
    },
    create: (path, fields, options) => createPairs(name, path, fields, options),
  };
}

export const libsvmFormat = pairs('libsvm', ['.libsvm', '.svm', '.svmlight']);
export const libffmFormat = pairs('libffm', ['.libffm', '.ffm']);

/** Bits of hashed indices: more would not survive the double that most readers keep an index in. */
const MOST_HASH_BITS = 48;

/**
 * Writes LibSVM or LibFFM text: from the fields of such a file (label, index, value, for LibFFM field), or from a table, where a numeric
 * column is index (and field) of its number with its value, and a text column, given `hashBits`, is the index of its hash with value 1.
 */
async function createPairs(
  name: Name,
  path: string,
  fields: readonly RecordField[],
  options: Readonly<Record<string, string | number | boolean>>,
): Promise<RecordSink> {
  const given = takeOptions(name, options, { label: 'text', hashBits: 'number' });
  const own = fieldsOf(name);
  const isOwn = own.every(({ name: wanted, isList }) =>
    fields.some((field) => field.name === wanted && field.isList === isList && field.kind !== 'text'),
  );
  const labelName = given.label ?? 'label';
  const label = fields.findIndex((field) => field.name === labelName);
  const rest = fields.filter((field) => !(isOwn ? own.some((one) => one.name === field.name) : field.name === labelName));
  if (label < 0)
    throw unfit(
      name,
      [labelName],
      `needs a label; there is no column "${labelName}" among ${fields
        .map((field) => field.name)
        .slice(0, 12)
        .join(', ')}: name it with the option label=NAME`,
    );
  if (fields[label].isList || fields[label].kind === 'text' || fields[label].kind === 'bytes')
    throw unfit(name, [labelName], `needs a label that is one number; "${labelName}" is ${fields[label].kind}`);
  if (isOwn && rest.length > 0)
    throw unfit(
      name,
      rest.map((field) => field.name),
      `holds ${own.map((field) => field.name).join(', ')} alone, not ${rest.map((field) => field.name).join(', ')}; choose the columns with --columns`,
    );
  const file = async (): Promise<OutputFile> => OutputFile.create(path);
  if (isOwn) {
    const at = own.map(({ name: wanted }) => fields.findIndex((field) => field.name === wanted));
    return new PairsSink(await file(), (row) => ownLine(at, row));
  }
  const texts = rest.filter(({ kind }) => kind === 'text' || kind === 'bytes').map((field) => field.name);
  const lists = rest.filter(({ kind, isList }) => isList && kind !== 'text' && kind !== 'bytes').map((field) => field.name);
  if (lists.length > 0) {
    throw unfit(
      name,
      lists,
      `holds no lists of numbers beside ${own.map((field) => field.name).join(', ')}: ${lists.join(', ')}. Leave the columns out with --columns`,
    );
  }
  const { hashBits } = given;
  if (texts.length > 0 && hashBits === undefined) {
    throw unfit(
      name,
      texts,
      `holds no texts: ${texts.join(', ')}. Set the option hashBits=24 to write each as the index of its hash, or leave the columns out with --columns`,
    );
  }
  if (hashBits !== undefined && !(Number.isInteger(hashBits) && hashBits >= 8 && hashBits <= MOST_HASH_BITS)) {
    throw new MonolithError('InvalidConfig', `format ${name}: option hashBits is ${hashBits}, expected 8 to ${MOST_HASH_BITS}`);
  }
  return new PairsSink(await file(), (row) => tableLine(name, fields, label, hashBits ?? 0, row));
}

function unfit(format: string, fields: readonly string[], what: string): MonolithError {
  return new MonolithError('InvalidConfig', `format ${format} ${what}`, { fields });
}

type Row = readonly (FieldValue | readonly FieldValue[] | null)[];

function numberText(field: RecordField | null, value: FieldValue): string {
  if (typeof value === 'bigint') return String(value);
  const text = field?.kind === 'float32' ? float32Text(value as number) : float64Text(value as number);
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}

function ownLine(at: readonly number[], row: Row): string {
  const lists = at.slice(1).map((c) => (row[c] ?? []) as readonly FieldValue[]);
  const count = lists[0].length;
  if (lists.some((list) => list.length !== count))
    throw new MonolithError(
      'InvalidConfig',
      `its lists have ${lists.map((list) => list.length).join(', ')} values, expected the same number`,
    );
  if (row[at[0]] === null) throw new MonolithError('InvalidConfig', 'it has no label');
  let line = numberText(null, row[at[0]] as FieldValue);
  for (let i = 0; i < count; i++) line += ` ${lists.map((list) => numberText(null, list[i])).join(':')}`;
  return line;
}

function tableLine(format: Name, fields: readonly RecordField[], label: number, hashBits: number, row: Row): string {
  if (row[label] === null) throw new MonolithError('InvalidConfig', 'it has no label');
  let line = numberText(fields[label], row[label] as FieldValue);
  let column = 0;
  for (let c = 0; c < fields.length; c++) {
    if (c === label) continue;
    column++;
    const value = row[c];
    if (value === null) continue;
    const values = (Array.isArray(value) ? value : [value]) as readonly FieldValue[];
    for (const one of values) {
      const isNumber = typeof one === 'bigint' || typeof one === 'number';
      const index = isNumber ? column : hashedIndex(fields[c].name, one, hashBits);
      line += ` ${format === 'libffm' ? `${column - 1}:` : ''}${index}:${isNumber ? numberText(fields[c], one) : '1'}`;
    }
  }
  return line;
}

/** The low bits of the hash of `column=value`; columns share the indices. */
function hashedIndex(column: string, value: string | Uint8Array, bits: number): string {
  const bytes = Buffer.concat([Buffer.from(`${column}=`), typeof value === 'string' ? Buffer.from(value) : value]);
  return String(BigInt.asUintN(bits, cityHash64(bytes)));
}

class PairsSink implements RecordSink {
  private row = 0;

  constructor(
    private readonly file: OutputFile,
    private readonly lineOf: (row: Row) => string,
  ) {}

  async write(batch: RecordBatch): Promise<void> {
    let text = '';
    for (let r = 0; r < batch.rows; r++) {
      this.row++;
      try {
        text += `${this.lineOf(batch.columns.map((column) => cell(column, r)))}\n`;
      } catch (error) {
        if (!(error instanceof MonolithError)) throw error;
        throw new MonolithError(error.code, `${this.file.path}: record ${this.row}: ${error.message}`, {
          path: this.file.path,
          record: this.row,
        });
      }
    }
    await this.file.write(text);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async abort(): Promise<void> {
    await this.file.abort();
  }
}
