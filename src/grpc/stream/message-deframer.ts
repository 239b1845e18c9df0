import { MonolithError } from '../../base/index.js';

/** Bytes in front of each message on the wire: flag (0: not compressed), then its length, big-endian. */
export const PREFIX_BYTES = 5;

/** First size of the buffer that messages are put together in; it grows with what has really come. */
const FIRST_BUFFER = 64 << 10;

/** Writes the prefix of a message of `length` bytes at bytes[at … at + 4]. */
export function writePrefix(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = 0;
  bytes[at + 1] = length >>> 24;
  bytes[at + 2] = (length >>> 16) & 255;
  bytes[at + 3] = (length >>> 8) & 255;
  bytes[at + 4] = length & 255;
}

/**
 * Cuts the bytes of a stream into messages. A message that stands whole in one chunk is given as a view of it, any other is put together in one
 * buffer that serves all messages, so each is good during the call only.
 */
export class MessageDeframer {
  #buffer: Buffer = Buffer.alloc(0);
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFilled = 0;
  /** Length of the message whose prefix is here; −1: none. */
  #length = -1;
  #filled = 0;

  /** @param messageBytes longest message that is taken; −1: any. */
  constructor(
    private readonly messageBytes: number,
    private readonly take: (message: Buffer) => void,
  ) {}

  /** Nothing of a message is waiting for its rest. */
  get empty(): boolean {
    return this.#length < 0 && this.#prefixFilled === 0;
  }

  /** @throws ResourceExhausted for a message beyond the limit, Unimplemented for a compressed one, and what `take` throws. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#length < 0) {
        at = this.#readPrefix(chunk, at);
        continue;
      }
      const length = this.#length;
      if (this.#filled === 0 && chunk.length - at >= length) {
        this.#length = -1;
        this.take(chunk.subarray(at, at + length));
        at += length;
        continue;
      }
      const size = Math.min(length - this.#filled, chunk.length - at);
      this.#room(this.#filled + size, length);
      this.#buffer.set(at === 0 && size === chunk.length ? chunk : chunk.subarray(at, at + size), this.#filled);
      this.#filled += size;
      at += size;
      if (this.#filled < length) return;
      this.#length = -1;
      this.#filled = 0;
      this.take(this.#buffer.subarray(0, length));
    }
  }

  #readPrefix(chunk: Buffer, from: number): number {
    let at = from;
    while (this.#prefixFilled < PREFIX_BYTES && at < chunk.length) this.#prefix[this.#prefixFilled++] = chunk[at++];
    if (this.#prefixFilled < PREFIX_BYTES) return at;
    this.#prefixFilled = 0;
    if (this.#prefix[0] !== 0) {
      throw new MonolithError('Unimplemented', `a compressed message (flag ${this.#prefix[0]}) came; send messages as they are`);
    }
    const length = this.#prefix.readUInt32BE(1);
    if (this.messageBytes >= 0 && length > this.messageBytes) {
      throw new MonolithError('ResourceExhausted', `a message of ${length} bytes came, at most ${this.messageBytes} are taken`, {
        bytes: length,
        limit: this.messageBytes,
      });
    }
    if (length === 0) this.take(this.#buffer.subarray(0, 0));
    else this.#length = length;
    return at;
  }

  /** Room for `needed` bytes of a message of `length`: whoever announces much and sends little makes nothing large. */
  #room(needed: number, length: number): void {
    if (needed <= this.#buffer.length) return;
    const size = Math.max(needed, Math.min(length, Math.max(FIRST_BUFFER, 4 * this.#buffer.length)));
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = larger;
  }
}
