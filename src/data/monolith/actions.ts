// Actions of a program on the columns of one example of Monolith's formats.
import { A, ActionWords, Bad, LabelMode, Op, P, type Program } from '../program.js';
import { type Emitter, FULL, OK, type Token } from '../twins/emitter.js';
import { ValueType } from './columns.js';
import type { ColumnPlaces, SlotChains, ValueScratch } from './values.js';

/** Monolith's writers put −FLT_MAX where there is no label. */
const NO_LABEL = -3.4028234663852886e38;

/** What a column of the program reads. */
export type ColumnSource = {
  /** Column of the places. */
  readonly base: number;
  /** The one value wanted; −1: all. */
  readonly index: number;
  /** A field that holds one value: of several the last counts, as protocol buffers want it. */
  readonly scalar: boolean;
};

export class MonolithActions {
  column = 0;
  extra = 0;
  private readonly token: Token;
  private readonly digits: Token;

  constructor(
    private readonly program: Program,
    private readonly out: Emitter,
    private readonly sources: readonly ColumnSource[],
    private readonly values: ValueScratch,
    private readonly chains: SlotChains,
    bytes: Uint8Array,
  ) {
    this.token = { bytes, start: 0, end: 0 };
    this.digits = { bytes: new Uint8Array(24), start: 0, end: 0 };
  }

  /** Runs all actions on one example; a code. */
  run(places: ColumnPlaces): number {
    const { words } = this.program;
    this.column = 0;
    this.extra = 0;
    for (let i = 0; i < words[P.numActions]; i++) {
      const a = words[P.actionsAt] + i * ActionWords;
      const column = words[a + A.column];
      const code = this.act(a, places, this.sources[column]);
      if (code === OK) continue;
      this.column = column;
      if (code === Bad.tooManyIds) this.extra = this.out.idsOfRecord(words[a + A.group]);
      return code;
    }
    return OK;
  }

  private act(a: number, places: ColumnPlaces, source: ColumnSource): number {
    const { values, out } = this;
    const { words } = this.program;
    const type = places.type[source.base];
    if (type === ValueType.slotFids) this.chains.collect(source.base, values);
    else {
      const code = values.collect(places, source.base);
      if (code !== OK) return code;
    }
    let first = 0;
    let { count } = values;
    if (source.index >= 0 || (source.scalar && count > 1)) {
      first = source.index >= 0 ? source.index : Math.min(count, values.capacity) - 1;
      count = first < count ? 1 : 0;
    }
    if (count === 0) return out.missing(a);
    const op = words[a + A.op];
    if (op === Op.categorical) return this.categories(a, type, first, count);
    if (op === Op.filter) return this.filter(a, type, first, Math.min(count, values.capacity - first));
    if (count > 1) {
      this.extra = count;
      return Bad.tooManyValues;
    }
    if (type === ValueType.bytes) {
      this.take(first);
      return out.text(a, this.token);
    }
    if (isFid(type)) {
      const crossed = op === Op.crossPart && words[a + A.transform] === Op.categorical;
      return crossed ? out.crossId(a, values.low[first], values.high[first]) : this.wrongType(type);
    }
    const whole = type === ValueType.int64 || type === ValueType.fixed64;
    const number = whole ? this.wholeNumber(type, first) : values.number[first];
    switch (op) {
      case Op.numeric:
        out.numeric(a, number);
        return OK;
      case Op.boundaries:
      case Op.log2squared:
        return out.bucket(a, false, number);
      case Op.crossPart:
        if (words[a + A.transform] !== Op.categorical) return out.crossNumber(a, number);
        break;
      case Op.labelLimit:
        return out.labelLimit(a, number);
      case Op.weight:
        return out.setWeight(number);
      case Op.label:
        if (number === NO_LABEL) return out.missing(a);
        if (words[a + A.mode] !== LabelMode.positive) return out.labelNumber(a, number);
    }
    if (!whole) return this.wrongType(type);
    this.decimal(type, first);
    return out.text(a, this.digits);
  }

  /** One value that meets the condition is enough. Fids are compared as they are stored. */
  private filter(a: number, type: number, first: number, count: number): number {
    const { values } = this;
    const { filter } = this.out;
    filter.begin();
    for (let i = first; i < first + count; i++) {
      if (type === ValueType.bytes) {
        this.take(i);
        const code = filter.text(a, this.token, this.out.isMissing(this.token));
        if (code !== OK) return code;
      } else if (type === ValueType.float || type === ValueType.double) {
        filter.value(a, null, values.number[i] === NO_LABEL ? Number.NaN : values.number[i]);
      } else {
        this.decimal(type, i);
        filter.value(a, this.digits, this.wholeNumber(type, i));
      }
    }
    return filter.end(a);
  }

  private categories(a: number, type: number, first: number, all: number): number {
    const { out, values } = this;
    const { words } = this.program;
    if (type === ValueType.float || type === ValueType.double) return this.wrongType(type);
    const g = words[a + A.group];
    const most = words[a + A.maxLength] > 0 ? Math.min(all, words[a + A.maxLength]) : all;
    if (isFid(type)) {
      for (let i = 0; i < most; i++) {
        if (out.idsOfRecord(g) > out.idLimit(g)) return Bad.tooManyIds;
        const code = this.fid(a, type, values.low[first + i], values.high[first + i]);
        if (code !== OK) return code;
      }
      return out.endBag(g, words[a + A.index]);
    }
    let count = 0;
    let seen = 0;
    for (let i = 0; i < all && (words[a + A.maxLength] === 0 || count < most); i++) {
      if (out.idsOfRecord(g) > out.idLimit(g)) return Bad.tooManyIds;
      let token = this.digits;
      if (type === ValueType.bytes) {
        this.take(first + i);
        token = this.token;
        if (out.isMissing(token)) continue;
      } else this.decimal(type, first + i);
      seen++;
      const kept = out.categories(a, token, count);
      if (kept < 0) return kept === FULL ? FULL : -1 - kept;
      count = kept;
    }
    return seen === 0 ? out.missing(a) : out.endBag(g, words[a + A.index]);
  }

  /** A fid as layout v2, with the slot of the action where that is wanted. */
  private fid(a: number, type: number, low: number, high: number): number {
    const { words } = this.program;
    const g = words[a + A.group];
    if (type === ValueType.fidV2 && high >= 0x80000000) return Bad.fid;
    const own = type === ValueType.fidV2 ? high >>> 16 : high >>> 22;
    return this.out.push(g, words[a + A.replaceSlot] !== 0 ? words[a + A.slot] : own, low, high, 1);
  }

  private wrongType(type: number): number {
    this.extra = type;
    return Bad.kind;
  }

  private take(i: number): void {
    this.token.start = this.values.start[i];
    this.token.end = this.values.end[i];
  }

  private wholeNumber(type: number, i: number): number {
    const high = this.values.high[i];
    return (type === ValueType.int64 ? high | 0 : high) * 0x100000000 + this.values.low[i];
  }

  /** Decimal text of an integer into `digits`. */
  private decimal(type: number, i: number): void {
    const number = this.wholeNumber(type, i);
    const text = Number.isSafeInteger(number)
      ? String(number)
      : ((BigInt(type === ValueType.int64 ? this.values.high[i] | 0 : this.values.high[i]) << 32n) | BigInt(this.values.low[i])).toString();
    this.digits.end = text.length;
    for (let k = 0; k < text.length; k++) this.digits.bytes[k] = text.charCodeAt(k);
  }
}

function isFid(type: number): boolean {
  return type === ValueType.fidV1 || type === ValueType.fidV2 || type === ValueType.slotFids;
}
