import { MonolithError } from '../base/index.js';
import type { AbortWord } from './abort-word.js';
import { controlWords, requirePoisonCode } from './control-words.js';
import { availableCores, monotonicMs, requireBlockingThread, requireTimeout, SLICE_MS, sleepAsync, spinBudget } from './wait.js';

// Control words of one barrier (Int32). Lines of 128 bytes.
//   GENERATION   number of completed rounds    written by the last party to arrive, after ARRIVED
//   STATE        sound (0) → poisoned (-code)  moved once, by compareExchange, by the supervisor
//   ARRIVED      parties in this generation    moved by Atomics.add by each party; the last one stores 0
//   ASLEEP       parties about to sleep        moved by Atomics.add by each party
//   BELL         what parties sleep on         moved by Atomics.add by the last party and by the supervisor, then notified
// One line a party, written by that party alone:
//   SEEN         generation it last arrived at
//   PHASE        NEVER arrived → INSIDE wait → LEFT, or PENDING: arrived, but its wait ended with an error; the next wait goes on with it
// The last party stores ARRIVED = 0, then GENERATION + 1, then looks at ASLEEP, moves BELL and notifies. A sleeper raises ASLEEP, loads
// BELL, looks at GENERATION and STATE, and sleeps while BELL is unchanged; so one of the two sees the other and no wake-up is lost.
// Nobody arrives at generation g + 1 before it has seen GENERATION = g + 1, hence ARRIVED counts one generation only.
const LINE_WORDS = 32;
const GENERATION = 0;
const STATE = 1;
const ARRIVED = LINE_WORDS;
const ASLEEP = 2 * LINE_WORDS;
const BELL = ASLEEP + 1;
const PARTY_LINES = 3 * LINE_WORDS;
const SEEN = 0;
const PHASE = 1;

const NEVER = 0;
const INSIDE = 1;
const LEFT = 2;
const PENDING = 3;

const MAX_PARTIES = 4096;

/** Settings that do not change the shared layout and may differ between parties. */
export type BarrierOptions = {
  /** Name for messages. */
  readonly name?: string;
  /** Looks before sleeping; default {@link spinBudget} of the parties and cores. */
  readonly spins?: number;
  /** Cores that the parties share; default those of the process. */
  readonly cores?: number;
  /** What a party is called in messages; default "party". */
  readonly partyWord?: string;
  /** What a generation is called in messages; default "generation". */
  readonly generationWord?: string;
};

/**
 * A reusable barrier: no party leaves generation g before every party has arrived at it. Whatever any party wrote to shared memory before
 * `wait` is visible to every party after it.
 *
 * A wait that ended with BarrierTimeout leaves the party arrived: calling `wait` again goes on with the same arrival, so a retry neither
 * counts twice nor misses a release in between. Generations count modulo 2^32.
 */
export class Barrier {
  /** Bytes to reserve for a barrier of `parties` parties. */
  static byteLength(parties: number): number {
    if (!Number.isInteger(parties) || parties < 1 || parties > MAX_PARTIES) {
      throw new MonolithError('InvalidArgument', `Barrier: parties is ${parties}, expected an integer from 1 to ${MAX_PARTIES}`, {
        parties,
      });
    }
    return (PARTY_LINES + parties * LINE_WORDS) * 4;
  }

  readonly name: string;
  readonly #words: Int32Array;
  readonly #spins: number;
  readonly #partyWord: string;
  readonly #generationWord: string;

  /**
   * @param byteOffset start of {@link Barrier.byteLength} zeroed bytes in `buffer`, a multiple of 16.
   * @param parties    how many meet; equal in all threads.
   */
  constructor(
    buffer: SharedArrayBuffer,
    byteOffset: number,
    readonly parties: number,
    readonly abort: AbortWord,
    options: BarrierOptions = {},
  ) {
    this.#words = controlWords('Barrier', buffer, byteOffset, Barrier.byteLength(parties));
    this.name = options.name ?? 'unnamed';
    this.#spins = options.spins ?? spinBudget(parties, options.cores ?? availableCores());
    this.#partyWord = options.partyWord ?? 'party';
    this.#generationWord = options.generationWord ?? 'generation';
  }

  /** Completed rounds so far, modulo 2^32. */
  get generation(): number {
    return Atomics.load(this.#words, GENERATION) >>> 0;
  }

  /**
   * Arrives and blocks until all parties have.
   *
   * @param party     number of the caller, 0 to parties - 1; one thread a number.
   * @param timeoutMs longest wait.
   * @returns the generation that was completed, from 0 on.
   * @throws BarrierTimeout naming who is missing, BarrierPoisoned, Aborted, InvalidArgument (also on the main thread).
   */
  wait(party: number, timeoutMs: number): number {
    requireBlockingThread('Barrier.wait', 'waitAsync');
    requireTimeout('Barrier.wait', timeoutMs);
    const words = this.#words;
    const generation = this.#arrive(party);
    for (let spin = 0; spin < this.#spins; spin++) {
      if (Atomics.load(words, GENERATION) !== generation) return this.#leave(party, generation);
    }
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(words, ASLEEP, 1);
    try {
      for (;;) {
        const bell = Atomics.load(words, BELL);
        if (Atomics.load(words, GENERATION) !== generation) return this.#leave(party, generation);
        const left = this.#remaining(generation, deadline, timeoutMs);
        Atomics.wait(words, BELL, bell, Math.min(left, SLICE_MS));
      }
    } catch (error) {
      this.#setPhase(party, PENDING);
      throw error;
    } finally {
      Atomics.sub(words, ASLEEP, 1);
    }
  }

  /** {@link Barrier.wait} for the main thread: never blocks, keeps the event loop alive until it ends. */
  async waitAsync(party: number, timeoutMs: number): Promise<number> {
    requireTimeout('Barrier.waitAsync', timeoutMs);
    const words = this.#words;
    const generation = this.#arrive(party);
    const deadline = monotonicMs() + timeoutMs;
    Atomics.add(words, ASLEEP, 1);
    try {
      for (;;) {
        const bell = Atomics.load(words, BELL);
        if (Atomics.load(words, GENERATION) !== generation) return this.#leave(party, generation);
        const left = this.#remaining(generation, deadline, timeoutMs);
        await sleepAsync(words, BELL, bell, Math.min(left, SLICE_MS));
      }
    } catch (error) {
      this.#setPhase(party, PENDING);
      throw error;
    } finally {
      Atomics.sub(words, ASLEEP, 1);
    }
  }

  /**
   * Ends the barrier for all parties at once, from any thread: every wait of a generation not completed throws BarrierPoisoned.
   *
   * @param code 1 to 2^31 - 1, told by the error; the first one stays.
   */
  poison(code: number): void {
    requirePoisonCode('Barrier.poison', code);
    Atomics.compareExchange(this.#words, STATE, 0, -code);
    this.#ring();
  }

  /** The code given to {@link Barrier.poison}, 0 if the barrier is sound. */
  get poisonCode(): number {
    return -Atomics.load(this.#words, STATE) | 0;
  }

  /** Marks the party as arrived and, if it is the last, releases the others. Returns the generation it waits for. */
  #arrive(party: number): number {
    if (!Number.isInteger(party) || party < 0 || party >= this.parties) {
      throw new MonolithError(
        'InvalidArgument',
        `Barrier "${this.name}": ${this.#partyWord} is ${party}, expected an integer from 0 to ${this.parties - 1}`,
        { barrier: this.name, party, parties: this.parties },
      );
    }
    const words = this.#words;
    const state = Atomics.load(words, STATE);
    if (state !== 0) throw this.#poisoned(state);
    const line = PARTY_LINES + party * LINE_WORDS;
    const phase = Atomics.exchange(words, line + PHASE, INSIDE);
    if (phase === INSIDE) {
      throw new MonolithError(
        'InvalidArgument',
        `Barrier "${this.name}": ${this.#partyWord} ${party} is already waiting; give each thread a number of its own`,
        { barrier: this.name, party },
      );
    }
    if (phase === PENDING) return Atomics.load(words, line + SEEN);
    const generation = Atomics.load(words, GENERATION);
    Atomics.store(words, line + SEEN, generation);
    if (Atomics.add(words, ARRIVED, 1) + 1 === this.parties) {
      Atomics.store(words, ARRIVED, 0);
      Atomics.store(words, GENERATION, (generation + 1) | 0);
      if (Atomics.load(words, ASLEEP) > 0) this.#ring();
    }
    return generation;
  }

  #leave(party: number, generation: number): number {
    this.#setPhase(party, LEFT);
    return generation >>> 0;
  }

  #setPhase(party: number, phase: number): void {
    Atomics.store(this.#words, PARTY_LINES + party * LINE_WORDS + PHASE, phase);
  }

  #ring(): void {
    Atomics.add(this.#words, BELL, 1);
    Atomics.notify(this.#words, BELL);
  }

  /** Milliseconds left, > 0; throws when the wait is over for another reason than its release. */
  #remaining(generation: number, deadline: number, timeoutMs: number): number {
    const state = Atomics.load(this.#words, STATE);
    if (state !== 0) throw this.#poisoned(state);
    this.abort.check();
    const left = deadline - monotonicMs();
    if (left <= 0) throw this.#timeout(generation, timeoutMs);
    return left;
  }

  #poisoned(state: number): MonolithError {
    return new MonolithError(
      'BarrierPoisoned',
      `Barrier "${this.name}" poisoned with code ${-state} at ${this.#generationWord} ${this.generation}: one ${this.#partyWord} has ended; see its error`,
      { barrier: this.name, poisonCode: -state, generation: this.generation },
    );
  }

  /** Names every party whose line does not say that it arrived at `generation`, and where it was last seen (-1: never). */
  #timeout(generation: number, timeoutMs: number): MonolithError {
    const missing: number[] = [];
    const lastSeen: number[] = [];
    const texts: string[] = [];
    for (let party = 0; party < this.parties; party++) {
      const line = PARTY_LINES + party * LINE_WORDS;
      const never = Atomics.load(this.#words, line + PHASE) === NEVER;
      const seen = Atomics.load(this.#words, line + SEEN);
      if (!never && seen === generation) continue;
      missing.push(party);
      lastSeen.push(never ? -1 : seen >>> 0);
      texts.push(`${this.#partyWord} ${party} (${never ? 'never seen' : `last seen at ${this.#generationWord} ${seen >>> 0}`})`);
    }
    const arrived = this.parties - missing.length;
    const plural = this.#partyWord.endsWith('y') ? `${this.#partyWord.slice(0, -1)}ies` : `${this.#partyWord}s`;
    return new MonolithError(
      'BarrierTimeout',
      `Barrier timeout at ${this.#generationWord} ${generation >>> 0} after ${timeoutMs} ms: ${arrived} of ${this.parties} ${plural} arrived; ` +
        `missing ${texts.join(', ') || 'none: the last one has not released the others yet'} (barrier "${this.name}")`,
      { barrier: this.name, generation: generation >>> 0, timeoutMs, arrived, parties: this.parties, missing, lastSeen },
    );
  }
}
