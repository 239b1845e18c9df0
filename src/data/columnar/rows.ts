// Actions of a program on decoded columns, row by row, into a parsed block.
import { type ColumnField, type DecodedColumn, Texts } from '../../columnar/index.js';
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, Bad, badListEntries, Flag, LabelMode, Op, P, type Program } from '../program.js';
import { Emitter, FULL, OK, type Token, trimToken } from '../twins/emitter.js';
import { DictionaryHashes, EntryState, type MissingRules } from './dictionary-hashes.js';

/** Bytes of a value that a message quotes. */
const QUOTED_BYTES = 64;

type BoundAction = {
  readonly a: number;
  readonly op: number;
  readonly number: number;
  readonly column: DecodedColumn;
  readonly isList: boolean;
  readonly isText: boolean;
  readonly isFloat: boolean;
  /** Ids of the dictionary's entries; null: no dictionary, or texts that a separator takes apart. */
  readonly hashes: DictionaryHashes | null;
};

/** One parse of decoded rows. */
export class ColumnRows {
  private readonly out: Emitter;
  private readonly actions: readonly BoundAction[];
  private readonly token: Token = { bytes: new Uint8Array(0), start: 0, end: 0 };
  private readonly digits: Token = { bytes: new Uint8Array(24), start: 0, end: 0 };
  private readonly trim: boolean;
  private readonly missingNumbers: boolean;
  private column = 0;
  private extra = 0;
  /** Byte of what the rows lie in, in the raw block; 0 where they lie by columns. */
  at = 0;

  /**
   * @param columns the decoded columns by number; those that no action reads are null.
   * @param rules   of missing texts, the same object for one program.
   */
  constructor(
    private readonly program: Program,
    fields: readonly ColumnField[],
    columns: readonly (DecodedColumn | null)[],
    rules: MissingRules,
    block: ParsedBlock,
    result: Float64Array,
    out?: Emitter,
    /** What the first bad records hold, in their order. */
    readonly quotes: string[] = [],
  ) {
    const { words } = program;
    this.out = out ?? new Emitter(program, block, result);
    this.trim = (words[P.flags] & Flag.trim) !== 0;
    this.missingNumbers = rules.hasNumbers;
    this.actions = Array.from({ length: words[P.numActions] }, (_, i) => {
      const a = words[P.actionsAt] + i * ActionWords;
      const number = words[a + A.column];
      const column = columns[number];
      if (column === null || column === undefined) throw new Error(`column ${number} was not decoded`);
      const { values } = column;
      const isText = values instanceof Texts;
      const isFloat = values instanceof Float32Array || values instanceof Float64Array;
      const whole = !isText || words[a + A.separator] < 0;
      const hashed = words[a + A.op] === Op.categorical && column.indices !== null && whole && !isFloat;
      const hashes = hashed ? DictionaryHashes.of(values, rules) : null;
      return { a, op: words[a + A.op], number, column, isList: fields[number].listDepth > 0, isText, isFloat, hashes };
    });
  }

  /** Parses rows [from, to); the row behind the last one that found room. */
  run(from: number, to: number): number {
    const { out } = this;
    let row = from;
    for (; row < to; row++) {
      if (!out.hasRoom) break;
      out.begin();
      const code = this.example(row);
      if (code === FULL) break;
      if (code === OK) out.good();
      else this.bad(code, row);
    }
    return row;
  }

  finish(consumed: number, full: boolean): void {
    this.out.finish(consumed, 0, full);
  }

  private bad(code: number, row: number): void {
    if (this.quotes.length < badListEntries) this.quotes.push(this.quoteOf(row));
    this.out.markBad(code, this.at, 0, this.column, 0, 0, this.extra);
  }

  private quoteOf(row: number): string {
    const action = this.actions.find(({ number }) => number === this.column);
    if (action === undefined) return '';
    const { column } = action;
    const p = column.offsets === null ? row : column.offsets[row];
    if (column.offsets !== null && column.offsets[row + 1] === p) return '';
    const { values } = column;
    const v = column.indices === null ? p : column.indices[p];
    return values instanceof Texts ? Buffer.from(values.at(v).slice(0, QUOTED_BYTES)).toString('utf8') : String(values[v]);
  }

  private example(row: number): number {
    this.extra = 0;
    for (const action of this.actions) {
      const code = action.op === Op.categorical ? this.categories(action, row) : this.single(action, row);
      if (code === OK) continue;
      this.column = action.number;
      if (code === Bad.tooManyIds) this.extra = this.out.idsOfRecord(this.program.words[action.a + A.group]);
      return code;
    }
    return OK;
  }

  /** An action that wants one value. */
  private single(action: BoundAction, row: number): number {
    const { out } = this;
    const { a, op, column, isText, isFloat } = action;
    const { offsets } = column;
    const p = offsets === null ? row : offsets[row];
    const count = offsets === null ? 1 : offsets[row + 1] - p;
    if (count === 0) return out.missing(a);
    if (count > 1) {
      this.extra = count;
      return Bad.tooManyValues;
    }
    if (isText) return out.text(a, this.text(column, p));
    const number = this.number(column, p);
    if (!isFloat && this.missingNumbers && out.isMissing(this.decimal(column, p))) return out.missing(a);
    switch (op) {
      case Op.numeric:
        out.numeric(a, number);
        return OK;
      case Op.boundaries:
      case Op.log2squared:
        return out.bucket(a, false, number);
      case Op.labelLimit:
        return out.labelLimit(a, number);
      case Op.weight:
        return out.setWeight(number);
      case Op.label:
        if (this.program.words[a + A.mode] !== LabelMode.positive) return out.labelNumber(a, number);
    }
    return isFloat ? Bad.kind : out.text(a, this.decimal(column, p));
  }

  private categories(action: BoundAction, row: number): number {
    const { out } = this;
    const { words } = this.program;
    const { a, column, isList, isText, isFloat, hashes } = action;
    const { offsets, indices } = column;
    const from = offsets === null ? row : offsets[row];
    const to = offsets === null ? row + 1 : offsets[row + 1];
    if (isFloat) return from === to ? out.missing(a) : Bad.kind;
    const g = words[a + A.group];
    const most = words[a + A.maxLength] > 0 ? words[a + A.maxLength] : Number.POSITIVE_INFINITY;
    if (!isList && to - from > 1) {
      this.extra = to - from;
      return Bad.tooManyValues;
    }
    const limit = out.idLimit(g);
    let count = 0;
    let seen = 0;
    for (let p = from; p < to && count < most; p++) {
      if (out.idsOfRecord(g) > limit) return Bad.tooManyIds;
      if (hashes !== null && indices !== null) {
        const entry = indices[p];
        if (hashes.state(entry) === EntryState.missing) continue;
        seen++;
        if (out.push(g, words[a + A.slot], hashes.low(entry), hashes.high(entry), 1) !== OK) return FULL;
        count++;
        continue;
      }
      let token: Token;
      if (isText) {
        token = this.text(column, p);
        if (out.isMissing(token)) continue;
      } else {
        token = this.decimal(column, p);
        if (this.missingNumbers && out.isMissing(token)) continue;
      }
      seen++;
      const kept = out.categories(a, token, count);
      if (kept < 0) return kept === FULL ? FULL : -1 - kept;
      count = kept;
    }
    return seen === 0 ? out.missing(a) : out.endBag(g, words[a + A.index]);
  }

  private text({ indices, values }: DecodedColumn, p: number): Token {
    const texts = values as Texts;
    const { token } = this;
    const v = indices === null ? p : indices[p];
    token.bytes = texts.bytes;
    token.start = texts.ends[v];
    token.end = texts.ends[v + 1];
    if (this.trim) trimToken(token);
    return token;
  }

  private number({ indices, values }: DecodedColumn, p: number): number {
    return Number((values as Float64Array)[indices === null ? p : indices[p]]);
  }

  /** Decimal text of a whole number. */
  private decimal({ indices, values }: DecodedColumn, p: number): Token {
    const text = String((values as Int32Array | BigInt64Array)[indices === null ? p : indices[p]]);
    const { digits } = this;
    digits.end = text.length;
    for (let i = 0; i < text.length; i++) digits.bytes[i] = text.charCodeAt(i);
    return digits;
  }
}
