import { MonolithError } from '../base/index.js';
import { controlWords } from './control-words.js';

/**
 * One Int32 shared by every thread of a run; non-zero means that the run is ending. Every wait of this room looks at it before each sleep
 * and sleeps at most {@link SLICE_MS}, so that all sleepers end with `Aborted` within that time, whatever they were waiting for.
 */
export class AbortWord {
  /** Bytes to reserve: the word lies alone on its cache line, since all threads read it. */
  static readonly byteLength = 64;

  // Control word (Int32).
  //   0 → reason   moved once, by compareExchange, by any thread: the first reason stays
  /** The word itself, for a thread that wants to sleep on it with {@link waitUntil}. Never write to it. */
  readonly cell: Int32Array;

  /** @param byteOffset start of {@link AbortWord.byteLength} zeroed bytes in `buffer`, a multiple of 16. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.cell = controlWords('AbortWord', buffer, byteOffset, AbortWord.byteLength).subarray(0, 1);
  }

  /**
   * Ends the run: every present and future wait throws `Aborted`.
   *
   * @param reasonCode any non-zero int32; the first caller's stays.
   * @returns whether this call was the first.
   */
  abort(reasonCode: number): boolean {
    if (!Number.isInteger(reasonCode) || (reasonCode | 0) !== reasonCode || reasonCode === 0) {
      throw new MonolithError('InvalidArgument', `AbortWord.abort: reason code is ${reasonCode}, expected a non-zero int32`, {
        reasonCode,
      });
    }
    const first = Atomics.compareExchange(this.cell, 0, 0, reasonCode) === 0;
    Atomics.notify(this.cell, 0);
    return first;
  }

  /** Whether any thread has called {@link AbortWord.abort}. */
  isAborted(): boolean {
    return Atomics.load(this.cell, 0) !== 0;
  }

  /** The first reason code, 0 while the run goes on. */
  get reason(): number {
    return Atomics.load(this.cell, 0);
  }

  /** Throws `Aborted` with the reason code once the run is ending; costs one load otherwise. */
  check(): void {
    const reasonCode = Atomics.load(this.cell, 0);
    if (reasonCode !== 0) {
      throw new MonolithError('Aborted', `The run is ending (reason code ${reasonCode}); what this thread waited for will not come`, {
        reasonCode,
      });
    }
  }
}
