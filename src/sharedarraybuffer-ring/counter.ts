import { MonolithError } from '../base/index.js';
import type { AbortWord } from './abort-word.js';
import { controlWords } from './control-words.js';
import { monotonicMs, requireBlockingThread, requireTimeout, SLICE_MS, sleepAsync, spinBudget } from './wait.js';

// Control words of one counter (Int32).
//   VALUE      the sequence number     written by the owner (store) or by many (add)
//   SLEEPERS   threads inside a wait   moved by Atomics.add by each waiter
// The owner writes its data, then VALUE, then looks at SLEEPERS and notifies. A waiter raises SLEEPERS, then loads VALUE, then sleeps on
// VALUE only while it is unchanged: so one of the two always sees the other.
const VALUE = 0;
const SLEEPERS = 1;

/**
 * A sequence number that one thread raises and others wait for: "step 12 is applied", "slot 3 is free". Plain data written before
 * {@link Counter.store} is visible to a thread after {@link Counter.waitFor}. Numbers wrap at 2^32; order is by difference, so a waiter may be
 * up to 2^31 - 1 behind.
 */
export class Counter {
  static readonly byteLength = 64;

  readonly #words: Int32Array;
  readonly #spins: number;

  /** @param byteOffset start of {@link Counter.byteLength} zeroed bytes in `buffer`, a multiple of 16. */
  constructor(
    buffer: SharedArrayBuffer,
    byteOffset: number,
    readonly abort: AbortWord,
    readonly name = 'counter',
    spins: number = spinBudget(2),
  ) {
    this.#words = controlWords('Counter', buffer, byteOffset, Counter.byteLength);
    this.#spins = spins;
  }

  /** The present value as int32. */
  load(): number {
    return Atomics.load(this.#words, VALUE);
  }

  /** Sets the value and wakes all waiters. */
  store(value: number): void {
    Atomics.store(this.#words, VALUE, value | 0);
    if (Atomics.load(this.#words, SLEEPERS) > 0) Atomics.notify(this.#words, VALUE);
  }

  /** Adds to the value, wakes all waiters and returns the new value. */
  add(amount: number): number {
    const value = (Atomics.add(this.#words, VALUE, amount | 0) + amount) | 0;
    if (Atomics.load(this.#words, SLEEPERS) > 0) Atomics.notify(this.#words, VALUE);
    return value;
  }

  /**
   * Adds to the value and wakes waiters only if that brings it to `target`: for a number that several threads complete together while others
   * wait for the whole. Nobody may wait for less than the next target meanwhile.
   */
  addTowards(amount: number, target: number): void {
    const value = Atomics.add(this.#words, VALUE, amount | 0) + amount;
    if (((value - target) | 0) >= 0 && Atomics.load(this.#words, SLEEPERS) > 0) Atomics.notify(this.#words, VALUE);
  }

  /**
   * Blocks until the value has reached `target`; returns the value seen.
   * @throws WaitTimeout after timeoutMs, Aborted when the run ends, InvalidArgument on the main thread.
   */
  waitFor(target: number, timeoutMs: number): number {
    requireBlockingThread('Counter.waitFor', 'waitForAsync');
    requireTimeout('Counter.waitFor', timeoutMs);
    for (let spin = 0; spin < this.#spins; spin++) {
      const value = Atomics.load(this.#words, VALUE);
      if (((value - target) | 0) >= 0) return value;
    }
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(this.#words, SLEEPERS, 1);
    try {
      for (;;) {
        const value = Atomics.load(this.#words, VALUE);
        if (((value - target) | 0) >= 0) return value;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout(target, value, timeoutMs);
        Atomics.wait(this.#words, VALUE, value, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.sub(this.#words, SLEEPERS, 1);
    }
  }

  /** {@link Counter.waitFor} for the main thread: never blocks, keeps the event loop alive until it ends. */
  async waitForAsync(target: number, timeoutMs: number): Promise<number> {
    requireTimeout('Counter.waitForAsync', timeoutMs);
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(this.#words, SLEEPERS, 1);
    try {
      for (;;) {
        const value = Atomics.load(this.#words, VALUE);
        if (((value - target) | 0) >= 0) return value;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout(target, value, timeoutMs);
        await sleepAsync(this.#words, VALUE, value, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.sub(this.#words, SLEEPERS, 1);
    }
  }

  #timeout(target: number, value: number, timeoutMs: number): MonolithError {
    return new MonolithError(
      'WaitTimeout',
      `Counter "${this.name}" is at ${value} after ${timeoutMs} ms, expected ${target}; the thread that raises it is slow or has ended`,
      { counter: this.name, value, target, timeoutMs },
    );
  }
}
