import { controlWords } from './control-words.js';

// Control word of one turn (Int32).
//   TAKEN   number of the last turn taken   moved from n − 1 to n by compareExchange of whoever takes turn n
const TAKEN = 0;

/**
 * A piece of work that comes round again and again (turn 1, 2, 3 …) and that any thread may do, but only one each time: the first to ask.
 * It orders nothing by itself: say with a {@link Counter} that a turn may begin and that it is done. Numbers wrap at 2^32.
 */
export class Turn {
  static readonly byteLength = 64;

  readonly #words: Int32Array;

  /** @param byteOffset start of {@link Turn.byteLength} zeroed bytes in `buffer`, a multiple of 16. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#words = controlWords('Turn', buffer, byteOffset, Turn.byteLength);
  }

  /** Whether turn `number` (1-based; the one before it must have been taken) is the caller's: true for exactly one caller. */
  take(number: number): boolean {
    const before = (number - 1) | 0;
    return Atomics.load(this.#words, TAKEN) === before && Atomics.compareExchange(this.#words, TAKEN, before, number | 0) === before;
  }
}
