import { MonolithError } from '../base/index.js';
import type { AbortWord } from './abort-word.js';
import { controlWords, requirePoisonCode } from './control-words.js';
import { monotonicMs, requireBlockingThread, requireTimeout, SLICE_MS, sleepAsync, spinBudget } from './wait.js';

// Control words of one queue (Int32), shared by Ring and MpscRing. Lines of 128 bytes, since cores fetch cache lines in pairs.
//   HEAD               next slot to read            written by the consumer
//   TAIL               next slot to write           Ring: written by the producer; MpscRing: moved by compareExchange by producers
//   STATE              open → closed → poisoned     moved by compareExchange: a producer closes (1), the supervisor poisons (-code, from
//                                                   open or closed, stays for ever)
//   CONSUMER_ASLEEP    consumer about to sleep      written by the consumer: 1 before it looks a last time, 0 when it is back
//   PRODUCERS_ASLEEP   producers about to sleep     moved by Atomics.add by each producer, in the same places
//   CONSUMER_BELL      what the consumer sleeps on  moved by Atomics.add by whoever has changed what it waits for
//   PRODUCER_BELL      what producers sleep on      the same
// Sleeper: raise ASLEEP, load BELL, look at HEAD/TAIL/STATE, sleep while BELL has the loaded value.
// Waker:   change HEAD/TAIL/STATE, load ASLEEP, if raised move BELL and notify it.
// All of these are Atomics and so lie in one total order: either the sleeper's look sees the change, or the waker sees ASLEEP and moves
// BELL, which ends or forestalls the sleep. No wake-up is lost; slices of SLICE_MS are for the abort word alone.
// Slots are written and read with plain accesses: TAIL (Ring) or the slot's SEQUENCE (MpscRing) publishes them, HEAD gives them back.
const LINE_WORDS = 32;
export const HEAD = 0;
export const TAIL = LINE_WORDS;
export const STATE = 2 * LINE_WORDS;
const CONSUMER_ASLEEP = STATE + 1;
const PRODUCERS_ASLEEP = STATE + 2;
const CONSUMER_BELL = 3 * LINE_WORDS;
const PRODUCER_BELL = CONSUMER_BELL + 1;
export const CONTROL_WORDS = 4 * LINE_WORDS;

const OPEN = 0;
const CLOSED = 1;

/** Immediate successes in a row after which an async form lets timers and input of the main thread run. */
const YIELD_AFTER = 256;
/** 2^24 slots of the smallest descriptor are 256 MiB: more is a mistake. */
const MAX_SLOTS = 2 ** 24;
const MAX_WORDS = 2 ** 16;

/** What a look at the queue found. */
export const EMPTY = 0;
export const TAKEN = 1;
export const ENDED = 2;

/** Settings that do not change the shared layout and may differ between the sides. */
export type QueueOptions = {
  /** Name for messages: "worker 1 → shard 0". */
  readonly name?: string;
  /** Looks before sleeping; default {@link spinBudget} of two parties. Set it from all threads that run at once when these are more. */
  readonly spins?: number;
};

/** Slots rounded up to a power of two: where the memory of a slot lies is `counter & mask`, right across the wrap of the counter. */
export function physicalSlots(where: string, slots: number, words: number): number {
  if (!Number.isInteger(slots) || slots < 1 || slots > MAX_SLOTS) {
    throw new MonolithError('InvalidArgument', `${where}: slots is ${slots}, expected an integer from 1 to ${MAX_SLOTS}`, { where, slots });
  }
  if (!Number.isInteger(words) || words < 4 || words > MAX_WORDS || words % 4 !== 0) {
    throw new MonolithError('InvalidArgument', `${where}: words is ${words}, expected a multiple of 4 from 4 to ${MAX_WORDS}`, {
      where,
      words,
    });
  }
  return 2 ** Math.ceil(Math.log2(slots));
}

/**
 * What {@link Ring} and {@link MpscRing} have in common: states, waiting, waking, time limits. A subclass says how a descriptor gets into a
 * slot and out again.
 */
export abstract class DescriptorQueue {
  readonly name: string;
  protected readonly control: Int32Array;
  readonly #kind: string;
  /** For messages; made once, since a call per push must leave no garbage. */
  readonly #pushName: string;
  readonly #popName: string;
  readonly #spins: number;
  #consuming = false;
  #streak = 0;

  protected constructor(
    kind: string,
    buffer: SharedArrayBuffer,
    byteOffset: number,
    bytes: number,
    /** Most descriptors in the queue at once. */
    readonly slots: number,
    /** Int32 words of one descriptor. */
    readonly words: number,
    readonly abort: AbortWord,
    options: QueueOptions,
  ) {
    this.control = controlWords(kind, buffer, byteOffset, bytes);
    this.#kind = kind;
    this.#pushName = `${kind}.push`;
    this.#popName = `${kind}.pop`;
    this.name = options.name ?? 'unnamed';
    this.#spins = options.spins ?? spinBudget(2);
  }

  /** Puts one descriptor into a slot; false if all slots are taken. Throws RingClosed, RingPoisoned. */
  protected abstract offer(words: Int32Array): boolean;
  /** Moves one descriptor out: EMPTY, TAKEN, or ENDED (closed and drained). Throws RingPoisoned. */
  protected abstract take(into: Int32Array): number;
  /** Descriptors pushed and not yet popped; a snapshot. */
  abstract get length(): number;
  /** No further push; the consumer pops what is there and then gets false. Closing twice is fine, closing a poisoned queue does nothing. */
  abstract close(): void;

  /**
   * Pushes one descriptor if a slot is free; never waits.
   * @param words [words] int32, copied.
   * @throws RingClosed, RingPoisoned, ShapeMismatch.
   */
  tryPush(words: Int32Array): boolean {
    this.#requireWords('push', words);
    return this.offer(words);
  }

  /**
   * Pops the oldest descriptor if there is one; never waits. False also at the end: see {@link DescriptorQueue.isEnded}.
   * @param into [words] int32, written.
   * @throws RingPoisoned, ShapeMismatch.
   */
  tryPop(into: Int32Array): boolean {
    this.#requireWords('pop', into);
    return this.take(into) === TAKEN;
  }

  /**
   * Pushes one descriptor, waiting for a free slot.
   * @throws RingTimeout after timeoutMs, RingClosed, RingPoisoned, Aborted, ShapeMismatch; InvalidArgument on the main thread.
   */
  push(words: Int32Array, timeoutMs: number): void {
    requireBlockingThread(this.#pushName, 'pushAsync');
    requireTimeout(this.#pushName, timeoutMs);
    this.#requireWords('push', words);
    for (let spin = 0; spin <= this.#spins; spin++) if (this.offer(words)) return;
    const control = this.control;
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(control, PRODUCERS_ASLEEP, 1);
    try {
      for (;;) {
        const bell = Atomics.load(control, PRODUCER_BELL);
        if (this.offer(words)) return;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout('push', timeoutMs);
        Atomics.wait(control, PRODUCER_BELL, bell, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.sub(control, PRODUCERS_ASLEEP, 1);
    }
  }

  /**
   * Pops the oldest descriptor, waiting for one.
   * @param into [words] int32, written if the answer is true.
   * @returns true, or false when the queue is closed and drained.
   * @throws RingTimeout after timeoutMs, RingPoisoned, Aborted, ShapeMismatch; InvalidArgument on the main thread.
   */
  pop(into: Int32Array, timeoutMs: number): boolean {
    requireBlockingThread(this.#popName, 'popAsync');
    requireTimeout(this.#popName, timeoutMs);
    this.#requireWords('pop', into);
    for (let spin = 0; spin <= this.#spins; spin++) {
      const found = this.take(into);
      if (found !== EMPTY) return found === TAKEN;
    }
    const control = this.control;
    const deadline = monotonicMs() + timeoutMs;
    Atomics.store(control, CONSUMER_ASLEEP, 1);
    try {
      for (;;) {
        const bell = Atomics.load(control, CONSUMER_BELL);
        const found = this.take(into);
        if (found !== EMPTY) return found === TAKEN;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout('pop', timeoutMs);
        Atomics.wait(control, CONSUMER_BELL, bell, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.store(control, CONSUMER_ASLEEP, 0);
    }
  }

  /** {@link DescriptorQueue.push} for the main thread: never blocks, keeps the event loop alive. `words` must stay unchanged until it ends. */
  async pushAsync(words: Int32Array, timeoutMs: number): Promise<void> {
    requireTimeout(`${this.#kind}.pushAsync`, timeoutMs);
    this.#requireWords('push', words);
    if (this.offer(words)) return this.#breathe();
    const control = this.control;
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(control, PRODUCERS_ASLEEP, 1);
    try {
      for (;;) {
        const bell = Atomics.load(control, PRODUCER_BELL);
        if (this.offer(words)) return;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout('push', timeoutMs);
        await sleepAsync(control, PRODUCER_BELL, bell, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.sub(control, PRODUCERS_ASLEEP, 1);
    }
  }

  /**
   * {@link DescriptorQueue.pop} for the main thread: never blocks, keeps the event loop alive.
   * @throws also InvalidArgument while another popAsync of this object has not ended: the queue has one consumer.
   */
  async popAsync(into: Int32Array, timeoutMs: number): Promise<boolean> {
    requireTimeout(`${this.#kind}.popAsync`, timeoutMs);
    this.#requireWords('pop', into);
    if (this.#consuming) {
      throw new MonolithError('InvalidArgument', `${this.#kind} "${this.name}": a popAsync is still under way; await it before the next`, {
        ring: this.name,
      });
    }
    this.#consuming = true;
    const control = this.control;
    try {
      const first = this.take(into);
      if (first !== EMPTY) {
        await this.#breathe();
        return first === TAKEN;
      }
      const deadline = monotonicMs() + timeoutMs;
      Atomics.store(control, CONSUMER_ASLEEP, 1);
      for (;;) {
        const bell = Atomics.load(control, CONSUMER_BELL);
        const found = this.take(into);
        if (found !== EMPTY) return found === TAKEN;
        this.abort.check();
        const left = deadline - monotonicMs();
        if (left <= 0) throw this.#timeout('pop', timeoutMs);
        await sleepAsync(control, CONSUMER_BELL, bell, Math.min(left, SLICE_MS));
      }
    } finally {
      Atomics.store(control, CONSUMER_ASLEEP, 0);
      this.#consuming = false;
    }
  }

  /**
   * Ends the queue for both sides at once, from any thread, whatever it still holds: every present and future call throws RingPoisoned.
   * For the supervisor of a side that has died.
   *
   * @param code 1 to 2^31 - 1, told by the error; the first one stays.
   */
  poison(code: number): void {
    requirePoisonCode(`${this.#kind}.poison`, code);
    if (Atomics.compareExchange(this.control, STATE, OPEN, -code) === CLOSED) {
      Atomics.compareExchange(this.control, STATE, CLOSED, -code);
    }
    this.wakeAll();
  }

  /** The code given to {@link DescriptorQueue.poison}, 0 if the queue is sound. */
  get poisonCode(): number {
    const state = Atomics.load(this.control, STATE);
    return state < 0 ? -state : 0;
  }

  /** Whether the queue is closed; it may still hold descriptors. */
  get isClosed(): boolean {
    return Atomics.load(this.control, STATE) === CLOSED;
  }

  /** Whether the queue is closed and drained: nothing will ever come out of it again. */
  get isEnded(): boolean {
    return this.isClosed && this.length === 0;
  }

  /** open → closed, and wakes both sides. */
  protected markClosed(): void {
    Atomics.compareExchange(this.control, STATE, OPEN, CLOSED);
    this.wakeAll();
  }

  /** To be called after something was published. */
  protected wakeConsumer(): void {
    if (Atomics.load(this.control, CONSUMER_ASLEEP) !== 0) this.#ring(CONSUMER_BELL);
  }

  /** To be called after a slot was given back. */
  protected wakeProducers(): void {
    if (Atomics.load(this.control, PRODUCERS_ASLEEP) !== 0) this.#ring(PRODUCER_BELL);
  }

  /** Wakes every sleeper whatever the ASLEEP words say. */
  protected wakeAll(): void {
    this.#ring(CONSUMER_BELL);
    this.#ring(PRODUCER_BELL);
  }

  #ring(bell: number): void {
    Atomics.add(this.control, bell, 1);
    Atomics.notify(this.control, bell);
  }

  /** Throws for a state that allows no push. */
  protected refusePush(state: number): never {
    if (state < 0) throw this.poisoned(state);
    throw new MonolithError(
      'RingClosed',
      `${this.#kind} "${this.name}" is closed: a push after close would never be seen; push before closing`,
      {
        ring: this.name,
      },
    );
  }

  protected poisoned(state: number): MonolithError {
    return new MonolithError(
      'RingPoisoned',
      `${this.#kind} "${this.name}" poisoned with code ${-state}: a thread at the other end has ended; see the error of that thread`,
      { ring: this.name, poisonCode: -state },
    );
  }

  #timeout(action: 'push' | 'pop', timeoutMs: number): MonolithError {
    const { length } = this;
    const state =
      action === 'push'
        ? `all ${this.slots} slots still taken; the consumer is slow or has ended`
        : length === 0
          ? 'still empty; the producer is slow or has ended'
          : `still waiting for the first of ${length} reserved slots; its producer has stopped between reserving and filling it`;
    return new MonolithError('RingTimeout', `${this.#kind} "${this.name}": ${action} timeout after ${timeoutMs} ms: ${state}`, {
      ring: this.name,
      action,
      timeoutMs,
      slots: this.slots,
      length,
    });
  }

  #requireWords(action: 'push' | 'pop', words: Int32Array): void {
    if (words.length !== this.words) {
      throw new MonolithError(
        'ShapeMismatch',
        `${this.#kind} "${this.name}": ${action} got ${words.length} words, expected the ${this.words} of one descriptor`,
        { ring: this.name, expected: this.words, actual: words.length },
      );
    }
  }

  /** Lets the event loop turn after a run of immediate successes; otherwise a fast peer would starve its timers. */
  async #breathe(): Promise<void> {
    this.#streak++;
    if (this.#streak < YIELD_AFTER) return;
    this.#streak = 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
