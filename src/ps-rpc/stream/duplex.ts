import type { MonolithError } from '../../base/index.js';

/**
 * One end of a stream of messages, both ways, in order. Handlers are set by whoever takes the end, before the event loop turns. After `onEnd`
 * nothing comes any more and `send` does nothing.
 */
export interface MessageDuplex {
  /** Who is at the other end, for messages: an address. */
  readonly peer: string;
  /**
   * The bytes must not change until `done` is called; an end that can't tell never calls it.
   * `framed` is the same message with ROOM_BYTES bytes in front that may be written over.
   */
  send(message: Uint8Array, done?: () => void, framed?: Uint8Array): void;
  /** Ends both directions, once what was sent has gone out; twice is fine. */
  close(): void;
  /** `message` is valid during the call only. */
  onMessage: ((message: Uint8Array) => void) | null;
  /** Once: the reason, or null where the other end closed. Not called after one's own `close`. */
  onEnd: ((reason: MonolithError | null) => void) | null;
}

/** Two ends within one process: what one sends the other gets, each message in a turn of the event loop of its own. */
export function duplexPair(peerOfFirst = 'second', peerOfSecond = 'first'): [MessageDuplex, MessageDuplex] {
  const first = new MemoryDuplex(peerOfFirst);
  const second = new MemoryDuplex(peerOfSecond);
  first.other = second;
  second.other = first;
  return [first, second];
}

class MemoryDuplex implements MessageDuplex {
  onMessage: ((message: Uint8Array) => void) | null = null;
  onEnd: ((reason: MonolithError | null) => void) | null = null;
  other: MemoryDuplex | null = null;
  private open = true;

  constructor(readonly peer: string) {}

  send(message: Uint8Array): void {
    const { other } = this;
    if (!this.open || other === null) return;
    setImmediate(() => {
      if (other.open) other.onMessage?.(message);
    });
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    const { other } = this;
    setImmediate(() => {
      if (other === null || !other.open) return;
      other.open = false;
      other.onEnd?.(null);
    });
  }
}
