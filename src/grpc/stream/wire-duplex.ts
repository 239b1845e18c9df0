import { MonolithError } from '../../base/index.js';
import { DuplexBase } from '../duplex-base.js';
import { asBuffer } from '../service.js';
import type { WireConnection } from './connection.js';
import { MessageDeframer, PREFIX_BYTES, writePrefix } from './message-deframer.js';
import { FRAME_HEAD } from './wire-format.js';

/** Bytes in front of a message that an end of a stream may write over: the head of a frame and the prefix of the message. */
export const ROOM_BYTES = FRAME_HEAD + PREFIX_BYTES;

/** Bytes that are written and not with the system yet from which on `write` says to wait, and to which they must fall before it goes on. */
const MOST_UNSENT = 8 << 20;
const FEW_UNSENT = MOST_UNSENT / 2;

/**
 * One end of a stream of messages on a connection of its own. Its buffers hold what stands in them, no more than {@link MOST_UNSENT} of a caller
 * who heeds `write`, and while it is paused no more than the window: messages are written from where they lie and read where they come.
 */
export abstract class WireDuplex extends DuplexBase {
  readonly #deframer: MessageDeframer;
  readonly #drained: (() => void)[] = [];
  readonly #ended: (() => void)[] = [];
  #listener: ((message: Buffer) => void) | null = null;
  #unsent = 0;
  #full = false;
  #refused = false;
  /** What has come while the caller did not want it. */
  #paused = false;
  #held: Buffer[] = [];
  #heldEnd = false;

  constructor(
    protected readonly connection: WireConnection,
    peer: string,
    protected readonly path: string,
    messageBytes: number,
  ) {
    super(peer);
    this.#deframer = new MessageDeframer(messageBytes, (message) => {
      if (!this.#refused && !this.isClosed) this.#listener?.(message);
    });
  }

  /** Called before the first bytes are written. False: nothing more can be. */
  protected abstract begin(): boolean;

  write(message: Uint8Array, sent?: () => void, framed?: Uint8Array): boolean {
    if (this.isClosed || this.connection.over || !this.begin()) return true;
    let bytes = framed;
    if (bytes === undefined) {
      bytes = Buffer.allocUnsafe(ROOM_BYTES + message.length);
      bytes.set(message, ROOM_BYTES);
    }
    writePrefix(bytes, FRAME_HEAD, message.length);
    const { length } = bytes;
    this.#unsent += length;
    this.connection.data(asBuffer(bytes), (error) => {
      this.#unsent -= length;
      if (error !== null && error !== undefined) return;
      sent?.();
      if (!this.#full || this.#unsent > FEW_UNSENT) return;
      this.#full = false;
      for (const listener of this.#drained) listener();
    });
    this.#full ||= this.#unsent >= MOST_UNSENT;
    return !this.#full;
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#listener = listener;
  }

  onDrain(listener: () => void): void {
    this.#drained.push(listener);
  }

  onEnd(listener: () => void): void {
    this.#ended.push(listener);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#held.length > 0 || this.#heldEnd) process.nextTick(() => this.#release());
  }

  /** The message that was arriving has not come whole. */
  protected get cutShort(): boolean {
    return !this.#deframer.empty;
  }

  /** Bytes of the stream, good during the call. */
  data(bytes: Buffer): void {
    if (this.#paused || this.#held.length > 0) this.#held.push(Buffer.from(bytes));
    else this.#take(bytes);
  }

  /** The other side has sent all. */
  last(): void {
    if (this.#paused || this.#held.length > 0) this.#heldEnd = true;
    else {
      this.ended(() => {
        for (const listener of this.#ended) listener();
      });
    }
  }

  /** The other side has sent all, and it has been taken. `tell` says so to the caller. */
  protected ended(tell: () => void): void {
    tell();
  }

  #release(): void {
    const held = this.#held;
    let done = 0;
    while (!this.#paused && done < held.length) this.#take(held[done++]);
    held.splice(0, done);
    if (this.#paused || !this.#heldEnd) return;
    this.#heldEnd = false;
    this.last();
  }

  #take(bytes: Buffer): void {
    if (!this.#refused && !this.isClosed) {
      try {
        this.#deframer.push(bytes);
      } catch (error) {
        this.#refused = true;
        this.fail(MonolithError.from(error));
      }
    }
    this.connection.taken(bytes.length);
  }
}
