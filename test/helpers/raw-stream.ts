// One end of a stream's connection by hand: for what no end of ours would send.
import { createConnection, type Socket } from 'node:net';
import { STREAM_WINDOW } from '../../src/grpc/stream/connection.js';
import { FrameReceiver } from '../../src/grpc/stream/frame-receiver.js';
import { encodeFields } from '../../src/grpc/stream/header-block.js';
import { writePrefix } from '../../src/grpc/stream/message-deframer.js';
import { Flag, FrameType, frameOf, ourSettings, PREFACE, words } from '../../src/grpc/stream/wire-format.js';

export type Seen = { readonly type: number; readonly flags: number; readonly stream: number; readonly payload: string };

/** A receiver that notes what it is told. */
export function recorder(): { readonly receiver: FrameReceiver; readonly frames: Seen[]; readonly errors: unknown[] } {
  const receiver = new FrameReceiver();
  const frames: Seen[] = [];
  const errors: unknown[] = [];
  receiver.sink = {
    head: () => {},
    frame: (type, flags, stream, payload) => frames.push({ type, flags, stream, payload: payload.toString('latin1') }),
    refused: (error) => errors.push(error),
  };
  return { receiver, frames, errors };
}

/** A client by hand on a socket of its own. */
export class RawClient {
  readonly frames: Seen[];
  readonly closed: Promise<void>;
  readonly socket: Socket;

  constructor(port: number) {
    const { receiver, frames } = recorder();
    this.frames = frames;
    this.socket = createConnection(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => receiver.push(chunk)).on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  send(...parts: Uint8Array[]): this {
    this.socket.write(Buffer.concat(parts));
    return this;
  }

  of(type: number): Seen[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Code of the GOAWAY frame that ended the connection. */
  async refusal(): Promise<number | undefined> {
    await this.closed;
    const frame = this.of(FrameType.goAway).at(-1);
    return frame === undefined ? undefined : Buffer.from(frame.payload, 'latin1').readUInt32BE(4);
  }
}

export const request = (path = '/test.Wire/Echo', more: [string, string][] = []) =>
  frameOf(
    FrameType.headers,
    Flag.endHeaders,
    1,
    encodeFields([[':method', 'POST'], [':path', path], ['content-type', 'application/grpc'], ...more]),
  );
export const opening = (window = STREAM_WINDOW) => Buffer.concat([PREFACE, ourSettings('client', window)]);
export const data = (payload: Uint8Array, flags = 0) => frameOf(FrameType.data, flags, 1, payload);
export function message(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length, 7);
  writePrefix(bytes, 0, length);
  return bytes;
}

/** What a client of ours sends in a short conversation. */
export function conversation(): Buffer {
  return Buffer.concat([
    opening(),
    frameOf(FrameType.settings, Flag.ack, 0),
    request(),
    data(message(0)),
    data(message(300)),
    frameOf(FrameType.ping, 0, 0, words(5, 6)),
    data(message(40).subarray(0, 20)),
    data(message(40).subarray(20), Flag.endStream),
  ]);
}
