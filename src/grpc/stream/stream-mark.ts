import type { Socket } from 'node:net';

/**
 * Setting by which a client of ours says in its first SETTINGS frame that its connection is for streams of this package's own endpoint. HTTP/2 has
 * others ignore settings that they do not know (RFC 9113, 6.5.2).
 */
export const STREAM_MARK_SETTING = 0x4d4c;
export const STREAM_MARK_VALUE = 1;

/** What every HTTP/2 client sends first; then comes a SETTINGS frame (RFC 9113, 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const FRAME_HEAD = 9;
const SETTINGS_FRAME = 4;
const SETTING_BYTES = 6;
/** Settings that are looked through; ours are five. */
const MOST_SETTINGS = 32;

/** Whether a connection that begins with these bytes bears the mark; null: too few of them to tell. */
export function bearsStreamMark(bytes: Buffer): boolean | null {
  const seen = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, seen, 0, seen) !== 0) return false;
  if (bytes.length < PREFACE.length + FRAME_HEAD) return null;
  const length = bytes.readUIntBE(PREFACE.length, 3);
  if (bytes[PREFACE.length + 3] !== SETTINGS_FRAME || length > MOST_SETTINGS * SETTING_BYTES) return false;
  const first = PREFACE.length + FRAME_HEAD;
  if (bytes.length < first + length) return null;
  for (let at = first; at + SETTING_BYTES <= first + length; at += SETTING_BYTES) {
    if (bytes.readUInt16BE(at) === STREAM_MARK_SETTING && bytes.readUInt32BE(at + 2) === STREAM_MARK_VALUE) return true;
  }
  return false;
}

/**
 * Looks at the first bytes of a connection and leaves them in it. Calls one of the two: `decided`, or `silent` when the client has not sent
 * enough within `withinMs`. Neither for a connection that is closed before.
 */
export function peekStreamMark(socket: Socket, withinMs: number, decided: (marked: boolean) => void, silent: () => void): void {
  let held: Buffer | null = null;
  const stop = (): void => {
    clearTimeout(timer);
    socket.removeListener('readable', look);
    socket.removeListener('close', stop);
  };
  const look = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    held = held === null ? bytes : Buffer.concat([held, bytes]);
    const marked = bearsStreamMark(held);
    if (marked === null) return;
    stop();
    socket.unshift(held);
    decided(marked);
  };
  const timer = setTimeout(() => {
    stop();
    silent();
  }, withinMs);
  timer.unref();
  socket.on('readable', look);
  socket.once('close', stop);
}
