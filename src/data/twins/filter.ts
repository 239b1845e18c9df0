// Which records are left out. Twin of native/parsers/filter.h.
import { A, ActionWords, Bad, ExampleFlag, FilterMode, Op, P, type Program } from '../program.js';
import { parseNumber } from './number-text.js';
import type { Token } from './token.js';

/** Not a bad record: a filter leaves it out. */
export const LEFT_OUT = -2;

export class RecordFilters {
  private matched = false;

  constructor(private readonly program: Program) {}

  /** The filter at word `a` on a column of one text. */
  one(a: number, token: Token, missing: boolean): number {
    this.begin();
    const code = this.text(a, token, missing);
    return code !== 0 ? code : this.end(a);
  }

  begin(): void {
    this.matched = false;
  }

  /** LEFT_OUT or 0, after the values of a column. */
  end(a: number): number {
    const leaveOut = (this.program.words[a + A.mode] & FilterMode.leaveOut) !== 0;
    return this.matched === leaveOut ? LEFT_OUT : 0;
  }

  /** A value that is a text; a code where the filter has bounds and it is no number. */
  text(a: number, token: Token, missing: boolean): number {
    const { words } = this.program;
    const bounded = (words[a + A.mode] & (FilterMode.atLeast | FilterMode.atMost)) !== 0;
    const wanted = !missing && (bounded || words[a + A.constantCount] > 2);
    const number = wanted ? parseNumber(token.bytes, token.start, token.end) : null;
    if (bounded && !missing && number === null) return Bad.number;
    this.value(a, token, number ?? Number.NaN);
    return 0;
  }

  /** A value of a column. @param text null where it has none @param number NaN where it is none */
  value(a: number, text: Token | null, number: number): void {
    const { words, constants } = this.program;
    const mode = words[a + A.mode];
    const c = words[a + A.constantFirst];
    let hit = true;
    if ((mode & FilterMode.atLeast) !== 0 && !(number >= constants[c])) hit = false;
    if ((mode & FilterMode.atMost) !== 0 && !(number <= constants[c + 1])) hit = false;
    if (hit && (mode & FilterMode.list) !== 0)
      hit = this.lists(a, number) || (text !== null && isListed(this.program, words[a + A.stringFirst], words[a + A.stringCount], text));
    if (hit) this.matched = true;
  }

  /** The flags of a finished record with this label. */
  closing(label: number): number {
    const { words, constants } = this.program;
    let flags = 0;
    const first = words[P.actionsAt] + words[P.numActions] * ActionWords;
    for (let i = 0; i < words[P.numClosing]; i++) {
      const a = first + i * ActionWords;
      if (words[a + A.op] === Op.sample) {
        if (label === Math.fround(constants[words[a + A.constantFirst]])) flags |= ExampleFlag.sampled << words[a + A.mode];
        continue;
      }
      this.begin();
      this.value(a, null, label);
      if (this.end(a) !== 0) return ExampleFlag.leftOut;
    }
    return flags;
  }

  private lists(a: number, number: number): boolean {
    const { words, constants } = this.program;
    const c = words[a + A.constantFirst];
    for (let i = 2; i < words[a + A.constantCount]; i++) if (constants[c + i] === number) return true;
    return false;
  }
}

/** Whether a text is one of `count` strings of a program from number `first` on. */
export function isListed({ words, strings }: Program, first: number, count: number, { bytes, start, end }: Token): boolean {
  const ends = words[P.stringsAt] + first;
  for (let i = 0; i < count; i++) {
    const from = words[ends + i];
    if (words[ends + i + 1] - from !== end - start) continue;
    let k = 0;
    while (start + k < end && strings[from + k] === bytes[start + k]) k++;
    if (start + k === end) return true;
  }
  return false;
}
