import type { Socket } from 'node:net';
import { MonolithError } from '../../base/index.js';
import { joinAddress } from '../address.js';
import type { CallGate, RpcLimits } from '../limits.js';
import { type DefectListener, streamLost } from '../server-calls.js';
import type { CallContext, DuplexHandler, RpcService } from '../service.js';
import { toStatus } from '../status.js';
import { KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from '../transport-options.js';
import { type ConnectionListener, LINGER_MS, WireConnection } from './connection.js';
import { FrameReceiver } from './frame-receiver.js';
import { decodeFields, encodeFields, type Fields, fits } from './header-block.js';
import { readInto } from './read-into.js';
import { WireDuplex } from './wire-duplex.js';
import { PREFACE } from './wire-format.js';

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

/** gRPC's reading of what no stream of it would be. */
const CONTENT_TYPE = /^application\/grpc(?:$|[+;])/;

/** Words of an error whose details are too large for a block of header fields. */
const MOST_MESSAGE = 4096;

/**
 * Serves the streams of services on connections of our own clients that it is given, without the copies of @grpc/grpc-js. Unary calls and
 * other clients are not served here.
 */
export class StreamEndpoint {
  readonly #handlers = new Map<string, DuplexHandler>();
  readonly #connections = new Set<ServerConnection>();

  constructor(private readonly options: StreamEndpointOptions) {
    for (const { name, duplex = {} } of options.services) {
      for (const method of Object.keys(duplex)) this.#handlers.set(`/${name}/${method}`, duplex[method]);
    }
  }

  /** Takes a connection over, of which `read`, the preface of HTTP/2 at least, has been read. */
  accept(socket: Socket, read: Buffer): void {
    const connection = new ServerConnection(socket, this.options, this.#handlers, read);
    if (socket.destroyed) return;
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  /** Takes no more streams; those that run may end within `ms`. */
  drain(ms: number): void {
    for (const connection of this.#connections) connection.drain(ms);
  }
}

/** One connection: waits for its stream, gives it to its handler. */
class ServerConnection implements ConnectionListener {
  readonly #wire: WireConnection;
  readonly #idle: NodeJS.Timeout;
  readonly #peer: string;
  #stream: ServerStream | null = null;
  #draining: NodeJS.Timeout | null = null;

  constructor(
    accepted: Socket,
    private readonly options: StreamEndpointOptions,
    private readonly handlers: ReadonlyMap<string, DuplexHandler>,
    read: Buffer,
  ) {
    this.#peer = peerOf(accepted);
    const receiver = new FrameReceiver();
    // Before the socket asks where to read to.
    receiver.push(read.subarray(PREFACE.length));
    const socket = readInto(accepted, receiver);
    this.#wire = new WireConnection(socket, this.#peer, 'server', receiver, this);
    this.#wire.keepAlive(KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS);
    this.#idle = setTimeout(() => this.#wire.destroy(), IDLE_MS);
    this.#idle.unref();
    receiver.filled(0);
  }

  drain(ms: number): void {
    if (this.#stream === null) {
      this.#wire.close();
      return;
    }
    this.#wire.announceEnd();
    this.#draining ??= setTimeout(() => this.#wire.destroy(), ms);
    this.#draining.unref();
  }

  settings(): void {}

  headers(block: Buffer): void {
    clearTimeout(this.#idle);
    const fields = decodeFields(block);
    const { refuses, gate, limits, defect } = this.options;
    const path = fields.get(':path') ?? '';
    if (fields.get(':method') !== 'POST' || !CONTENT_TYPE.test(fields.get('content-type') ?? '')) {
      this.#wire.headers(encodeFields([[':status', '415']]), true);
      this.#wire.close(LINGER_MS);
      return;
    }
    const context = new StreamContext(fields, this.#peer, path);
    const stream = new ServerStream(this.#wire, context, limits.messageBytes);
    this.#stream = stream;
    const handler = this.handlers.get(path);
    const unknown = new MonolithError('Unimplemented', `${path}: no stream of this name is served here`);
    const problem = refuses(path, fields.get('authorization')) ?? (handler === undefined ? unknown : gate.enter());
    if (problem !== null || handler === undefined) {
      stream.fail(problem ?? unknown);
      return;
    }
    stream.onClose(() => gate.leave());
    try {
      handler(stream, context);
      stream.begin();
    } catch (error) {
      if (!(error instanceof MonolithError)) defect(path, error);
      stream.fail(error as Error);
    }
  }

  data(bytes: Buffer): void {
    this.#stream?.data(bytes);
  }

  last(): void {
    this.#stream?.last();
  }

  reset(): void {
    this.#stream?.lost();
  }

  lost(): void {
    clearTimeout(this.#idle);
    if (this.#draining !== null) clearTimeout(this.#draining);
    this.#stream?.lost();
  }
}

class StreamContext implements CallContext {
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  readonly abort = new AbortController();
  readonly reply = new Map<string, string>();

  constructor(
    private readonly fields: Fields,
    readonly peer: string,
    readonly path: string,
  ) {}

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  header(name: string): string | undefined {
    return name === 'authorization' ? undefined : this.fields.get(name);
  }

  setHeader(name: string, value: string): void {
    this.reply.set(name, value);
  }
}

class ServerStream extends WireDuplex {
  #begun = false;
  #ending = false;

  constructor(
    connection: WireConnection,
    private readonly context: StreamContext,
    messageBytes: number,
  ) {
    super(connection, context.peer, context.path, messageBytes);
  }

  begin(): boolean {
    if (this.#ending || this.connection.over) return false;
    if (!this.#begun) {
      this.#begun = true;
      this.connection.headers(encodeFields([[':status', '200'], ['content-type', 'application/grpc'], ...this.context.reply]), false);
    }
    return true;
  }

  end(): void {
    if (!this.begin()) return;
    this.#finish([['grpc-status', '0']], (error) => {
      if (error !== null && error !== undefined) return;
      this.settle(null);
      this.connection.close(LINGER_MS);
    });
  }

  fail(error: Error): void {
    if (this.isClosed || this.#ending) return;
    const { code, details, metadata } = toStatus(error);
    const { connection } = this;
    const first = [
      ['grpc-status', String(code)],
      ['grpc-message', escaped(details.slice(0, MOST_MESSAGE))],
    ] as const;
    if (!connection.over) {
      const start = this.#begun
        ? []
        : ([
            [':status', '200'],
            ['content-type', 'application/grpc'],
          ] as const);
      const all = [...start, ...first, ...Object.entries(metadata.toHttp2Headers()).map(([name, value]) => [name, String(value)] as const)];
      this.#finish(fits(encodeFields(all)) ? all : [...start, ...first]);
    }
    this.connection.close(LINGER_MS);
    this.settle(error);
    this.context.abort.abort();
  }

  /** The client has reset the stream, or the connection is gone. */
  lost(): void {
    if (this.isClosed) return;
    this.settle(streamLost(this.peer, this.path));
    this.context.abort.abort();
  }

  #finish(fields: readonly (readonly [string, string])[], sent?: (error?: Error | null) => void): void {
    this.#ending = true;
    this.connection.headers(encodeFields(fields), true, sent);
  }
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'unknown' : joinAddress(socket.remoteAddress.replace(/^::ffff:/, ''), socket.remotePort ?? 0);
}

/** As grpc-message wants it: printable ASCII, everything else percent-encoded. */
function escaped(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/g, (part) => Buffer.from(part).toString('hex').replace(/../g, '%$&'));
}
