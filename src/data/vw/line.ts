// One line of Vowpal Wabbit text taken apart:  [label [importance]] ['tag]|namespace[:weight] feature[:value] … |namespace …
import { parseNumber } from '../twins/number-text.js';

/** Why a line is no record; texts in data/bad-records. */
export const VwProblem = { none: 0, noBar: 1, label: 2, tooMany: 3, weight: 4, value: 5, noName: 6, importance: 7 } as const;

const BAR = 124;
const COLON = 58;
const APOSTROPHE = 39;

function isSpace(c: number): boolean {
  return c === 32 || c === 9 || c === 13;
}

/** Tells of each feature: place of its name, and its value times the weight of its namespace. */
export interface VwVisitor {
  namespace(start: number, end: number): void;
  feature(start: number, end: number, value: number): void;
}

/** Reads lines. The places of label, importance and tag stand in the members afterwards; start < 0: not there. */
export class VwLine {
  labelStart = -1;
  labelEnd = -1;
  importanceStart = -1;
  importanceEnd = -1;
  tagStart = -1;
  tagEnd = -1;
  /** Of a problem. */
  tokenStart = 0;
  tokenEnd = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** bytes[start, end) without the line's end; a value of VwProblem. */
  read(start: number, end: number, visitor: VwVisitor): number {
    const { bytes } = this;
    let bar = start;
    while (bar < end && bytes[bar] !== BAR) bar++;
    if (bar === end) return this.problem(VwProblem.noBar, start, end);
    const problem = this.head(start, bar);
    if (problem !== VwProblem.none) return problem;
    let p = bar;
    while (p < end) {
      p = this.section(p + 1, end, visitor);
      if (p < 0) return -p;
    }
    return VwProblem.none;
  }

  private problem(code: number, start: number, end: number): number {
    this.tokenStart = start;
    this.tokenEnd = end;
    return code;
  }

  private head(start: number, bar: number): number {
    const { bytes } = this;
    this.labelStart = -1;
    this.importanceStart = -1;
    this.tagStart = -1;
    let words = 0;
    let p = start;
    for (;;) {
      while (p < bar && isSpace(bytes[p])) p++;
      if (p === bar) break;
      const from = p;
      while (p < bar && !isSpace(bytes[p])) p++;
      // The last word is a tag if it touches the bar or begins with an apostrophe.
      if (p === bar || bytes[from] === APOSTROPHE) {
        const rest = p;
        let q = p;
        while (q < bar && isSpace(bytes[q])) q++;
        if (q < bar) return this.problem(VwProblem.tooMany, start, bar);
        this.tagStart = bytes[from] === APOSTROPHE ? from + 1 : from;
        this.tagEnd = rest;
        break;
      }
      words++;
      if (words === 1) {
        this.labelStart = from;
        this.labelEnd = p;
      } else if (words === 2) {
        this.importanceStart = from;
        this.importanceEnd = p;
        if (parseNumber(bytes, from, p) === null) return this.problem(VwProblem.importance, from, p);
      } else return this.problem(VwProblem.tooMany, from, p);
    }
    if (this.labelStart >= 0 && parseNumber(bytes, this.labelStart, this.labelEnd) === null)
      return this.problem(VwProblem.label, this.labelStart, this.labelEnd);
    return VwProblem.none;
  }

  /** What stands behind a bar, up to the next one; where that is, or minus a problem. */
  private section(at: number, end: number, visitor: VwVisitor): number {
    const { bytes } = this;
    let p = at;
    let weight = 1;
    const nameStart = p;
    while (p < end && !isSpace(bytes[p]) && bytes[p] !== BAR && bytes[p] !== COLON) p++;
    const nameEnd = p;
    if (p < end && bytes[p] === COLON) {
      const from = ++p;
      while (p < end && !isSpace(bytes[p]) && bytes[p] !== BAR) p++;
      const value = parseNumber(bytes, from, p);
      if (value === null) return -this.problem(VwProblem.weight, nameStart, p);
      weight = value;
    }
    visitor.namespace(nameStart, nameEnd);
    for (;;) {
      while (p < end && isSpace(bytes[p])) p++;
      if (p >= end || bytes[p] === BAR) return p;
      const from = p;
      while (p < end && !isSpace(bytes[p]) && bytes[p] !== BAR && bytes[p] !== COLON) p++;
      const nameTo = p;
      let value = 1;
      if (p < end && bytes[p] === COLON) {
        const number = ++p;
        while (p < end && !isSpace(bytes[p]) && bytes[p] !== BAR) p++;
        const parsed = parseNumber(bytes, number, p);
        if (parsed === null) return -this.problem(VwProblem.value, from, p);
        value = parsed;
      }
      if (nameTo === from) return -this.problem(VwProblem.noName, from, p);
      visitor.feature(from, nameTo, value * weight);
    }
  }
}
