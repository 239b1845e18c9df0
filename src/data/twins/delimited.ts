// CSV, TSV and Criteo text. Twin of native/parsers/delimited.cc.
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, Bad, Flag, P, type Program } from '../program.js';
import { Emitter, FULL, OK, type Token, trimToken } from './emitter.js';
import { LEFT_OUT } from './filter.js';

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const SPACE = 32;

/** Fields of one record: pieces of the raw block, or of `scratch` where doubled quotes were undone. */
class LineSplitter {
  readonly fields: Token[];
  columns = 0;
  next = 0;
  lines = 0;
  badQuote = false;
  blank = false;
  private scratch = new Uint8Array(0);
  private scratchUsed = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly end: number,
    private readonly separator: number,
    private readonly trim: boolean,
    private readonly most: number,
  ) {
    this.fields = Array.from({ length: most }, () => ({ bytes, start: 0, end: 0 }));
  }

  splitPlain(from: number): void {
    const { bytes, separator } = this;
    const newline = bytes.indexOf(NEWLINE, from);
    const whole = newline >= 0 && newline < this.end;
    let stop = whole ? newline : this.end;
    this.next = whole ? newline + 1 : this.end;
    this.lines = whole ? 1 : 0;
    if (stop > from && bytes[stop - 1] === RETURN) stop--;
    this.blank = stop === from;
    this.badQuote = false;
    this.columns = 0;
    let start = from;
    for (let p = from; p < stop; p++) {
      if (bytes[p] !== separator) continue;
      this.keep(bytes, start, p);
      start = p + 1;
    }
    this.keep(bytes, start, stop);
  }

  splitQuoted(from: number): void {
    const { bytes, end, separator } = this;
    this.lines = 0;
    this.badQuote = false;
    this.blank = false;
    this.columns = 0;
    this.scratchUsed = 0;
    let p = from;
    for (;;) {
      let quote = p;
      if (this.trim) while (quote < end && bytes[quote] === SPACE) quote++;
      if (quote < end && bytes[quote] === QUOTE) {
        p = this.quotedField(quote + 1);
      } else {
        const start = p;
        while (p < end && bytes[p] !== separator && bytes[p] !== NEWLINE) p++;
        const last = p === end || bytes[p] === NEWLINE;
        const stop = last && p > start && bytes[p - 1] === RETURN ? p - 1 : p;
        if (this.columns === 0 && stop === start && last) this.blank = true;
        this.keep(bytes, start, stop);
      }
      if (p >= end) break;
      if (bytes[p] === NEWLINE) {
        p++;
        this.lines++;
        break;
      }
      p++;
      if (p === end) {
        this.keep(bytes, p, p);
        break;
      }
    }
    this.next = p;
  }

  /** A field whose opening quote stands before `from`; returns where it ends (separator, newline or end). */
  private quotedField(from: number): number {
    const { bytes, end, separator } = this;
    let p = from;
    let piece = from;
    let copied = false;
    const copyStart = this.scratchUsed;
    let closed = false;
    while (p < end) {
      if (bytes[p] === QUOTE) {
        if (p + 1 < end && bytes[p + 1] === QUOTE) {
          this.copy(piece, p + 1);
          copied = true;
          p += 2;
          piece = p;
          continue;
        }
        closed = true;
        break;
      }
      if (bytes[p] === NEWLINE) this.lines++;
      p++;
    }
    if (copied) {
      this.copy(piece, p);
      this.keep(this.scratch, copyStart, this.scratchUsed);
    } else this.keep(bytes, from, p);
    if (closed) p++;
    else this.badQuote = true;
    while (p < end && bytes[p] !== separator && bytes[p] !== NEWLINE) {
      if (bytes[p] !== SPACE && bytes[p] !== RETURN) this.badQuote = true;
      p++;
    }
    return p;
  }

  private copy(from: number, to: number): void {
    if (this.scratch.length === 0) this.scratch = new Uint8Array(this.bytes.length);
    this.scratch.set(this.bytes.subarray(from, to), this.scratchUsed);
    this.scratchUsed += to - from;
  }

  private keep(bytes: Uint8Array, start: number, end: number): void {
    if (this.columns < this.most) {
      const field = this.fields[this.columns];
      field.bytes = bytes;
      field.start = start;
      field.end = end;
    }
    this.columns++;
  }
}

/** Parses bytes[0, length). */
export function parseDelimited(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  const { words } = program;
  const columns = words[P.columns];
  const actions = words[P.actionsAt];
  const actionsEnd = actions + words[P.numActions] * ActionWords;
  const trim = out.requires(Flag.trim);
  const end = bytes.length;
  const quoted = out.requires(Flag.quotes) && bytes.includes(QUOTE);
  const line = new LineSplitter(bytes, end, words[P.separator], trim, columns);
  const token: Token = { bytes, start: 0, end: 0 };
  let p = 0;
  let lines = 0;
  let full = false;
  while (p < end) {
    if (!out.hasRoom) {
      full = true;
      break;
    }
    if (quoted) line.splitQuoted(p);
    else line.splitPlain(p);
    if (line.blank) {
      p = line.next;
      lines += line.lines;
      continue;
    }
    out.begin();
    let shift = 0;
    let code: number = OK;
    let column = 0;
    let extra = 0;
    token.bytes = bytes;
    token.start = p;
    token.end = p;
    if (line.badQuote) code = Bad.quote;
    else if (line.columns !== columns) {
      if (line.columns === columns - 1 && out.requires(Flag.mayLackFirstColumn)) shift = 1;
      else {
        code = Bad.columns;
        extra = line.columns;
        token.end = line.next;
      }
    }
    for (let a = actions; code === OK && a < actionsEnd; a += ActionWords) {
      column = words[a + A.column] - shift;
      if (column < 0) continue;
      const field = line.fields[column];
      token.bytes = field.bytes;
      token.start = field.start;
      token.end = field.end;
      if (trim) trimToken(token);
      code = out.text(a, token);
      if (code === Bad.tooManyIds) extra = out.idsOfRecord(words[a + A.group]);
    }
    if (code === FULL) {
      full = true;
      break;
    }
    if (code === OK) out.good();
    else if (code === LEFT_OUT) out.leaveOut();
    else {
      const inside = token.bytes === bytes;
      out.markBad(code, p, lines, column, inside ? token.start : p, inside ? token.end : p, extra);
    }
    p = line.next;
    lines += line.lines;
  }
  out.finish(p, lines, full);
}
