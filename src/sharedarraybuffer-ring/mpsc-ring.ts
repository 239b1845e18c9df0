import type { AbortWord } from './abort-word.js';
import {
  CONTROL_WORDS,
  DescriptorQueue,
  EMPTY,
  ENDED,
  HEAD,
  physicalSlots,
  type QueueOptions,
  STATE,
  TAIL,
  TAKEN,
} from './descriptor-queue.js';

// Words beyond those of descriptor-queue.ts.
//   TAIL       2 · next ticket + closed bit   moved by compareExchange: a producer takes a ticket (+2), close sets bit 0 for ever.
//                                             One word for both, so that no ticket is taken after the close.
//   HEAD       next ticket to pop             written by the consumer
//   SEQUENCE   one a slot, first word of it   written by the producer that holds the slot's ticket: 2 · lap + 1, lap = ticket / slots
// Tickets count modulo 2^31. A producer may take ticket t only while t - HEAD < slots: so slot t mod slots has been given back. It fills the
// slot, then stores SEQUENCE. The consumer loads SEQUENCE before it touches the slot and stores HEAD after it. A zeroed slot is
// never taken for a filled one, since SEQUENCE is odd, nor is that of the lap before, since it differs.
// A producer that dies holding a ticket leaves a hole that the consumer does not pass: it gets RingTimeout, or RingPoisoned at once when the
// supervisor poisons the ring.
const TICKET_MASK = 0x7fff_ffff;
/** Words before the payload of a slot: SEQUENCE and padding, so that payloads stay on 16-byte boundaries. */
const SLOT_HEADER_WORDS = 4;

/**
 * A bounded queue of fixed-size Int32 descriptors from any number of producer threads to exactly one consumer thread. The descriptors of one
 * producer come in its order; those of several are merged in the order of their tickets, which differs from run to run.
 *
 * Same surface and same visibility as {@link Ring}. Closing from any thread refuses all later pushes; every push that returned before is popped.
 */
export class MpscRing extends DescriptorQueue {
  /** Bytes to reserve for a ring of `slots` descriptors of `words` Int32 words (a multiple of 4). */
  static byteLength(slots: number, words: number): number {
    return (CONTROL_WORDS + physicalSlots('MpscRing', slots, words) * (words + SLOT_HEADER_WORDS)) * 4;
  }

  readonly #mask: number;
  readonly #lapShift: number;

  /**
   * @param byteOffset start of {@link MpscRing.byteLength} zeroed bytes in `buffer`, a multiple of 16.
   * @param slots      most descriptors in the ring at once; equal in all threads.
   * @param words      Int32 words of one descriptor, a multiple of 4; equal in all threads.
   */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, slots: number, words: number, abort: AbortWord, options: QueueOptions = {}) {
    super('MpscRing', buffer, byteOffset, MpscRing.byteLength(slots, words), slots, words, abort, options);
    const physical = physicalSlots('MpscRing', slots, words);
    this.#mask = physical - 1;
    this.#lapShift = Math.log2(physical);
  }

  /** Descriptors with a ticket and not yet popped, those still being filled included; a snapshot. */
  get length(): number {
    const head = Atomics.load(this.control, HEAD);
    return ((Atomics.load(this.control, TAIL) >>> 1) - head) & TICKET_MASK;
  }

  /** From any thread, once: no ticket is given out afterwards. */
  close(): void {
    const control = this.control;
    for (;;) {
      const tail = Atomics.load(control, TAIL);
      if ((tail & 1) !== 0 || Atomics.compareExchange(control, TAIL, tail, tail | 1) === tail) break;
    }
    this.markClosed();
  }

  protected offer(words: Int32Array): boolean {
    const control = this.control;
    let ticket: number;
    for (;;) {
      const state = Atomics.load(control, STATE);
      if (state !== 0) this.refusePush(state);
      const tail = Atomics.load(control, TAIL);
      if ((tail & 1) !== 0) this.refusePush(1);
      ticket = tail >>> 1;
      // HEAD is loaded after TAIL: with a stale TAIL the difference may be anything, but then the compareExchange fails or this looks again.
      if (((ticket - Atomics.load(control, HEAD)) & TICKET_MASK) >= this.slots) {
        if (Atomics.load(control, TAIL) !== tail) continue;
        return false;
      }
      if (Atomics.compareExchange(control, TAIL, tail, (tail + 2) | 0) === tail) break;
    }
    const size = this.words;
    const sequence = this.#slotStart(ticket);
    const start = sequence + SLOT_HEADER_WORDS;
    for (let i = 0; i < size; i++) control[start + i] = words[i];
    Atomics.store(control, sequence, this.#filled(ticket));
    this.wakeConsumer();
    return true;
  }

  protected take(into: Int32Array): number {
    const control = this.control;
    const state = Atomics.load(control, STATE);
    if (state < 0) throw this.poisoned(state);
    const head = Atomics.load(control, HEAD);
    const sequence = this.#slotStart(head);
    if (Atomics.load(control, sequence) !== this.#filled(head)) {
      // STATE was loaded before TAIL: a ring already closed then has given out no ticket since, so equality means drained.
      return state !== 0 && Atomics.load(control, TAIL) >>> 1 === head ? ENDED : EMPTY;
    }
    const size = this.words;
    const start = sequence + SLOT_HEADER_WORDS;
    for (let i = 0; i < size; i++) into[i] = control[start + i];
    Atomics.store(control, HEAD, (head + 1) & TICKET_MASK);
    this.wakeProducers();
    return TAKEN;
  }

  #slotStart(ticket: number): number {
    return CONTROL_WORDS + (ticket & this.#mask) * (this.words + SLOT_HEADER_WORDS);
  }

  /** SEQUENCE of the slot once ticket's descriptor is in it. */
  #filled(ticket: number): number {
    return ((ticket >>> this.#lapShift) << 1) | 1;
  }
}
