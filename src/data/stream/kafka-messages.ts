// Messages of a topic as records: lines, or Monolith's messages in their framing.
import { encodeFrame, FrameState, type Framing, framePlaces, frameProblem, framingHint, walkFrame } from '../monolith/framing.js';
import type { StreamOffset, StreamRecords } from './source.js';

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** What a message holds. `framing` null: nothing stands before the one message of Monolith's in it. */
export type MessageForm = { readonly kind: 'lines' } | { readonly kind: 'frames'; readonly framing: Framing | null };

/** The framing of what {@link recordsOfMessages} makes of a form's messages. */
export function framingOf(form: MessageForm): Framing | null {
  return form.kind === 'lines' ? null : (form.framing ?? sizesOnly);
}

const sizesOnly: Framing = { hasSortId: false, kafkaDump: false, kafkaDumpPrefix: false, lagrangexHeader: false };
/** Field number 0 with a wire type that there is none of: no message of any kind. */
const NO_MESSAGE = Uint8Array.of(0x07);

/** A message as it comes from a broker. */
export type Message = { readonly offset: string; readonly value: Uint8Array | null; readonly timestamp: string };

/** The offset behind the first `skip` records of the message at `offset`. */
type KafkaOffset = number | readonly [offset: number, skip: number];

/** The message to read next, and how many of its records are done. */
export function startOf(offset: StreamOffset): { readonly offset: number; readonly skip: number } {
  if (typeof offset === 'number') return { offset, skip: 0 };
  const [first, skip] = offset as readonly [number, number];
  return { offset: first, skip };
}

export function compareKafkaOffsets(a: StreamOffset, b: StreamOffset): number {
  const [x, y] = [startOf(a), startOf(b)];
  return x.offset - y.offset || x.skip - y.skip;
}

/**
 * The records of some messages, in order. Empty messages have none; one with several lines or framed messages has several.
 * @param from what is before it was read already.
 * @param maxRecord longest message in bytes.
 * @returns null where there is no record in them.
 */
export function recordsOfMessages(
  partition: string,
  messages: readonly Message[],
  form: MessageForm,
  from: { readonly offset: number; readonly skip: number },
  maxRecord: number,
): StreamRecords | null {
  const pieces: Uint8Array[] = [];
  const ends: number[] = [];
  const times: number[] = [];
  const offsets: KafkaOffset[] = [];
  const places: number[] = [];
  const problems = new Map<number, string>();
  let length = 0;
  for (const { offset: text, value, timestamp } of messages) {
    const offset = Number(text);
    if (value === null || value.length === 0 || offset < from.offset) continue;
    const found = form.kind === 'lines' ? linesIn(value) : framesIn(value, form.framing, maxRecord);
    found.pieces.forEach((piece, i) => {
      if (offset === from.offset && i < from.skip) return;
      if (found.problem !== null && i === found.pieces.length - 1) problems.set(ends.length, found.problem);
      pieces.push(piece);
      length += piece.length;
      ends.push(length);
      times.push(Number(timestamp));
      places.push(offset);
      offsets.push(i === found.pieces.length - 1 ? offset + 1 : [offset, i + 1]);
    });
  }
  if (ends.length === 0) return null;
  return {
    bytes: Buffer.concat(pieces, length),
    count: ends.length,
    ends: Int32Array.from(ends),
    timeOf: (i) => times[i],
    offsetAfter: (i) => offsets[i],
    placeOf: (i) => {
      const problem = problems.get(i);
      return `${partition}, offset ${places[i]}${problem === undefined ? '' : `: ${problem}`}`;
    },
  };
}

type Found = { readonly pieces: readonly Uint8Array[]; readonly problem: string | null };

function linesIn(value: Uint8Array): Found {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < value.length; ) {
    const end = value.indexOf(NEWLINE, at);
    const line = value.subarray(at, end < 0 ? value.length : end + 1);
    at += line.length;
    if (line.length <= 2 && line.every((byte) => byte === NEWLINE || byte === CARRIAGE_RETURN)) continue;
    pieces.push(end < 0 ? Buffer.concat([line, Uint8Array.of(NEWLINE)]) : line);
  }
  return { pieces, problem: null };
}

/** The framed messages in one message; where they do not fill it, the last one is a bad record. */
function framesIn(value: Uint8Array, framing: Framing | null, maxRecord: number): Found {
  if (framing === null) return { pieces: [encodeFrame(value, sizesOnly)], problem: null };
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const places = framePlaces();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < value.length; at = places.end) {
    const state = walkFrame(view, at, value.length, framing, maxRecord, places);
    if (state === FrameState.good) pieces.push(value.subarray(at, places.end));
    else {
      pieces.push(encodeFrame(NO_MESSAGE, framing));
      return { pieces, problem: `${frameProblem(state, places.length, maxRecord)}. ${framingHint(framing)}` };
    }
  }
  return { pieces, problem: null };
}
