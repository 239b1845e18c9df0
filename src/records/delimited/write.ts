import { MonolithError } from '../../base/index.js';
import { cell, type FieldValue } from '../batch-builder.js';
import { float32Text, float64Text } from '../number-text.js';
import { takeOptions } from '../options.js';
import { OutputFile } from '../output-file.js';
import type { RecordBatch, RecordField, RecordOptions, RecordSink } from '../record-batch.js';
import { oneCharacter } from './dialect.js';

const writeOptions = { separator: 'text', header: 'boolean', quotes: 'boolean', listSeparator: 'text', bytes: 'text' } as const;

type Rules = {
  readonly separator: string;
  readonly quotes: boolean;
  readonly header: boolean;
  readonly listSeparator: string | null;
  readonly bytes: 'hex' | 'base64' | null;
};

/**
 * Writes fields between separators, UTF-8. A missing value is an empty field, an empty text (or list) is `""`.
 * @throws InvalidConfig naming fields that do not fit.
 */
export async function createDelimited(
  format: 'csv' | 'tsv',
  path: string,
  fields: readonly RecordField[],
  options: RecordOptions,
): Promise<RecordSink> {
  const given = takeOptions(format, options, writeOptions);
  const character = (option: string, text: string | undefined): string | null =>
    text === undefined ? null : oneCharacter(format, option, text);
  if (given.bytes !== undefined && given.bytes !== 'hex' && given.bytes !== 'base64') {
    throw new MonolithError('InvalidConfig', `format ${format}: option bytes is "${given.bytes}", expected hex or base64`);
  }
  const rules: Rules = {
    separator: character('separator', given.separator) ?? (format === 'csv' ? ',' : '\t'),
    quotes: given.quotes ?? format === 'csv',
    header: given.header ?? true,
    listSeparator: character('listSeparator', given.listSeparator),
    bytes: given.bytes ?? null,
  };
  const lists = fields.filter(({ isList }) => isList).map(({ name }) => name);
  if (lists.length > 0 && rules.listSeparator === null) {
    throw new MonolithError(
      'InvalidConfig',
      `format ${format} holds no lists: ${lists.join(', ')}. Set the option listSeparator (listSeparator=|) to write their values with it between them, or leave the columns out`,
      { fields: lists },
    );
  }
  if (rules.listSeparator === rules.separator)
    throw new MonolithError('InvalidConfig', `format ${format}: listSeparator is the separator itself`);
  const binary = fields.filter(({ kind }) => kind === 'bytes').map(({ name }) => name);
  if (binary.length > 0 && rules.bytes === null) {
    throw new MonolithError(
      'InvalidConfig',
      `format ${format} holds no bytes: ${binary.join(', ')}. Set the option bytes=hex or bytes=base64 to write them so, or leave the columns out`,
      { fields: binary },
    );
  }
  if (fields.length === 0) throw new MonolithError('InvalidConfig', `format ${format}: there are no columns to write`);
  const texts = fields.map(({ name }) => new FieldText(rules, path, name));
  const names = rules.header ? fields.map(({ name }, c) => texts[c].quoted(name)) : null;
  return new DelimitedSink(await OutputFile.create(path), fields, rules.separator, texts, names);
}

/** Puts values of one field into words. */
class FieldText {
  /** Number of the record in hand; 0: the header. */
  row = 0;

  constructor(
    private readonly rules: Rules,
    private readonly path: string,
    private readonly name: string,
  ) {}

  of(field: RecordField, value: FieldValue | readonly FieldValue[] | null, onlyOne: boolean): string {
    if (value === null) {
      if (onlyOne)
        throw this.unfit(
          'a line that holds nothing is no record, so one column alone can have no missing values',
          'write another column beside it',
        );
      return '';
    }
    if (!Array.isArray(value)) return this.quoted(this.one(field, value as FieldValue));
    if (value.length === 0) return this.quoted('');
    const separator = this.rules.listSeparator as string;
    const texts = value.map((one) => this.one(field, one as FieldValue));
    if (texts.some((text) => text.includes(separator)))
      throw this.unfit(
        `a value has ${JSON.stringify(separator)} in it, which stands between the values of lists`,
        'choose another listSeparator',
      );
    if (texts.length === 1 && texts[0] === '')
      throw this.unfit('a list of one empty text would read as an empty list', 'choose another format');
    return this.quoted(texts.join(separator));
  }

  quoted(text: string): string {
    const { separator, quotes } = this.rules;
    const plain =
      text !== '' &&
      !text.includes(separator) &&
      !text.includes('"') &&
      !text.includes('\n') &&
      !text.includes('\r') &&
      text.trim() === text;
    if (plain) return text;
    if (quotes) return `"${text.replaceAll('"', '""')}"`;
    const harmless = text !== '' && !text.includes(separator) && !text.includes('\n') && !text.includes('\r');
    if (harmless) return text;
    const what =
      text === ''
        ? 'an empty text would read as a missing one'
        : `${JSON.stringify(text.slice(0, 40))} has a separator or a line end in it`;
    throw this.unfit(what, 'set the option quotes=true (and read it with quotes=true), or write csv');
  }

  private one(field: RecordField, value: FieldValue): string {
    switch (field.kind) {
      case 'int64':
      case 'text':
        return String(value);
      case 'float32':
        return float32Text(value as number);
      case 'float64':
        return float64Text(value as number);
      case 'bytes':
        return Buffer.from(value as Uint8Array).toString(this.rules.bytes ?? 'base64');
      default:
        return field.kind satisfies never;
    }
  }

  private unfit(what: string, hint: string): MonolithError {
    const where = this.row === 0 ? 'header' : `record ${this.row}`;
    return new MonolithError('InvalidConfig', `${this.path}: ${where}, field "${this.name}": ${what}; ${hint}`, {
      path: this.path,
      field: this.name,
    });
  }
}

class DelimitedSink implements RecordSink {
  private row = 0;
  private started = false;

  constructor(
    private readonly file: OutputFile,
    private readonly fields: readonly RecordField[],
    private readonly separator: string,
    private readonly texts: readonly FieldText[],
    private readonly header: readonly string[] | null,
  ) {}

  async write(batch: RecordBatch): Promise<void> {
    await this.begin();
    const lines: string[] = [];
    const { separator, fields, texts } = this;
    for (let r = 0; r < batch.rows; r++) {
      this.row++;
      let line = '';
      for (let c = 0; c < fields.length; c++) {
        texts[c].row = this.row;
        line += (c === 0 ? '' : separator) + texts[c].of(fields[c], cell(batch.columns[c], r), fields.length === 1);
      }
      lines.push(line);
    }
    if (lines.length > 0) await this.file.write(`${lines.join('\n')}\n`);
  }

  async close(): Promise<void> {
    await this.begin();
    await this.file.close();
  }

  async abort(): Promise<void> {
    await this.file.abort();
  }

  private async begin(): Promise<void> {
    if (this.started) return;
    this.started = true;
    if (this.header !== null) await this.file.write(`${this.header.join(this.separator)}\n`);
  }
}
