import type { Socket } from 'node:net';
import { FIRST_WINDOW, FRAME_HEAD, FrameType, LARGEST_WINDOW, Reason, STREAM, WireError, writeHead } from './wire-format.js';

/** Called when the system has the bytes, or with an error when it never will. */
export type Sent = (error?: Error | null) => void;

type Outgoing = {
  readonly bytes: Buffer;
  /** First byte of the payload that is not sent yet; −1: a whole frame that flow control does not count. */
  at: number;
  readonly sent: Sent | undefined;
};

/** What one end sends of its stream: data as the other end's windows allow, and frames that stand behind data. */
export class FrameSender {
  #window = FIRST_WINDOW;
  #connectionWindow = FIRST_WINDOW;
  #frameSize = 0;
  /** A message of no more bytes waits until it can go as one frame. */
  #wholeBelow = 0;
  readonly #queue: Outgoing[] = [];
  #over = false;

  constructor(private readonly socket: Socket) {}

  /** Nothing more is sent. */
  get over(): boolean {
    return this.#over;
  }

  /** What the other end takes, by its SETTINGS; before, nothing is sent. */
  settle(window: number, frameSize: number): void {
    this.#window = window;
    this.#frameSize = frameSize;
    this.#wholeBelow = Math.min(frameSize, Math.floor(window / 2));
  }

  /** A whole frame that flow control does not count, behind all data. */
  frame(bytes: Buffer, sent?: Sent): void {
    this.#put({ bytes, at: -1, sent });
  }

  /**
   * Data of the stream: all of `bytes` behind the first FRAME_HEAD, which are written over. `sent` says that the system has them, or with an
   * error that it never will.
   */
  data(bytes: Buffer, sent: Sent): void {
    const length = bytes.length - FRAME_HEAD;
    if (this.#queue.length > 0 || length > this.#room()) {
      this.#put({ bytes, at: FRAME_HEAD, sent });
      return;
    }
    if (!this.#over) this.#whole(bytes, sent);
  }

  /** The other end gives room: to the stream, or (stream 0) to the connection. @throws WireError for room that there can't be. */
  grow(stream: number, more: number): void {
    const window = (stream === 0 ? this.#connectionWindow : this.#window) + more;
    if (more === 0 || window > LARGEST_WINDOW) throw new WireError(Reason.flowControl, `WINDOW_UPDATE by ${more} to ${window}`);
    if (stream === 0) this.#connectionWindow = window;
    else this.#window = window;
    this.#flush();
  }

  /** The stream is over: what waits for the other end's window is never sent. */
  drop(): void {
    this.#over = true;
    this.#queue.length = 0;
  }

  #room(): number {
    return Math.min(this.#window, this.#connectionWindow, this.#frameSize);
  }

  #spend(bytes: number): void {
    this.#window -= bytes;
    this.#connectionWindow -= bytes;
  }

  #whole(bytes: Buffer, sent: Sent | undefined): void {
    const length = bytes.length - FRAME_HEAD;
    this.#spend(length);
    writeHead(bytes, 0, length, FrameType.data, 0, STREAM);
    this.socket.write(bytes, sent);
  }

  #put(outgoing: Outgoing): void {
    if (this.#over) return;
    this.#queue.push(outgoing);
    this.#flush();
  }

  #flush(): void {
    const { socket } = this;
    const queue = this.#queue;
    let done = 0;
    socket.cork();
    for (; done < queue.length; done++) {
      const next = queue[done];
      const { bytes, sent } = next;
      if (next.at === FRAME_HEAD) {
        const length = bytes.length - FRAME_HEAD;
        if (length <= this.#room()) {
          this.#whole(bytes, sent);
          continue;
        }
        // The other end gives room back before half of it is used up, so this much will be; and what comes whole is not copied there.
        if (length <= this.#wholeBelow) break;
      }
      if (next.at < 0) {
        if (sent === undefined) socket.write(bytes);
        else socket.write(bytes, sent);
        continue;
      }
      for (let left = bytes.length - next.at; left > 0; left = bytes.length - next.at) {
        const size = Math.min(left, this.#room());
        if (size <= 0) break;
        this.#spend(size);
        const part = bytes.subarray(next.at, next.at + size);
        next.at += size;
        socket.write(frameHead(size));
        if (size === left) socket.write(part, sent);
        else socket.write(part);
      }
      if (next.at < bytes.length) break;
    }
    socket.uncork();
    queue.splice(0, done);
  }
}

function frameHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD);
  writeHead(head, 0, length, FrameType.data, 0, STREAM);
  return head;
}
