// Where a raw block may be cut: at the end of its last whole record.
import { maskedCrc32c } from '../base/index.js';
import { lastAvroEnd } from './columnar/avro-cut.js';
import { lastMonolithEnd } from './monolith/cut.js';
import { Flag, P, type Program, ProgramFormat } from './program.js';

const NEWLINE = 10;
const QUOTE = 34;
const SPACE = 32;
const FRAME_HEADER = 12;
const FRAME = 16;
const CRITEO_RECORD = 160;

/** The end of the last whole record in bytes[0, length); 0 when there is none. `bytes` starts at a record. */
export function lastRecordEnd(program: Program, bytes: Uint8Array, length: number): number {
  switch (program.words[P.format]) {
    case ProgramFormat.criteoBin:
      return length - (length % CRITEO_RECORD);
    case ProgramFormat.npz:
      return length - (length % program.words[P.rowBytes]);
    case ProgramFormat.tfrecord:
      return lastFrameEnd(bytes, length, program.words[P.maxRecord]);
    case ProgramFormat.instance:
    case ProgramFormat.example:
    case ProgramFormat.exampleBatch:
    case ProgramFormat.rowMajor:
      return lastMonolithEnd(program, bytes, length);
    case ProgramFormat.avro:
      return lastAvroEnd(bytes, length);
    case ProgramFormat.delimited:
      if ((program.words[P.flags] & Flag.quotes) !== 0 && hasQuote(bytes, length)) {
        return lastQuotedRecordEnd(bytes, length, program.words[P.separator], (program.words[P.flags] & Flag.trim) !== 0);
      }
      return lastLineEnd(bytes, length);
    default:
      return lastLineEnd(bytes, length);
  }
}

function lastLineEnd(bytes: Uint8Array, length: number): number {
  return length === 0 ? 0 : bytes.lastIndexOf(NEWLINE, length - 1) + 1;
}

function hasQuote(bytes: Uint8Array, length: number): boolean {
  const at = bytes.indexOf(QUOTE);
  return at >= 0 && at < length;
}

/** The splitting rules of the CSV parser, without the fields. */
export function lastQuotedRecordEnd(bytes: Uint8Array, length: number, separator: number, trim: boolean): number {
  let end = 0;
  let i = 0;
  while (i < length) {
    // At a field's start.
    let quote = i;
    if (trim) while (quote < length && bytes[quote] === SPACE) quote++;
    if (quote < length && bytes[quote] === QUOTE) {
      i = quote + 1;
      for (;;) {
        if (i >= length) return end;
        if (bytes[i] === QUOTE) {
          // The byte after a quote decides whether it closes; where it is not there yet, the record is not whole either.
          if (i + 1 < length && bytes[i + 1] === QUOTE) i++;
          else break;
        }
        i++;
      }
      i++;
    }
    while (i < length && bytes[i] !== separator && bytes[i] !== NEWLINE) i++;
    if (i >= length) return end;
    if (bytes[i] === NEWLINE) end = i + 1;
    i++;
  }
  return end;
}

function lastFrameEnd(bytes: Uint8Array, length: number, maxRecord: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let at = 0;
  for (;;) {
    const next = nextFrame(bytes, view, at, length, maxRecord).next;
    if (next < 0) return at;
    at = next;
  }
}

export type FrameState = 'good' | 'truncated' | 'tooLong' | 'lengthCrc';

/**
 * Walks one TFRecord frame at `at`. `next` is the next frame's start, −1 where the bytes end before it is known.
 * A frame whose length can't be trusted ends where the next believable header begins.
 */
export function nextFrame(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  maxRecord: number,
): { next: number; state: FrameState } {
  const left = length - at;
  if (left < FRAME_HEADER) return { next: -1, state: 'truncated' };
  const size = frameLength(view, at);
  const headerOk = maskedCrc32c(bytes.subarray(at, at + 8)) === view.getUint32(at + 8, true);
  const fits = size <= maxRecord && size + FRAME <= left;
  if (headerOk && size <= maxRecord) {
    return fits ? { next: at + FRAME + size, state: 'good' } : { next: -1, state: 'truncated' };
  }
  const state = headerOk ? 'tooLong' : 'lengthCrc';
  if (fits && payloadOk(bytes, view, at, size)) return { next: at + FRAME + size, state };
  for (let q = at + 1; q + FRAME_HEADER <= length; q++) {
    // The four high bytes of a length are nearly always zero: a cheap first look.
    if (frameLength(view, q) <= maxRecord && maskedCrc32c(bytes.subarray(q, q + 8)) === view.getUint32(q + 8, true))
      return { next: q, state };
  }
  return { next: -1, state };
}

/** Whether the checksum of a frame's payload is right; `size` must fit. */
export function payloadOk(bytes: Uint8Array, view: DataView, at: number, size: number): boolean {
  const start = at + FRAME_HEADER;
  return maskedCrc32c(bytes.subarray(start, start + size)) === view.getUint32(start + size, true);
}

/** Length field of a frame; beyond 2^53 only its size matters. */
export function frameLength(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
}
