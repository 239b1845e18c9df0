import type { Socket } from 'node:net';
import { FRAME_HEAD, FrameType, MOST_SETTINGS, PREFACE, SETTING_BYTES, STREAM_MARK_SETTING, STREAM_MARK_VALUE } from './wire-format.js';

/** Whether a connection that begins with these bytes bears the mark; null: too few of them to tell. */
export function bearsStreamMark(bytes: Buffer): boolean | null {
  const seen = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, seen, 0, seen) !== 0) return false;
  if (bytes.length < PREFACE.length + FRAME_HEAD) return null;
  const length = bytes.readUIntBE(PREFACE.length, 3);
  if (bytes[PREFACE.length + 3] !== FrameType.settings || length > MOST_SETTINGS * SETTING_BYTES) return false;
  const first = PREFACE.length + FRAME_HEAD;
  if (bytes.length < first + length) return null;
  for (let at = first; at + SETTING_BYTES <= first + length; at += SETTING_BYTES) {
    if (bytes.readUInt16BE(at) === STREAM_MARK_SETTING && bytes.readUInt32BE(at + 2) === STREAM_MARK_VALUE) return true;
  }
  return false;
}

/**
 * Looks at the first bytes of a connection. Calls one of three: `marked` with what has been read, `other` with all left in the socket, or
 * `silent` when the client has not sent enough within `withinMs`. None for a connection that is closed before.
 */
export function peekStreamMark(
  socket: Socket,
  withinMs: number,
  { marked, other, silent }: { readonly marked: (read: Buffer) => void; readonly other: () => void; readonly silent: () => void },
): void {
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
    const bears = bearsStreamMark(held);
    if (bears === null) return;
    stop();
    if (bears) {
      marked(held);
      return;
    }
    socket.unshift(held);
    other();
  };
  const timer = setTimeout(() => {
    stop();
    silent();
  }, withinMs);
  timer.unref();
  socket.on('readable', look);
  socket.once('close', stop);
}
