// Where raw blocks of Monolith's formats end.
import { Flag, P, type Program } from '../program.js';
import { FrameState, type Framing, framePlaces, walkFrame } from './framing.js';

/** The framing that a program's flags say; null: each file is one message. */
export function framingOf({ words }: Program): Framing | null {
  const flags = words[P.flags];
  if ((flags & Flag.bare) !== 0) return null;
  return {
    hasSortId: (flags & Flag.hasSortId) !== 0,
    kafkaDump: (flags & Flag.kafkaDump) !== 0,
    kafkaDumpPrefix: (flags & Flag.kafkaDumpPrefix) !== 0,
    lagrangexHeader: (flags & Flag.lagrangexHeader) !== 0,
  };
}

/** The end of the last whole record; behind the first length that can't be believed, so that a parser sees and reports it. */
export function lastMonolithEnd(program: Program, bytes: Uint8Array, length: number): number {
  const framing = framingOf(program);
  if (framing === null) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const places = framePlaces();
  for (let at = 0; ; at = places.end) {
    const state = walkFrame(view, at, length, framing, program.words[P.maxRecord], places);
    if (state === FrameState.truncated) return at;
    if (state !== FrameState.good) return places.end + 8;
  }
}
