// Columns chosen, renamed, and turned into other kinds.
import { isUtf8 } from 'node:buffer';
import { MonolithError, suggest } from '../base/index.js';
import { BatchBuilder, cell, type FieldValue } from './batch-builder.js';
import { type GivenKind, parseKinds } from './delimited/dialect.js';
import { float32Text, float64Text, parseFloat64, parseInt64 } from './number-text.js';
import type { RecordBatch, RecordColumn, RecordField } from './record-batch.js';

export type TransformOptions = {
  /** Columns to keep, in this order; all without it. */
  readonly columns?: readonly string[] | undefined;
  readonly drop?: readonly string[] | undefined;
  /** `OLD=NEW`. */
  readonly rename?: readonly string[] | undefined;
  /** `NAME=KIND,…` by the names that columns have in the input. */
  readonly kinds?: string | undefined;
};

type Step = { readonly from: number; readonly field: RecordField; readonly cast: ((value: FieldValue) => FieldValue) | null };

/** Turns batches of some fields into batches of others. */
export class Transform {
  readonly fields: readonly RecordField[];
  private readonly steps: readonly Step[];
  private row = 0;

  /** @throws InvalidConfig for a column that is not there */
  constructor(
    private readonly input: readonly RecordField[],
    { columns, drop = [], rename = [], kinds }: TransformOptions,
  ) {
    const names = new Map<string, string>();
    for (const pair of rename) {
      const at = pair.indexOf('=');
      if (at < 1) throw new MonolithError('InvalidConfig', `--rename ${pair}: expected OLD=NEW`);
      names.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const given = parseKinds('--kinds', kinds);
    for (const name of [...(columns ?? []), ...drop, ...names.keys(), ...given.keys()]) this.place(name);
    const kept = (columns ?? input.map(({ name }) => name)).filter((name) => !drop.includes(name));
    this.steps = kept.map((name) => {
      const from = this.place(name);
      return stepOf(from, input[from], names.get(name) ?? name, given.get(name));
    });
    this.fields = this.steps.map(({ field }) => field);
    const twice = this.fields.find(({ name }, i) => this.fields.findIndex((field) => field.name === name) !== i);
    if (twice !== undefined) throw new MonolithError('InvalidConfig', `two columns would be called "${twice.name}"`);
  }

  apply(batch: RecordBatch): RecordBatch {
    const columns = this.steps.map((step) => this.column(step, batch.columns[step.from], batch.rows));
    this.row += batch.rows;
    return { rows: batch.rows, columns };
  }

  private column({ field, cast }: Step, column: RecordColumn, rows: number): RecordColumn {
    if (cast === null && field.isList === column.isList) return { ...column, ...field };
    const builder = new BatchBuilder([field]);
    for (let r = 0; r < rows; r++) {
      const value = cell(column, r);
      if (value !== null) {
        const values = Array.isArray(value) ? value : [value];
        builder.setPresent(0);
        try {
          if (!field.isList && values.length !== 1)
            throw new MonolithError('InvalidConfig', `a list of ${values.length} values is no single one`);
          for (const one of values) builder.add(0, cast === null ? one : cast(one));
        } catch (error) {
          if (!(error instanceof MonolithError)) throw error;
          throw new MonolithError(error.code, `record ${this.row + r + 1}, field "${field.name}": ${error.message}`, {
            record: this.row + r + 1,
            field: field.name,
          });
        }
      }
      builder.endRow();
    }
    return builder.take().columns[0];
  }

  private place(name: string): number {
    const at = this.input.findIndex((field) => field.name === name);
    if (at >= 0) return at;
    const names = this.input.map((field) => field.name);
    const meant = suggest(name, names);
    const hint = meant === null ? `there are ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}` : `did you mean ${meant}?`;
    throw new MonolithError('InvalidConfig', `there is no column "${name}"; ${hint}`, { column: name });
  }
}

function stepOf(from: number, field: RecordField, name: string, given: GivenKind | undefined): Step {
  if (given === undefined) return { from, field: { ...field, name }, cast: null };
  const as = field.as !== undefined && field.kind === given.kind ? { as: field.as } : {};
  return {
    from,
    field: { name, kind: given.kind, isList: given.isList, ...as },
    cast: field.kind === given.kind ? null : castOf(field.kind, given.kind),
  };
}

function castOf(from: RecordField['kind'], to: RecordField['kind']): (value: FieldValue) => FieldValue {
  const textOf = (value: FieldValue): string => {
    if (typeof value === 'string') return value;
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'number') return from === 'float32' ? float32Text(value) : float64Text(value);
    if (!isUtf8(value)) throw new MonolithError('InvalidConfig', 'bytes that are no UTF-8 text');
    return Buffer.from(value).toString('utf8');
  };
  const unfit = (value: FieldValue): MonolithError => new MonolithError('InvalidConfig', `${String(value).slice(0, 40)} is no ${to}`);
  switch (to) {
    case 'text':
      return textOf;
    case 'bytes':
      return (value) => Buffer.from(textOf(value), 'utf8');
    case 'int64':
      return (value) => {
        if (typeof value === 'number') {
          if (!Number.isSafeInteger(value)) throw unfit(value);
          return BigInt(value);
        }
        const parsed = parseInt64(textOf(value));
        if (parsed === null) throw unfit(value);
        return parsed;
      };
    case 'float32':
    case 'float64':
      return (value) => {
        const parsed = typeof value === 'number' ? value : parseFloat64(textOf(value));
        if (parsed === null) throw unfit(value);
        if (typeof value === 'bigint' && BigInt(parsed) !== value && to === 'float64') throw unfit(value);
        return to === 'float32' ? Math.fround(parsed) : parsed;
      };
    default:
      return to satisfies never;
  }
}
