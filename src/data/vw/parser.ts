// Vowpal Wabbit text.
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, Bad, Op, P, type Program } from '../program.js';
import { columnNames } from '../program-names.js';
import { parseLines } from '../text-lines.js';
import { Emitter, FULL, OK, type Token } from '../twins/emitter.js';
import { parseVwColumn, type VwColumn } from './columns.js';
import { VwLine, VwProblem, type VwVisitor } from './line.js';

/** Parses bytes[0, length). */
export function parseVw(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  parseLines(bytes, out, new VwParser(program, out, bytes));
}

/** Features of one column in one line. */
class Bag {
  count = 0;
  starts = new Int32Array(16);
  ends = new Int32Array(16);
  values = new Float64Array(16);

  add(start: number, end: number, value: number): void {
    if (this.count === this.starts.length) {
      const size = this.count * 2;
      const { starts, ends, values } = this;
      this.starts = new Int32Array(size);
      this.ends = new Int32Array(size);
      this.values = new Float64Array(size);
      this.starts.set(starts);
      this.ends.set(ends);
      this.values.set(values);
    }
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.values[this.count++] = value;
  }
}

type Wanted = { readonly name: Uint8Array; readonly bag: Bag; readonly feature: Uint8Array | null };

class VwParser implements VwVisitor {
  column = 0;
  extra = 0;
  tokenStart = 0;
  tokenEnd = 0;
  private readonly line: VwLine;
  private readonly columns: readonly VwColumn[];
  private readonly bags: readonly Bag[];
  private readonly wanted: readonly Wanted[];
  private readonly token: Token;
  /** Of `wanted`: those of the namespace in hand. */
  private readonly open: Wanted[] = [];

  constructor(
    private readonly program: Program,
    private readonly out: Emitter,
    private readonly bytes: Uint8Array,
  ) {
    this.line = new VwLine(bytes);
    this.columns = columnNames(program).map((name) => parseVwColumn(name, 'schema'));
    this.bags = this.columns.map(() => new Bag());
    this.wanted = this.columns.flatMap((column, i) => {
      if (column.kind !== 'namespace' && column.kind !== 'feature') return [];
      const feature = column.kind === 'feature' ? Buffer.from(column.feature, 'utf8') : null;
      return [{ name: Buffer.from(column.namespace, 'utf8'), bag: this.bags[i], feature }];
    });
    this.token = { bytes, start: 0, end: 0 };
  }

  namespace(start: number, end: number): void {
    this.open.length = 0;
    for (const one of this.wanted) if (this.is(one.name, start, end)) this.open.push(one);
  }

  feature(start: number, end: number, value: number): void {
    for (const { bag, feature } of this.open) if (feature === null || this.is(feature, start, end)) bag.add(start, end, value);
  }

  parse(start: number, end: number): number {
    const { line, bags, program, out } = this;
    const { words } = program;
    for (const bag of bags) bag.count = 0;
    this.extra = 0;
    this.column = 0;
    const problem = line.read(start, end, this);
    if (problem !== VwProblem.none) {
      this.tokenStart = line.tokenStart;
      this.tokenEnd = line.tokenEnd;
      this.extra = problem;
      return Bad.vw;
    }
    this.tokenStart = start;
    this.tokenEnd = end;
    for (let i = 0; i < words[P.numActions]; i++) {
      const a = words[P.actionsAt] + i * ActionWords;
      const code = this.act(a, words[a + A.column]);
      if (code === OK) continue;
      this.column = words[a + A.column];
      if (code === Bad.tooManyIds) this.extra = out.idsOfRecord(words[a + A.group]);
      return code;
    }
    return OK;
  }

  private act(a: number, column: number): number {
    const { line, out } = this;
    const { words } = this.program;
    const op = words[a + A.op];
    const { kind } = this.columns[column];
    switch (kind) {
      case 'label':
        return this.label(a);
      case 'importance':
        return this.word(a, line.importanceStart, line.importanceEnd);
      case 'tag':
        return this.word(a, line.tagStart, line.tagEnd);
      case 'namespace':
      case 'feature': {
        const bag = this.bags[column];
        if (bag.count === 0) return out.missing(a);
        if (op === Op.categorical) return this.categories(a, bag);
        if (bag.count > 1) {
          this.extra = bag.count;
          return Bad.tooManyValues;
        }
        return this.number(a, op, bag.values[0]);
      }
      default:
        return kind satisfies never;
    }
  }

  /** −1 is what others call 0. */
  private label(a: number): number {
    const { line, out, bytes } = this;
    const { labelStart: start, labelEnd: end } = line;
    const isMinusOne = end - start === 2 && bytes[start] === 45 && bytes[start + 1] === 49;
    if (start < 0 || !isMinusOne || this.program.words[a + A.op] !== Op.label || this.program.words[a + A.mode] !== 0)
      return this.word(a, start, end);
    return out.labelNumber(a, 0);
  }

  private word(a: number, start: number, end: number): number {
    if (start < 0) return this.out.missing(a);
    this.tokenStart = start;
    this.tokenEnd = end;
    this.token.start = start;
    this.token.end = end;
    return this.out.text(a, this.token);
  }

  private number(a: number, op: number, value: number): number {
    const { out } = this;
    switch (op) {
      case Op.numeric:
        out.numeric(a, value);
        return OK;
      case Op.boundaries:
      case Op.log2squared:
        return out.bucket(a, false, value);
      case Op.label:
        return out.labelNumber(a, value);
      case Op.labelLimit:
        return out.labelLimit(a, value);
      case Op.weight:
        return out.setWeight(value);
      default:
        return OK;
    }
  }

  private categories(a: number, bag: Bag): number {
    const { out, bytes } = this;
    const { words } = this.program;
    const g = words[a + A.group];
    const most = words[a + A.maxLength] > 0 ? Math.min(bag.count, words[a + A.maxLength]) : bag.count;
    for (let i = 0; i < most; i++) {
      if (out.idsOfRecord(g) > out.idLimit(g)) return Bad.tooManyIds;
      if (out.category(a, bytes, bag.starts[i], bag.ends[i], bag.values[i]) !== OK) return FULL;
    }
    return out.endBag(g, words[a + A.index]);
  }

  private is(name: Uint8Array, start: number, end: number): boolean {
    if (name.length !== end - start) return false;
    for (let i = 0; i < name.length; i++) if (name[i] !== this.bytes[start + i]) return false;
    return true;
  }
}
