// One JSON object → where the values of the wanted columns lie. Strict (RFC 8259), but for NaN and ±Infinity, which Python writes.
import { type NameNode, nameTree } from './names.js';

/** What a value is. `text` of the line itself, `scratch`: a string whose escapes were undone. */
export const JsonKind = { text: 0, scratch: 1, number: 2, true: 3, false: 4 } as const;

/** Why a line is no record; texts in data/bad-records. */
export const JsonProblem = { none: 0, syntax: 1, notObject: 2, duplicate: 3, deep: 4, string: 5 } as const;

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const COLON = 58;
const OPEN = 123;
const CLOSE = 125;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
/** Deeper than any click log, and far from the end of the stack. */
const MOST_DEPTH = 64;
const words: readonly (readonly [string, number])[] = [
  ['true', JsonKind.true],
  ['false', JsonKind.false],
  ['NaN', JsonKind.number],
  ['Infinity', JsonKind.number],
  ['-Infinity', JsonKind.number],
];

/** The values of one column in one record, in order. */
export class ColumnValues {
  count = 0;
  starts = new Int32Array(8);
  ends = new Int32Array(8);
  kinds = new Uint8Array(8);
  /** The object that the last value stands in, to tell a name that stands twice from an object in a list. */
  owner = -1;

  add(start: number, end: number, kind: number): void {
    if (this.count === this.starts.length) {
      const size = this.count * 2;
      this.starts = grown(new Int32Array(size), this.starts);
      this.ends = grown(new Int32Array(size), this.ends);
      this.kinds = grown(new Uint8Array(size), this.kinds);
    }
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.kinds[this.count++] = kind;
  }
}

function grown<T extends Int32Array | Uint8Array>(larger: T, old: T): T {
  larger.set(old);
  return larger;
}

/** Finds the values of columns. After {@link scan} they stand in `values`; bytes of `scratch` kinds in `scratch`. */
export class JsonScanner {
  readonly values: readonly ColumnValues[];
  scratch: Uint8Array = new Uint8Array(256);
  problem: number = JsonProblem.none;
  /** Where the problem is, and the column, −1 where it is of none. */
  at = 0;
  column = -1;
  private readonly root: NameNode;
  private used = 0;
  private end = 0;
  private objects = 0;
  private readonly key = { start: 0, end: 0, bytes: new Uint8Array(0) as Uint8Array };

  constructor(
    private readonly bytes: Uint8Array,
    names: readonly string[],
  ) {
    this.values = names.map(() => new ColumnValues());
    this.root = nameTree(names);
  }

  /** Reads the object in bytes[start, end); false: see `problem`. */
  scan(start: number, end: number): boolean {
    for (const column of this.values) {
      column.count = 0;
      column.owner = -1;
    }
    this.used = 0;
    this.objects = 0;
    this.problem = JsonProblem.none;
    this.column = -1;
    this.end = end;
    const p = this.space(start);
    if (p >= end || this.bytes[p] !== OPEN) return this.fail(JsonProblem.notObject, p) >= 0;
    const after = this.object(p, this.root, false, 0);
    if (after < 0) return false;
    return this.space(after) === end || this.fail(JsonProblem.syntax, this.space(after)) >= 0;
  }

  private fail(problem: number, at: number): number {
    this.problem = problem;
    this.at = Math.min(at, this.end);
    return -1;
  }

  private space(at: number): number {
    const { bytes, end } = this;
    let p = at;
    while (p < end && (bytes[p] === 32 || bytes[p] === 9 || bytes[p] === 13)) p++;
    return p;
  }

  /** The object whose brace stands at `at`; where it ends, −1 for a problem. */
  private object(at: number, node: NameNode | null, inList: boolean, depth: number): number {
    if (depth >= MOST_DEPTH) return this.fail(JsonProblem.deep, at);
    const { bytes } = this;
    const owner = this.objects++;
    let p = this.space(at + 1);
    if (bytes[p] === CLOSE && p < this.end) return p + 1;
    for (let next = 0; ; next++) {
      if (p >= this.end || bytes[p] !== QUOTE) return this.fail(JsonProblem.syntax, p);
      const kind = this.string(p);
      if (kind < 0) return -1;
      const { key } = this;
      const child = node?.find(kind === JsonKind.text ? bytes : this.scratch, key.start, key.end, next) ?? null;
      // The key's own bytes are not needed any more.
      if (kind === JsonKind.scratch) this.used = key.start;
      p = this.space(this.stringEnd);
      if (p >= this.end || bytes[p] !== COLON) return this.fail(JsonProblem.syntax, p);
      p = this.value(this.space(p + 1), child, owner, inList, depth);
      if (p < 0) return -1;
      p = this.space(p);
      if (p < this.end && bytes[p] === CLOSE) return p + 1;
      if (p >= this.end || bytes[p] !== COMMA) return this.fail(JsonProblem.syntax, p);
      p = this.space(p + 1);
    }
  }

  private value(at: number, node: NameNode | null, owner: number, inList: boolean, depth: number): number {
    const { bytes } = this;
    if (at >= this.end) return this.fail(JsonProblem.syntax, at);
    const first = bytes[at];
    if (first === OPEN) return this.object(at, node?.hasChildren ? node : null, inList, depth + 1);
    const column = node === null ? -1 : node.column;
    if (column >= 0) {
      const values = this.values[column];
      if (values.owner === owner || (values.owner >= 0 && !inList)) {
        this.column = column;
        return this.fail(JsonProblem.duplicate, at);
      }
      values.owner = owner;
    }
    if (first === OPEN_LIST) return this.list(at, node, depth + 1);
    return this.scalar(at, column);
  }

  /** The list whose bracket stands at `at`: its values one after another, of lists in it too. */
  private list(at: number, node: NameNode | null, depth: number): number {
    if (depth >= MOST_DEPTH) return this.fail(JsonProblem.deep, at);
    const { bytes } = this;
    let p = this.space(at + 1);
    if (p < this.end && bytes[p] === CLOSE_LIST) return p + 1;
    for (;;) {
      if (p >= this.end) return this.fail(JsonProblem.syntax, p);
      const first = bytes[p];
      if (first === OPEN) p = this.object(p, node?.hasChildren ? node : null, true, depth + 1);
      else if (first === OPEN_LIST) p = this.list(p, node, depth + 1);
      else p = this.scalar(p, node === null ? -1 : node.column);
      if (p < 0) return -1;
      p = this.space(p);
      if (p < this.end && bytes[p] === CLOSE_LIST) return p + 1;
      if (p >= this.end || bytes[p] !== COMMA) return this.fail(JsonProblem.syntax, p);
      p = this.space(p + 1);
    }
  }

  private scalar(at: number, column: number): number {
    const { bytes } = this;
    if (bytes[at] === QUOTE) {
      const kind = this.string(at);
      if (kind < 0) return -1;
      if (column >= 0) this.values[column].add(this.key.start, this.key.end, kind);
      else if (kind === JsonKind.scratch) this.used = this.key.start;
      return this.stringEnd;
    }
    const isNumber = isDigit(bytes[at]) || (bytes[at] === 45 && at + 1 < this.end && isDigit(bytes[at + 1]));
    if (!isNumber && this.isWord(at, 'null')) return at + 4;
    if (!isNumber)
      for (const [word, kind] of words) {
        if (!this.isWord(at, word)) continue;
        if (column >= 0) this.values[column].add(at, at + word.length, kind);
        return at + word.length;
      }
    const end = this.numberEnd(at);
    if (end < 0) return this.fail(JsonProblem.syntax, at);
    if (column >= 0) this.values[column].add(at, end, JsonKind.number);
    return end;
  }

  private isWord(at: number, word: string): boolean {
    if (this.end - at < word.length) return false;
    for (let i = 0; i < word.length; i++) if (this.bytes[at + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  /** Where the number at `at` ends; −1 where there is none. */
  private numberEnd(at: number): number {
    const { bytes, end } = this;
    let p = at;
    if (bytes[p] === 45) p++;
    const whole = p;
    while (p < end && isDigit(bytes[p])) p++;
    if (p === whole || (bytes[whole] === 48 && p > whole + 1)) return -1;
    if (p < end && bytes[p] === 46) {
      const from = ++p;
      while (p < end && isDigit(bytes[p])) p++;
      if (p === from) return -1;
    }
    if (p < end && (bytes[p] | 32) === 101) {
      p++;
      if (p < end && (bytes[p] === 43 || bytes[p] === 45)) p++;
      const from = p;
      while (p < end && isDigit(bytes[p])) p++;
      if (p === from) return -1;
    }
    return p;
  }

  private stringEnd = 0;

  /** The string whose quote stands at `at`: its kind, its bytes in `key`, its end in `stringEnd`; −1 for a problem. */
  private string(at: number): number {
    const { bytes, end, key } = this;
    let p = at + 1;
    while (p < end && bytes[p] !== QUOTE && bytes[p] !== BACKSLASH && bytes[p] >= 32) p++;
    if (p < end && bytes[p] === QUOTE) {
      key.start = at + 1;
      key.end = p;
      this.stringEnd = p + 1;
      return JsonKind.text;
    }
    key.start = this.used;
    this.copy(at + 1, p);
    while (p < end && bytes[p] !== QUOTE) {
      if (bytes[p] < 32) return this.fail(JsonProblem.string, p);
      if (bytes[p] === BACKSLASH) {
        p = this.escape(p + 1);
        if (p < 0) return -1;
        continue;
      }
      const from = p;
      while (p < end && bytes[p] !== QUOTE && bytes[p] !== BACKSLASH && bytes[p] >= 32) p++;
      this.copy(from, p);
    }
    if (p >= end) return this.fail(JsonProblem.string, at);
    key.end = this.used;
    this.stringEnd = p + 1;
    return JsonKind.scratch;
  }

  /** What stands behind a backslash, into the scratch. */
  private escape(at: number): number {
    const { bytes, end } = this;
    if (at >= end) return this.fail(JsonProblem.string, at);
    const plain = '"\\/bfnrt'.indexOf(String.fromCharCode(bytes[at]));
    if (plain >= 0) {
      this.put('"\\/\b\f\n\r\t'.charCodeAt(plain));
      return at + 1;
    }
    let code = bytes[at] === 117 ? this.hex(at + 1) : -1;
    if (code < 0) return this.fail(JsonProblem.string, at - 1);
    let p = at + 5;
    if (code >= 0xd800 && code < 0xdc00 && p + 6 <= end && bytes[p] === BACKSLASH && bytes[p + 1] === 117) {
      const low = this.hex(p + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + (code - 0xd800) * 1024 + (low - 0xdc00);
        p += 6;
      }
    }
    // Half a pair is no character: the replacement character, as every encoder of UTF-8 has it.
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (code < 0x80) this.put(code);
    else if (code < 0x800) this.put(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) this.put(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else this.put(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    return p;
  }

  private hex(at: number): number {
    if (this.end - at < 4) return -1;
    let code = 0;
    for (let i = 0; i < 4; i++) {
      const c = this.bytes[at + i] | 32;
      const digit = isDigit(this.bytes[at + i]) ? this.bytes[at + i] - 48 : c >= 97 && c <= 102 ? c - 87 : -1;
      if (digit < 0) return -1;
      code = code * 16 + digit;
    }
    return code;
  }

  private put(...all: number[]): void {
    this.room(all.length);
    for (const byte of all) this.scratch[this.used++] = byte;
  }

  private copy(from: number, to: number): void {
    this.room(to - from);
    this.scratch.set(this.bytes.subarray(from, to), this.used);
    this.used += to - from;
  }

  private room(more: number): void {
    if (this.used + more <= this.scratch.length) return;
    this.scratch = grown(new Uint8Array((this.used + more) * 2), this.scratch);
  }
}

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57;
}
