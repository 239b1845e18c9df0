import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What both sides know of an open stream in both directions. Messages are raw bytes and arrive in the order in which they were written. */
export type RpcDuplex = {
  /** host:port of the other side. */
  readonly peer: string;
  /**
   * Sends a message. False: the send buffer is full, better wait for `onDrain`. A message may be viewed until it is sent: don't change it.
   * `sent` says that the bytes are no longer looked at; a client's channel does so only with `keepNothing`.
   * `framed` is the same message with {@link ROOM_BYTES} bytes in front that may be written over: saves some streams a copy.
   */
  write(message: Uint8Array, sent?: () => void, framed?: Uint8Array): boolean;
  /** Messages are good during the call only. */
  onMessage(listener: (message: Buffer) => void): void;
  /** There is room again after a `write` that said false. */
  onDrain(listener: () => void): void;
  /** The other side has said that it will send no more; this side may still. */
  onEnd(listener: () => void): void;
  /** Called once, when nothing more comes or goes: null after a regular end, else a MonolithError that names the peer. Also when already closed. */
  onClose(listener: (error: Error | null) => void): void;
  /** Stops and goes on reading: the other side's writes then fill its window. */
  pause(): void;
  resume(): void;
  /** Sends no more; on a server this ends the stream. */
  end(): void;
  /** Ends the stream at once with an error; the other side sees its code. */
  fail(error: Error): void;
};

/** What a handler knows of the call it answers. */
export type CallContext = {
  /** host:port of the client. */
  readonly peer: string;
  /** '/package.Service/Method' */
  readonly path: string;
  /** Value of a metadata key (lower case), undefined where the client sent none. */
  header(name: string): string | undefined;
  /** Sets a key of the reply's initial metadata. Before the answer. */
  setHeader(name: string, value: string): void;
  /** monotonicMs() at which the client no longer wants the answer; Infinity when it set no deadline. */
  readonly deadlineMs: number;
  /** Aborted when the client cancels or vanishes, or its deadline passes. */
  readonly signal: AbortSignal;
};

export type UnaryHandler = (request: Buffer, call: CallContext) => Uint8Array | Promise<Uint8Array>;
export type DuplexHandler = (stream: RpcDuplex, call: CallContext) => void;

/** A service: full name, and a handler for each method. A thrown MonolithError travels to the client with its code and details. */
export type RpcService = {
  readonly name: string;
  readonly unary?: Readonly<Record<string, UnaryHandler>>;
  readonly duplex?: Readonly<Record<string, DuplexHandler>>;
  /** Called once when the server begins to close, before it waits for running calls: answer those that wait for something. */
  readonly closing?: () => void;
};

/** One message type as handlers and callers want it. */
export type MessageCodec<T> = { encode(message: T): Uint8Array; decode(bytes: Uint8Array): T };

/** A unary handler over messages instead of bytes. */
export function unaryOf<Request, Response>(
  request: Pick<MessageCodec<Request>, 'decode'>,
  response: Pick<MessageCodec<Response>, 'encode'>,
  handler: (message: Request, call: CallContext) => Response | Promise<Response>,
): UnaryHandler {
  return (bytes, call) => {
    const answer = handler(request.decode(bytes), call);
    return answer instanceof Promise ? answer.then((message) => response.encode(message)) : response.encode(answer);
  };
}

/** Bytes as grpc-js wants them, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The address of a call's client, or 'unknown'. */
export function peerOf(call: Pick<ServerInterceptingCallInterface, 'getPeer'>): string {
  return call.getPeer().replace(/^ipv[46]:/, '');
}
