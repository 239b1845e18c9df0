import type { TLSSocket } from 'node:tls';
import { Metadata, status } from '@grpc/grpc-js';
import { MonolithError } from '../../base/index.js';
import { RpcChannel } from '../channel.js';
import { type ChannelSecurity, openSocket } from '../channel-credentials.js';
import type { RpcDuplex } from '../service.js';
import { fromServiceError } from '../status.js';
import { Tokens } from '../token.js';
import { KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from '../transport-options.js';
import { type ConnectionListener, WireConnection } from './connection.js';
import { FrameReceiver } from './frame-receiver.js';
import { decodeFields, encodeFields, type Fields } from './header-block.js';
import { WireDuplex } from './wire-duplex.js';
import { Reason, WireError } from './wire-format.js';

export type StreamOptions = {
  readonly security?: ChannelSecurity;
  /** Longest message that is taken, in bytes; −1 (default): any. */
  readonly messageBytes?: number;
  /** How long the connection may take to stand. */
  readonly connectMs: number;
  /** As in RpcChannelOptions. */
  readonly keepAliveMs?: number;
  readonly keepAliveTimeoutMs?: number;
};

/**
 * Opens one stream in both directions on a connection of its own, which ends with it. For streams that carry much: messages go out of the
 * caller's memory and come in through one buffer. A server that does not know this kind of stream serves it over an RpcChannel.
 *
 * @param path '/package.Service/Method'
 * @throws InvalidConfig as RpcChannel does; Unavailable when there is no connection within `connectMs`. Later errors arrive in `onClose`.
 */
export async function openStream(address: string, path: string, options: StreamOptions): Promise<RpcDuplex> {
  const { security = {}, messageBytes = -1, keepAliveMs = KEEPALIVE_TIME_MS, keepAliveTimeoutMs = KEEPALIVE_TIMEOUT_MS } = options;
  const tokens = Tokens.from(security);
  const opening = new Opening(address, security, options.connectMs);
  const connection = await opening.connected;
  if (connection === null) return openChannelStream(address, path, options);
  const token = tokens?.current()[0];
  const stream = new ClientStream(connection, address, path, messageBytes);
  opening.stream = stream;
  connection.keepAlive(keepAliveMs, keepAliveTimeoutMs);
  connection.headers(
    encodeFields([
      [':method', 'POST'],
      [':scheme', security.tls === undefined ? 'http' : 'https'],
      [':path', path],
      [':authority', security.tls?.serverName ?? address],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['grpc-accept-encoding', 'identity'],
      ['user-agent', 'monolith-local'],
      ...(token === undefined ? [] : ([['authorization', `Bearer ${token}`]] as const)),
    ]),
    false,
  );
  return stream;
}

async function openChannelStream(address: string, path: string, { connectMs, ...options }: StreamOptions): Promise<RpcDuplex> {
  const channel = new RpcChannel(address, { ...options, keepNothing: true });
  try {
    await channel.ready(connectMs);
    const duplex = channel.duplex(path);
    duplex.onClose(() => channel.close());
    return duplex;
  } catch (error) {
    channel.close();
    throw error;
  }
}

/** A connection up to the other side's first frame, and what it tells from then on. */
class Opening implements ConnectionListener {
  /** Null: the other side is a gRPC server, but none that knows our streams. */
  readonly connected: Promise<WireConnection | null>;
  stream: ClientStream | null = null;
  #connection: WireConnection | null = null;
  #resolve: (connection: WireConnection | null) => void = () => {};
  #fail: (why: string) => void = () => {};

  constructor(address: string, security: ChannelSecurity, connectMs: number) {
    const receiver = new FrameReceiver();
    const socket = openSocket(address, security, receiver.onread);
    this.connected = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`within ${connectMs} ms`), connectMs);
      this.#resolve = (connection) => {
        clearTimeout(timer);
        resolve(connection);
      };
      this.#fail = (why) => {
        clearTimeout(timer);
        socket.destroy();
        const message = `${address}: no connection ${why}. Check that the process runs, that address and port are right, and that both sides agree on TLS`;
        reject(new MonolithError('Unavailable', message, { peer: address, timeoutMs: connectMs }));
      };
    });
    let reason = 'the other side closed it';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.code ?? error.message;
      this.#fail(`(${reason})`);
    });
    socket.once('close', () => this.#fail(`(${reason})`));
    socket.once(security.tls === undefined ? 'connect' : 'secureConnect', () => {
      if (security.tls !== undefined && (socket as TLSSocket).alpnProtocol !== 'h2') {
        this.#fail('(the other side does not speak HTTP/2)');
        return;
      }
      this.#connection = new WireConnection(socket, address, 'client', receiver, this);
      if (security.tls !== undefined) socket.on('data', (chunk: Buffer) => receiver.push(chunk));
    });
  }

  settings(marked: boolean): void {
    if (marked) this.#resolve(this.#connection);
    else {
      this.#resolve(null);
      this.#connection?.close();
    }
  }

  headers(block: Buffer, last: boolean): void {
    this.stream?.headers(block, last);
  }

  data(bytes: Buffer): void {
    this.stream?.data(bytes);
  }

  last(): void {
    this.stream?.last();
  }

  reset(reason: number): void {
    this.stream?.reset(reason);
  }

  lost(error: MonolithError): void {
    if (this.stream === null) this.#fail(`(${error.message})`);
    else this.stream.lost(error);
  }
}

class ClientStream extends WireDuplex {
  #answer: Fields | null = null;
  #trailers: Fields | null = null;
  #ending = false;

  protected begin(): boolean {
    return !this.#ending;
  }

  end(): void {
    if (this.#ending || this.isClosed) return;
    this.#ending = true;
    this.connection.finish();
  }

  fail(error: Error): void {
    if (this.isClosed) return;
    this.connection.reset(Reason.cancel);
    this.#over(error);
  }

  headers(block: Buffer, last: boolean): void {
    const fields = decodeFields(block);
    if (this.#answer === null) {
      this.#answer = fields;
      if (fields.has('grpc-status')) this.#trailers = fields;
    } else if (last) this.#trailers = fields;
    else throw new WireError(Reason.protocol, 'HEADERS came a second time and were not the last frame');
  }

  reset(reason: number): void {
    if (this.#trailers !== null) this.#over(this.#outcome());
    else this.#over(this.#error(statusOfReset[reason] ?? status.UNAVAILABLE, `the stream was reset (HTTP/2 code ${reason})`));
  }

  lost(error: MonolithError): void {
    if (this.#trailers !== null) this.#over(this.#outcome());
    else if (error instanceof WireError) this.#over(new MonolithError(error.code, `${this.peer}: ${error.message}`, { peer: this.peer }));
    else this.#over(this.#error(status.UNAVAILABLE, error.message));
  }

  protected override ended(tell: () => void): void {
    const outcome = this.#outcome();
    if (outcome === null) tell();
    // The server's answer is complete: nothing that is still to be sent would be read.
    if (!this.#ending) this.connection.reset(Reason.none);
    this.#over(outcome);
  }

  #over(outcome: Error | null): void {
    if (this.isClosed) return;
    this.connection.close();
    this.settle(outcome);
  }

  #outcome(): MonolithError | null {
    const answered = this.#trailers?.get('grpc-status');
    if (answered !== undefined) {
      const code = /^\d{1,2}$/.test(answered) ? Number(answered) : status.UNKNOWN;
      if (code === status.OK) return this.cutShort ? this.#error(status.UNAVAILABLE, 'the stream ended within a message') : null;
      return this.#error(code, unescaped(this.#trailers?.get('grpc-message')));
    }
    const http = Number(this.#answer?.get(':status') ?? 200);
    if (http === 200) return this.#error(status.UNAVAILABLE, 'the stream ended without a status');
    return this.#error(statusOfHttp[http] ?? status.UNKNOWN, `the server answered with HTTP status ${http}, not with gRPC`);
  }

  #error(code: number, details: string): MonolithError {
    const metadata = Metadata.fromHttp2Headers(Object.fromEntries(this.#trailers ?? []));
    return fromServiceError({ code, details, metadata }, this.peer, this.path);
  }
}

const statusOfHttp: Readonly<Record<number, number>> = {
  400: status.INTERNAL,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.UNIMPLEMENTED,
};

/** HTTP/2 error codes that mean something other than a lost connection. */
const statusOfReset: Readonly<Record<number, number>> = {
  [Reason.cancel]: status.CANCELLED,
  [Reason.calm]: status.RESOURCE_EXHAUSTED,
  [Reason.security]: status.PERMISSION_DENIED,
};

/** grpc-message is percent-encoded UTF-8. */
function unescaped(text: string | undefined): string {
  const plain = text ?? '';
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
