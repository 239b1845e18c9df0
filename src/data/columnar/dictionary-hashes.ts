import { writeHashedFid } from '../../base/index.js';
import { type ColumnValues, Texts } from '../../columnar/index.js';
import { Flag, P, type Program } from '../program.js';
import { type Token, trimToken } from '../twins/emitter.js';
import { parseNumber } from '../twins/number-text.js';

/** Which texts mean "no value", and whether spaces around them count. */
export type MissingRules = {
  /** Equal for programs of equal rules. */
  readonly key: string;
  readonly trim: boolean;
  readonly texts: readonly Uint8Array[];
  /** Whether one of the texts is a number. */
  readonly hasNumbers: boolean;
};

export function missingRules({ words, strings }: Program): MissingRules {
  const ends = words.subarray(words[P.stringsAt] + words[P.missingFirst]);
  const texts = Array.from({ length: words[P.missingCount] }, (_, i) => Uint8Array.from(strings.subarray(ends[i], ends[i + 1])));
  const trim = (words[P.flags] & Flag.trim) !== 0;
  const hasNumbers = texts.some((text) => parseNumber(text, 0, text.length) !== null);
  return { key: JSON.stringify([trim, texts.map((text) => Buffer.from(text).toString('hex'))]), trim, texts, hasNumbers };
}

export const EntryState = { unknown: 0, id: 1, missing: 2 } as const;

const known = new WeakMap<object, DictionaryHashes>();

/** Hashes of a dictionary's entries, each worked out when it first occurs. A slot is put in front of them where they are used. */
export class DictionaryHashes {
  private readonly states: Uint8Array;
  private readonly words: Uint32Array;
  private readonly token: Token = { bytes: new Uint8Array(24), start: 0, end: 0 };

  private constructor(
    private readonly values: ColumnValues,
    private readonly rules: MissingRules,
  ) {
    this.states = new Uint8Array(values.length);
    this.words = new Uint32Array(values.length * 2);
  }

  /** Those of one dictionary: kept as long as it is, over all blocks of its row group and all features that read it. */
  static of(values: ColumnValues, rules: MissingRules): DictionaryHashes {
    const found = known.get(values);
    if (found !== undefined && found.rules.key === rules.key) return found;
    const made = new DictionaryHashes(values, rules);
    known.set(values, made);
    return made;
  }

  state(entry: number): number {
    const state = this.states[entry];
    return state === EntryState.unknown ? this.workOut(entry) : state;
  }

  low(entry: number): number {
    return this.words[entry * 2];
  }

  high(entry: number): number {
    return this.words[entry * 2 + 1];
  }

  private workOut(entry: number): number {
    const { values, token, rules } = this;
    if (values instanceof Texts) {
      token.bytes = values.bytes;
      token.start = values.ends[entry];
      token.end = values.ends[entry + 1];
      if (rules.trim) trimToken(token);
    } else {
      const text = String(values[entry]);
      token.start = 0;
      token.end = text.length;
      for (let i = 0; i < text.length; i++) token.bytes[i] = text.charCodeAt(i);
    }
    const state = this.isMissing() ? EntryState.missing : EntryState.id;
    if (state === EntryState.id) writeHashedFid(0, token.bytes, token.start, token.end, this.words, entry * 2);
    this.states[entry] = state;
    return state;
  }

  private isMissing(): boolean {
    const { token } = this;
    const length = token.end - token.start;
    return this.rules.texts.some((text) => text.length === length && text.every((byte, i) => byte === token.bytes[token.start + i]));
  }
}
