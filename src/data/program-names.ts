import { P, type Program } from './program.js';

/** The column names of a program, by number. */
export function columnNames({ words, strings }: Program): string[] {
  const ends = words.subarray(words[P.stringsAt] + words[P.namesFirst]);
  return Array.from({ length: words[P.columns] }, (_, i) => Buffer.from(strings.slice(ends[i], ends[i + 1])).toString('utf8'));
}
