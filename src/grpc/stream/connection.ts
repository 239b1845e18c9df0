import type { Socket } from 'node:net';
import { MonolithError } from '../../base/index.js';
import type { FrameReceiver, FrameSink } from './frame-receiver.js';
import { FrameSender, type Sent } from './frame-sender.js';
import {
  FIRST_WINDOW,
  Flag,
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
} from './wire-format.js';

/** Bytes of the stream that the other end may send before they are taken: enough for a fast network, and few enough for the caches. */
export const STREAM_WINDOW = 512 << 10;

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

/**
 * One end of a connection with one stream, spoken by hand: frames, flow control, signs of life. Reads always, whatever is still to be written, so
 * two ends that both write much can't wait for each other; what waits here is bounded by the windows.
 */
export class WireConnection implements FrameSink {
  readonly #sender: FrameSender;
  #settled = false;
  #acknowledged = false;
  /** What the other end may still send, and what has been taken since it was last told. */
  #mayCome = STREAM_WINDOW;
  #taken = 0;
  #connectionMayCome = LARGEST_WINDOW;
  #remote: 'idle' | 'open' | 'ended' = 'idle';
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
    this.#sender = new FrameSender(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // What the other end said on its way out says more.
      if (!this.#goneAway) this.#why = error.code ?? error.message;
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
    return this.#sender.over;
  }

  /** Asks for a sign of life every `everyMs`; gives the other end up when nothing at all comes within `answerMs`. */
  keepAlive(everyMs: number, answerMs: number): void {
    const ask = (): void => {
      if (this.#waiting !== null || this.socket.destroyed) return;
      const waiting = setTimeout(() => {
        // Where this process was busy for so long, the answer may be here and not have been read yet.
        setImmediate(() => {
          if (this.#waiting !== waiting) return;
          this.#why = `no sign of life within ${answerMs} ms`;
          this.socket.destroy();
        });
      }, answerMs);
      this.#waiting = waiting;
      waiting.unref();
      this.#small(frameOf(FrameType.ping, 0, 0, words(0, 1)));
    };
    const timer = setInterval(ask, everyMs);
    timer.unref();
    this.#timers.push(timer);
  }

  /** Header fields; `last`: the stream has nothing behind them. They go out behind all data; `sent` says that they have. */
  headers(block: Buffer, last: boolean, sent?: Sent): void {
    if (this.side === 'client') this.#remote = 'open';
    this.#sender.frame(frameOf(FrameType.headers, Flag.endHeaders | (last ? Flag.endStream : 0), STREAM, block), sent);
  }

  /** The stream has nothing behind its data. */
  finish(): void {
    this.#sender.frame(frameOf(FrameType.data, Flag.endStream, STREAM));
  }

  /** Data of the stream, as {@link FrameSender.data}. */
  data(bytes: Buffer, sent: Sent): void {
    this.#sender.data(bytes, sent);
  }

  /** `bytes` that came are taken: as many may follow. */
  taken(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < STREAM_WINDOW / 2 || this.#remote !== 'open' || this.#sender.over) return;
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
    if (this.#sender.over) return;
    this.#sender.drop();
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
    this.#sender.drop();
    this.#leave();
  }

  destroy(): void {
    this.socket.destroy();
  }

  head(type: number, length: number): void {
    if (!this.#settled && type !== FrameType.settings) {
      throw new WireError(Reason.protocol, `a connection began with a frame of type ${type}, expected SETTINGS`);
    }
    if (type !== FrameType.data) return;
    if (this.#remote !== 'open') {
      throw new WireError(this.#remote === 'idle' ? Reason.protocol : Reason.closed, `DATA on a stream that is ${this.#remote}`);
    }
    if (length > this.#mayCome || length > this.#connectionMayCome) {
      throw new WireError(Reason.flowControl, `${length} bytes of DATA came where ${this.#mayCome} were allowed`);
    }
  }

  frame(type: number, flags: number, stream: number, payload: Buffer): void {
    this.#stopWaiting();
    switch (type) {
      case FrameType.data:
        this.#takeData(payload, (flags & Flag.endStream) !== 0);
        break;
      case FrameType.headers:
        this.#takeHeaders(payload, flags);
        break;
      case FrameType.reset:
        if (this.#remote === 'idle') throw new WireError(Reason.protocol, 'RST_STREAM before the stream was open');
        if (this.#sender.over) return;
        this.#sender.drop();
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
        this.#sender.grow(stream, payload.readUInt32BE(0) & 0x7fffffff);
    }
  }

  refused(error: unknown): void {
    const known = MonolithError.from(error);
    const reason = error instanceof WireError ? error.reason : Reason.protocol;
    this.#why = known.message;
    this.#small(goAway(this.#remote === 'idle' ? 0 : STREAM, reason, known.message));
    this.#goneAway = true;
    this.#sender.drop();
    this.#lose(known);
    this.#leave();
  }

  #takeData(payload: Buffer, last: boolean): void {
    const { length } = payload;
    this.#mayCome -= length;
    this.#connectionMayCome -= length;
    if (last) this.#remote = 'ended';
    if (this.#sender.over) return;
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
    if (this.#sender.over) return;
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
    this.#sender.settle(window, frameSize);
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
    this.#sender.drop();
    this.receiver.stop();
    this.listener.lost(error);
  }

  #stopWaiting(): void {
    if (this.#waiting === null) return;
    clearTimeout(this.#waiting);
    this.#waiting = null;
  }
}
