import { type ErrorCode, MonolithError } from '../../base/index.js';

// The part of HTTP/2 (RFC 9113) that two ends of ours speak with each other: one stream a connection, header fields as plain literals, no padding,
// no priorities, no continuations.

/** What every HTTP/2 client sends first; then comes a SETTINGS frame. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Bytes in front of each frame: length (3), type, flags, stream (4). */
export const FRAME_HEAD = 9;

/** The one stream of a connection. */
export const STREAM = 1;

export const FrameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
export const Flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** Error codes of RST_STREAM and GOAWAY. */
export const Reason = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  closed: 5,
  frameSize: 6,
  cancel: 8,
  compression: 9,
  calm: 11,
  security: 12,
} as const;

const Setting = { headerTableSize: 1, push: 2, streams: 3, window: 4, frameSize: 5, headerListSize: 6 } as const;

/**
 * Setting by which either end says in its first SETTINGS frame that it speaks this part of HTTP/2. HTTP/2 has others ignore settings that they do
 * not know (RFC 9113, 6.5.2).
 */
export const STREAM_MARK_SETTING = 0x4d4c;
/** 1 was the mark of releases whose connections held all of HTTP/2. */
export const STREAM_MARK_VALUE = 2;

export const SETTING_BYTES = 6;
/** Settings of one frame that are looked at; ours are seven. */
export const MOST_SETTINGS = 32;

/** Largest frame that is taken. */
export const FRAME_SIZE = 1 << 20;
/** Header fields of one block, encoded. */
export const MOST_HEADER_BYTES = 64 << 10;
/** What a GOAWAY frame says in words. */
const MOST_REASON_BYTES = 1024;
export const LARGEST_WINDOW = 2 ** 31 - 1;
/** Window of a stream and of a connection before anybody has said another. */
export const FIRST_WINDOW = 65_535;
const SMALLEST_FRAME_SIZE = 1 << 14;
const LARGEST_FRAME_SIZE = (1 << 24) - 1;

/** The other end sent what none of ours would: the connection ends, and says why with `reason`. */
export class WireError extends MonolithError {
  constructor(
    readonly reason: number,
    what: string,
    code: ErrorCode = 'RecordCorrupt',
  ) {
    super(code, what);
  }
}

export function writeHead(bytes: Uint8Array, at: number, length: number, type: number, flags: number, stream: number): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = (length >>> 8) & 255;
  bytes[at + 2] = length & 255;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = 0;
  bytes[at + 6] = 0;
  bytes[at + 7] = 0;
  bytes[at + 8] = stream;
}

/** A whole frame of a few bytes. */
export function frameOf(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD + payload.length);
  writeHead(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, FRAME_HEAD);
  return bytes;
}

/** A payload of whole numbers of four bytes. */
export function words(...values: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

export function goAway(lastStream: number, reason: number, text: string): Buffer {
  return frameOf(FrameType.goAway, 0, 0, Buffer.concat([words(lastStream, reason), Buffer.from(text).subarray(0, MOST_REASON_BYTES)]));
}

/** The first SETTINGS frame of either end. */
export function ourSettings(side: 'client' | 'server', window: number): Buffer {
  const settings = [
    [Setting.headerTableSize, 0],
    side === 'client' ? [Setting.push, 0] : [Setting.streams, 1],
    [Setting.window, window],
    [Setting.frameSize, FRAME_SIZE],
    [Setting.headerListSize, MOST_HEADER_BYTES],
    [STREAM_MARK_SETTING, STREAM_MARK_VALUE],
  ];
  const payload = Buffer.allocUnsafe(SETTING_BYTES * settings.length);
  for (const [i, [name, value]] of settings.entries()) {
    payload.writeUInt16BE(name, SETTING_BYTES * i);
    payload.writeUInt32BE(value, SETTING_BYTES * i + 2);
  }
  return frameOf(FrameType.settings, 0, 0, payload);
}

export type PeerSettings = { readonly marked: boolean; readonly window: number; readonly frameSize: number };

/** What the payload of a SETTINGS frame says. @throws WireError for values that HTTP/2 forbids. */
export function readSettings(payload: Buffer): PeerSettings {
  let marked = false;
  let window = FIRST_WINDOW;
  let frameSize = SMALLEST_FRAME_SIZE;
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    const name = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    if (name === STREAM_MARK_SETTING) marked = value === STREAM_MARK_VALUE;
    else if (name === Setting.window) window = value;
    else if (name === Setting.frameSize) frameSize = value;
  }
  if (window > LARGEST_WINDOW) throw new WireError(Reason.flowControl, `SETTINGS: a window of ${window}, at most ${LARGEST_WINDOW}`);
  if (frameSize < SMALLEST_FRAME_SIZE || frameSize > LARGEST_FRAME_SIZE) {
    throw new WireError(Reason.protocol, `SETTINGS: frames of ${frameSize}, expected ${SMALLEST_FRAME_SIZE} to ${LARGEST_FRAME_SIZE}`);
  }
  return { marked, window, frameSize };
}

type FrameRule = {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly flags: number;
  /** Streams that the frame may speak of: 1 the stream, 2 the connection, 3 both. */
  readonly of: number;
};

const RULES: readonly (FrameRule | undefined)[] = Object.assign([] as (FrameRule | undefined)[], {
  [FrameType.data]: { name: 'DATA', least: 0, most: FRAME_SIZE, flags: Flag.endStream, of: 1 },
  [FrameType.headers]: { name: 'HEADERS', least: 1, most: MOST_HEADER_BYTES, flags: Flag.endStream | Flag.endHeaders, of: 1 },
  [FrameType.reset]: { name: 'RST_STREAM', least: 4, most: 4, flags: 0, of: 1 },
  [FrameType.settings]: { name: 'SETTINGS', least: 0, most: MOST_SETTINGS * SETTING_BYTES, flags: Flag.ack, of: 2 },
  [FrameType.ping]: { name: 'PING', least: 8, most: 8, flags: Flag.ack, of: 2 },
  [FrameType.goAway]: { name: 'GOAWAY', least: 8, most: 8 + MOST_REASON_BYTES, flags: 0, of: 2 },
  [FrameType.windowUpdate]: { name: 'WINDOW_UPDATE', least: 4, most: 4, flags: 0, of: 3 },
});

/**
 * Whether a frame with this head may come at all, before anything is kept for it.
 * @throws WireError for what an end of ours never sends.
 */
export function checkHead(length: number, type: number, flags: number, stream: number): void {
  const rule = RULES[type];
  if (rule === undefined) throw new WireError(Reason.protocol, `a frame of type ${type} came, which has no place in this stream`);
  const { name, least, most } = rule;
  if (length < least || length > most) {
    throw new WireError(
      Reason.frameSize,
      `a ${name} frame of ${length} bytes came, expected ${least === most ? least : `${least} to ${most}`}`,
    );
  }
  if ((flags & ~rule.flags) !== 0) throw new WireError(Reason.protocol, `a ${name} frame with flags ${flags} came`);
  if (stream > STREAM || (rule.of & (stream === STREAM ? 1 : 2)) === 0) {
    throw new WireError(Reason.protocol, `a ${name} frame of stream ${stream} came; a connection has stream ${STREAM} alone`);
  }
}
