// Monolith's record framing: what stands before each message. All numbers are 64 bits, little-endian.
//
//   lagrangexHeader   header · size · message
//   else              [kafkaDumpPrefix: 0, then one more number; or the length of the sort id] · [hasSortId: length · sort id]
//                     · [kafkaDump: one number] · size · message
import { MonolithError } from '../../base/index.js';

/** What stands before each message of a file, by Monolith's names. */
export type Framing = {
  /** A length and a sort id of that many bytes. */
  readonly hasSortId: boolean;
  /** One number before the size, of no meaning here. */
  readonly kafkaDump: boolean;
  /** 0 and another number, or the length of the sort id in the place of its own. */
  readonly kafkaDumpPrefix: boolean;
  /** Eight bytes with the message's type and the key of its source. The three above are not there then. */
  readonly lagrangexHeader: boolean;
};

/** Monolith's own: sort ids, nothing else. */
export const defaultFraming: Framing = { hasSortId: true, kafkaDump: false, kafkaDumpPrefix: false, lagrangexHeader: false };

/** One record with all that stands before its message, so that {@link encodeFrame} gives back its bytes. */
export type Frame = {
  /** View of the message's bytes. */
  readonly payload: Uint8Array;
  /** View of the sort id's bytes; empty where the framing has none. */
  readonly sortId: Uint8Array;
  /** kafkaDump: the number before the size. */
  readonly kafkaDump: bigint;
  /** kafkaDumpPrefix: [0, the number behind it] or [length of the sort id]; else empty. */
  readonly kafkaPrefix: readonly bigint[];
  /** lagrangexHeader: its eight bytes as a number. */
  readonly header: bigint;
};

/** State of a record that {@link walkFrame} looked at. */
export const FrameState = {
  good: 0,
  /** The bytes end before the record does. */
  truncated: 1,
  /** A length above the longest allowed: nothing behind it can be found. */
  tooLong: 2,
  /** The size is 0xfefefefe, with which Monolith's writers mark an error. */
  marker: 3,
} as const;

const WORD = 8;
const ERROR_MARKER = 0xfefefefe;

/** Where the parts of one record lie. Filled by {@link walkFrame}, used again for the next. */
export type FramePlaces = {
  /** Position of the first number of the record that could not be read or believed; the record's end where all is well. */
  end: number;
  payload: number;
  sortId: number;
  sortIdLength: number;
  /** Positions of the numbers; −1 where the framing has none. */
  dump: number;
  prefix: number;
  /** Numbers of the prefix. */
  prefixWords: number;
  header: number;
  /** The length that is too long, or that more bytes are needed for. */
  length: number;
};

/** Places for {@link walkFrame} to fill. */
export function framePlaces(): FramePlaces {
  return { end: 0, payload: 0, sortId: 0, sortIdLength: 0, dump: -1, prefix: -1, prefixWords: 0, header: -1, length: 0 };
}

/**
 * Finds the parts of the record at `at` without copying or allocating anything.
 *
 * @param view      the bytes.
 * @param limit     end of the bytes.
 * @param maxRecord longest message or sort id in bytes; a longer one is not waited for.
 * @returns a value of {@link FrameState}.
 */
export function walkFrame(view: DataView, at: number, limit: number, framing: Framing, maxRecord: number, out: FramePlaces): number {
  let p = at;
  out.dump = -1;
  out.prefix = -1;
  out.header = -1;
  out.sortIdLength = 0;
  out.length = WORD;
  if (framing.lagrangexHeader) {
    out.header = p;
    p += WORD;
  } else {
    let sortIdLength = 0;
    if (framing.kafkaDumpPrefix) {
      out.end = p;
      if (limit - p < WORD) return FrameState.truncated;
      sortIdLength = wordAt(view, p);
      out.prefix = p;
      out.prefixWords = sortIdLength === 0 ? 2 : 1;
      p += WORD * out.prefixWords;
    }
    if (framing.hasSortId) {
      if (sortIdLength === 0) {
        out.end = p;
        if (limit - p < WORD) return FrameState.truncated;
        sortIdLength = wordAt(view, p);
        p += WORD;
      } else out.end = p - WORD;
      out.length = sortIdLength;
      if (sortIdLength > maxRecord) return FrameState.tooLong;
      out.sortId = p;
      out.sortIdLength = sortIdLength;
      if (sortIdLength > limit - p) return FrameState.truncated;
      p += sortIdLength;
    }
    if (framing.kafkaDump) {
      out.dump = p;
      p += WORD;
    }
  }
  out.end = p;
  out.length = WORD;
  if (limit - p < WORD) return FrameState.truncated;
  const size = wordAt(view, p);
  out.length = size;
  if (size === ERROR_MARKER) return FrameState.marker;
  if (size > maxRecord) return FrameState.tooLong;
  p += WORD;
  out.payload = p;
  if (size > limit - p) return FrameState.truncated;
  out.end = p + size;
  return FrameState.good;
}

/** Beyond 2^53 only its size matters. */
function wordAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
}

/**
 * The records in `bytes`, views of them.
 *
 * @param maxRecord longest message or sort id in bytes.
 * @throws RecordCorrupt with record number (from 1) and byte where the bytes end inside a record, a length is too long or an error mark stands.
 */
export function* readFrames(bytes: Uint8Array, framing: Framing = defaultFraming, maxRecord = 16 << 20): Generator<Frame> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const places = framePlaces();
  let record = 0;
  for (let at = 0; at < bytes.length; at = places.end) {
    record++;
    const state = walkFrame(view, at, bytes.length, framing, maxRecord, places);
    if (state !== FrameState.good) {
      const problem = frameProblem(state, places.length, maxRecord);
      throw new MonolithError('RecordCorrupt', `record ${record} at byte ${at}: ${problem}, byte ${places.end}. ${framingHint(framing)}`, {
        record,
        byte: at,
        at: places.end,
      });
    }
    yield {
      payload: bytes.subarray(places.payload, places.end),
      sortId: bytes.subarray(places.sortId, places.sortId + places.sortIdLength),
      kafkaDump: places.dump < 0 ? 0n : view.getBigUint64(places.dump, true),
      kafkaPrefix:
        places.prefix < 0 ? [] : Array.from({ length: places.prefixWords }, (_, i) => view.getBigUint64(places.prefix + i * WORD, true)),
      header: places.header < 0 ? 0n : view.getBigUint64(places.header, true),
    };
  }
}

/** What is wrong with a record, in words. */
export function frameProblem(state: number, length: number, maxRecord: number): string {
  switch (state) {
    case FrameState.tooLong:
      return `a length of ${length} bytes, at most ${maxRecord} are allowed (maxRecordBytes)`;
    case FrameState.marker:
      return 'the size is 0xfefefefe, the mark of an error in what wrote the file';
    default:
      return `the file ends inside the record, ${length} bytes were to follow`;
  }
}

/** What to look at where lengths make no sense. */
export function framingHint(framing: Framing): string {
  const on = (Object.keys(defaultFraming) as (keyof Framing)[]).filter((name) => framing[name]);
  return `Likely cause: a damaged or cut file, or another framing than ${on.length === 0 ? 'sizes alone' : on.join(' and ')} (hasSortId, kafkaDump, kafkaDumpPrefix, lagrangexHeader)`;
}

/**
 * One record's bytes: the message with what its framing wants before it.
 *
 * @param frame what to write besides the message; what the framing has no place for is left out.
 * @throws InvalidArgument for a prefix that is not the length of the sort id.
 */
export function encodeFrame(payload: Uint8Array, framing: Framing = defaultFraming, frame: Partial<Omit<Frame, 'payload'>> = {}): Buffer {
  const { sortId = new Uint8Array(0), kafkaDump = 0n, kafkaPrefix = [0n, 0n], header = 0n } = frame;
  const parts: Uint8Array[] = [];
  const word = (value: bigint | number): void => {
    const bytes = Buffer.alloc(WORD);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    parts.push(bytes);
  };
  if (framing.lagrangexHeader) word(header);
  else {
    let sortIdLengthStands = false;
    if (framing.kafkaDumpPrefix) {
      const [first = 0n, second = 0n] = kafkaPrefix;
      sortIdLengthStands = first !== 0n;
      if (sortIdLengthStands && framing.hasSortId && first !== BigInt(sortId.length)) {
        throw new MonolithError('InvalidArgument', `encodeFrame: prefix ${first}, but the sort id has ${sortId.length} bytes`);
      }
      word(first);
      if (!sortIdLengthStands) word(second);
    }
    if (framing.hasSortId) {
      if (!sortIdLengthStands) word(sortId.length);
      parts.push(sortId);
    }
    if (framing.kafkaDump) word(kafkaDump);
  }
  word(payload.length);
  parts.push(payload);
  return Buffer.concat(parts);
}

/** Type of the message (0 Instance, else Example) and key of its source, from a Lagrangex header. */
export function readHeader(header: bigint): { readonly type: number; readonly dataSourceKey: number } {
  return { type: Number(header & 0xffn), dataSourceKey: Number(header & 0xffffff00n) };
}

/** The Lagrangex header of a source: the 24 high bits of its name's hash (that of Java's String) and the message's type. */
export function sourceHeader(source: string, type: number): bigint {
  let hash = 0;
  for (let i = 0; i < source.length; i++) hash = (Math.imul(hash, 31) + source.charCodeAt(i)) | 0;
  return BigInt(((hash & ~0xff) | (type & 0xff)) >>> 0);
}
