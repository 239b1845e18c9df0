// Rows of .npz files (npz/rows.ts) into the columns of a parsed block.
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, Bad, LabelMode, NpzWord, NpzWords, Op, P, type Program } from '../program.js';
import { Emitter, FULL, OK, type Token } from '../twins/emitter.js';
import { ItemReader } from './items.js';
import { NpyType } from './npy.js';

/** Parses bytes[0, length). */
export function parseNpz(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  const row = new RowParser(program, out, bytes);
  const size = program.words[P.rowBytes];
  let at = 0;
  let full = false;
  for (; at < bytes.length; at += size) {
    if (!out.hasRoom) {
      full = true;
      break;
    }
    out.begin();
    const left = bytes.length - at;
    const code = left < size ? Bad.truncated : row.parse(at);
    if (code === FULL) {
      full = true;
      break;
    }
    if (code === OK) out.good();
    else out.markBad(code, at, 0, row.column, row.tokenStart, row.tokenEnd, code === Bad.truncated ? left : row.extra);
    if (left < size) {
      at = bytes.length;
      break;
    }
  }
  out.finish(at, 0, full);
}

class RowParser {
  column = 0;
  extra = 0;
  tokenStart = 0;
  tokenEnd = 0;
  private readonly items: ItemReader;
  private readonly token: Token;

  constructor(
    private readonly program: Program,
    private readonly out: Emitter,
    bytes: Uint8Array,
  ) {
    this.items = new ItemReader(bytes);
    this.token = { bytes, start: 0, end: 0 };
  }

  parse(at: number): number {
    const { program, out } = this;
    const { words } = program;
    this.extra = 0;
    for (let i = 0; i < words[P.numActions]; i++) {
      const a = words[P.actionsAt] + i * ActionWords;
      const column = words[a + A.column];
      const t = words[P.tableAt] + column * NpzWords;
      const first = at + words[t + NpzWord.offset];
      const size = words[t + NpzWord.itemBytes];
      this.tokenStart = first;
      this.tokenEnd = first + size;
      const code = words[a + A.op] === Op.categorical ? this.categories(a, t, first) : this.single(a, t, first);
      if (code === OK) continue;
      this.column = column;
      if (code === Bad.tooManyIds) this.extra = out.idsOfRecord(words[a + A.group]);
      return code;
    }
    return OK;
  }

  private single(a: number, t: number, at: number): number {
    const { words } = this.program;
    const { out, items } = this;
    const count = words[t + NpzWord.count];
    if (count === 0) return out.missing(a);
    if (count > 1) {
      this.extra = count;
      return Bad.tooManyValues;
    }
    const type = words[t + NpzWord.type];
    if (type === NpyType.bytes || type === NpyType.unicode) return out.text(a, this.text(t, at));
    const number = items.number(type, words[t + NpzWord.itemBytes], words[t + NpzWord.bigEndian] === 1, at);
    switch (words[a + A.op]) {
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
        if (words[a + A.mode] !== LabelMode.positive) return out.labelNumber(a, number);
    }
    return type === NpyType.float ? Bad.kind : out.text(a, this.text(t, at));
  }

  private categories(a: number, t: number, at: number): number {
    const { words } = this.program;
    const { out } = this;
    const all = words[t + NpzWord.count];
    if (words[t + NpzWord.type] === NpyType.float) return all === 0 ? out.missing(a) : Bad.kind;
    const g = words[a + A.group];
    const single = words[a + A.maxLength] === 0 && words[a + A.separator] < 0;
    if (single && all > 1) {
      this.extra = all;
      return Bad.tooManyValues;
    }
    let count = 0;
    let seen = 0;
    for (let i = 0; i < all; i++) {
      const token = this.text(t, at + i * words[t + NpzWord.itemBytes]);
      if (out.isMissing(token)) continue;
      seen++;
      if (words[a + A.maxLength] > 0 && count >= words[a + A.maxLength]) break;
      if (out.idsOfRecord(g) > out.idLimit(g)) return Bad.tooManyIds;
      const kept = out.categories(a, token, count);
      if (kept < 0) return kept === FULL ? FULL : -1 - kept;
      count = kept;
    }
    return seen === 0 ? out.missing(a) : out.endBag(g, words[a + A.index]);
  }

  /** An item as text: texts as UTF-8, integers in decimal, bool as 0 or 1. */
  private text(t: number, at: number): Token {
    const { words } = this.program;
    const { token, items } = this;
    items.text(words[t + NpzWord.type], words[t + NpzWord.itemBytes], words[t + NpzWord.bigEndian] === 1, at);
    token.bytes = items.textBytes;
    token.start = items.textStart;
    token.end = items.textEnd;
    return token;
  }
}
