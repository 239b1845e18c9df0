import { MonolithError } from '../base/index.js';
import type { StreamOffset } from './stream/source.js';

/** A place in the stream of raw blocks: plain JSON. */
export type StreamPoint = {
  /** Number in the list of files; the number of files at the end. */
  readonly fileIndex: number;
  /** Byte in the decompressed stream of that file; 0 means "its first record". */
  readonly byteOffset: number;
  /** Records of the file before it. */
  readonly record: number;
  /** Line number there (1-based); 0 with byteOffset 0. */
  readonly line: number;
};

/** Where the next step starts: plain JSON, exact. A window is re-read from `start`, its first `cursor` examples are skipped. */
export type DataPosition = {
  readonly epoch: number;
  /** Number of the shuffle window in the epoch. */
  readonly window: number;
  readonly start: StreamPoint;
  readonly cursor: number;
  /** Examples handed out since the beginning, all epochs. */
  readonly examples: number;
  /** Bytes read before the window, all epochs. */
  readonly bytes: number;
  /** Bad records before the window, all epochs. */
  readonly badRecords: number;
  /** Bad records and examples of the epoch before the window. */
  readonly epochBadRecords: number;
  readonly epochExamples: number;
  /** Records left out by the schema's filters before the window, all epochs; absent where there are none. */
  readonly leftOutRecords?: number;
  /** Set where the data are a stream that has begun; the files before it, if any, are done then. */
  readonly stream?: StreamPosition;
};

/** Where each partition of a stream goes on: every record before its offset was handed out, none behind it. */
export type StreamPosition = {
  readonly partitions: { readonly [name: string]: StreamOffset };
  /** round-robin: the partition whose turn it is; null: the first. */
  readonly turn: string | null;
};

export const streamStart: StreamPoint = { fileIndex: 0, byteOffset: 0, record: 0, line: 0 };

export const startPosition: DataPosition = {
  epoch: 0,
  window: 0,
  start: streamStart,
  cursor: 0,
  examples: 0,
  bytes: 0,
  badRecords: 0,
  epochBadRecords: 0,
  epochExamples: 0,
};

/** @throws InvalidArgument for a value that is no position of a stream over `numFiles` files. */
export function checkPosition(position: DataPosition, numFiles: number): void {
  const whole = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  const { start } = position;
  const numbers = [position.epoch, position.window, position.cursor, position.examples, position.bytes, position.badRecords];
  if (position.leftOutRecords !== undefined) numbers.push(position.leftOutRecords);
  const valid =
    [...numbers, position.epochExamples, position.epochBadRecords].every(whole) &&
    [start?.fileIndex, start?.byteOffset, start?.record, start?.line].every(whole);
  if (!valid) throw new MonolithError('InvalidArgument', `not a data position: ${JSON.stringify(position)}`);
  if (start.fileIndex > numFiles) {
    throw new MonolithError(
      'InvalidArgument',
      `the data position is in file number ${start.fileIndex}, the data now have ${numFiles} files: resume with the files of the first run`,
      { fileIndex: start.fileIndex, numFiles },
    );
  }
}
