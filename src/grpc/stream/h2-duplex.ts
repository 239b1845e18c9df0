import type { Http2Stream } from 'node:http2';
import { MonolithError } from '../../base/index.js';
import { DuplexBase } from '../duplex-base.js';
import { asBuffer } from '../service.js';
import { MessageDeframer, PREFIX_BYTES, writePrefix } from './message-deframer.js';

/** Bytes given to HTTP/2 and not yet to the system from which on `write` says to wait, and to which they must fall before it goes on. */
const MOST_UNSENT = 8 << 20;
const FEW_UNSENT = MOST_UNSENT / 2;

/**
 * One end of a stream of messages on node:http2. Its buffers hold what stands in them and no more than {@link MOST_UNSENT} of a caller who
 * heeds `write`: messages are written from where they lie and read where they come.
 */
export abstract class H2Duplex<S extends Http2Stream> extends DuplexBase<S> {
  readonly #deframer: MessageDeframer;
  readonly #drained: (() => void)[] = [];
  #listener: ((message: Buffer) => void) | null = null;
  #unsent = 0;
  #full = false;
  #refused = false;

  constructor(
    stream: S,
    peer: string,
    protected readonly path: string,
    messageBytes: number,
  ) {
    super(stream, peer);
    this.#deframer = new MessageDeframer(messageBytes, (message) => this.#listener?.(message));
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    // What matters is said by 'close', which comes after it.
    stream.on('error', () => {});
  }

  /** Called before the first bytes are written. */
  protected abstract begin(): void;

  write(message: Uint8Array, sent?: () => void, framed?: Uint8Array): boolean {
    const { carrier } = this;
    if (this.isClosed || carrier.destroyed || carrier.writableEnded) return true;
    this.begin();
    let bytes = framed;
    if (bytes === undefined) {
      bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
      bytes.set(message, PREFIX_BYTES);
    }
    writePrefix(bytes, message.length);
    const { length } = bytes;
    this.#unsent += length;
    carrier.write(asBuffer(bytes), (error) => {
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

  override onDrain(listener: () => void): void {
    this.#drained.push(listener);
  }

  /** The message that was arriving has not come whole. */
  protected get cutShort(): boolean {
    return !this.#deframer.empty;
  }

  #receive(chunk: Buffer): void {
    if (this.#refused || this.isClosed) return;
    try {
      this.#deframer.push(chunk);
    } catch (error) {
      this.#refused = true;
      this.fail(MonolithError.from(error));
    }
  }
}
