// JSON lines: one object a line.
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, Bad, LabelMode, Op, P, type Program } from '../program.js';
import { columnNames } from '../program-names.js';
import { parseLines } from '../text-lines.js';
import { Emitter, FULL, OK, type Token } from '../twins/emitter.js';
import { type ColumnValues, JsonKind, JsonScanner } from './scanner.js';

const zero = Uint8Array.of(48);
const one = Uint8Array.of(49);

/** Parses bytes[0, length). */
export function parseJsonl(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  parseLines(bytes, out, new JsonlParser(program, out, bytes));
}

class JsonlParser {
  column = 0;
  extra = 0;
  tokenStart = 0;
  tokenEnd = 0;
  private readonly scanner: JsonScanner;
  private readonly token: Token;

  constructor(
    private readonly program: Program,
    private readonly out: Emitter,
    private readonly bytes: Uint8Array,
  ) {
    this.scanner = new JsonScanner(bytes, columnNames(program));
    this.token = { bytes, start: 0, end: 0 };
  }

  parse(start: number, end: number): number {
    const { scanner, program, out } = this;
    const { words } = program;
    this.tokenStart = start;
    this.tokenEnd = end;
    this.extra = 0;
    if (!scanner.scan(start, end)) {
      this.column = Math.max(0, scanner.column);
      this.extra = scanner.problem;
      this.tokenStart = scanner.at;
      return Bad.json;
    }
    for (let i = 0; i < words[P.numActions]; i++) {
      const a = words[P.actionsAt] + i * ActionWords;
      const values = scanner.values[words[a + A.column]];
      const code = words[a + A.op] === Op.categorical ? this.categories(a, values) : this.single(a, values);
      if (code === OK) continue;
      this.column = words[a + A.column];
      if (code === Bad.tooManyIds) this.extra = out.idsOfRecord(words[a + A.group]);
      return code;
    }
    return OK;
  }

  private single(a: number, values: ColumnValues): number {
    const { words } = this.program;
    if (values.count === 0) return this.out.missing(a);
    if (values.count > 1) {
      this.extra = values.count;
      return Bad.tooManyValues;
    }
    const op = words[a + A.op];
    const asText = op === Op.evalValue || (op === Op.label && words[a + A.mode] === LabelMode.positive);
    return this.out.text(a, this.take(values, 0, asText));
  }

  private categories(a: number, values: ColumnValues): number {
    const { out } = this;
    const { words } = this.program;
    const g = words[a + A.group];
    const single = words[a + A.maxLength] === 0 && words[a + A.separator] < 0;
    let count = 0;
    let seen = 0;
    for (let i = 0; i < values.count; i++) {
      const token = this.take(values, i, true);
      if (out.isMissing(token)) continue;
      seen++;
      if (single && seen > 1) continue;
      if (words[a + A.maxLength] > 0 && count >= words[a + A.maxLength]) continue;
      if (out.idsOfRecord(g) > out.idLimit(g)) return Bad.tooManyIds;
      const kept = out.categories(a, token, count);
      if (kept < 0) return kept === FULL ? FULL : -1 - kept;
      count = kept;
    }
    if (single && seen > 1) {
      this.extra = seen;
      return Bad.tooManyValues;
    }
    return seen === 0 ? out.missing(a) : out.endBag(g, words[a + A.index]);
  }

  /** A value as text; where a number is wanted, true is 1 and false is 0. */
  private take(values: ColumnValues, i: number, asText: boolean): Token {
    const { token } = this;
    const kind = values.kinds[i];
    token.bytes = kind === JsonKind.scratch ? this.scanner.scratch : this.bytes;
    token.start = values.starts[i];
    token.end = values.ends[i];
    if (kind !== JsonKind.scratch) {
      this.tokenStart = token.start;
      this.tokenEnd = token.end;
    }
    if (!asText && (kind === JsonKind.true || kind === JsonKind.false)) {
      token.bytes = kind === JsonKind.true ? one : zero;
      token.start = 0;
      token.end = 1;
    }
    return token;
  }
}
