// RFC 4180: records of fields between separators, quoted where they hold separators, quotes or line ends.

export type SplitRules = { readonly separator: string; readonly quotes: boolean; readonly trim: boolean };

/** One record's fields. */
export type Fields = {
  values: string[];
  /** Which fields stood in quotes; null where none did. */
  quoted: boolean[] | null;
  /** Line ends in the record. */
  lines: number;
  /** What is wrong with it; null where nothing is. */
  problem: string | null;
};

export function emptyFields(): Fields {
  return { values: [], quoted: null, lines: 0, problem: null };
}

/**
 * Splits the record at `at`. Spaces around fields go where `trim` says so, but not those inside quotes.
 *
 * @param final whether the text ends with the file.
 * @returns where the next record begins; −1 where this one is not whole yet.
 */
export function splitRecord(text: string, at: number, final: boolean, rules: SplitRules, out: Fields): number {
  const newline = text.indexOf('\n', at);
  if (newline < 0 && !final) return -1;
  let stop = newline < 0 ? text.length : newline;
  const next = newline < 0 ? stop : newline + 1;
  if (stop > at && text.charCodeAt(stop - 1) === 13) stop--;
  const line = text.slice(at, stop);
  if (rules.quotes && line.includes('"')) return splitQuoted(text, at, final, rules, out);
  out.values = line.split(rules.separator);
  if (rules.trim) for (let i = 0; i < out.values.length; i++) out.values[i] = out.values[i].trim();
  out.quoted = null;
  out.lines = newline < 0 ? 0 : 1;
  out.problem = null;
  return next;
}

function splitQuoted(text: string, at: number, final: boolean, rules: SplitRules, out: Fields): number {
  const { separator, trim } = rules;
  const values: string[] = [];
  const quoted: boolean[] = [];
  let problem: string | null = null;
  let lines = 0;
  let p = at;
  for (;;) {
    let start = p;
    if (trim) while (text[start] === ' ') start++;
    if (text[start] === '"') {
      let value = '';
      let from = start + 1;
      let closing = -1;
      for (;;) {
        const quote = text.indexOf('"', from);
        if (quote < 0) break;
        if (text[quote + 1] === '"') {
          value += text.slice(from, quote + 1);
          from = quote + 2;
          continue;
        }
        closing = quote;
        break;
      }
      // What stands behind a quote decides whether it closes.
      if (!final && (closing < 0 || closing === text.length - 1)) return -1;
      if (closing < 0) {
        problem ??= `the quote of field ${values.length + 1} is never closed`;
        closing = text.length;
      }
      value += text.slice(from, closing);
      for (let n = text.indexOf('\n', start); n >= 0 && n < closing; n = text.indexOf('\n', n + 1)) lines++;
      p = closing + 1;
      const end = fieldEnd(text, p, separator);
      const rest = text.slice(p, end);
      if (rest.trim() !== '')
        problem ??= `field ${values.length + 1} goes on behind its closing quote: ${JSON.stringify(rest.slice(0, 20))}`;
      p = Math.min(end, text.length);
      values.push(value);
      quoted.push(true);
    } else {
      const end = fieldEnd(text, p, separator);
      let value = text.slice(p, end);
      if (text[end] !== separator && value.endsWith('\r')) value = value.slice(0, -1);
      values.push(trim ? value.trim() : value);
      quoted.push(false);
      p = end;
    }
    if (p >= text.length) {
      if (!final) return -1;
      break;
    }
    if (text[p] === '\n') {
      p++;
      lines++;
      break;
    }
    p++;
  }
  out.values = values;
  out.quoted = quoted;
  out.lines = lines;
  out.problem = problem;
  return p;
}

function fieldEnd(text: string, from: number, separator: string): number {
  const newline = text.indexOf('\n', from);
  const line = newline < 0 ? text.length : newline;
  const end = text.indexOf(separator, from);
  return end < 0 || end > line ? line : end;
}

/** Whether a record is a blank line, which is no record. */
export function isBlank(fields: Fields): boolean {
  return fields.values.length === 1 && fields.values[0] === '' && fields.quoted === null;
}
