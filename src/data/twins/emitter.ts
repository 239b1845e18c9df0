// Writing one record's values into a parsed block. Twin of native/parsers/emit.h.
import { writeHashedFid } from '../../base/index.js';
import { crossPartCount } from '../../features/index.js';
import { BatchHeader } from '../../tensor/index.js';
import type { ParsedBlock } from '../parsed-block.js';
import {
  A,
  Bad,
  BadWords,
  badListEntries,
  CrossMode,
  ExampleFlag,
  Flag,
  LabelMode,
  Op,
  P,
  type Program,
  R,
  Transform,
} from '../program.js';
import { bucketOf, CrossIds } from './derived.js';
import { isListed, RecordFilters } from './filter.js';
import { log1pPositive, parseNumber } from './number-text.js';
import { type Token, trimToken } from './token.js';

export { type Token, trimToken };

export const OK = 0;
/** Not a bad record: the parsed block has no room. */
export const FULL = -1;
const nothing = new Uint8Array(0);

const emptyToken: Token = { bytes: nothing, start: 0, end: 0 };

export class Emitter {
  record = 0;
  private bad = 0;
  private flags = 0;
  private label = Number.NaN;
  private weight = 1;
  private compared = false;
  private value = 0;
  private limit = Number.NaN;
  private readonly ids: Int32Array;
  private readonly words: Int32Array;
  private readonly fidWords: readonly Uint32Array[];
  readonly filter: RecordFilters;
  private readonly cross = new CrossIds(crossPartCount.most);
  private readonly part: Token = { bytes: nothing, start: 0, end: 0 };

  constructor(
    readonly program: Program,
    private readonly block: ParsedBlock,
    private readonly result: Float64Array,
  ) {
    this.words = program.words;
    this.filter = new RecordFilters(program);
    const { groups } = block.slot;
    this.ids = new Int32Array(groups.length);
    this.fidWords = groups.map(({ fids }) => new Uint32Array(fids.buffer, fids.byteOffset, fids.length * 2));
    for (const group of groups) group.offsets[0] = 0;
  }

  get hasRoom(): boolean {
    return this.record < this.block.slot.layout.maxExamples;
  }

  requires(flag: number): boolean {
    return (this.words[P.flags] & flag) !== 0;
  }

  begin(): void {
    this.flags = 0;
    this.label = Number.NaN;
    this.weight = 1;
    this.compared = false;
    this.limit = Number.NaN;
    for (let g = 0; g < this.ids.length; g++) this.ids[g] = this.start(g);
  }

  good(): void {
    const { slot, flags } = this.block;
    // A limit that is missing is never exceeded.
    if (this.compared) this.label = this.value > this.limit ? 1 : 0;
    const closing = this.words[P.numClosing] > 0 ? this.filter.closing(this.label) : 0;
    if ((closing & ExampleFlag.leftOut) !== 0) {
      this.leaveOut();
      return;
    }
    this.flags |= closing;
    slot.labels[this.record] = this.label;
    slot.weights[this.record] = this.weight;
    flags[this.record] = this.flags;
    this.record++;
  }

  markBad(code: number, at: number, line: number, column: number, tokenStart: number, tokenEnd: number, extra: number): void {
    const { bad } = this.block;
    // What ends the reading is never left out.
    const entry = code === Bad.frame ? Math.min(this.bad, badListEntries - 1) : this.bad;
    if (entry < badListEntries) bad.set([this.record, at, line, code, column, tokenStart, tokenEnd, extra], entry * BadWords);
    this.bad++;
    this.endEmpty(ExampleFlag.bad);
  }

  /** Ends the record as one that a filter leaves out. */
  leaveOut(): void {
    this.endEmpty(ExampleFlag.leftOut);
  }

  private endEmpty(flag: number): void {
    const { slot, flags } = this.block;
    const { numDense, groups } = slot.layout;
    slot.dense.fill(0, this.record * numDense, (this.record + 1) * numDense);
    groups.forEach((group, g) => {
      const first = this.start(g);
      this.ids[g] = first;
      const from = this.record * group.numFeatures;
      slot.groups[g]?.offsets.fill(first, from + 1, from + group.numFeatures + 1);
    });
    slot.labels[this.record] = Number.NaN;
    slot.weights[this.record] = 0;
    flags[this.record] = this.flags | flag;
    this.record++;
  }

  /** Bad records so far, for {@link rewind}. */
  get badRecords(): number {
    return this.bad;
  }

  /** Takes the records from `record` on back. */
  rewind(record: number, badRecords: number): void {
    this.record = record;
    this.bad = badRecords;
  }

  finish(consumed: number, lines: number, full: boolean): void {
    const { header } = this.block.slot;
    header.fill(0);
    header[BatchHeader.numExamples] = this.record;
    header[BatchHeader.globalExamples] = this.record;
    for (let g = 0; g < this.ids.length; g++) header[BatchHeader.ids + g] = this.start(g);
    this.result[R.consumed] = consumed;
    this.result[R.records] = this.record;
    this.result[R.lines] = lines;
    this.result[R.bad] = this.bad;
    this.result[R.full] = full ? 1 : 0;
  }

  setDense(column: number, value: number): void {
    const { slot } = this.block;
    slot.dense[this.record * slot.layout.numDense + column] = value;
  }

  setLabel(value: number): number {
    const label = Math.fround(value);
    if (!Number.isFinite(label)) return Bad.label;
    this.label = label;
    const outside = (label < 0 || label > 1) && (this.words[P.flags] & Flag.unitLabel) !== 0;
    return outside ? Bad.labelRange : OK;
  }

  setWeight(value: number): number {
    if (!(value >= 0) || !Number.isFinite(Math.fround(value))) return Bad.weight;
    this.weight = Math.fround(value);
    return OK;
  }

  /** Appends the fid slot << 48 | (high, low), 48 bits. */
  push(g: number, slot: number, low: number, high: number, value: number): number {
    const at = this.nextId(g);
    if (at < 0) return FULL;
    const words = this.fidWords[g];
    words[at * 2] = low;
    words[at * 2 + 1] = ((slot << 16) | (high & 0xffff)) >>> 0;
    const { values } = this.block.slot.groups[g];
    if (values !== null) values[at] = value;
    return OK;
  }

  idsOfRecord(g: number): number {
    return this.ids[g] - this.start(g);
  }

  endBag(g: number, j: number): number {
    const { numFeatures } = this.block.slot.layout.groups[g];
    this.block.slot.groups[g].offsets[this.record * numFeatures + j + 1] = this.ids[g];
    return this.idsOfRecord(g) > this.idLimit(g) ? Bad.tooManyIds : OK;
  }

  idLimit(g: number): number {
    return Math.max(this.words[P.maxIds], this.block.slot.layout.groups[g].numFeatures);
  }

  isMissing(token: Token): boolean {
    return this.inStrings(token, this.words[P.missingFirst], this.words[P.missingCount]);
  }

  inStrings(token: Token, first: number, count: number): boolean {
    return isListed(this.program, first, count, token);
  }

  numeric(a: number, value: number): void {
    const { constants } = this.program;
    const c = this.words[a + A.constantFirst];
    const transform = this.words[a + A.transform];
    let result = value;
    if (transform === Transform.log1p) result = log1pPositive(value);
    else if (transform === Transform.standardize) result = (value - constants[c + 1]) / constants[c + 2];
    this.setDense(this.words[a + A.dense], result);
  }

  labelNumber(a: number, value: number): number {
    const mode = this.words[a + A.mode];
    if (mode === LabelMode.number) return this.setLabel(value);
    if (Number.isNaN(value)) return Bad.label;
    if (mode === LabelMode.greaterThan) {
      this.compared = true;
      this.value = Math.fround(value);
      return OK;
    }
    return this.setLabel(value >= this.program.constants[this.words[a + A.constantFirst]] ? 1 : 0);
  }

  /** The other column of a label that compares two. Floats, as in TensorFlow: a float that stands for 2.45 is not more than 0.2 · 12.25. */
  labelLimit(a: number, value: number): number {
    const times = this.program.constants[this.words[a + A.constantFirst]];
    this.limit = Math.fround(Math.fround(value) * Math.fround(times));
    return OK;
  }

  bucket(a: number, missing: boolean, value: number): number {
    const { words } = this;
    const id = bucketOf(this.program, words[a + A.op], a, missing, value);
    const code = this.push(words[a + A.group], words[a + A.slot], id, 0, 1);
    return code !== OK ? code : this.endBag(words[a + A.group], words[a + A.index]);
  }

  /** @param value kept where the group has values. */
  category(a: number, bytes: Uint8Array, start: number, end: number, value = 1): number {
    const g = this.words[a + A.group];
    const at = this.nextId(g);
    if (at < 0) return FULL;
    writeHashedFid(this.words[a + A.slot], bytes, start, end, this.fidWords[g], at * 2);
    const { values } = this.block.slot.groups[g];
    if (values !== null) values[at] = value;
    return OK;
  }

  /** A part of a cross that has a text. */
  private crossText(a: number, token: Token): number {
    const { words } = this;
    if (words[a + A.transform] === Op.categorical) {
      this.cross.addText(words[a + A.dense], token.bytes, token.start, token.end);
      return this.crossed(a, false);
    }
    const value = parseNumber(token.bytes, token.start, token.end);
    return value === null ? Bad.number : this.crossNumber(a, value);
  }

  /** A part of a cross whose numbers have buckets. */
  crossNumber(a: number, value: number): number {
    const { words } = this;
    if (Number.isNaN(value)) return this.crossed(a, true);
    this.cross.addId(words[a + A.dense], bucketOf(this.program, words[a + A.transform], a, false, value), 0);
    return this.crossed(a, false);
  }

  /** A part of a cross that is an id itself. */
  crossId(a: number, low: number, high: number): number {
    this.cross.addId(this.words[a + A.dense], low, high);
    return this.crossed(a, false);
  }

  /** Ends a part; behind the last one, the cross. */
  private crossed(a: number, missing: boolean): number {
    const { words, cross } = this;
    const k = words[a + A.dense];
    cross.missing = missing || (k > 0 && cross.missing);
    if (words[a + A.mode] !== CrossMode.last) return OK;
    let code: number = OK;
    if (!cross.missing) code = this.category(a, cross.bytes, 0, (k + 1) * 8);
    else if (words[a + A.missingToken] !== 0) code = this.category(a, nothing, 0, 0);
    return code !== OK ? code : this.endBag(words[a + A.group], words[a + A.index]);
  }

  /** One text into a bag without ending it; `count` values are in it already. Returns the new count, or a code below zero: −1 full, −1 − code bad. */
  categories(a: number, token: Token, count: number): number {
    const { words, part } = this;
    const most = words[a + A.maxLength] > 0 ? words[a + A.maxLength] : Number.POSITIVE_INFINITY;
    const separator = words[a + A.separator];
    if (separator < 0) {
      if (count >= most) return count;
      return this.category(a, token.bytes, token.start, token.end) === OK ? count + 1 : FULL;
    }
    const g = words[a + A.group];
    const limit = this.idLimit(g);
    let kept = count;
    let p = token.start;
    while (kept < most) {
      let q = p;
      while (q < token.end && token.bytes[q] !== separator) q++;
      part.bytes = token.bytes;
      part.start = p;
      part.end = q;
      if (this.requires(Flag.trim)) trimToken(part);
      if (part.end > part.start) {
        if (this.idsOfRecord(g) > limit) return -1 - Bad.tooManyIds;
        if (this.category(a, part.bytes, part.start, part.end) !== OK) return FULL;
        kept++;
      }
      if (q >= token.end) break;
      p = q + 1;
    }
    return kept;
  }

  /** The action at word `a` where there is no value. */
  missing(a: number): number {
    const { words } = this;
    switch (words[a + A.op]) {
      case Op.categorical: {
        if (words[a + A.missingToken] !== 0 && this.category(a, nothing, 0, 0) !== OK) return FULL;
        return this.endBag(words[a + A.group], words[a + A.index]);
      }
      case Op.numeric:
        this.setDense(words[a + A.dense], this.program.constants[words[a + A.constantFirst]]);
        return OK;
      case Op.boundaries:
      case Op.log2squared:
        return this.bucket(a, true, 0);
      case Op.filter:
        return this.filter.one(a, emptyToken, true);
      case Op.crossPart:
        return this.crossed(a, true);
      case Op.label:
        return this.requires(Flag.requireLabel) ? Bad.missingLabel : OK;
      default:
        return OK;
    }
  }

  /** The action at word `a` on a text. */
  text(a: number, token: Token): number {
    const { words } = this;
    const op = words[a + A.op];
    if (op === Op.evalValue) {
      if (this.inStrings(token, words[a + A.stringFirst], words[a + A.stringCount])) this.flags |= ExampleFlag.evaluation;
      return OK;
    }
    if (op === Op.filter) return this.filter.one(a, token, this.isMissing(token));
    if (this.isMissing(token)) return this.missing(a);
    if (op === Op.categorical) {
      const count = this.categories(a, token, 0);
      if (count < 0) return count === FULL ? FULL : -1 - count;
      return this.endBag(words[a + A.group], words[a + A.index]);
    }
    if (op === Op.label && words[a + A.mode] === LabelMode.positive) {
      return this.setLabel(this.inStrings(token, words[a + A.stringFirst], words[a + A.stringCount]) ? 1 : 0);
    }
    if (op === Op.crossPart) return this.crossText(a, token);
    const value = parseNumber(token.bytes, token.start, token.end);
    switch (op) {
      case Op.numeric:
        if (value === null) return Bad.number;
        this.numeric(a, value);
        return OK;
      case Op.boundaries:
      case Op.log2squared:
        return value === null ? Bad.number : this.bucket(a, false, value);
      case Op.label:
        return value === null ? Bad.label : this.labelNumber(a, value);
      case Op.labelLimit:
        return value === null ? Bad.label : this.labelLimit(a, value);
      case Op.weight:
        return value === null ? Bad.weight : this.setWeight(value);
      default:
        return OK;
    }
  }

  private nextId(g: number): number {
    const at = this.ids[g];
    if (at >= this.block.slot.layout.groups[g].maxIds) return -1;
    this.ids[g] = at + 1;
    return at;
  }

  private start(g: number): number {
    return this.block.slot.groups[g].offsets[this.record * this.block.slot.layout.groups[g].numFeatures];
  }
}
