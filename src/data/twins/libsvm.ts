// LibSVM (label index:value …) and LibFFM (label field:index:value …). Twin of native/parsers/libsvm.cc.
import type { ParsedBlock } from '../parsed-block.js';
import { Bad, Flag, P, type Program, ProgramFormat } from '../program.js';
import { Emitter, FULL, OK } from './emitter.js';
import { parseNumber } from './number-text.js';

const NEWLINE = 10;
const COLON = 58;
const HASH = 35;
const INDEX_LIMIT = 2 ** 48 - 1;

function isSpace(c: number): boolean {
  return c === 32 || c === 9 || c === 13;
}

/** Parses bytes[0, length). */
export function parseLibsvm(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  const { words } = program;
  const ffm = words[P.format] === ProgramFormat.libffm;
  const numFields = words[P.numFields];
  const bagFields = fieldsOfBags(program, block);
  const fields: { low: number[]; high: number[]; value: number[] }[] = Array.from({ length: numFields }, () => ({
    low: [],
    high: [],
    value: [],
  }));
  const end = bytes.length;
  let p = 0;
  let lines = 0;
  let full = false;
  while (p < end) {
    const found = bytes.indexOf(NEWLINE, p);
    const newline = found < 0 ? 0 : 1;
    const lineEnd = found < 0 ? end : found;
    const after = lineEnd + newline;
    const hash = bytes.subarray(p, lineEnd).indexOf(HASH);
    const stop = hash < 0 ? lineEnd : p + hash;
    let q = p;
    while (q < stop && isSpace(bytes[q])) q++;
    if (q === stop) {
      p = after;
      lines += newline;
      continue;
    }
    if (!out.hasRoom) {
      full = true;
      break;
    }
    out.begin();
    for (const field of fields) {
      field.low.length = 0;
      field.high.length = 0;
      field.value.length = 0;
    }
    let code: number = OK;
    let extra = 0;
    let column = 0;
    let entries = 0;
    let token = q;
    while (q < stop && !isSpace(bytes[q])) q++;
    if (bytes.subarray(token, q).includes(COLON)) {
      // A first token with a colon is a pair: the line has no label.
      if (out.requires(Flag.requireLabel)) code = Bad.missingLabel;
      else q = token;
    } else {
      const label = parseNumber(bytes, token, q);
      code = label === null ? Bad.label : out.setLabel(label === -1 ? 0 : label);
    }
    while (code === OK) {
      while (q < stop && isSpace(bytes[q])) q++;
      if (q === stop) break;
      token = q;
      column++;
      let tokenEnd = q;
      while (tokenEnd < stop && !isSpace(bytes[tokenEnd])) tokenEnd++;
      let field = 0;
      if (ffm) {
        const at = indexEnd(bytes, q, tokenEnd);
        if (at < 0 || bytes[at] !== COLON || at === tokenEnd) code = Bad.pair;
        else {
          field = wholeNumber(bytes, q, at);
          q = at + 1;
          if (field >= numFields) {
            code = Bad.field;
            extra = Math.min(field, 0x7fffffff);
          }
        }
      }
      let index = 0;
      if (code === OK) {
        const at = indexEnd(bytes, q, tokenEnd);
        if (at < 0 || at === tokenEnd || bytes[at] !== COLON) code = Bad.pair;
        else {
          index = wholeNumber(bytes, q, at);
          q = at + 1;
          if (index > INDEX_LIMIT) code = Bad.index;
        }
      }
      let value: number | null = 0;
      if (code === OK) {
        value = parseNumber(bytes, q, tokenEnd);
        if (value === null) code = Bad.number;
      }
      q = tokenEnd;
      if (code !== OK) break;
      const entry = fields[field];
      entry.low.push(index % 0x100000000);
      entry.high.push(Math.floor(index / 0x100000000));
      entry.value.push(value ?? 0);
      entries++;
    }
    for (let g = 0, bag = 0; code === OK && g < block.slot.groups.length; g++) {
      for (let j = 0; code === OK && j < block.slot.layout.groups[g].numFeatures; j++) {
        const number = bagFields[bag++];
        const entry = number < 0 ? null : fields[number];
        for (let e = 0; code === OK && entry !== null && e < entry.low.length; e++) {
          if (out.idsOfRecord(g) > out.idLimit(g)) code = Bad.tooManyIds;
          else code = out.push(g, 0, entry.low[e], entry.high[e], entry.value[e]);
        }
        if (code === OK) code = out.endBag(g, j);
        if (code === Bad.tooManyIds) extra = entries;
      }
    }
    if (code === FULL) {
      full = true;
      break;
    }
    if (code === OK) out.good();
    else out.markBad(code, p, lines, column, token, q, extra);
    p = after;
    lines += newline;
  }
  out.finish(p, lines, full);
}

/** The field of each bag, groups one after another; −1 where none goes there. */
function fieldsOfBags({ words }: Program, block: ParsedBlock): number[] {
  const at = words[P.fieldsAt];
  const bags: number[] = [];
  block.slot.layout.groups.forEach((group, g) => {
    for (let j = 0; j < group.numFeatures; j++) {
      let field = -1;
      for (let f = 0; f < words[P.numFields] && field < 0; f++) if (words[at + f * 2] === g && words[at + f * 2 + 1] === j) field = f;
      bags.push(field);
    }
  });
  return bags;
}

/** Where the digits at `from` end; −1 for none or more than 15. */
function indexEnd(bytes: Uint8Array, from: number, end: number): number {
  let p = from;
  while (p < end && bytes[p] >= 48 && bytes[p] <= 57 && p - from < 16) p++;
  return p > from && p - from < 16 ? p : -1;
}

function wholeNumber(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  for (let p = from; p < end; p++) value = value * 10 + bytes[p] - 48;
  return value;
}
