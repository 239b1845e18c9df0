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

/**
 * A bounded queue of fixed-size Int32 descriptors from exactly one producer thread to exactly one consumer thread, in order, without loss.
 * Payloads stay where they are in shared memory; a descriptor says where.
 *
 * Each thread makes its own object over the same bytes. Whatever the producer wrote anywhere in shared memory before a push is visible to
 * the consumer after the pop of that descriptor; whatever the consumer did before the pop is visible to a producer that gets the slot again.
 *
 * HEAD and TAIL count descriptors modulo 2^32; the queue is empty when they are equal and full when they differ by `slots`.
 * The producer fills the slot, then stores TAIL; the consumer loads TAIL before it touches the slot and stores HEAD after it.
 */
export class Ring extends DescriptorQueue {
  /** Bytes to reserve for a ring of `slots` descriptors of `words` Int32 words (a multiple of 4). */
  static byteLength(slots: number, words: number): number {
    return (CONTROL_WORDS + physicalSlots('Ring', slots, words) * words) * 4;
  }

  readonly #mask: number;
  /** The last HEAD seen by the producer: looked at again only when the ring seems full, so that a push rarely touches the consumer's line. */
  #headSeen: number;
  /** The last TAIL seen by the consumer. */
  #tailSeen: number;

  /**
   * @param byteOffset start of {@link Ring.byteLength} zeroed bytes in `buffer`, a multiple of 16.
   * @param slots      most descriptors in the ring at once; equal on both sides.
   * @param words      Int32 words of one descriptor, a multiple of 4; equal on both sides.
   */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, slots: number, words: number, abort: AbortWord, options: QueueOptions = {}) {
    super('Ring', buffer, byteOffset, Ring.byteLength(slots, words), slots, words, abort, options);
    this.#mask = physicalSlots('Ring', slots, words) - 1;
    this.#headSeen = Atomics.load(this.control, HEAD);
    this.#tailSeen = this.#headSeen;
  }

  get length(): number {
    return (Atomics.load(this.control, TAIL) - Atomics.load(this.control, HEAD)) | 0;
  }

  /** Only the producer closes: then everything it pushed is popped before the consumer gets false. */
  close(): void {
    this.markClosed();
  }

  protected offer(words: Int32Array): boolean {
    const control = this.control;
    const state = Atomics.load(control, STATE);
    if (state !== 0) this.refusePush(state);
    const tail = Atomics.load(control, TAIL);
    if ((tail - this.#headSeen) >>> 0 >= this.slots) {
      this.#headSeen = Atomics.load(control, HEAD);
      if ((tail - this.#headSeen) >>> 0 >= this.slots) return false;
    }
    const size = this.words;
    const start = CONTROL_WORDS + (tail & this.#mask) * size;
    for (let i = 0; i < size; i++) control[start + i] = words[i];
    Atomics.store(control, TAIL, (tail + 1) | 0);
    this.wakeConsumer();
    return true;
  }

  protected take(into: Int32Array): number {
    const control = this.control;
    const state = Atomics.load(control, STATE);
    if (state < 0) throw this.poisoned(state);
    const head = Atomics.load(control, HEAD);
    if ((this.#tailSeen - head - 1) >>> 0 >= this.slots) {
      this.#tailSeen = Atomics.load(control, TAIL);
      // STATE was loaded before TAIL: a ring already closed then can have got nothing since.
      if (this.#tailSeen === head) return state === 0 ? EMPTY : ENDED;
    }
    const size = this.words;
    const start = CONTROL_WORDS + (head & this.#mask) * size;
    for (let i = 0; i < size; i++) into[i] = control[start + i];
    Atomics.store(control, HEAD, (head + 1) | 0);
    this.wakeProducers();
    return TAKEN;
  }
}
