import type { Socket } from 'node:net';
import { MonolithError } from '../../base/index.js';
import type { FrameReceiver, FrameSink } from './frame-receiver.js';
import {
  FIRST_WINDOW,
  Flag,
  FRAME_HEAD,
  FrameType,
  frameOf,
  goAway,
  LARGEST_WINDOW,
  ourSettings,
  PREFACE,
  Reason,
  readSettings,
  SETTING_BYTES,
  STREAM,
  WireError,
  words,
  writeHead,
} from './wire-format.js';

/** Bytes of the stream that the other end may send before they are taken: enough for a fast network, and few enough for the caches. */
export const STREAM_WINDOW = 1 << 20;

/** Small frames of the connection that wait for a peer who does not read; one that asks for more of them is cut off. */
const MOST_SMALL_UNSENT = 256;

/** How long the rest of a connection may linger once its stream is over. */
export const LINGER_MS = 1000;

/** What a connection tells of its stream. */
export type ConnectionListener = {
  /** The other end's first SETTINGS frame. */
  settings(marked: boolean): void;
  headers(block: Buffer, last: boolean): void;
  /** Bytes of the stream, good during the call; {@link WireConnection.taken} gives their room back. */
  data(bytes: Buffer): void;
  /** The other end sends no more. */
  last(): void;
  reset(reason: number): void;
  /** Nothing more comes or goes. */
  lost(error: MonolithError): void;
};

type Outgoing = {
  readonly bytes: Buffer;
  /** First byte of the payload that is not sent yet; −1: a whole frame that flow control does not count. */
  at: number;
  readonly sent: ((error?: Error | null) => void) | undefined;
};

/**
 * One end of a connection with one stream, spoken by hand: frames, flow control, signs of life. Reads always, whatever is still to be written, so
 * two ends that both write much can't wait for each other; what waits here is bounded by the windows.
 */
export class WireConnection implements FrameSink {
  #sendWindow = FIRST_WINDOW;
  #connectionSendWindow = FIRST_WINDOW;
  #peerFrameSize = 1 << 14;
  /** A message of no more bytes waits until it can go as one frame. */
  #wholeBelow = 0;
  #settled = false;
  #acknowledged = false;
  /** What the other end may still send, and what has been taken since it was last told. */
  #mayCome = STREAM_WINDOW;
  #taken = 0;
  #connectionMayCome = LARGEST_WINDOW;
  #remote: 'idle' | 'open' | 'ended' = 'idle';
  readonly #queue: Outgoing[] = [];
  #over = false;
  #smallUnsent = 0;
  readonly #timers: NodeJS.Timeout[] = [];
  #waiting: NodeJS.Timeout | null = null;
  #why = 'Connection dropped';
  #goneAway = false;

  constructor(
    readonly socket: Socket,
    readonly peer: string,
    private readonly side: 'client' | 'server',
    private readonly receiver: FrameReceiver,
    private readonly listener: ConnectionListener,
  ) {
    receiver.sink = this;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#why = error.code ?? error.message;
    });
    socket.once('close', () => {
      for (const timer of this.#timers) clearTimeout(timer);
      this.#stopWaiting();
      this.#lose(new MonolithError('Unavailable', this.#why));
    });
    const first = [ourSettings(side, STREAM_WINDOW), frameOf(FrameType.windowUpdate, 0, 0, words(LARGEST_WINDOW - FIRST_WINDOW))];
    this.#small(Buffer.concat(side === 'client' ? [PREFACE, ...first] : first));
  }

  /** Nothing more is sent of the stream: it was ended on both sides, reset, or the connection is on its way out. */
  get over(): boolean {
    return this.#over;
  }

  /** Why the connection ended, as the system or the other end put it. */
  get why(): string {
    return this.#why;
  }

  /** Asks for a sign of life every `everyMs`; gives the other end up when nothing at all comes within `answerMs`. */
  keepAlive(everyMs: number, answerMs: number): void {
    const ask = (): void => {
      if (this.#waiting !== null || this.socket.destroyed) return;
      this.#waiting = setTimeout(() => {
        this.#why = `no sign of life within ${answerMs} ms`;
        this.socket.destroy();
      }, answerMs);
      this.#waiting.unref();
      this.#small(frameOf(FrameType.ping, 0, 0, words(0, 1)));
    };
    const timer = setInterval(ask, everyMs);
    timer.unref();
    this.#timers.push(timer);
  }

  /** Header fields; `last`: the stream has nothing behind them. They go out behind all data; `sent` says that they have. */
  headers(block: Buffer, last: boolean, sent?: (error?: Error | null) => void): void {
    if (this.side === 'client') this.#remote = 'open';
    this.#put({ bytes: frameOf(FrameType.headers, Flag.endHeaders | (last ? Flag.endStream : 0), STREAM, block), at: -1, sent });
  }

  /** The stream has nothing behind its data. */
  finish(): void {
    this.#put({ bytes: frameOf(FrameType.data, Flag.endStream, STREAM), at: -1, sent: undefined });
  }

  /**
   * Data of the stream: all of `bytes` behind the first FRAME_HEAD, which are written over. `sent` says that the system has them, or with an
   * error that it never will.
   */
  data(bytes: Buffer, sent: (error?: Error | null) => void): void {
    const length = bytes.length - FRAME_HEAD;
    if (this.#queue.length > 0 || length > this.#room()) {
      this.#put({ bytes, at: FRAME_HEAD, sent });
      return;
    }
    if (!this.#over) this.#whole(bytes, sent);
  }

  /** `bytes` that came are taken: as many may follow. */
  taken(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < STREAM_WINDOW / 2 || this.#remote !== 'open' || this.#over) return;
    const update = frameOf(FrameType.windowUpdate, 0, STREAM, words(this.#taken));
    this.#mayCome += this.#taken;
    this.#taken = 0;
    const used = LARGEST_WINDOW - this.#connectionMayCome;
    if (used < LARGEST_WINDOW / 2) {
      this.#small(update);
      return;
    }
    this.#connectionMayCome = LARGEST_WINDOW;
    this.#small(Buffer.concat([update, frameOf(FrameType.windowUpdate, 0, 0, words(used))]));
  }

  /** Ends the stream at once. */
  reset(reason: number): void {
    if (this.#over) return;
    this.#drop();
    this.#small(frameOf(FrameType.reset, 0, STREAM, words(reason)));
  }

  /** Takes no other stream; the present one may go on. */
  announceEnd(): void {
    if (this.#goneAway || this.socket.destroyed) return;
    this.#goneAway = true;
    this.#small(goAway(this.#remote === 'idle' ? 0 : STREAM, Reason.none, ''));
  }

  /**
   * Ends the connection in `afterMs`, unless the other end does so before: when what was given to the system has gone out, and after
   * {@link LINGER_MS} more all the same.
   */
  close(afterMs = 0): void {
    if (this.socket.destroyed) return;
    if (afterMs > 0) {
      const timer = setTimeout(() => this.close(), afterMs);
      timer.unref();
      this.#timers.push(timer);
      return;
    }
    this.announceEnd();
    this.#drop();
    this.#leave();
  }

  destroy(): void {
    this.socket.destroy();
  }

  frame(type: number, flags: number, _stream: number, payload: Buffer): void {
    this.#stopWaiting();
    if (!this.#settled && type !== FrameType.settings) {
      throw new WireError(Reason.protocol, `a connection began with a frame of type ${type}, expected SETTINGS`);
    }
    switch (type) {
      case FrameType.data:
        this.#takeData(payload, (flags & Flag.endStream) !== 0);
        break;
      case FrameType.headers:
        this.#takeHeaders(payload, flags);
        break;
      case FrameType.reset:
        if (this.#remote === 'idle') throw new WireError(Reason.protocol, 'RST_STREAM before the stream was open');
        if (this.#over) return;
        this.#drop();
        this.listener.reset(payload.readUInt32BE(0));
        break;
      case FrameType.settings:
        this.#takeSettings(payload, (flags & Flag.ack) !== 0);
        break;
      case FrameType.ping:
        if ((flags & Flag.ack) === 0) this.#small(frameOf(FrameType.ping, Flag.ack, 0, payload));
        break;
      case FrameType.goAway:
        this.#takeGoAway(payload);
        break;
      default:
        this.#takeWindow(_stream, payload.readUInt32BE(0) & 0x7fffffff);
    }
  }

  refused(error: unknown): void {
    const known = MonolithError.from(error);
    const reason = error instanceof WireError ? error.reason : Reason.protocol;
    this.#why = known.message;
    this.#small(goAway(this.#remote === 'idle' ? 0 : STREAM, reason, known.message));
    this.#goneAway = true;
    this.#drop();
    this.#lose(known);
    this.#leave();
  }

  #takeData(payload: Buffer, last: boolean): void {
    if (this.#remote !== 'open') {
      throw new WireError(this.#remote === 'idle' ? Reason.protocol : Reason.closed, `DATA on a stream that is ${this.#remote}`);
    }
    const { length } = payload;
    if (length > this.#mayCome || length > this.#connectionMayCome) {
      throw new WireError(Reason.flowControl, `${length} bytes of DATA came where ${this.#mayCome} were allowed`);
    }
    this.#mayCome -= length;
    this.#connectionMayCome -= length;
    if (last) this.#remote = 'ended';
    if (this.#over) return;
    if (length > 0) this.listener.data(payload);
    if (last) this.listener.last();
  }

  #takeHeaders(block: Buffer, flags: number): void {
    if ((flags & Flag.endHeaders) === 0) throw new WireError(Reason.protocol, 'HEADERS without END_HEADERS came');
    const last = (flags & Flag.endStream) !== 0;
    if (this.#remote === 'ended' || (this.side === 'server') !== (this.#remote === 'idle')) {
      throw new WireError(Reason.protocol, `HEADERS on a stream that is ${this.#remote}`);
    }
    this.#remote = last ? 'ended' : 'open';
    if (this.#over) return;
    this.listener.headers(block, last);
    if (last) this.listener.last();
  }

  #takeSettings(payload: Buffer, acknowledges: boolean): void {
    if (acknowledges) {
      if (payload.length > 0 || !this.#settled || this.#acknowledged)
        throw new WireError(Reason.protocol, 'an acknowledgement of no SETTINGS');
      this.#acknowledged = true;
      return;
    }
    if (this.#settled) throw new WireError(Reason.protocol, 'SETTINGS came a second time');
    if (payload.length % SETTING_BYTES !== 0) throw new WireError(Reason.frameSize, `SETTINGS of ${payload.length} bytes`);
    const { marked, window, frameSize } = readSettings(payload);
    this.#settled = true;
    this.#sendWindow = window;
    this.#peerFrameSize = frameSize;
    this.#wholeBelow = Math.min(frameSize, Math.floor(window / 2));
    this.#small(frameOf(FrameType.settings, Flag.ack, 0));
    this.listener.settings(marked);
  }

  #takeGoAway(payload: Buffer): void {
    const lastStream = payload.readUInt32BE(0) & 0x7fffffff;
    const reason = payload.readUInt32BE(4);
    if (reason !== Reason.none) {
      const text = payload.toString('utf8', 8);
      this.#why = `the other side ended the connection (HTTP/2 code ${reason}${text === '' ? '' : `: ${text}`})`;
    }
    if (this.side === 'client' && lastStream < STREAM) this.socket.destroy();
  }

  #takeWindow(stream: number, more: number): void {
    const window = (stream === 0 ? this.#connectionSendWindow : this.#sendWindow) + more;
    if (more === 0 || window > LARGEST_WINDOW) throw new WireError(Reason.flowControl, `WINDOW_UPDATE by ${more} to ${window}`);
    if (stream === 0) this.#connectionSendWindow = window;
    else this.#sendWindow = window;
    this.#flush();
  }

  #room(): number {
    return Math.min(this.#sendWindow, this.#connectionSendWindow, this.#peerFrameSize);
  }

  #spend(bytes: number): void {
    this.#sendWindow -= bytes;
    this.#connectionSendWindow -= bytes;
  }

  #whole(bytes: Buffer, sent: ((error?: Error | null) => void) | undefined): void {
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

  /** The stream is over: what waits for the other end's window is never sent. */
  #drop(): void {
    this.#over = true;
    this.#queue.length = 0;
  }

  /** A frame of the connection, before all data that waits for a window. */
  #small(bytes: Buffer): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (++this.#smallUnsent > MOST_SMALL_UNSENT) {
      this.#why = `${this.#smallUnsent} frames that the other side asked for are not read by it`;
      this.socket.destroy();
      return;
    }
    this.socket.write(bytes, this.#smallSent);
  }

  readonly #smallSent = (): void => {
    this.#smallUnsent--;
  };

  #leave(): void {
    if (this.socket.destroyed) return;
    this.socket.end();
    const timer = setTimeout(() => this.socket.destroy(), LINGER_MS);
    timer.unref();
    this.#timers.push(timer);
  }

  #lose(error: MonolithError): void {
    this.#drop();
    this.receiver.stop();
    this.listener.lost(error);
  }

  #stopWaiting(): void {
    if (this.#waiting === null) return;
    clearTimeout(this.#waiting);
    this.#waiting = null;
  }
}

function frameHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD);
  writeHead(head, 0, length, FrameType.data, 0, STREAM);
  return head;
}
