// tf.train.Example and SequenceExample → actions. Twin of native/parsers/example.cc (ExampleParser).
import { A, ActionWords, Bad, LabelMode, Op, P, type Program } from '../program.js';
import { type Emitter, FULL, OK, type Token } from './emitter.js';
import { FieldReader } from './field-reader.js';

const Kind = { missing: 0, bytes: 1, float: 2, int64: 3 } as const;
/** Of a list its values; of a sequence its steps, each a Feature. */
type Feature = { kind: number; start: number; end: number; sequence: boolean };

type Each = (start: number, end: number, float: number, low: number, high: number) => number;

export class ExampleParser {
  column = 0;
  extra = 0;
  private readonly features: Feature[];
  private readonly names = new Map<string, number>();
  private readonly view: DataView;
  private readonly token: Token;
  private readonly digits: Token;
  private readonly part: FieldReader;
  private readonly entry: FieldReader;
  private readonly stepList: Feature = { kind: Kind.missing, start: 0, end: 0, sequence: false };
  private valueStart = 0;
  private valueEnd = 0;
  private valueNumber = 0;

  constructor(
    private readonly program: Program,
    private readonly out: Emitter,
    private readonly bytes: Uint8Array,
  ) {
    const { words, strings } = program;
    this.part = new FieldReader(bytes);
    this.entry = new FieldReader(bytes);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.features = Array.from({ length: words[P.columns] }, () => ({ kind: Kind.missing, start: 0, end: 0, sequence: false }));
    const ends = words[P.stringsAt] + words[P.namesFirst];
    this.features.forEach((_, i) => {
      this.names.set(Buffer.from(strings.slice(words[ends + i], words[ends + i + 1])).toString('latin1'), i);
    });
    this.token = { bytes, start: 0, end: 0 };
    this.digits = { bytes: new Uint8Array(24), start: 0, end: 0 };
  }

  /** Parses the Example in bytes[start, end); a code. */
  parse(start: number, end: number): number {
    for (const feature of this.features) {
      feature.kind = Kind.missing;
      feature.sequence = false;
    }
    this.column = 0;
    this.extra = 0;
    const field = new FieldReader(this.bytes);
    for (let p = start; p < end; ) {
      p = field.next(p, end);
      if (p < 0) return Bad.example;
      // 1: the features of an Example, the context of a SequenceExample; 2: its feature lists.
      if (field.number > 2) continue;
      if (field.wire !== 2 || !this.scanFeatures(field.start, field.end, field.number === 2)) return Bad.example;
    }
    const { words } = this.program;
    const actions = words[P.actionsAt];
    for (let i = 0; i < words[P.numActions]; i++) {
      const a = actions + i * ActionWords;
      const code = this.act(a, this.features[words[a + A.column]]);
      if (code !== OK) {
        this.column = words[a + A.column];
        if (code === Bad.tooManyIds) this.extra = this.out.idsOfRecord(words[a + A.group]);
        return code;
      }
    }
    return OK;
  }

  private scanFeatures(start: number, end: number, sequences: boolean): boolean {
    const entry = new FieldReader(this.bytes);
    const part = new FieldReader(this.bytes);
    for (let p = start; p < end; ) {
      p = entry.next(p, end);
      if (p < 0) return false;
      if (entry.number !== 1) continue;
      if (entry.wire !== 2) return false;
      let key = '';
      let valueStart = 0;
      let valueEnd = 0;
      for (let q = entry.start; q < entry.end; ) {
        q = part.next(q, entry.end);
        if (q < 0) return false;
        if (part.number === 1 && part.wire === 2) key = this.latin1(part.start, part.end);
        else if (part.number === 2 && part.wire === 2) {
          valueStart = part.start;
          valueEnd = part.end;
        } else if (part.number <= 2) return false;
      }
      const number = this.names.get(key);
      if (number === undefined) continue;
      const feature = this.features[number];
      if (sequences) {
        feature.sequence = true;
        if (!this.scanSteps(valueStart, valueEnd, feature)) return false;
        // A name that stands in both is that of the sequence.
      } else if (!feature.sequence && !this.findList(valueStart, valueEnd, feature)) return false;
    }
    return true;
  }

  /** The list of a Feature's bytes: the last of its kinds counts. False: malformed. */
  private findList(start: number, end: number, feature: Feature): boolean {
    const { part } = this;
    feature.kind = Kind.missing;
    for (let q = start; q < end; ) {
      q = part.next(q, end);
      if (q < 0) return false;
      if (part.number > 3) continue;
      if (part.wire !== 2) return false;
      feature.kind = part.number;
      feature.start = part.start;
      feature.end = part.end;
    }
    return true;
  }

  /** Settles the kind of a sequence: that of its first step with a value, which the other steps with values share. */
  private scanSteps(start: number, end: number, feature: Feature): boolean {
    const { entry, stepList } = this;
    feature.kind = Kind.missing;
    feature.start = start;
    feature.end = end;
    for (let p = start; p < end; ) {
      p = entry.next(p, end);
      if (p < 0) return false;
      if (entry.number !== 1) continue;
      if (entry.wire !== 2 || !this.findList(entry.start, entry.end, stepList)) return false;
      if (stepList.kind === Kind.missing || stepList.start === stepList.end) continue;
      if (feature.kind !== Kind.missing && feature.kind !== stepList.kind) return false;
      feature.kind = stepList.kind;
    }
    return true;
  }

  private latin1(start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(this.bytes[i]);
    return text;
  }

  /** Every value of a feature, be it a list or a sequence, whose steps are one after another. */
  private forEachValue(feature: Feature, each: Each): number {
    if (!feature.sequence) return this.forEachOfList(feature, each);
    const { entry, stepList } = this;
    for (let p = feature.start; p < feature.end; ) {
      p = entry.next(p, feature.end);
      if (p < 0) return Bad.example;
      if (entry.number !== 1) continue;
      if (entry.wire !== 2 || !this.findList(entry.start, entry.end, stepList)) return Bad.example;
      if (stepList.kind === Kind.missing || stepList.start === stepList.end) continue;
      const code = this.forEachOfList(stepList, each);
      if (code !== OK) return code;
    }
    return OK;
  }

  private forEachOfList(feature: Feature, each: Each): number {
    const field = new FieldReader(this.bytes);
    for (let p = feature.start; p < feature.end; ) {
      p = field.next(p, feature.end);
      if (p < 0) return Bad.example;
      if (field.number !== 1) continue;
      let code: number = OK;
      if (feature.kind === Kind.bytes) {
        if (field.wire !== 2) return Bad.example;
        code = each(field.start, field.end, 0, 0, 0);
      } else if (feature.kind === Kind.float) {
        if ((field.wire !== 5 && field.wire !== 2) || (field.end - field.start) % 4 !== 0) return Bad.example;
        for (let q = field.start; code === OK && q < field.end; q += 4) code = each(0, 0, this.view.getFloat32(q, true), 0, 0);
      } else if (field.wire === 0) {
        code = each(0, 0, 0, field.low, field.high);
      } else {
        if (field.wire !== 2) return Bad.example;
        const { end } = field;
        for (let q = field.start; code === OK && q < end; ) {
          q = field.varint(q, end);
          if (q < 0) return Bad.example;
          code = each(0, 0, 0, field.low, field.high);
        }
      }
      if (code !== OK) return code;
    }
    return OK;
  }

  private act(a: number, feature: Feature): number {
    const { words } = this.program;
    const op = words[a + A.op];
    if (op === Op.categorical) return this.categories(a, feature);
    if (op === Op.filter) return this.filter(a, feature);
    let values = 0;
    if (feature.kind !== Kind.missing) {
      const code = this.forEachValue(feature, (start, end, float, low, high) => {
        if (values++ === 0) {
          this.valueStart = start;
          this.valueEnd = end;
          this.valueNumber = feature.kind === Kind.int64 ? (high | 0) * 0x100000000 + low : float;
          if (feature.kind === Kind.int64) this.decimal(low, high);
        }
        return OK;
      });
      if (code !== OK) return code;
    }
    if (values > 1) {
      this.extra = values;
      return Bad.tooManyValues;
    }
    if (values === 0) return this.out.missing(a);
    if (feature.kind === Kind.bytes) {
      this.token.start = this.valueStart;
      this.token.end = this.valueEnd;
      return this.out.text(a, this.token);
    }
    const number = this.valueNumber;
    switch (op) {
      case Op.numeric:
        this.out.numeric(a, number);
        return OK;
      case Op.boundaries:
      case Op.log2squared:
        return this.out.bucket(a, false, number);
      case Op.crossPart:
        if (words[a + A.transform] !== Op.categorical) return this.out.crossNumber(a, number);
        return feature.kind === Kind.float ? Bad.kind : this.out.text(a, this.digits);
      case Op.labelLimit:
        return this.out.labelLimit(a, number);
      case Op.weight:
        return this.out.setWeight(number);
      case Op.label:
        if (words[a + A.mode] !== LabelMode.positive) return this.out.labelNumber(a, number);
        return feature.kind === Kind.float ? Bad.kind : this.out.text(a, this.digits);
      default:
        return feature.kind === Kind.float ? Bad.kind : this.out.text(a, this.digits);
    }
  }

  private categories(a: number, feature: Feature): number {
    const { words } = this.program;
    const { out } = this;
    if (feature.kind === Kind.float) return !feature.sequence && feature.start === feature.end ? out.missing(a) : Bad.kind;
    const g = words[a + A.group];
    const single = words[a + A.maxLength] === 0 && words[a + A.separator] < 0;
    let count = 0;
    let values = 0;
    if (feature.kind !== Kind.missing) {
      const code = this.forEachValue(feature, (start, end, _float, low, high) => {
        let token = this.token;
        if (feature.kind === Kind.int64) {
          this.decimal(low, high);
          token = this.digits;
        } else {
          token.start = start;
          token.end = end;
          if (out.isMissing(token)) return OK;
        }
        values++;
        if (single && values > 1) return OK;
        if (words[a + A.maxLength] > 0 && count >= words[a + A.maxLength]) return OK;
        if (out.idsOfRecord(g) > out.idLimit(g)) return Bad.tooManyIds;
        const kept = out.categories(a, token, count);
        if (kept < 0) return kept === FULL ? FULL : -1 - kept;
        count = kept;
        return OK;
      });
      if (code !== OK) return code;
    }
    if (single && values > 1) {
      this.extra = values;
      return Bad.tooManyValues;
    }
    return values === 0 ? out.missing(a) : out.endBag(g, words[a + A.index]);
  }

  /** One value that meets the condition is enough. */
  private filter(a: number, feature: Feature): number {
    const { filter } = this.out;
    let values = 0;
    filter.begin();
    if (feature.kind !== Kind.missing) {
      const code = this.forEachValue(feature, (start, end, float, low, high) => {
        values++;
        if (feature.kind === Kind.bytes) {
          this.token.start = start;
          this.token.end = end;
          return filter.text(a, this.token, this.out.isMissing(this.token));
        }
        if (feature.kind === Kind.int64) this.decimal(low, high);
        const whole = feature.kind === Kind.int64;
        filter.value(a, whole ? this.digits : null, whole ? (high | 0) * 0x100000000 + low : float);
        return OK;
      });
      if (code !== OK) return code;
    }
    return values === 0 ? this.out.missing(a) : filter.end(a);
  }

  /** Decimal text of a signed 64-bit integer into `digits`. */
  private decimal(low: number, high: number): void {
    const negative = high >= 0x80000000;
    const text =
      high === 0 || (high === 0xffffffff && low !== 0)
        ? String(negative ? low - 0x100000000 : low)
        : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)).toString();
    this.digits.end = text.length;
    for (let i = 0; i < text.length; i++) this.digits.bytes[i] = text.charCodeAt(i);
  }
}
