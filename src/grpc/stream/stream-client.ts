import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Metadata, status } from '@grpc/grpc-js';
import { MonolithError } from '../../base/index.js';
import { type ChannelSecurity, openSocket } from '../channel-credentials.js';
import { fromServiceError } from '../status.js';
import { Tokens } from '../token.js';
import { CLIENT_WINDOW, FRAME_SIZE, KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS, SESSION_MB } from '../transport-options.js';
import { H2Duplex } from './h2-duplex.js';
import { keepAlive } from './keep-alive.js';
import { STREAM_MARK_SETTING, STREAM_MARK_VALUE } from './stream-mark.js';

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

/** How long the rest of a connection may linger once its stream is over. */
const LINGER_MS = 1000;

/**
 * Opens one stream in both directions on a connection of its own, which ends with it. For streams that carry much: messages go out of the
 * caller's memory and come in through one buffer. Any gRPC server will do.
 *
 * @param path '/package.Service/Method'
 * @throws InvalidConfig as RpcChannel does; Unavailable when there is no connection within `connectMs`. Later errors arrive in `onClose`.
 */
export async function openStream(address: string, path: string, options: StreamOptions): Promise<H2Duplex<ClientHttp2Stream>> {
  const { security = {}, messageBytes = -1, keepAliveMs = KEEPALIVE_TIME_MS, keepAliveTimeoutMs = KEEPALIVE_TIMEOUT_MS } = options;
  const tokens = Tokens.from(security);
  const session = await openSession(address, security, options.connectMs);
  const token = tokens?.current()[0];
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': 'application/grpc',
      'grpc-accept-encoding': 'identity',
      'user-agent': 'monolith-local',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    { endStream: false },
  );
  const duplex = new ClientStream(stream, address, path, messageBytes);
  keepAlive(session, keepAliveMs, keepAliveTimeoutMs, () => session.destroy());
  duplex.onClose(() => {
    session.close();
    const timer = setTimeout(() => session.destroy(), LINGER_MS);
    timer.unref();
    session.once('close', () => clearTimeout(timer));
  });
  return duplex;
}

function openSession(address: string, security: ChannelSecurity, connectMs: number): Promise<ClientHttp2Session> {
  const socket = openSocket(address, security);
  const scheme = security.tls === undefined ? 'http' : 'https';
  const { serverName } = security.tls ?? {};
  return new Promise((resolve, reject) => {
    let session: ClientHttp2Session | null = null;
    const fail = (why: string): void => {
      clearTimeout(timer);
      session?.destroy();
      socket.destroy();
      const message = `${address}: no connection ${why}. Check that the process runs, that address and port are right, and that both sides agree on TLS`;
      reject(new MonolithError('Unavailable', message, { peer: address, timeoutMs: connectMs }));
    };
    const timer = setTimeout(() => fail(`within ${connectMs} ms`), connectMs);
    let reason = 'the other side closed it';
    const lost = (): void => fail(`(${reason})`);
    const broke = (error: NodeJS.ErrnoException): void => {
      reason = error.code ?? error.message;
      lost();
    };
    // A refusal of our certificate comes when a session stands on the socket; neither of the two closes then.
    socket.once('error', broke);
    socket.on('error', () => {});
    socket.once('close', lost);
    socket.once(security.tls === undefined ? 'connect' : 'secureConnect', () => {
      if (security.tls !== undefined && (socket as TLSSocket).alpnProtocol !== 'h2') {
        reason = 'the other side does not speak HTTP/2';
        socket.destroy();
        return;
      }
      session = startSession(`${scheme}://${authorityOf(address, serverName)}`, socket);
      session.on('error', (error: NodeJS.ErrnoException) => {
        reason = error.code ?? error.message;
      });
      session.once('close', lost);
      session.once('remoteSettings', () => {
        clearTimeout(timer);
        socket.removeListener('close', lost);
        socket.removeListener('error', broke);
        session?.removeListener('close', lost);
        if (session !== null) resolve(session);
      });
    });
  });
}

function startSession(authority: string, socket: Socket): ClientHttp2Session {
  const session = connect(authority, {
    createConnection: () => socket,
    maxSessionMemory: SESSION_MB,
    settings: {
      enablePush: false,
      initialWindowSize: CLIENT_WINDOW,
      maxFrameSize: FRAME_SIZE,
      customSettings: { [STREAM_MARK_SETTING]: STREAM_MARK_VALUE },
    },
  });
  // A session says 'connect' in the next turn at the earliest.
  session.once('connect', () => session.setLocalWindowSize(CLIENT_WINDOW));
  return session;
}

function authorityOf(address: string, serverName: string | undefined): string {
  return serverName === undefined ? address : serverName;
}

class ClientStream extends H2Duplex<ClientHttp2Stream> {
  #failure: Error | null = null;
  #answer: IncomingHttpHeaders | null = null;
  #trailers: IncomingHttpHeaders | null = null;

  constructor(stream: ClientHttp2Stream, peer: string, path: string, messageBytes: number) {
    super(stream, peer, path, messageBytes);
    stream.on('response', (headers) => {
      this.#answer = headers;
      if (headers['grpc-status'] !== undefined) this.#trailers = headers;
    });
    stream.on('trailers', (headers) => {
      this.#trailers = headers;
    });
    stream.on('end', () => {
      // The server's answer is complete: nothing that is still to be sent would be read.
      if (!stream.writableEnded) setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    });
    stream.on('close', () => this.settle(this.#failure ?? this.#outcome()));
  }

  protected begin(): void {}

  end(): void {
    this.carrier.end();
  }

  fail(error: Error): void {
    if (this.isClosed) return;
    this.#failure ??= error;
    this.carrier.close(constants.NGHTTP2_CANCEL);
  }

  #outcome(): MonolithError | null {
    const { peer, path } = this;
    const of = (code: number, details: string, headers: IncomingHttpHeaders = {}): MonolithError =>
      fromServiceError({ code, details, metadata: Metadata.fromHttp2Headers(headers) }, peer, path);
    const answered = this.#trailers?.['grpc-status'];
    if (answered !== undefined) {
      const code = Number(answered);
      if (code === status.OK) return this.cutShort ? of(status.UNAVAILABLE, 'the stream ended within a message') : null;
      return of(Number.isInteger(code) ? code : status.UNKNOWN, unescaped(this.#trailers?.['grpc-message']), this.#trailers ?? {});
    }
    const http = Number(this.#answer?.[':status'] ?? 200);
    if (http !== 200) return of(statusOfHttp[http] ?? status.UNKNOWN, `the server answered with HTTP status ${http}, not with gRPC`);
    const { rstCode } = this.carrier;
    return of(
      statusOfReset[rstCode] ?? status.UNAVAILABLE,
      rstCode === 0 ? 'Connection dropped' : `the stream was reset (HTTP/2 code ${rstCode})`,
    );
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
  [constants.NGHTTP2_CANCEL]: status.CANCELLED,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: status.RESOURCE_EXHAUSTED,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: status.PERMISSION_DENIED,
};

/** grpc-message is percent-encoded UTF-8. */
function unescaped(text: string | string[] | undefined): string {
  const plain = String(text ?? '');
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
