import { MonolithError } from '../../base/index.js';
import type { FileDescription } from '../inspect.js';

/** Above these a number of seconds, or milliseconds, would lie beyond the year 5000: it counts milliseconds, or microseconds. */
const MOST_SECONDS = 1e11;
const MOST_MILLISECONDS = 1e14;
const QUOTE = 34;
const NEWLINE = 10;

/** Reads the time of an event out of a record's bytes; milliseconds since 1970, NaN where none stands there. */
export type EventTime = (bytes: Uint8Array, start: number, end: number) => number;

/** @throws InvalidConfig where the format has no such column */
export function eventTimeOf(column: string, { columns, format, separator }: FileDescription): EventTime {
  if (columns === null || separator < 0) {
    throw new MonolithError('InvalidConfig', `stream.eventTime ${column}: records of format ${format} have no columns with names`, {
      column,
    });
  }
  const index = columns.indexOf(column);
  if (index < 0) {
    throw new MonolithError(
      'InvalidConfig',
      `stream.eventTime: there is no column ${column}; there are ${columns.slice(0, 20).join(', ')}`,
      {
        column,
      },
    );
  }
  const quotes = format === 'csv';
  return (bytes, start, end) => {
    let at = start;
    for (let field = 0; field < index; field++) {
      at = fieldEnd(bytes, at, end, separator, quotes) + 1;
      if (at > end) return Number.NaN;
    }
    const text = Buffer.from(bytes.subarray(at, fieldEnd(bytes, at, end, separator, quotes))).toString('latin1');
    return timeOf(text.trim().replace(/^"(.*)"$/, '$1'));
  };
}

/** Seconds, milliseconds or microseconds since 1970, or a date with or without a time of day. */
export function timeOf(text: string): number {
  if (text === '') return Number.NaN;
  const number = Number(text);
  if (Number.isNaN(number)) return Date.parse(text);
  const size = Math.abs(number);
  return size < MOST_SECONDS ? number * 1000 : size < MOST_MILLISECONDS ? number : number / 1000;
}

function fieldEnd(bytes: Uint8Array, start: number, end: number, separator: number, quotes: boolean): number {
  let at = start;
  if (quotes && bytes[at] === QUOTE) {
    at++;
    while (at < end && (bytes[at] !== QUOTE || bytes[at + 1] === QUOTE)) at += bytes[at] === QUOTE ? 2 : 1;
  }
  while (at < end && bytes[at] !== separator && bytes[at] !== NEWLINE) at++;
  return at;
}
