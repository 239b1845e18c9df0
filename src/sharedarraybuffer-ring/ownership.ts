import { MonolithError } from '../base/index.js';
import type { AbortWord } from './abort-word.js';
import { controlWords } from './control-words.js';
import { monotonicMs, requireBlockingThread, requireTimeout, SLICE_MS, spinBudget } from './wait.js';

// Control words of one ownership word (Int32).
//   OWNER      0 free, else party + 1   0 → party + 1 by compareExchange of that party; party + 1 → 0 by its store
//   SLEEPERS   threads inside take      moved by Atomics.add by each of them
// The owner frees the word, then looks at SLEEPERS and wakes one. A taker raises SLEEPERS, then tries, then sleeps only while the word still
// names the owner that it saw: so one of the two always sees the other.
const OWNER = 0;
const SLEEPERS = 1;

/**
 * Who may touch a thing that several threads share: one owner at a time. What an owner wrote before {@link Ownership.release} is visible to the
 * next one after it took the word. An owner that dies keeps the word: whoever notices sets the abort word, and every taker ends with `Aborted`.
 */
export class Ownership {
  static readonly byteLength = 64;

  readonly #words: Int32Array;
  readonly #spins: number;

  /** @param byteOffset start of {@link Ownership.byteLength} zeroed bytes in `buffer`, a multiple of 16. */
  constructor(
    buffer: SharedArrayBuffer,
    byteOffset: number,
    readonly abort: AbortWord,
    readonly name = 'a shared thing',
    spins: number = spinBudget(2),
  ) {
    this.#words = controlWords('Ownership', buffer, byteOffset, Ownership.byteLength);
    this.#spins = spins;
  }

  /** The party that owns it now, −1 for nobody. */
  get owner(): number {
    return Atomics.load(this.#words, OWNER) - 1;
  }

  /** Takes it if it is free; never waits. */
  tryTake(party: number): boolean {
    return Atomics.load(this.#words, OWNER) === 0 && Atomics.compareExchange(this.#words, OWNER, 0, party + 1) === 0;
  }

  /**
   * Takes it, waiting while another party owns it.
   *
   * @param party number of the caller, ≥ 0; an owner must not take again.
   * @throws WaitTimeout naming the owner, Aborted when the run ends, InvalidArgument on the main thread.
   */
  take(party: number, timeoutMs: number): void {
    requireBlockingThread('Ownership.take', 'tryTake');
    requireTimeout('Ownership.take', timeoutMs);
    for (let spin = 0; spin < this.#spins; spin++) if (this.tryTake(party)) return;
    const words = this.#words;
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(words, SLEEPERS, 1);
    try {
      for (;;) {
        const seen = Atomics.compareExchange(words, OWNER, 0, party + 1);
        if (seen === 0) return;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout(seen - 1, timeoutMs);
        Atomics.wait(words, OWNER, seen, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.sub(words, SLEEPERS, 1);
    }
  }

  /**
   * Gives it back and wakes one that waits.
   * @throws InvalidArgument when `party` does not own it; nothing is changed then.
   */
  release(party: number): void {
    const words = this.#words;
    const owner = Atomics.compareExchange(words, OWNER, party + 1, 0);
    if (owner !== party + 1) {
      throw new MonolithError(
        'InvalidArgument',
        `Ownership "${this.name}": party ${party} gives back what ${owner === 0 ? 'nobody' : `party ${owner - 1}`} owns`,
        { ownership: this.name, party, owner: owner - 1 },
      );
    }
    if (Atomics.load(words, SLEEPERS) > 0) Atomics.notify(words, OWNER, 1);
  }

  #timeout(owner: number, timeoutMs: number): MonolithError {
    return new MonolithError(
      'WaitTimeout',
      `Ownership "${this.name}" is still with party ${owner} after ${timeoutMs} ms; that thread is slow or has ended`,
      { ownership: this.name, owner, timeoutMs },
    );
  }
}
