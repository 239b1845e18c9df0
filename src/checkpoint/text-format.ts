// Protobuf's text form, as far as state files need it: fields at the top with what stands behind them. Everything that a reader of the real
// thing takes is taken: both quotes, escapes, adjacent strings, comments, separators, nested messages and lists, one line or many.

/** One field at the top of a text. */
export type TextField = {
  readonly name: string;
  /** What stands behind the name, colon included, for writing it again as it was. */
  readonly raw: string;
  /** The text of a string; a number, word or enum value as it stands; null for a message or a list. */
  readonly value: string | null;
};

/** Fields in their order; null when the text is none of this form, a half-written file for instance. */
export function parseTextFields(text: string): TextField[] | null {
  const scanner = new Scanner(text);
  const fields: TextField[] = [];
  for (;;) {
    scanner.skipBlanks();
    if (scanner.atEnd) return fields;
    const name = scanner.match(NAME);
    if (name === null) return null;
    scanner.skipBlanks();
    const start = scanner.at;
    const hasColon = scanner.match(COLON) !== null;
    scanner.skipBlanks();
    const value = scanner.value(hasColon);
    if (value === undefined) return null;
    const raw = hasColon ? `: ${scanner.from(start).slice(1).trimStart()}` : ` ${scanner.from(start)}`;
    fields.push({ name, raw, value });
    scanner.skipBlanks();
    scanner.match(SEPARATOR);
  }
}

/** One field a line. */
export function formatTextFields(fields: readonly TextField[]): string {
  return fields.map(({ name, raw }) => `${name}${raw}\n`).join('');
}

/** A field that holds a string. */
export function textField(name: string, value: string): TextField {
  return { name, raw: `: ${quoted(value)}`, value };
}

/** A field that holds a number or the name of an enum's value. */
export function wordField(name: string, value: string): TextField {
  return { name, raw: `: ${value}`, value };
}

const BLANKS = /(?:[\s]+|#[^\n]*)*/y;
const NAME = /[A-Za-z_]\w*|\[[\w./-]+\]/y;
const COLON = /:/y;
const SEPARATOR = /[,;]/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'/y;
const WORD = /[^\s,;#"'{}<>[\]:]+/y;
/** What may stand in a message or a list, apart from brackets. */
const INSIDE = /[^"'#{}<>[\]]+/y;

const closingOf: Readonly<Record<string, string>> = { '{': '}', '<': '>', '[': ']' };

class Scanner {
  at = 0;

  constructor(private readonly text: string) {}

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  from(start: number): string {
    return this.text.slice(start, this.at);
  }

  match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? null;
    if (found !== null) this.at += found.length;
    return found;
  }

  skipBlanks(): void {
    this.match(BLANKS);
  }

  /** undefined: there is no value here. */
  value(hasColon: boolean): string | null | undefined {
    const opening = this.text[this.at] ?? '';
    if (opening in closingOf) return this.skipGroup() ? null : undefined;
    if (!hasColon) return undefined;
    return this.strings() ?? this.match(WORD) ?? undefined;
  }

  /** Adjacent strings are one. */
  private strings(): string | null {
    let joined: string | null = null;
    for (;;) {
      const before = this.at;
      this.skipBlanks();
      const literal = this.match(STRING);
      if (literal === null) {
        this.at = before;
        return joined;
      }
      joined = (joined ?? '') + unescaped(literal.slice(1, -1));
    }
  }

  private skipGroup(): boolean {
    const closing: string[] = [];
    do {
      this.skipBlanks();
      const one = this.text[this.at] ?? '';
      if (one in closingOf) {
        closing.push(closingOf[one]);
        this.at++;
      } else if (one !== '' && one === closing.at(-1)) {
        closing.pop();
        this.at++;
      } else if (this.match(STRING) === null && this.match(INSIDE) === null) {
        return false;
      }
    } while (closing.length > 0);
    return true;
  }
}

const simpleEscapes: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
const ESCAPE = /\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g;

/** Escapes give bytes of UTF-8, as in C. */
function unescaped(body: string): string {
  if (!body.includes('\\')) return body;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const add = (text: string): void => void bytes.push(...encoder.encode(text));
  let end = 0;
  for (const match of body.matchAll(ESCAPE)) {
    add(body.slice(end, match.index));
    end = match.index + match[0].length;
    const [, octal, hex, short, long, other] = match;
    const point = short ?? long;
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 255);
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (point !== undefined) add(String.fromCodePoint(Math.min(Number.parseInt(point, 16), 0x10ffff)));
    else if (other in simpleEscapes) bytes.push(simpleEscapes[other]);
    else add(other);
  }
  add(body.slice(end));
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

function quoted(value: string): string {
  const escaped = value.replace(/["\\]|\p{Cc}/gu, (one) => {
    const code = one.charCodeAt(0);
    if (code >= 32 && code !== 127) return code < 127 ? `\\${one}` : one;
    return simpleEscapeOf.get(code) ?? `\\${code.toString(8).padStart(3, '0')}`;
  });
  return `"${escaped}"`;
}

const simpleEscapeOf = new Map([
  [9, '\\t'],
  [10, '\\n'],
  [13, '\\r'],
]);
