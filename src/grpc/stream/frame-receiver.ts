import { checkHead, FRAME_HEAD, FRAME_SIZE } from './wire-format.js';

/** First size of the buffer; it grows to what frames that have really come need. */
const FIRST_BYTES = 64 << 10;
/** Room for the largest frame, and for a good read when all but a byte of it is here. */
const MOST_BYTES = FRAME_SIZE + (64 << 10);

/** Gets each frame. The payload is good during the call only. */
export type FrameSink = {
  /** The head of a frame whose payload is still to come; throws where it has no business here, before anything is kept for it. */
  head(type: number, length: number): void;
  frame(type: number, flags: number, stream: number, payload: Buffer): void;
  /** What came is no frame for us, or `frame` threw; nothing more is read. */
  refused(error: unknown): void;
};

/**
 * Cuts what comes over a socket into frames, in the one buffer that the socket reads into: a frame that is whole is looked at where it lies.
 */
export class FrameReceiver {
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** What is here and belongs to no whole frame yet: #buffer[#start … #end − 1]. */
  #start = 0;
  #end = 0;
  /** Bytes of the frame at #start, head and all; FRAME_HEAD until its head is here. */
  #wanted = FRAME_HEAD;
  #sink: FrameSink | null = null;
  #stopped = false;

  set sink(sink: FrameSink) {
    this.#sink = sink;
  }

  /** For a socket that reads into this buffer. */
  readonly onread = {
    buffer: (): Buffer => this.space(),
    callback: (bytes: number): boolean => {
      this.filled(bytes);
      return true;
    },
  };

  /** Where the next bytes belong; never empty. */
  space(): Buffer {
    if (this.#stopped) {
      this.#start = this.#end = 0;
      return this.#buffer;
    }
    const waiting = this.#end - this.#start;
    if (waiting === 0) this.#start = this.#end = 0;
    else if (this.#start + this.#wanted > this.#buffer.length || this.#end === this.#buffer.length) {
      if (this.#start > 0) this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#start = 0;
      this.#end = waiting;
      // Whoever announces much and sends little makes nothing large.
      if (waiting > this.#buffer.length / 2 && this.#buffer.length < MOST_BYTES) {
        const larger = Buffer.allocUnsafeSlow(Math.min(MOST_BYTES, 4 * this.#buffer.length));
        larger.set(this.#buffer.subarray(0, waiting));
        this.#buffer = larger;
      }
    }
    return this.#buffer.subarray(this.#end);
  }

  /** `bytes` more stand in what {@link space} gave. Without a sink they only wait. */
  filled(bytes: number): void {
    if (this.#stopped) return;
    this.#end += bytes;
    if (this.#sink === null) return;
    try {
      this.#cut();
    } catch (error) {
      this.#stopped = true;
      this.#sink.refused(error);
    }
  }

  /** For bytes that lie elsewhere. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#stopped; ) {
      const space = this.space();
      const size = Math.min(space.length, chunk.length - at);
      chunk.copy(space, 0, at, at + size);
      at += size;
      this.filled(size);
    }
  }

  /** What comes from now on is not looked at. */
  stop(): void {
    this.#stopped = true;
  }

  #cut(): void {
    const buffer = this.#buffer;
    while (!this.#stopped && this.#end - this.#start >= this.#wanted) {
      const head = this.#start;
      const length = (buffer[head] << 16) | (buffer[head + 1] << 8) | buffer[head + 2];
      const type = buffer[head + 3];
      const flags = buffer[head + 4];
      // The highest bit has no meaning.
      const stream = buffer.readUInt32BE(head + 5) & 0x7fffffff;
      if (this.#wanted === FRAME_HEAD) {
        checkHead(length, type, flags, stream);
        this.#sink?.head(type, length);
        this.#wanted = FRAME_HEAD + length;
        if (this.#end - head < this.#wanted) return;
      }
      const payload = buffer.subarray(head + FRAME_HEAD, head + this.#wanted);
      this.#start += this.#wanted;
      this.#wanted = FRAME_HEAD;
      this.#sink?.frame(type, flags, stream, payload);
    }
  }
}
