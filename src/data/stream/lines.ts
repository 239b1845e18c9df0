import { MonolithError } from '../../base/index.js';
import type { StreamOffset, StreamRecords } from './source.js';

const NEWLINE = 10;

/** Ends of the whole lines in bytes[0, length): the byte behind each line end. */
export function lineEnds(bytes: Uint8Array, length: number): Int32Array {
  let ends = new Int32Array(256);
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0 && at < length; at = bytes.indexOf(NEWLINE, at + 1)) {
    if (count === ends.length) {
      const larger = new Int32Array(ends.length * 2);
      larger.set(ends);
      ends = larger;
    }
    ends[count++] = at + 1;
  }
  return ends.subarray(0, count);
}

/** Cuts what comes in pieces into lines. */
export class LineCutter {
  private rest: Uint8Array = new Uint8Array(0);

  /** @param name for errors. @param maxBytes longest line. */
  constructor(
    private readonly name: string,
    private readonly maxBytes: number,
  ) {}

  /** Bytes of a line whose end has not come. */
  get halfBytes(): number {
    return this.rest.length;
  }

  /** The whole lines with what came; null while there is none. @throws DataFormat for a line that is too long */
  add(piece: Uint8Array): { readonly bytes: Uint8Array; readonly ends: Int32Array } | null {
    const bytes = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    // A copy: the piece may be memory that is used again.
    this.rest = bytes.slice(end);
    if (this.rest.length > this.maxBytes) throw lineTooLong(this.name, this.rest.length, this.maxBytes);
    if (end === 0) return null;
    const whole = bytes.slice(0, end);
    return { bytes: whole, ends: lineEnds(whole, end) };
  }

  /** Gives up the line whose end has not come. @returns its bytes with a line end; null where there is none */
  flush(): { readonly bytes: Uint8Array; readonly ends: Int32Array } | null {
    const { rest } = this;
    this.rest = new Uint8Array(0);
    if (rest.length === 0) return null;
    const bytes = Buffer.concat([rest, Uint8Array.of(NEWLINE)]);
    return { bytes, ends: Int32Array.of(bytes.length) };
  }
}

export function lineTooLong(name: string, length: number, maxBytes: number): MonolithError {
  return new MonolithError(
    'DataFormat',
    `${name}: a line is longer than ${maxBytes} bytes (maxRecordBytes), ${length} came without a line end. Likely cause: what comes is no text`,
    { name, maxRecordBytes: maxBytes },
  );
}

/** Lines that are counted and cannot be read again: the offset of the record behind line i is `first` + i + 1. */
export function countedLines(
  name: string,
  { bytes, ends }: { readonly bytes: Uint8Array; readonly ends: Int32Array },
  first: number,
  timeMs: number,
): StreamRecords {
  return {
    bytes,
    ends,
    count: ends.length,
    timeOf: () => timeMs,
    offsetAfter: (i): StreamOffset => first + i + 1,
    placeOf: (i) => `${name}, line ${first + i + 1}`,
  };
}

/** Compares offsets that are numbers. */
export function compareNumbers(a: StreamOffset, b: StreamOffset): number {
  return Number(a) - Number(b);
}
