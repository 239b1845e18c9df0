// What a text with separators looks like: separator, spaces, header, lists, kinds; and why it is taken for that.

import { KindGuess, parseFloat64 } from '../number-text.js';
import type { RecordField, ValueKind } from '../record-batch.js';
import { emptyFields, type Fields, isBlank, type SplitRules, splitRecord } from './split-records.js';

/** Separators that are looked for, the more usual ones first: they win a tie. */
const candidates = [',', '\t', ';', '|'] as const;
const names: Readonly<Record<string, string>> = { ',': 'comma', '\t': 'tab', ';': 'semicolon', '|': 'bar', ' ': 'space' };

/** Records of the head that the separator is told by. */
const RECORDS_LOOKED_AT = 200;

export function separatorName(separator: string): string {
  return names[separator] ?? JSON.stringify(separator);
}

/** The records at the head of a text; the last one only where the text is all of the file. */
export function headRecords(text: string, final: boolean, rules: SplitRules, most = Number.POSITIVE_INFINITY): Fields[] {
  const records: Fields[] = [];
  for (let at = 0; at < text.length && records.length < most; ) {
    const fields = emptyFields();
    const next = splitRecord(text, at, final, rules, fields);
    if (next < 0) break;
    at = next;
    if (!isBlank(fields)) records.push(fields);
  }
  return records;
}

/**
 * The separator that cuts the records of the head into the same number of fields, more than one, most often; of several the one with more
 * fields, then the more usual one.
 */
export function sniffSeparator(text: string, final: boolean, quotes: boolean, usual: string): { separator: string; reason: string } {
  let best = { separator: usual, share: 0, fields: 1, records: 0 };
  for (const separator of [usual, ...candidates.filter((c) => c !== usual)]) {
    const records = headRecords(text, final, { separator, quotes, trim: false }, RECORDS_LOOKED_AT);
    const counts = new Map<number, number>();
    for (const { values } of records) counts.set(values.length, (counts.get(values.length) ?? 0) + 1);
    const [fields, times] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [1, 0];
    if (fields < 2) continue;
    const share = times / records.length;
    if (share > best.share || (share === best.share && fields > best.fields)) best = { separator, share, fields, records: records.length };
  }
  if (best.records === 0) return { separator: usual, reason: 'no separator in it: one column' };
  const how = best.share === 1 ? `all of the first ${best.records}` : `${Math.round(best.share * 100)} % of the first ${best.records}`;
  return { separator: best.separator, reason: `${how} records have ${best.fields} fields` };
}

/**
 * Whether spaces around fields mean nothing: every separator outside quotes is followed by one, as in `39, State-gov, Bachelors`.
 */
export function sniffTrim(records: readonly Fields[]): boolean {
  let spaced = 0;
  for (const { values } of records) {
    for (let i = 1; i < values.length; i++) {
      if (!values[i].startsWith(' ')) return false;
      spaced++;
    }
  }
  return spaced > 0;
}

/**
 * Whether the first record names the columns: its fields differ, none is a number or empty (but the first may be: an index without a name),
 * and either some column holds numbers further down, or none of the names is met again in its column.
 */
export function sniffHeader(records: readonly Fields[]): { header: boolean; reason: string } {
  const [first, ...rest] = records;
  if (first === undefined) return { header: false, reason: 'nothing is in it' };
  const { values } = first;
  const number = values.find((value) => parseFloat64(value) !== null);
  if (number !== undefined) return { header: false, reason: `${JSON.stringify(number)} in the first record is a number` };
  if (values.some((value, i) => i > 0 && value === '')) return { header: false, reason: 'a field of the first record is empty' };
  if (new Set(values).size < values.length) return { header: false, reason: 'two fields of the first record are the same' };
  if (rest.length === 0) return { header: true, reason: 'the only record has names in it and no numbers' };
  const numeric = values.findIndex((_, c) => {
    const guess = new KindGuess();
    for (const record of rest) if ((record.values[c] ?? '') !== '') guess.add(record.values[c]);
    return guess.kind !== 'text';
  });
  if (numeric >= 0) return { header: true, reason: `column ${numeric + 1} holds numbers below ${JSON.stringify(values[numeric])}` };
  const again = values.findIndex((name, c) => rest.some((record) => record.values[c] === name));
  if (again >= 0) return { header: false, reason: `${JSON.stringify(values[again])} of the first record stands in its column again` };
  return { header: true, reason: 'what its fields say is met in no later record' };
}

/** Names of columns: those of the header, `columnN` where there is none or it is empty. */
export function columnNames(header: readonly string[] | null, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (header?.[i] ?? '') || `column${i + 1}`);
}

/** Guesses the kinds of columns from records, one after another. */
export class ColumnGuesses {
  private readonly guesses: KindGuess[];
  private readonly sawList: boolean[];
  records = 0;

  constructor(
    count: number,
    private readonly missing: ReadonlySet<string>,
    private readonly listSeparator: string | null,
  ) {
    this.guesses = Array.from({ length: count }, () => new KindGuess());
    this.sawList = Array.from({ length: count }, () => false);
  }

  add({ values, quoted, problem }: Fields): void {
    if (problem !== null || values.length !== this.guesses.length) return;
    this.records++;
    for (let c = 0; c < values.length; c++) {
      const value = values[c];
      if (value === '' || (this.missing.has(value) && quoted?.[c] !== true)) continue;
      if (this.listSeparator !== null && value.includes(this.listSeparator)) {
        this.sawList[c] = true;
        for (const one of value.split(this.listSeparator)) this.guesses[c].add(one);
      } else this.guesses[c].add(value);
    }
  }

  /** The fields, given kinds and lists of some by name. */
  fields(columns: readonly string[], kinds: ReadonlyMap<string, { readonly kind: ValueKind }>, lists: ReadonlySet<string>): RecordField[] {
    return columns.map((name, c) => ({
      name,
      kind: kinds.get(name)?.kind ?? this.guesses[c].kind,
      isList: lists.has(name) || (!kinds.has(name) && lists.size === 0 && this.sawList[c]),
    }));
  }
}
