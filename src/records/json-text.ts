// JSON with numbers as they are written: integers of 64 bits do not survive JSON.parse.
import { MonolithError } from '../base/index.js';

/** A number as its text. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

export type JsonValue = string | boolean | null | JsonNumber | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;

/** What is between the quotes is checked by JSON.parse. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;
const SPACE = /[ \t\r]*/y;
const MOST_DEPTH = 64;

/** Reads one value. @throws DataFormat naming the place in the text. */
export function parseJsonText(text: string): JsonValue {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class JsonReader {
  private at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): JsonValue {
    this.take(SPACE);
    const c = this.text[this.at];
    if (c === '"') return this.string();
    if (c === '{') return this.object(depth + 1);
    if (c === '[') return this.list(depth + 1);
    const word = this.take(WORD);
    if (word !== null) return word === 'null' ? null : word === 'true' ? true : word === 'false' ? false : new JsonNumber(word);
    const number = this.take(NUMBER);
    if (number === null) throw this.wrong();
    return new JsonNumber(number);
  }

  end(): void {
    this.take(SPACE);
    if (this.at < this.text.length) throw this.wrong();
  }

  private object(depth: number): ReadonlyMap<string, JsonValue> {
    this.deepen(depth);
    const map = new Map<string, JsonValue>();
    if (this.closes('}')) return map;
    for (;;) {
      this.take(SPACE);
      if (this.text[this.at] !== '"') throw this.wrong();
      const key = this.string();
      this.take(SPACE);
      if (this.text[this.at] !== ':') throw this.wrong();
      this.at++;
      if (map.has(key)) throw new MonolithError('DataFormat', `the name ${JSON.stringify(key)} stands twice in one object`, { field: key });
      map.set(key, this.value(depth));
      if (this.goesOn('}')) continue;
      return map;
    }
  }

  private list(depth: number): JsonValue[] {
    this.deepen(depth);
    const list: JsonValue[] = [];
    if (this.closes(']')) return list;
    for (;;) {
      list.push(this.value(depth));
      if (!this.goesOn(']')) return list;
    }
  }

  private deepen(depth: number): void {
    if (depth > MOST_DEPTH) throw new MonolithError('DataFormat', `objects and lists lie more than ${MOST_DEPTH} deep in each other`);
    this.at++;
  }

  private closes(close: string): boolean {
    this.take(SPACE);
    if (this.text[this.at] !== close) return false;
    this.at++;
    return true;
  }

  private goesOn(close: string): boolean {
    if (this.closes(close)) return false;
    if (this.text[this.at] !== ',') throw this.wrong();
    this.at++;
    return true;
  }

  private string(): string {
    const token = this.take(STRING);
    if (token === null) throw this.wrong('a string that is never closed');
    try {
      return JSON.parse(token) as string;
    } catch {
      this.at -= token.length;
      throw this.wrong('a string with a control character or a wrong escape');
    }
  }

  private take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.at = pattern.lastIndex;
    return match[0];
  }

  private wrong(what = 'is no JSON'): MonolithError {
    const { text, at } = this;
    const found = at >= text.length ? 'the end of the line' : JSON.stringify(text.slice(at, at + 40));
    return new MonolithError('DataFormat', `${what} at character ${at} of the line: ${found}. JSON lines have one object {…} a line`, {
      character: at,
    });
  }
}

/** A value as JSON, as it was read. */
export function jsonText(value: JsonValue): string {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(jsonText).join(',')}]`;
  if (value instanceof Map)
    return `{${[...(value as ReadonlyMap<string, JsonValue>)].map(([key, one]) => `${JSON.stringify(key)}:${jsonText(one)}`).join(',')}}`;
  return JSON.stringify(value);
}
