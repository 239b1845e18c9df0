import { z } from 'zod';
import { boolean, choice, integer, nullableText, number, text } from './option.js';

/** A year: longer intervals are slips of the pen. */
const MAX_SECONDS = 366 * 86_400;

/** Options of training on a stream. */
export const streamOptions = {
  enabled: boolean(
    false,
    'Train on a stream without end: data.train names tail:PATH (a file that grows, a folder or a pattern), tcp://HOST:PORT, - (lines of standard input) or kafka://BROKER:PORT/TOPIC?group=GROUP. Files named besides are read first.',
    { flag: 'stream' },
  ),
  order: choice(
    'arrival',
    ['arrival', 'round-robin'],
    'arrival: records are taken as they come. round-robin: one of each partition in turn, so that their order is always the same; a silent partition holds the others up.',
    { flag: 'stream-order' },
  ),
  start: text(
    'earliest',
    'Where a partition begins that the checkpoint does not know: earliest, latest; of Kafka also committed (the offset of the group at the broker) or a time such as 2026-11-29T08:00:00Z.',
    { flag: 'stream-start' },
  ),
  lost: choice(
    'fail',
    ['fail', 'skip'],
    'Where records that come next are gone (retention of a topic, a rotated file that was deleted): end with an error that says how many, or go on behind them.',
    { flag: 'stream-lost' },
  ),
  idleSeconds: number(0, 'Seconds without a record after which training ends as at the end of data; 0: never.', {
    min: 0,
    max: MAX_SECONDS,
    flag: 'stream-idle-seconds',
  }),
  flushMs: integer(
    0,
    'Milliseconds that a step which is not full waits for more records; 0 waits until it is full, so that steps do not depend on when records come.',
    { min: 0, max: 86_400_000, flag: 'stream-flush-ms' },
  ),
  windowSeconds: number(0, 'Length of the windows of time whose figures are told, from predictions made before learning; 0: none.', {
    min: 0,
    max: MAX_SECONDS,
    flag: 'stream-window-seconds',
  }),
  latenessSeconds: number(
    0,
    'Seconds of event time that a window stays open behind its end; records that come later are trained and counted as late.',
    { min: 0, max: MAX_SECONDS, flag: 'stream-lateness-seconds' },
  ),
  eventTime: nullableText(
    'the name of a column',
    z.string().min(1),
    'Column with the time of an event: seconds, milliseconds or microseconds since 1970, or a date. null: the time a record came, of Kafka that of its message.',
    { flag: 'stream-event-time' },
  ),
  sessionTimeoutMs: integer(10_000, 'kafka: milliseconds after which the group gives up a member that is silent.', {
    min: 100,
    max: 3_600_000,
    flag: 'stream-session-timeout-ms',
  }),
};
