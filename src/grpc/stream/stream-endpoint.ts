import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { MonolithError, monotonicMs } from '../../base/index.js';
import { joinAddress } from '../address.js';
import type { CallGate, RpcLimits } from '../limits.js';
import { type DefectListener, streamLost } from '../server-calls.js';
import type { CallContext, DuplexHandler, RpcService } from '../service.js';
import { toStatus } from '../status.js';
import {
  FIRST_SERVER_WINDOW,
  FRAME_SIZE,
  GROWN_AFTER_BYTES,
  KEEPALIVE_TIME_MS,
  KEEPALIVE_TIMEOUT_MS,
  SERVER_WINDOW,
  SESSION_MB,
} from '../transport-options.js';
import { H2Duplex } from './h2-duplex.js';
import { keepAlive } from './keep-alive.js';

export type StreamEndpointOptions = {
  readonly services: readonly RpcService[];
  readonly limits: RpcLimits;
  readonly gate: CallGate;
  /** Why a call with this Authorization header may not run, or null. */
  readonly refuses: (path: string, authorization: string | undefined) => MonolithError | null;
  readonly defect: DefectListener;
};

/** A connection without a stream for so long is closed: clients open one at once and close the connection after it. */
const IDLE_MS = 10_000;

/** How long a client has to take the end of a stream that was failed or that it does not end itself. */
const LINGER_MS = 1000;

/** gRPC's reading of what no stream of it would be. */
const CONTENT_TYPE = /^application\/grpc(?:$|[+;])/;

/**
 * Serves the streams of services on connections that it is given: gRPC over node:http2 without the copies of @grpc/grpc-js. Unary calls are not
 * served here.
 */
export class StreamEndpoint {
  readonly #handlers = new Map<string, DuplexHandler>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #server: Http2Server;

  constructor(private readonly options: StreamEndpointOptions) {
    for (const { name, duplex = {} } of options.services) {
      for (const method of Object.keys(duplex)) this.#handlers.set(`/${name}/${method}`, duplex[method]);
    }
    this.#server = createServer({
      maxSessionMemory: SESSION_MB,
      settings: {
        initialWindowSize: FIRST_SERVER_WINDOW,
        maxFrameSize: FRAME_SIZE,
        maxConcurrentStreams: options.limits.streamsPerConnection,
      },
    });
    this.#server.on('session', (session) => this.#open(session));
    this.#server.on('sessionError', () => {});
  }

  /** Takes a connection over. It may have bytes that came and are not read. */
  accept(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  /** Takes no more streams; those that run may end within `ms`. */
  drain(ms: number): void {
    for (const session of this.#sessions) {
      session.close();
      const timer = setTimeout(() => session.destroy(), ms);
      timer.unref();
      session.once('close', () => clearTimeout(timer));
    }
  }

  #open(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    keepAlive(session, KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS, () => session.destroy());
    let running = 0;
    let received = 0;
    let grown = false;
    const idle = setTimeout(() => {
      if (running === 0) session.destroy();
    }, IDLE_MS);
    idle.unref();
    session.on('close', () => {
      this.#sessions.delete(session);
      clearTimeout(idle);
    });
    session.on('error', () => session.destroy());
    session.on('stream', (stream, headers) => {
      running++;
      if (!grown) {
        // Counts only until there has been enough.
        const count = (chunk: Buffer): void => {
          received += chunk.length;
          if (received < GROWN_AFTER_BYTES) return;
          stream.removeListener('data', count);
          if (grown || session.destroyed) return;
          grown = true;
          session.setLocalWindowSize(SERVER_WINDOW);
          session.settings({ initialWindowSize: SERVER_WINDOW });
        };
        stream.on('data', count);
      }
      stream.once('close', () => {
        if (--running === 0) idle.refresh();
      });
      this.#serve(stream, headers, peerOf(session.socket));
    });
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: string): void {
    const { refuses, gate, limits, defect } = this.options;
    const path = headers[':path'] ?? '';
    if (headers[':method'] !== 'POST' || !CONTENT_TYPE.test(headers['content-type'] ?? '')) {
      stream.on('error', () => {});
      stream.respond({ ':status': 415 }, { endStream: true });
      stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const context = new StreamContext(headers, peer, path);
    const duplex = new ServerStream(stream, context, limits.messageBytes);
    const handler = this.#handlers.get(path);
    const unknown = new MonolithError('Unimplemented', `${path}: no stream of this name is served here`);
    const problem = refuses(path, headers.authorization) ?? (handler === undefined ? unknown : gate.enter());
    if (problem !== null || handler === undefined) {
      duplex.fail(problem ?? unknown);
      return;
    }
    duplex.onClose(() => gate.leave());
    try {
      handler(duplex, context);
      duplex.begin();
    } catch (error) {
      if (!(error instanceof MonolithError)) defect(path, error);
      duplex.fail(error as Error);
    }
  }
}

class StreamContext implements CallContext {
  readonly deadlineMs: number;
  readonly abort = new AbortController();
  readonly reply: OutgoingHttpHeaders = {};

  constructor(
    private readonly headers: IncomingHttpHeaders,
    readonly peer: string,
    readonly path: string,
  ) {
    const timeout = timeoutMs(headers['grpc-timeout']);
    this.deadlineMs = timeout === null ? Number.POSITIVE_INFINITY : monotonicMs() + timeout;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  header(name: string): string | undefined {
    return name === 'authorization' ? undefined : this.headers[name]?.toString();
  }

  setHeader(name: string, value: string): void {
    this.reply[name] = value;
  }
}

class ServerStream extends H2Duplex<ServerHttp2Stream> {
  readonly #context: StreamContext;
  #begun = false;
  #failure: Error | null = null;
  #trailers: OutgoingHttpHeaders = { 'grpc-status': '0' };
  #deadline: NodeJS.Timeout | null = null;

  constructor(stream: ServerHttp2Stream, context: StreamContext, messageBytes: number) {
    super(stream, context.peer, context.path, messageBytes);
    this.#context = context;
    stream.on('wantTrailers', () => {
      if (!stream.destroyed && !stream.closed) stream.sendTrailers(this.#trailers);
      // A client that goes on sending is told that nobody reads it.
      this.#linger();
    });
    stream.on('close', () => {
      if (this.#deadline !== null) clearTimeout(this.#deadline);
      const regular = stream.sentTrailers !== undefined && this.#failure === null;
      this.settle(regular ? null : (this.#failure ?? streamLost(this.peer, this.path)));
      if (!regular) context.abort.abort();
    });
    if (context.deadlineMs === Number.POSITIVE_INFINITY) return;
    const left = Math.max(0, context.deadlineMs - monotonicMs());
    this.#deadline = setTimeout(() => {
      this.fail(new MonolithError('DeadlineExceeded', `${this.path}: the deadline has passed`));
    }, left);
    this.#deadline.unref();
  }

  begin(): void {
    const { carrier } = this;
    if (this.#begun || carrier.destroyed || carrier.closed) return;
    this.#begun = true;
    carrier.respond({ ...this.#context.reply, ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  }

  end(): void {
    if (this.isClosed || this.carrier.destroyed) return;
    this.begin();
    this.carrier.end();
  }

  fail(error: Error): void {
    const { carrier } = this;
    if (this.isClosed || this.#failure !== null) return;
    this.#failure = error;
    const { code, details, metadata } = toStatus(error);
    const trailers = {
      ...metadata.toHttp2Headers(),
      'grpc-status': String(code),
      'grpc-message': escaped(details),
    } as OutgoingHttpHeaders;
    if (carrier.destroyed || carrier.closed) return;
    if (this.#begun) {
      this.#trailers = trailers;
      carrier.end();
    } else {
      this.#begun = true;
      carrier.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
    }
    carrier.resume();
    this.#linger();
    this.settle(error);
  }

  #linger(): void {
    const { carrier } = this;
    const timer = setTimeout(() => carrier.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
    timer.unref();
    carrier.once('close', () => clearTimeout(timer));
  }
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'unknown' : joinAddress(socket.remoteAddress.replace(/^::ffff:/, ''), socket.remotePort ?? 0);
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a grpc-timeout header; null: none that can be read. */
function timeoutMs(header: string | string[] | undefined): number | null {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(header ?? ''));
  return match === null ? null : Math.min(Number(match[1]) * UNIT_MS[match[2]], 2 ** 31 - 1);
}

/** As grpc-message wants it: printable ASCII, everything else percent-encoded. */
function escaped(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/g, (part) => Buffer.from(part).toString('hex').replace(/../g, '%$&'));
}
