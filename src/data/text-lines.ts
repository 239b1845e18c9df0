import type { Emitter } from './twins/emitter.js';
import { FULL, OK } from './twins/emitter.js';

const NEWLINE = 10;

/** Parses one line, bytes[start, end), into the example that was begun; a code, and where it is a bad record what else is known of it. */
export type LineParser = {
  readonly column: number;
  readonly tokenStart: number;
  readonly tokenEnd: number;
  readonly extra: number;
  parse(start: number, end: number): number;
};

/** One record a line, up to the end or until the block is full. Blank lines are no records; a line is given without the blanks before it. */
export function parseLines(bytes: Uint8Array, out: Emitter, parser: LineParser): void {
  const end = bytes.length;
  let p = 0;
  let lines = 0;
  let full = false;
  while (p < end) {
    const found = bytes.indexOf(NEWLINE, p);
    const lineEnd = found < 0 ? end : found;
    const after = found < 0 ? end : found + 1;
    let first = p;
    while (first < lineEnd && (bytes[first] === 32 || bytes[first] === 9 || bytes[first] === 13)) first++;
    if (first < lineEnd) {
      if (!out.hasRoom) {
        full = true;
        break;
      }
      out.begin();
      const code = parser.parse(first, lineEnd);
      if (code === FULL) {
        full = true;
        break;
      }
      if (code === OK) out.good();
      else out.markBad(code, p, lines, parser.column, parser.tokenStart, parser.tokenEnd, parser.extra);
    }
    p = after;
    lines += after - lineEnd;
  }
  out.finish(p, lines, full);
}
